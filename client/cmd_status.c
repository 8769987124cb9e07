#include "ask.h"
#include "cell.h"
#include "commands.h"
#include "roots_table.h"

struct status {
	struct common common;
	bool stats;
};

static const struct opt opts[] = {
	{0, OPT_SET, "stats", NULL, offsetof(struct status, stats), 1, NULL,
		"every counter, one a line: its name and its value as it is"},
	{0},
};

/* Members that the first lines or the table of roots show. */
static const char *const shown[] = {"version", "pid", "uptime_us", "roots"};

static bool
is_shown(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		if (strcmp(shown[i], key) == 0)
			return true;
	return cell_is_frame(key);
}

static void
put_number(struct out *o, bool is_bytes, bool is_usec, int64_t n)
{
	char buf[32];

	if (is_bytes && n >= 0)
		out_puts(o, bytes_text((uint64_t)n, buf));
	else if (is_usec && n >= 0)
		out_puts(o, duration_text((usec_t)n, buf));
	else if (n >= 0)
		out_puts(o, count_text((uint64_t)n, buf));
	else
		(void)strbuf_i64(&o->buf, n);
}

static void put_value(struct out *o, const char *key, const struct msg_val *v, bool is_bytes);

/* One line: the numbers beside their names; an object inside in brackets. */
static void
put_object(struct out *o, const struct msg_val *object, bool is_bytes)
{
	const struct msg_val *v;
	const char *key = NULL;

	for (size_t i = 0; (v = msg_member(object, i, &key)); i++) {
		out_puts(o, i ? ", " : "");
		out_name(o, span_of(key));
		out_putc(o, ' ');
		if (msg_kind(v) == MSG_OBJECT)
			out_putc(o, '(');
		put_value(o, key, v, is_bytes);
		if (msg_kind(v) == MSG_OBJECT)
			out_putc(o, ')');
	}
}

/* Any value of any daemon: what we do not know is shown as it is. */
static void
put_value(struct out *o, const char *key, const struct msg_val *v, bool is_bytes)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct span s;
	int64_t n;

	if (msg_kind(v) == MSG_OBJECT) {
		put_object(o, v, is_bytes);
	} else if (msg_number(v, &n) > 0) {
		put_number(o, is_bytes || span_starts(span_of(key), SPAN_LIT("bytes")),
			span_ends(span_of(key), SPAN_LIT("_us")), n);
	} else if (msg_text(v, &scratch, &s) > 0) {
		out_name(o, s);
	} else {
		strbuf_reset(&scratch);
		(void)msg_print(v, &scratch);
		out_text(o, strbuf_view(&scratch));
	}
}

static void
put_head(struct out *o, const struct msg_val *end)
{
	struct span version = {"?", 1};
	uint64_t pid = 0, uptime = 0;
	char buf[32];

	(void)msg_str(end, "version", &version);
	(void)msg_u64(end, "pid", &pid);
	(void)msg_u64(end, "uptime_us", &uptime);
	out_puts(o, "trawld ");
	out_name(o, version);
	(void)strbuf_printf(&o->buf, ", pid %llu, up %s\n", (unsigned long long)pid,
		duration_text(uptime, buf));
}

static void
put_status(struct out *o, const struct msg_val *end)
{
	const struct msg_val *v;
	const char *key = NULL;

	put_head(o, end);
	roots_print(o, msg_get(end, "roots"));
	for (size_t i = 0; (v = msg_member(end, i, &key)); i++) {
		if (is_shown(key))
			continue;
		out_color(o, "1");
		out_name(o, span_of(key));
		out_plain(o);
		out_puts(o, ": ");
		put_value(o, key, v, strcmp(key, "memory") == 0);
		out_putc(o, '\n');
	}
}

/* The names of what a value is in, as "server.accepted" and "roots.3.entries". */
static void
put_counters(struct out *o, const struct msg_val *v, const struct strbuf *name)
{
	AUTO(strbuf_fini) struct strbuf inner = {0}, text = {0};
	const struct msg_val *member;
	const char *key = NULL;
	bool list = msg_kind(v) == MSG_ARRAY;

	if (!list && msg_kind(v) != MSG_OBJECT) {
		(void)msg_print(v, &text);
		out_name(o, strbuf_view(name));
		out_putc(o, ' ');
		out_text(o, strbuf_view(&text));
		out_putc(o, '\n');
		return;
	}
	for (size_t i = 0; list ? i < msg_len(v) : !!(member = msg_member(v, i, &key)); i++) {
		strbuf_reset(&inner);
		(void)strbuf_span(&inner, strbuf_view(name));
		(void)strbuf_puts(&inner, name->len ? "." : "");
		if (list)
			(void)strbuf_u64(&inner, i);
		else
			(void)strbuf_puts(&inner, key);
		if (name->len || !cell_is_frame(key))
			put_counters(o, list ? msg_at(v, i) : member, &inner);
	}
}

static int
status(const struct common *c, bool stats, struct question *q, struct out *o)
{
	const struct strbuf top = {0};
	AUTO(msg_freep) struct msg *end = NULL;
	int exit_code;

	question_begin(q, "status", c);
	exit_code = ask_once(q, c, NULL, NULL, &end);
	if (exit_code)
		return exit_code;
	if (c->json)
		out_json(o, msg_root(end));
	else if (stats)
		put_counters(o, msg_root(end), &top);
	else
		put_status(o, msg_root(end));
	return EXIT_FOUND;
}

static int
run(char **argv)
{
	struct status s = {0};
	AUTO(question_fini) struct question q = {0};
	struct out o;
	int exit_code;

	if (!args_done(&cmd_status, argv, &s, &exit_code)) {
		o = out_open(s.common.color);
		exit_code = s.common.operands.len
		                    ? usage_error(&cmd_status, "no operands are expected")
		                    : status(&s.common, s.stats, &q, &o);
		exit_code = out_close(&o, exit_code);
	}
	common_fini(&s.common);
	return exit_code;
}

const struct command cmd_status = {
	.name = "status",
	.operands = "[OPTION]...",
	.summary = "how the daemon is: version, roots, connections, memory",
	.opts = opts,
	.run = run,
};
