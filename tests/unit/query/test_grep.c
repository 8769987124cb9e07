#include "query/grep.h"

#include "test.h"

#include <errno.h>
#include <stdio.h>

struct case_ {
	const char *pattern;
	enum pattern_flags flags;
	struct cursor_opts opts;
};

static const char text_[] = "foo bar foo\nxx\nfoo (\nbar) foo\nbaz\n\nlast (foo\nx\nbar)\nno lf";

/* "line:column:offset:text " of each row, '-' in place of ':' for context, in pieces of `room`. */
static void
print(const struct case_ *c, size_t room, struct strbuf *out)
{
	struct span text = {text_, sizeof(text_) - 1};
	struct cursor_opts opts = c->opts;
	struct grep_place place = {0};
	struct grep_lines lines = {0};
	struct pattern *p;
	struct matcher *m;
	int r = 1;

	opts.deadline = USEC_NEVER;
	CHECK_INT(pattern_create(span_of(c->pattern), c->flags, &p, NULL), 0);
	CHECK_INT(matcher_create(p, &m), 0);
	while (r > 0) {
		size_t before = lines.lines.len;

		r = grep_text(m, (struct subject){text, NULL}, &opts,
			(struct grep_bounds){UINT64_MAX, room, 0}, &place, &lines);
		CHECK(r >= 0);
		CHECK(r == 0 || lines.lines.len > before);
		VEC_EACH (&lines.lines, l)
			(void)strbuf_printf(out, "%llu%c%llu:%llu:%.*s%s ",
				(unsigned long long)l->line, l->context ? '-' : ':',
				(unsigned long long)l->column, (unsigned long long)l->offset,
				(int)l->len, lines.text.data + l->text, l->last ? "$" : "");
		grep_lines_reset(&lines);
	}
	grep_lines_fini(&lines);
	matcher_destroy(m);
	pattern_destroy(p);
}

static void
check(const struct case_ *c, const char *want)
{
	struct strbuf out = {0}, pieces = {0};

	print(c, SIZE_MAX, &out);
	CHECK_STR(out.data ? out.data : "", want);
	print(c, 1, &pieces);
	CHECK(span_eq(strbuf_view(&out), strbuf_view(&pieces)));
	strbuf_fini(&out);
	strbuf_fini(&pieces);
}

TEST(grep, gives_lines_matches_and_what_does_not_match)
{
	check(&(struct case_){"bar", 0, {.before = 0}},
		"1:5:0:foo bar foo 4:1:21:bar) foo 9:1:47:bar) ");
	check(&(struct case_){"bar", 0, {.answer = GREP_MATCHES}},
		"1:5:4:bar 4:1:21:bar 9:1:47:bar ");
	check(&(struct case_){"o*", PATTERN_REGEX, {.answer = GREP_MATCHES, .max_per_file = 1}},
		"1:1:0: 1:2:1:oo 1:5:4: 1:6:5: 1:7:6: 1:8:7: 1:9:8: 1:10:9:oo ");
	check(&(struct case_){"[a-z]", PATTERN_REGEX, {.invert = true}}, "6:1:34: ");
	check(&(struct case_){"o", 0, {.invert = true, .max_per_file = 2, .before = 1}},
		"1-0:0:foo bar foo 2:1:12:xx 4-0:21:bar) foo 5:1:30:baz ");
	check(&(struct case_){"lf", 0, {.before = 1, .after = 3}}, "9-0:47:bar) 10:4:52:no lf$ ");
	check(&(struct case_){"zz", 0, {.answer = GREP_MATCHES}}, "");
}

TEST(grep, lines_of_a_match_that_spans_them_come_together)
{
	enum pattern_flags f = PATTERN_REGEX | PATTERN_MULTI;

	check(&(struct case_){"\\(\\n", f, {.before = 0}}, "3:5:15:foo ( ");
	check(&(struct case_){"\\([^)]*\\)", f, {.before = 0}},
		"3:5:15:foo (\nbar) foo 7:6:35:last (foo\nx\nbar) ");
	check(&(struct case_){"\\([^)]*\\)|baz", f, {.before = 0}},
		"3:5:15:foo (\nbar) foo\nbaz 7:6:35:last (foo\nx\nbar) ");
	check(&(struct case_){"\\([^)]*\\)", f, {.invert = true, .max_per_file = 4}},
		"1:1:0:foo bar foo 2:1:12:xx 5:1:30:baz 6:1:34: ");
	check(&(struct case_){"\\([^)]*\\)|foo", f,
		      {.answer = GREP_MATCHES, .after = 1, .max_per_file = 3}},
		"1:1:0:foo 1:9:8:foo 2-0:12:xx 3:1:15:foo 3:5:19:(\nbar) 4:6:26:foo 5-0:30:baz "
		"7:6:40:(foo\nx\nbar) 10-0:52:no lf$ ");
}

