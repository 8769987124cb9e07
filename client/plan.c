#include "plan.h"

#include <stdio.h>

#define TERM_WIDTH 36

static uint64_t
number(const struct msg_val *object, const char *key)
{
	uint64_t n = 0;

	(void)msg_u64(object, key, &n);
	return n;
}

static bool
flag(const struct msg_val *object, const char *key)
{
	bool is = false;

	(void)msg_bool(object, key, &is);
	return is;
}

static struct span
text(const struct msg_val *object, const char *key)
{
	struct span s = {"", 0};

	(void)msg_str(object, key, &s);
	return s;
}

static const char *
time_of(const struct msg_val *object, char buf[32])
{
	uint64_t ns = number(object, "ns");

	if (ns >= 1000 * USEC_PER_MSEC)
		return duration_text(ns / 1000, buf);
	(void)snprintf(buf, 32, "%.1f us", (double)ns / 1000);
	return buf;
}

/* A number under its heading; "-" where there is none. */
static void
put_column(struct out *o, const struct msg_val *step, const char *key, int width)
{
	char buf[32];

	(void)strbuf_printf(&o->buf, " %*s", width,
		msg_get(step, key) ? count_text(number(step, key), buf) : "-");
}

static void
put_estimate(struct out *o, const struct msg_val *step)
{
	char digits[32], guess[40] = "-";

	if (msg_get(step, "estimate"))
		(void)snprintf(guess, sizeof(guess), "%s%s", flag(step, "exact") ? "" : "~",
			count_text(number(step, "estimate"), digits));
	(void)strbuf_printf(&o->buf, " %12s", guess);
}

static void
put_step(struct out *o, const struct msg_val *step)
{
	int indent = 2 + 2 * (int)MIN(number(step, "depth"), 40u);
	struct span term = text(step, "term");
	size_t began = o->buf.len;
	char buf[32];

	(void)strbuf_printf(&o->buf, "%*s", indent, "");
	out_name(o, term);
	if (!msg_get(step, "asked")) {
		out_putc(o, '\n');
		return;
	}
	if (o->buf.len - began > TERM_WIDTH) {
		out_putc(o, '\n');
		began = o->buf.len;
	}
	(void)strbuf_printf(&o->buf, "%*s", TERM_WIDTH - (int)(o->buf.len - began), "");
	put_estimate(o, step);
	put_column(o, step, "asked", 11);
	put_column(o, step, "hits", 11);
	put_column(o, step, "blocks_read", 7);
	put_column(o, step, "blocks_skipped", 8);
	(void)strbuf_printf(&o->buf, " %10s\n", time_of(step, buf));
}

/* What a content term asks of its index. */
static void
put_grams(struct out *o, const struct msg_val *step)
{
	int indent = 4 + 2 * (int)MIN(number(step, "depth"), 40u);
	char buf[32];

	if (!msg_get(step, "grams"))
		return;
	(void)strbuf_printf(&o->buf, "%*sgrams ", indent, "");
	out_name(o, text(step, "grams"));
	(void)strbuf_printf(
		&o->buf, ": at most %s, ", count_text(number(step, "grams_estimate"), buf));
	(void)strbuf_printf(&o->buf, "found %s\n", count_text(number(step, "documents"), buf));
}

static void
put_ranges(struct out *o, const struct msg_val *end)
{
	const struct msg_val *ranges = msg_get(end, "ranges");
	char a[32], b[32];

	(void)strbuf_printf(&o->buf, "looked at   %s of ", count_text(number(end, "entries"), a));
	(void)strbuf_printf(&o->buf, "%s entries\n", count_text(number(end, "of"), b));
	for (size_t i = 0; i < msg_len(ranges); i++) {
		const struct msg_val *r = msg_at(ranges, i);

		(void)strbuf_printf(&o->buf, "  root ");
		out_name(o, text(r, "root"));
		if (number(r, "layer") > 0)
			(void)strbuf_printf(
				&o->buf, ", layer %s", count_text(number(r, "layer"), a));
		(void)strbuf_printf(
			&o->buf, ": %s entries from ", count_text(number(r, "entries"), a));
		(void)strbuf_printf(&o->buf, "%s on, of ", count_text(number(r, "first"), a));
		(void)strbuf_printf(&o->buf, "%s\n", count_text(number(r, "of"), a));
	}
}

