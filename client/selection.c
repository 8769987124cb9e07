#include "ask.h"

#include <errno.h>
#include <stdio.h>

#include "out.h"

const char *const case_words[] = {"smart", "yes", "no", NULL};
static const char *const case_in_protocol[] = {"smart", "exact", "fold"};

/* in:"DIR", with what would end the quotes escaped. */
static int
add_in(const char *dir, struct strbuf *query)
{
	AUTO(strbuf_fini) struct strbuf path = {0};
	int r = directory_path(dir, &path);

	(void)strbuf_puts(query, "in:\"");
	for (size_t i = 0; i < path.len; i++) {
		if (path.data[i] == '"' || path.data[i] == '\\')
			(void)strbuf_putc(query, '\\');
		(void)strbuf_putc(query, path.data[i]);
	}
	(void)strbuf_putc(query, '"');
	return r < 0 ? r : 0;
}

/* The operands joined with spaces: what was typed is the query, quotes of the shell apart. With
 * --in and the like the words are put in brackets, so that an | among them stays within it. */
static char *
join_query(const struct selection *s, const struct texts *words, size_t from)
{
	struct strbuf query = {0};
	bool brackets = (s->in || s->narrow) && from < words->len;

	if (s->in && add_in(s->in, &query) < 0)
		query.failed = true;
	if (s->in && (s->narrow || brackets))
		(void)strbuf_putc(&query, ' ');
	if (s->narrow)
		(void)strbuf_puts(&query, s->narrow);
	if (brackets)
		(void)strbuf_putc(&query, '(');
	for (size_t i = from; i < words->len; i++) {
		if (i > from)
			(void)strbuf_putc(&query, ' ');
		(void)strbuf_puts(&query, words->data[i]);
	}
	if (brackets)
		(void)strbuf_putc(&query, ')');
	if (query.len == 0)
		(void)strbuf_puts(&query, "");
	return strbuf_take(&query);
}

int
selection_begin(struct selection *s, struct question *q, const char *op, const struct texts *words,
	size_t from)
{
	question_begin(q, op, &s->common);
	s->query = join_query(s, words, from);
	if (!s->query) {
		complain("out of memory");
		return EXIT_USAGE;
	}
	q->query = s->query;
	json_kv_cstr(&q->json, "q", s->query);
	json_kv_u64(&q->json, "limit", s->limit);
	if (s->letter_case)
		json_kv_cstr(&q->json, "case", case_in_protocol[s->letter_case]);
	question_patient(q, &s->common);
	return EXIT_FOUND;
}

void
selection_fini(struct selection *s)
{
	free(s->query);
	common_fini(&s->common);
}

/* "3 binary, 1 too-large" of an object of counts; the sum. */
static uint64_t
print_counts(const struct msg_val *counts, struct strbuf *out)
{
	const char *word = NULL;
	const struct msg_val *v;
	uint64_t sum = 0;
	char text[32];

	for (size_t i = 0; (v = msg_member(counts, i, &word)); i++) {
		int64_t n = 0;

		if (msg_number(v, &n) <= 0 || n <= 0)
			continue;
		(void)strbuf_printf(
			out, "%s%s %s", sum ? ", " : "", count_text((uint64_t)n, text), word);
		sum += (uint64_t)n;
	}
	return sum;
}

static void
print_names(const struct msg_val *names, struct strbuf *out)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};

	for (size_t i = 0; i < msg_len(names); i++) {
		struct span name;

		strbuf_reset(&scratch);
		if (msg_text(msg_at(names, i), &scratch, &name) <= 0)
			continue;
		(void)strbuf_puts(out, i ? ", " : "");
		escape_into(out, name, "");
	}
}

static void
print_stats(const struct msg_val *end, const struct strbuf *skipped, usec_t began_usec)
{
	const struct msg_val *total = msg_get(end, "total");
	uint64_t n = 0, all = 0, took = 0;
	bool exact = false;
	struct span clock = {"", 0};
	char a[32], b[32];

	(void)msg_u64(end, "n", &n);
	(void)msg_u64(end, "took_us", &took);
	(void)msg_str(end, "clock", &clock);
	if (total && msg_u64(total, "n", &all) > 0 && msg_bool(total, "exact", &exact) >= 0)
		(void)fprintf(stderr, "%s of %s%s answers, ", count_text(n, a),
			exact ? "" : "at least ", count_text(all, b));
	else
		(void)fprintf(stderr, "%s answers, ", count_text(n, a));
	(void)fprintf(stderr, "%s in the daemon, ", duration_text(took, a));
	(void)fprintf(stderr, "%s in all", duration_text(clock_mono() - began_usec, a));
	if (skipped->len)
		(void)fprintf(stderr, "; not looked into: %s", skipped->data);
	(void)fprintf(stderr, "; clock %.*s\n", (int)clock.len, clock.data);
}

/* Left out for another reason than the limit that the user gave? Says so. */
static bool
cut_short(const struct selection *s, const struct msg_val *end)
{
	bool more = false;
	struct span why = {"limit", 5};

	if (msg_bool(end, "more", &more) <= 0 || !more)
		return false;
	(void)msg_str(end, "why", &why);
	if (s->limit && span_eq(why, SPAN_LIT("limit")))
		return false;
	complain("there are more answers than these: the daemon stopped at its %.*s", (int)why.len,
		why.data);
	return true;
}

bool
report_stale(const struct msg_val *end)
{
	AUTO(strbuf_fini) struct strbuf names = {0};
	const struct msg_val *stale = msg_get(end, "stale");

	if (msg_len(stale) == 0)
		return false;
	print_names(stale, &names);
	complain("may differ from the disk: %s (`trawl status` says why)",
		names.data ? names.data : "");
	return true;
}

bool
report_unread(const struct msg_val *end)
{
	uint64_t n = 0;
	char text[32];

	(void)msg_u64(end, "unread", &n);
	if (n > 0)
		complain("not counted: what is in %s director%s that could not be read or %s left "
			 "out (`trawl roots` says why)",
			count_text(n, text), n == 1 ? "y" : "ies", n == 1 ? "is" : "are");
	return n > 0;
}

int
selection_report(const struct selection *s, const struct msg_val *end, usec_t began_usec)
{
	AUTO(strbuf_fini) struct strbuf skipped = {0};
	uint64_t n = 0, n_skipped = print_counts(msg_get(end, "skipped"), &skipped);
	bool cut = cut_short(s, end), stale = report_stale(end);

	if (s->stats)
		print_stats(end, &skipped, began_usec);
	else if (s->strict && n_skipped)
		complain("not looked into: %s", skipped.data);
	if (s->strict && (cut || stale || n_skipped))
		return EXIT_INCOMPLETE;
	(void)msg_u64(end, "n", &n);
	return n ? EXIT_FOUND : EXIT_NOTHING;
}