static uint64_t
count(const char *pattern, enum pattern_flags flags, struct cursor_opts opts)
{
	struct pattern *p;
	struct matcher *m;
	uint64_t n;

	opts.deadline = USEC_NEVER;
	CHECK_INT(pattern_create(span_of(pattern), flags, &p, NULL), 0);
	CHECK_INT(matcher_create(p, &m), 0);
	CHECK_INT(grep_count(m, (struct subject){SPAN_LIT(text_), NULL}, &opts, &n), 0);
	CHECK_INT(grep_any(m, (struct subject){SPAN_LIT(text_), NULL}, &opts), n > 0);
	matcher_destroy(m);
	pattern_destroy(p);
	return n;
}

TEST(grep, counts_lines_and_matches)
{
	struct cursor_opts lines = {.answer = GREP_COUNT_LINES},
			   matches = {.answer = GREP_COUNT_MATCHES};
	struct cursor_opts others = {.answer = GREP_COUNT_LINES, .invert = true};

	CHECK_INT(count("foo", 0, lines), 4);
	CHECK_INT(count("foo", 0, matches), 5);
	CHECK_INT(count("foo", 0, others), 6);
	CHECK_INT(count("", PATTERN_REGEX, lines), 10);
	CHECK_INT(count("", PATTERN_REGEX, others), 0);
	CHECK_INT(count("zz", 0, lines), 0);
	CHECK_INT(count("\\([^)]*\\)", PATTERN_REGEX | PATTERN_MULTI, lines), 2);
	lines.max_per_file = matches.max_per_file = 1;
	CHECK_INT(count("foo", 0, lines), 1);
	CHECK_INT(count("foo", 0, matches), 2);
}

TEST(grep, a_line_of_many_matches_is_given_in_pieces_too)
{
	struct cursor_opts opts = {.answer = GREP_MATCHES, .deadline = USEC_NEVER};
	struct grep_place place = {0};
	struct grep_lines out = {0};
	size_t len = 100000, n = 0;
	char *text = malloc(len);
	struct pattern *p;
	struct matcher *m;
	int r = 1;

	memset(text, 'a', len);
	CHECK_INT(pattern_create(SPAN_LIT("a"), 0, &p, NULL), 0);
	CHECK_INT(matcher_create(p, &m), 0);
	while (r > 0) {
		r = grep_text(m, (struct subject){(struct span){text, len}, NULL}, &opts,
			(struct grep_bounds){UINT64_MAX, 10000, 0}, &place, &out);
		CHECK(grep_lines_bytes(&out) < 11000);
		n += out.lines.len;
		grep_lines_reset(&out);
	}
	CHECK_INT(n, len);
	grep_lines_fini(&out);
	matcher_destroy(m);
	pattern_destroy(p);
	free(text);
}

TEST(grep, a_line_without_an_end_does_not_outlast_the_question)
{
	struct cursor_opts opts = {.deadline = 1};
	size_t len = 20u << 20;
	char *text = malloc(len);
	struct match match;
	struct pattern *p;
	struct matcher *m;

	memset(text, 'a', len);
	CHECK_INT(pattern_create(SPAN_LIT("zz"), 0, &p, NULL), 0);
	CHECK_INT(matcher_create(p, &m), 0);
	CHECK_INT(grep_any(m, (struct subject){(struct span){text, len}, NULL}, &opts), -ETIMEDOUT);
	CHECK_INT(grep_find(m, (struct span){text, len}, 0, &opts, &match), -ETIMEDOUT);
	opts.deadline = USEC_NEVER;
	CHECK_INT(grep_any(m, (struct subject){(struct span){text, len}, NULL}, &opts), 0);
	text[len - 2] = text[len - 1] = 'z';
	CHECK_INT(grep_any(m, (struct subject){(struct span){text, len}, NULL}, &opts), 1);
	matcher_destroy(m);
	pattern_destroy(p);
	free(text);
}

/* Rows and blocks of one text, each as "line:text" lines, in pieces of `room`. */
static void
print_lines(struct matcher *m, struct span text, struct cursor_opts opts, size_t room,
	struct strbuf *out)
{
	struct grep_place place = {0};
	struct grep_lines lines = {0};
	int r = 1;

	while (r > 0) {
		r = grep_text(m, (struct subject){text, NULL}, &opts,
			(struct grep_bounds){UINT64_MAX, room, 0}, &place, &lines);
		CHECK(r >= 0);
		VEC_EACH (&lines.lines, l) {
			struct span s = {lines.text.data + l->text, l->len};
			size_t n = 0;

			for (size_t i = 0; i < s.len; i++)
				n += s.data[i] == '\n';
			CHECK_INT(l->n_lines, n);
			CHECK(l->n_lines == 0 || l->len < GREP_BLOCK_BYTES + 200);
			if (l->n_lines == 0)
				(void)strbuf_printf(out, "%llu:", (unsigned long long)l->line);
			(void)strbuf_span(out, s);
			if (l->n_lines == 0)
				(void)strbuf_printf(out, "%s\n", l->cut_end ? "..." : "");
		}
		grep_lines_reset(&lines);
	}
	grep_lines_fini(&lines);
}