static void
put_sort(struct out *o, const struct msg_val *sort)
{
	const struct msg_val *keys = msg_get(sort, "keys");
	char buf[32];

	if (!sort)
		return;
	out_puts(o, "sorted by   ");
	for (size_t i = 0; i < msg_len(keys); i++) {
		const struct msg_val *key = msg_at(keys, i);

		out_puts(o, i ? ", " : "");
		out_name(o, text(key, "field"));
		out_puts(o, flag(key, "descending") ? " descending" : "");
	}
	(void)strbuf_printf(&o->buf, "; %s kept, ", count_text(number(sort, "kept"), buf));
	(void)strbuf_printf(&o->buf, "%s blocks that could not be among them, ",
		count_text(number(sort, "blocks_skipped"), buf));
	(void)strbuf_printf(&o->buf, "%s with the terms above\n", time_of(sort, buf));
}

static void
put_ranked(struct out *o, const struct msg_val *ranked)
{
	const struct msg_val *by = msg_get(ranked, "by");
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct span word;
	char buf[32];

	if (!ranked)
		return;
	out_puts(o, "ranked by   ");
	for (size_t i = 0; i < msg_len(by); i++) {
		out_puts(o, i ? ", " : "");
		if (msg_text(msg_at(by, i), &scratch, &word) > 0)
			out_name(o, word);
	}
	(void)strbuf_printf(
		&o->buf, "; %s candidates", count_text(number(ranked, "candidates"), buf));
	(void)strbuf_printf(
		&o->buf, " in pieces of %s, ", count_text(number(ranked, "names_at_once"), buf));
	(void)strbuf_printf(&o->buf, "%s\n", time_of(ranked, buf));
}

static void
put_run(struct out *o, const struct msg_val *run)
{
	uint64_t threads = number(run, "threads");
	char buf[32];

	if (number(run, "files_read") > 0) {
		(void)strbuf_printf(&o->buf, "read        %s files, ",
			count_text(number(run, "files_read"), buf));
		(void)strbuf_printf(&o->buf, "%s\n", bytes_text(number(run, "bytes_read"), buf));
	}
	(void)strbuf_printf(&o->buf, "answers     %s", count_text(number(run, "n"), buf));
	if (flag(run, "more"))
		(void)strbuf_printf(&o->buf, " of %s%s", flag(run, "exact") ? "" : "at least ",
			count_text(number(run, "total"), buf));
	(void)strbuf_printf(&o->buf, " in %s", time_of(run, buf));
	if (threads > 1)
		(void)strbuf_printf(
			&o->buf, ", on %s threads of the pool", count_text(threads, buf));
	out_putc(o, '\n');
}

static void
put_steps(struct out *o, const struct msg_val *end)
{
	const struct msg_val *steps = msg_get(end, "steps"), *pattern = msg_get(end, "pattern");

	(void)strbuf_printf(&o->buf, "%-*s %12s %11s %11s %7s %8s %10s\n", TERM_WIDTH, "terms",
		"expected", "asked", "took", "blocks", "skipped", "time");
	for (size_t i = 0; i < msg_len(steps); i++) {
		put_step(o, msg_at(steps, i));
		put_grams(o, msg_at(steps, i));
	}
	if (!pattern)
		return;
	out_puts(o, "lines       ");
	out_name(o, text(pattern, "term"));
	out_putc(o, '\n');
	put_grams(o, pattern);
}

static void
put_plan(struct out *o, const struct msg_val *end)
{
	out_puts(o, "understood  ");
	out_name(o, text(end, "tree"));
	out_putc(o, '\n');
	put_ranges(o, end);
	put_steps(o, end);
	put_sort(o, msg_get(end, "sort"));
	put_ranked(o, msg_get(end, "ranked"));
	put_run(o, msg_get(end, "run"));
}

/* As it came from the daemon, but for what belongs to the protocol. */
static void
put_json(struct out *o, const struct msg_val *end)
{
	AUTO(strbuf_fini) struct strbuf value = {0};
	struct json j = json_to(&o->buf);
	const struct msg_val *v;
	const char *key = NULL;

	json_open(&j, '{');
	for (size_t i = 0; (v = msg_member(end, i, &key)); i++) {
		strbuf_reset(&value);
		if (strcmp(key, "id") == 0 || strcmp(key, "ev") == 0 || msg_print(v, &value) < 0)
			continue;
		json_key(&j, key);
		json_raw(&j, strbuf_view(&value));
	}
	json_close(&j, '}');
	out_putc(o, '\n');
}

int
plan_print(const struct msg_val *end, const struct common *c, struct out *o)
{
	if (c->json)
		put_json(o, end);
	else
		put_plan(o, end);
	return number(msg_get(end, "run"), "n") > 0 ? EXIT_FOUND : EXIT_NOTHING;
}