TEST(grep, blocks_hold_the_lines_that_rows_have)
{
	struct cursor_opts rows = {.deadline = USEC_NEVER, .max_line_bytes = 60}, blocks = rows;
	struct strbuf text = {0}, a = {0}, b = {0};
	struct pattern *p;
	struct matcher *m;

	blocks.blocks = true;
	for (unsigned i = 0; i < 3000; i++) {
		for (unsigned k = i % 97; k > 0; k -= MIN(k, 7u))
			(void)strbuf_puts(&text, i % 3 ? "a foo: " : "b bar\r\t");
		(void)strbuf_puts(&text, i < 2999 ? "\n" : "");
	}
	CHECK_INT(pattern_create(SPAN_LIT("foo"), 0, &p, NULL), 0);
	CHECK_INT(matcher_create(p, &m), 0);
	for (size_t room = SIZE_MAX; room > 0; room = room == SIZE_MAX ? 5000 : room / 3) {
		blocks.max_per_file = rows.max_per_file = room == 5000 ? 777 : 0;
		strbuf_reset(&a);
		strbuf_reset(&b);
		print_lines(m, strbuf_view(&text), rows, SIZE_MAX, &a);
		print_lines(m, strbuf_view(&text), blocks, room, &b);
		CHECK(a.len > 1000);
		CHECK_STR(b.data, a.data);
	}
	matcher_destroy(m);
	pattern_destroy(p);
	strbuf_fini(&text);
	strbuf_fini(&a);
	strbuf_fini(&b);
}

/* Panes say where lines are numbered from, and what need not be looked at: 100 lines "x", each in a
 * pane of its own, those that end in 3 asked, and numbers that are not those of the text. */
TEST(grep, what_is_not_asked_is_not_searched_and_lines_are_as_the_panes_have_them)
{
	char text[201];
	struct cursor_opts opts = {.deadline = USEC_NEVER, .after = 1};
	struct subject s = {.text = {text, 200}};
	struct grep_bounds bounds = {UINT64_MAX, SIZE_MAX, 0};
	struct grep_place place = {0};
	struct grep_lines lines = {0};
	struct panes panes = {0};
	struct pattern *p;
	struct matcher *m;
	uint64_t n;

	for (uint32_t i = 0; i < 100; i++) {
		memcpy(text + 2 * i, "x\n", 2);
		CHECK_INT(
			VEC_PUSH(&panes.list, (struct pane){2 * i, i ? 1000 + i : 0, i % 10 == 3}),
			0);
	}
	s.panes = &panes;
	CHECK_INT(pattern_create(SPAN_LIT("x"), 0, &p, NULL), 0);
	CHECK_INT(matcher_create(p, &m), 0);
	CHECK_INT(grep_text(m, s, &opts, bounds, &place, &lines), 0);
	CHECK_INT(lines.lines.len, 20);
	for (size_t i = 0; i < lines.lines.len; i++) {
		CHECK_INT(lines.lines.data[i].context, i % 2);
		CHECK_INT(lines.lines.data[i].line, 1004 + i / 2 * 10 + i % 2);
	}
	CHECK_INT(grep_count(m, s, &opts, &n), 0);
	CHECK_INT(n, 10);
	grep_lines_fini(&lines);
	panes_fini(&panes);
	matcher_destroy(m);
	pattern_destroy(p);
}

TEST(grep, a_piece_ends_after_so_many_lines)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct grep_bounds bounds = {UINT64_MAX, SIZE_MAX, 2};
	struct subject s = {.text = SPAN_LIT(text_)};
	struct grep_place place = {0};
	struct grep_lines lines = {0};
	struct pattern *p;
	struct matcher *m;
	size_t n = 0;
	int r = 1;

	CHECK_INT(pattern_create(SPAN_LIT("o"), 0, &p, NULL), 0);
	CHECK_INT(matcher_create(p, &m), 0);
	while (r > 0) {
		r = grep_text(m, s, &opts, bounds, &place, &lines);
		CHECK(r >= 0 && lines.lines.len <= 2);
		n += lines.lines.len;
		grep_lines_reset(&lines);
	}
	CHECK_INT(n, 5);
	grep_lines_fini(&lines);
	matcher_destroy(m);
	pattern_destroy(p);
}

/* Were the line looked through for each of its matches, this would take minutes. */
TEST(grep, a_line_with_many_matches_is_looked_through_once)
{
	static const char *const patterns[] = {"fo+", "foo", "\\w+"};
	size_t len = 2u << 20;
	char *line = malloc(len);
	struct subject s = {.text = {line, len}};
	struct pattern *p;
	struct matcher *m;
	uint64_t n;

	for (size_t i = 0; i < len; i++)
		line[i] = "foo "[i % 4];
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct cursor_opts opts = {.deadline = USEC_NEVER, .answer = GREP_COUNT_MATCHES};

		CHECK_INT(pattern_create(span_of(patterns[i]), PATTERN_REGEX, &p, NULL), 0);
		CHECK_INT(matcher_create(p, &m), 0);
		CHECK_INT(grep_count(m, s, &opts, &n), 0);
		CHECK_INT(n, len / 4);
		opts.deadline = 1;
		CHECK_INT(grep_count(m, s, &opts, &n), -ETIMEDOUT);
		matcher_destroy(m);
		pattern_destroy(p);
	}
	free(line);
}
