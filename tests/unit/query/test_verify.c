#include "grown.h"

#include "query/content.h"
#include "query/grep.h"
#include "sync/par.h"
#include "text/mapfile.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static char *dir, *store;
static struct snapshot *snapshot;
static struct pool *pool;
static uint64_t seed;

static uint32_t
roll(uint32_t sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % sides);
}

static void
begin(void)
{
	CHECK_INT(mapfile_setup(), 0);
	dir = test_dir();
	store = test_dir();
	seed = 88172645463325252ull;
	CHECK_INT(pool_create("io", 3, &pool), 0);
}

static void
finish(void)
{
	pool_destroy(pool);
	snapshot_unref(snapshot);
	test_dir_remove(store);
	test_dir_remove(dir);
}

TestSuite(verify, .init = begin, .fini = finish);

/* Index what was written so far. */
static void
grow(void)
{
	snapshot_unref(snapshot);
	snapshot = grown_snapshot(dir, store);
}

static void
write_bytes(const char *name, const void *data, size_t len)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	CHECK(f && fwrite(data, 1, len, f) == len && fclose(f) == 0);
}

static struct cursor *
open_cursor(const char *text, struct cursor_opts *opts)
{
	struct query_env env = {0};
	struct query *q;
	struct cursor *c;
	struct err err = {0};
	int r = query_parse(span_of(text), &env, &q, &err);

	CHECK_SAY(r == 0, "%s: %s", text, err.what);
	if (opts->deadline == 0)
		opts->deadline = USEC_NEVER;
	opts->io = pool;
	CHECK_INT(cursor_open(q, snapshot, opts, &c, &err), 0);
	query_unref(q);
	return c;
}

/* The relative paths of all answers, one a line. */
static void
answers(const char *text, struct cursor_opts *opts, struct strbuf *out, struct cursor_stats *stats)
{
	struct cursor *c = open_cursor(text, opts);
	struct hit hit;
	int r;

	strbuf_reset(out);
	CHECK_INT(strbuf_puts(out, ""), 0);
	while ((r = cursor_next(c, &hit)) == 1) {
		CHECK_INT(tree_path(snapshot_cols(snapshot, 0), hit.entry, out), 0);
		CHECK_INT(strbuf_putc(out, '\n'), 0);
	}
	CHECK_INT(r, 0);
	if (stats)
		cursor_get_stats(c, stats);
	cursor_close(c);
}

static void
check_answers(const char *text, const char *expected)
{
	struct cursor_opts opts = {0};
	struct strbuf out = {0};

	answers(text, &opts, &out, NULL);
	CHECK_SAY(strcmp(out.data, expected) == 0, "%s: got\n%sexpected\n%s", text, out.data,
		expected);
	strbuf_fini(&out);
}

TEST(verify, contents_are_combined_with_everything_else)
{
	test_write(dir, "d/one.c", "alpha\nbeta\n");
	test_write(dir, "d/two.c", "Alpha gamma\n");
	test_write(dir, "e.txt", "beta\n");
	test_write(dir, "f.txt", "");
	grow();
	check_answers("content:alpha", "d/one.c\nd/two.c\n");
	check_answers("content:Alpha", "d/two.c\n");
	check_answers("content:ALPHA case:no", "d/one.c\nd/two.c\n");
	check_answers("content:alpha content:beta", "d/one.c\n");
	check_answers("content:alpha | content:beta", "e.txt\nd/one.c\nd/two.c\n");
	check_answers("type:f -content:alpha", "e.txt\nf.txt\n");
	check_answers("-content:alpha", "\nd\ne.txt\nf.txt\n");
	check_answers("content:\"a gamma\"", "d/two.c\n");
	check_answers("content:/^a.*a$/", "d/one.c\nd/two.c\n");
	check_answers("ext:txt | content:gamma", "e.txt\nf.txt\nd/two.c\n");
	check_answers("ext:txt (content:beta | size:0)", "e.txt\nf.txt\n");
	check_answers("-(content:alpha ext:c) type:f", "e.txt\nf.txt\n");
	check_answers("type:d content:/x*/", "");
	check_answers("content:/^$/", "");
	check_answers("one content:beta", "d/one.c\n");
	check_answers("one content:gamma", "");
}

TEST(verify, what_cannot_be_searched_is_counted_by_reason)
{
	struct cursor_opts opts = {0};
	struct cursor_stats stats;
	struct strbuf out = {0};
	char path[4096], link[4096];

	test_write(dir, "good", "needle\n");
	write_bytes("binary", "needle\0", 7);
	test_write(dir, "gone", "needle\n");
	test_write(dir, "linked", "needle\n");
	test_write(dir, "large", "needle and more than that\n");
	test_write(dir, "sub/inside", "needle\n");
	grow();
	snapshot->roots[0].content_max_bytes = 10;
	(void)snprintf(path, sizeof(path), "%s/gone", dir);
	CHECK_INT(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/good", dir);
	(void)snprintf(link, sizeof(link), "%s/linked", dir);
	CHECK_INT(unlink(link), 0);
	CHECK_INT(symlink(path, link), 0);
	answers("content:needle", &opts, &out, &stats);
	CHECK_STR(out.data, "good\nsub/inside\n");
	CHECK_INT(stats.skipped.binary, 1);
	CHECK_INT(stats.skipped.gone, 2);
	CHECK_INT(stats.skipped.too_large, 1);
	CHECK_INT(stats.skipped.unreadable + stats.skipped.off + stats.skipped.limit, 0);
	CHECK_INT(stats.n_verified, 6);
	CHECK_INT(stats.n_bytes_read, 7 + 7 + 7);

	/* What decides without contents is not read, whatever the file is. */
	answers("binary | content:needle", &opts, &out, &stats);
	CHECK_STR(out.data, "binary\ngood\nsub/inside\n");
	CHECK_INT(stats.skipped.binary, 0);

	/* Not knowing is not "no". */
	answers("-content:needle type:f", &opts, &out, &stats);
	CHECK_STR(out.data, "");
	CHECK_INT(stats.skipped.binary, 1);

	snapshot->roots[0].content = false;
	answers("content:needle", &opts, &out, &stats);
	CHECK_STR(out.data, "");
	CHECK_INT(stats.skipped.off, 6);
	strbuf_fini(&out);
}

TEST(verify, utf_16_and_large_files_are_searched)
{
	static const char utf16[] = "\xff\xfen\0e\0e\0d\0l\0e\0\n\0";
	size_t len = (3u << 20) + 17;
	char *big = malloc(len);

	CHECK(big != NULL);
	memset(big, 'x', len);
	for (size_t i = 99; i < len; i += 100)
		big[i] = '\n';
	memcpy(big + len - 8, "needle\nx", 8);
	write_bytes("big", big, len);
	write_bytes("wide", utf16, sizeof(utf16) - 1);
	write_bytes("none", "nothing", 7);
	grow();
	check_answers("content:needle", "big\nwide\n");
	check_answers("content:/^needle$/", "wide\n");
	check_answers("content:/xneedle$/", "big\n");
	free(big);
}

TEST_SINGLE(verify, a_long_text_is_searched_in_slices_without_losing_a_match)
{
	size_t len = 9u << 20;
	char *text = malloc(len);
	struct cursor_opts opts = {.deadline = USEC_NEVER, .limit = 0};
	struct grep_bounds all = {UINT64_MAX, SIZE_MAX, 0};
	struct grep_place place = {0};
	struct grep_lines lines = {0};
	struct pattern *p;
	struct matcher *m;
	int64_t n = 0;

	CHECK(text != NULL);
	for (size_t i = 0; i < len; i++)
		text[i] = roll(50) ? "ab"[roll(2)] : '\n';
	for (size_t i = 0; i + 5 < len;
		i = (size_t)((char *)memchr(text + i, '\n', len - i) - text) + 1) {
		n += memcmp(text + i, "abab", 4) == 0;
		if (!memchr(text + i, '\n', len - i))
			break;
	}
	CHECK_INT(pattern_create(SPAN_LIT("^abab"), PATTERN_REGEX, &p, NULL), 0);
	CHECK_INT(matcher_create(p, &m), 0);
	CHECK_INT(grep_text(m, (struct subject){(struct span){text, len}, NULL}, &opts, all, &place,
			  &lines),
		0);
	CHECK_INT(lines.lines.len, n);
	CHECK_INT(place.n, n);
	grep_lines_fini(&lines);
	matcher_destroy(m);
	pattern_destroy(p);
	free(text);
}

/* Output of a command, run in the tree. */
static void
run(struct strbuf *out, const char *fmt, const char *arg, unsigned before, unsigned after)
{
	char command[8192], inner[4096], buf[4096];
	size_t n;
	FILE *f;

	(void)snprintf(inner, sizeof(inner), "%s", fmt);
	if (before || after) /* -A0 alone puts separators, too */
		(void)snprintf(inner, sizeof(inner), "%s -B%u -A%u", fmt, before, after);
	(void)snprintf(command, sizeof(command),
		"cd '%s' && LC_ALL=C %s -e '%s' $(find . -type f | "
		"cut -c3- | LC_ALL=C sort)",
		dir, inner, arg);
	strbuf_reset(out);
	CHECK_INT(strbuf_puts(out, ""), 0);
	f = popen(command, "r");
	CHECK(f != NULL);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		CHECK_INT(strbuf_add(out, buf, n), 0);
	CHECK(WEXITSTATUS(pclose(f)) < 2);
}

static void
random_files(unsigned n)
{
	static const char *const words[] = {"foo", "Foo", "bar", "foobar", "x", "baz foo", ""};
	struct strbuf text = {0};
	char name[32];

	for (unsigned i = 0; i < n; i++) {
		unsigned n_lines = roll(40);

		strbuf_reset(&text);
		CHECK_INT(strbuf_puts(&text, ""), 0);
		for (unsigned k = 0; k < n_lines; k++) {
			for (unsigned w = roll(4); w > 0; w--) {
				CHECK_INT(strbuf_puts(&text, words[roll(ARRAY_LEN(words))]), 0);
				CHECK_INT(strbuf_putc(&text, ' '), 0);
			}
			if (k + 1 < n_lines || roll(2))
				CHECK_INT(strbuf_putc(&text, '\n'), 0);
		}
		(void)snprintf(name, sizeof(name), "f%04u", i);
		test_write(dir, name, text.data);
	}
	strbuf_fini(&text);
}

/* What grep -nH prints, of the cursor's hits. */
static void
print_hits(const char *pattern, enum pattern_flags flags, struct cursor_opts *opts,
	struct strbuf *out, struct cursor_stats *stats)
{
	const struct tree_cols *cols = snapshot_cols(snapshot, 0);
	struct pattern *p;
	struct cursor *c;
	struct hit hit;
	uint32_t entry = 0;
	uint64_t line = 0;
	int r;

	CHECK_INT(pattern_create(span_of(pattern), flags, &p, NULL), 0);
	opts->grep = p;
	c = open_cursor("", opts);
	strbuf_reset(out);
	CHECK_INT(strbuf_puts(out, ""), 0);
	while ((r = cursor_next(c, &hit)) == 1) {
		struct span name = tree_name(cols, hit.entry);
		char mark = hit.context ? '-' : ':';

		CHECK(hit.context == (hit.n_spans == 0));
		if ((opts->before || opts->after) && out->len > 0 &&
			(hit.entry != entry || hit.line != line + 1))
			CHECK_INT(strbuf_puts(out, "--\n"), 0);
		entry = hit.entry;
		line = hit.line;
		CHECK_INT(strbuf_printf(out, "%.*s%c%llu%c%.*s\n", (int)name.len, name.data, mark,
				  (unsigned long long)hit.line, mark, (int)hit.text.len,
				  hit.text.data),
			0);
	}
	CHECK_INT(r, 0);
	cursor_get_stats(c, stats);
	cursor_close(c);
	pattern_destroy(p);
}

TEST(verify, lines_and_contexts_are_those_of_grep)
{
	static const struct {
		const char *ours, *theirs, *options;
		enum pattern_flags flags;
	} rows[] = {
		{"foo", "foo", "grep -nHs", 0},
		{"foo", "foo", "grep -nHsi", PATTERN_FOLD},
		{"foo", "foo", "grep -nHsw", PATTERN_WORD},
		{"^x|r +b", "^x|r +b", "grep -nHsE", PATTERN_REGEX},
		{"foo", "foo", "grep -nHs -m2", 0},
		{"^$", "^$", "grep -nHsE", PATTERN_REGEX},
	};
	/* Of a file at once: all, each line alone, and a few. */
	static const size_t kept[] = {0, 1, 300};
	struct strbuf got = {0}, expected = {0};

	random_files(100);
	grow();
	for (size_t i = 0; i < ARRAY_LEN(rows) * 9 * ARRAY_LEN(kept); i++) {
		unsigned row = (unsigned)(i / 9 % ARRAY_LEN(rows)), before = i % 3,
			 after = i / 3 % 3;
		struct cursor_opts opts = {.before = before,
			.after = after,
			.max_kept_bytes = kept[i / 9 / ARRAY_LEN(rows)]};
		struct cursor_stats stats;
		uint64_t n = 0;

		if (strstr(rows[row].options, "-m2"))
			opts.max_per_file = 2;
		print_hits(rows[row].ours, rows[row].flags, &opts, &got, &stats);
		run(&expected, rows[row].options, rows[row].theirs, before, after);
		CHECK_SAY(strcmp(got.data, expected.data) == 0,
			"%s %s -B%u -A%u:\n%s\nexpected\n%s", rows[row].options, rows[row].theirs,
			before, after, got.data, expected.data);
		for (const char *at = got.data; (at = strchr(at, '\n')); at++)
			n++;
		if (!before && !after)
			CHECK_INT(stats.n, n);
		CHECK(stats.total == stats.n && stats.total_exact && !stats.more);
	}
	strbuf_fini(&got);
	strbuf_fini(&expected);
}

/* Lines that match, of the whole output: those without a '-' after the line number. */
static uint64_t
count_marks(const char *text, char mark)
{
	uint64_t n = 0;

	for (const char *at = text; *at; at = strchr(at, '\n') + 1)
		n += *at != '-' && at[strcspn(at, ":-")] == mark;
	return n;
}

TEST(verify, limit_and_offset_cut_the_lines_and_the_count_stays_exact)
{
	struct cursor_opts all = {.before = 1, .after = 1};
	struct cursor_stats stats;
	struct strbuf whole = {0}, got = {0};
	uint64_t total;

	random_files(80);
	grow();
	print_hits("foo", 0, &all, &whole, &stats);
	total = stats.total;
	CHECK_INT(count_marks(whole.data, ':'), total);
	CHECK(total > 100);
	for (uint64_t limit = 1; limit < total + 20; limit += 1 + total / 17) {
		for (uint64_t offset = 0; offset < total + 20; offset += 1 + total / 5) {
			struct cursor_opts opts = {.offset = offset,
				.limit = limit,
				.count_exact = true,
				.max_kept_bytes = roll(2) * roll(500),
				.after = 1,
				.before = 1};
			uint64_t left = offset < total ? total - offset : 0;

			print_hits("foo", 0, &opts, &got, &stats);
			CHECK_INT(stats.n, MIN(limit, left));
			CHECK_INT(count_marks(got.data, ':'), stats.n);
			CHECK(stats.total_exact);
			CHECK_INT(stats.total, total);
			CHECK(stats.more == (left > limit));
			if (offset == 0) /* a prefix, but for the last context */
				CHECK(strncmp(got.data, whole.data, got.len) == 0);
		}
	}
	strbuf_fini(&whole);
	strbuf_fini(&got);
}

TEST(verify, pieces_of_a_text_are_bounded_and_make_up_the_whole)
{
	struct cursor_opts opts = {.before = 50, .after = 70, .deadline = USEC_NEVER};
	struct grep_bounds bounds = {UINT64_MAX, SIZE_MAX, 0};
	struct grep_place place = {0};
	struct grep_lines whole = {0}, piece = {0};
	struct strbuf text = {0};
	struct pattern *p;
	struct matcher *m;
	size_t n_lines = 0, n_text = 0;
	int r = 1;

	for (unsigned i = 0; i < 5000; i++)
		CHECK_INT(strbuf_puts(&text, roll(100) ? "other line\n" : "a foo, a foo\n"), 0);
	CHECK_INT(pattern_create(SPAN_LIT("foo"), 0, &p, NULL), 0);
	CHECK_INT(matcher_create(p, &m), 0);
	CHECK_INT(grep_text(m, (struct subject){strbuf_view(&text), NULL}, &opts, bounds, &place,
			  &whole),
		0);
	place = (struct grep_place){0};
	bounds.room = 1000;
	while (r > 0) {
		grep_lines_reset(&piece);
		r = grep_text(m, (struct subject){strbuf_view(&text), NULL}, &opts, bounds, &place,
			&piece);
		CHECK(r >= 0 && grep_lines_bytes(&piece) < 1200);
		CHECK(r == 0 || grep_lines_bytes(&piece) >= 1000);
		for (size_t i = 0; i < piece.lines.len; i++, n_lines++) {
			const struct grep_line *a = &piece.lines.data[i];
			const struct grep_line *b = &whole.lines.data[n_lines];

			CHECK(a->line == b->line && a->offset == b->offset && a->len == b->len);
			CHECK(a->context == b->context && a->before == b->before);
			CHECK(a->n_spans == b->n_spans);
		}
		CHECK(memcmp(piece.text.data, whole.text.data + n_text, piece.text.len) == 0);
		n_text += piece.text.len;
	}
	CHECK_INT(n_lines, whole.lines.len);
	grep_lines_fini(&piece);
	grep_lines_fini(&whole);
	strbuf_fini(&text);
	matcher_destroy(m);
	pattern_destroy(p);
}

TEST(verify, mapped_and_decoded_files_are_gone_on_with)
{
	enum { N = 40000 };
	static const char line[] = "%u is a line of some more bytes";
	struct strbuf text = {0}, wide = {0};
	struct cursor_opts opts = {.max_kept_bytes = 100000};
	struct pattern *p;
	struct cursor *c;
	struct hit hit;
	char expected[64];

	CHECK_INT(strbuf_add(&wide, "\xff\xfe", 2), 0);
	for (unsigned i = 0; i < N; i++)
		CHECK_INT(strbuf_printf(&text, line, i) | strbuf_putc(&text, '\n'), 0);
	for (size_t i = 0; i < text.len; i++)
		CHECK_INT(strbuf_putc(&wide, text.data[i]) | strbuf_putc(&wide, '\0'), 0);
	CHECK(text.len > (1u << 20)); /* what is mapped */
	write_bytes("a", text.data, text.len);
	write_bytes("b", wide.data, wide.len);
	grow();
	CHECK_INT(pattern_create(SPAN_LIT("^"), PATTERN_REGEX, &p, NULL), 0);
	opts.grep = p;
	c = open_cursor("", &opts);
	for (unsigned i = 0; i < 2 * N; i++) {
		CHECK_INT(cursor_next(c, &hit), 1);
		(void)snprintf(expected, sizeof(expected), line, i % N);
		CHECK_INT(hit.line, i % N + 1);
		CHECK(span_eq(hit.text, span_of(expected)));
	}
	CHECK_INT(cursor_next(c, &hit), 0);
	cursor_close(c);
	pattern_destroy(p);
	strbuf_fini(&text);
	strbuf_fini(&wide);
}

TEST(verify, the_rest_of_a_file_that_changed_or_went_is_left_out_and_counted)
{
	struct cursor_opts opts = {.max_kept_bytes = 1};
	struct cursor_stats stats;
	struct pattern *p;
	struct cursor *c;
	struct hit hit;
	char path[4096];

	test_write(dir, "a", "foo 1\nfoo 2\nfoo 3\n");
	test_write(dir, "b", "foo 4\nfoo 5\n");
	test_write(dir, "c", "foo 6\n");
	grow();
	CHECK_INT(pattern_create(SPAN_LIT("foo"), 0, &p, NULL), 0);
	opts.grep = p;
	c = open_cursor("", &opts);
	CHECK_INT(cursor_next(c, &hit), 1);
	CHECK_INT(cursor_next(c, &hit), 1);
	CHECK(span_eq(hit.text, SPAN_LIT("foo 2")));
	test_write(dir, "a", "foo 7\nfoo 8\nfoo 9\nfoo 10\n");
	CHECK_INT(cursor_next(c, &hit), 1);
	CHECK(span_eq(hit.text, SPAN_LIT("foo 4")));
	(void)snprintf(path, sizeof(path), "%s/b", dir);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(cursor_next(c, &hit), 1);
	CHECK(span_eq(hit.text, SPAN_LIT("foo 6")));
	CHECK_INT(cursor_next(c, &hit), 0);
	cursor_get_stats(c, &stats);
	CHECK(stats.skipped.changed == 1 && stats.skipped.gone == 1);
	CHECK(stats.n_verified == 3 && stats.n == 4 && stats.total == 4);
	cursor_close(c);
	pattern_destroy(p);
}

TEST(verify, files_only_gives_each_file_once)
{
	struct cursor_opts opts = {.answer = GREP_FILES};
	struct cursor_stats stats;
	struct pattern *p;
	struct strbuf out = {0};

	test_write(dir, "a", "foo\nfoo\n");
	test_write(dir, "b", "bar\n");
	test_write(dir, "c", "foo\n");
	grow();
	CHECK_INT(pattern_create(SPAN_LIT("foo"), 0, &p, NULL), 0);
	opts.grep = p;
	answers("", &opts, &out, &stats);
	CHECK_STR(out.data, "a\nc\n");
	CHECK(stats.n == 2 && stats.n_files == 2);
	opts.limit = 1;
	opts.count_exact = true;
	answers("", &opts, &out, &stats);
	CHECK_STR(out.data, "a\n");
	CHECK(stats.more && stats.total == 2 && stats.n_files == 1);
	pattern_destroy(p);
	strbuf_fini(&out);
}

TEST(verify, spans_lie_on_every_match_of_the_line)
{
	struct cursor_opts opts = {0};
	struct pattern *p;
	struct cursor *c;
	struct hit hit;

	test_write(dir, "a", "x\nab cab\nb\n");
	grow();
	CHECK_INT(pattern_create(SPAN_LIT("a?b"), PATTERN_REGEX, &p, NULL), 0);
	opts.grep = p;
	c = open_cursor("", &opts);
	CHECK_INT(cursor_next(c, &hit), 1);
	CHECK(hit.line == 2 && hit.offset == 2 && hit.n_spans == 2);
	CHECK(hit.spans[0].start == 0 && hit.spans[0].end == 2);
	CHECK(hit.spans[1].start == 4 && hit.spans[1].end == 6);
	CHECK_INT(cursor_next(c, &hit), 1);
	CHECK(hit.line == 3 && hit.offset == 9 && hit.n_spans == 1);
	CHECK_INT(cursor_next(c, &hit), 0);
	cursor_close(c);
	pattern_destroy(p);
}

TEST(verify, a_long_line_is_cut_around_its_first_match)
{
	struct cursor_opts opts = {.max_line_bytes = 100};
	struct pattern *p;
	struct cursor *c;
	struct hit hit;
	char line[2001];

	memset(line, 'x', 2000);
	line[2000] = '\0';
	memcpy(line + 1000, "needle", 6);
	memcpy(line + 1500, "needle", 6);
	test_write(dir, "a", line);
	memcpy(line, "needle", 6);
	test_write(dir, "b", line);
	grow();
	CHECK_INT(pattern_create(SPAN_LIT("needle"), 0, &p, NULL), 0);
	opts.grep = p;
	c = open_cursor("", &opts);
	CHECK_INT(cursor_next(c, &hit), 1);
	CHECK_INT(hit.text.len, 100);
	CHECK_INT(hit.cut, 975);
	CHECK(hit.cut_end && hit.n_spans == 1);
	CHECK(memcmp(hit.text.data + hit.spans[0].start, "needle", 6) == 0);
	CHECK_INT(cursor_next(c, &hit), 1);
	CHECK(hit.cut == 0 && hit.cut_end && hit.text.len == 100 && hit.spans[0].end == 6);
	CHECK_INT(cursor_next(c, &hit), 0);
	cursor_close(c);
	pattern_destroy(p);
}

TEST(verify, many_directories_keep_their_order)
{
	struct cursor_opts opts = {0};
	struct strbuf out = {0}, expected = {0};
	char name[64];

	for (unsigned i = 0; i < 400; i++) {
		(void)snprintf(name, sizeof(name), "d%02u/s%u/f%03u", i % 20, i % 3, i);
		test_write(dir, name, roll(2) ? "yes needle\n" : "no\n");
	}
	grow();
	answers("content:needle", &opts, &out, NULL);
	for (uint32_t e = 0; e < snapshot_cols(snapshot, 0)->n_entries; e++) {
		const struct tree_cols *c = snapshot_cols(snapshot, 0);

		/* Sizes differ: the oracle needs not open anything. */
		if (tree_type(c, e) != DT_REG || tree_size(c, e) != 11)
			continue;
		CHECK_INT(tree_path(c, e, &expected) | strbuf_putc(&expected, '\n'), 0);
	}
	CHECK_STR(out.data, expected.data);
	strbuf_fini(&out);
	strbuf_fini(&expected);
}

TEST(verify, a_catastrophic_pattern_is_counted_and_ends)
{
	struct cursor_opts opts = {0};
	struct cursor_stats stats;
	struct strbuf out = {0};

	test_write(
		dir, "bad", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\n");
	test_write(dir, "good", "b\n");
	grow();
	answers("content:/(a+)+(a+)+$|^b$/", &opts, &out, &stats);
	CHECK_STR(out.data, "good\n");
	CHECK_INT(stats.skipped.limit, 1);
	strbuf_fini(&out);
}

static int
open_by(const char *name, const struct cursor_opts *opts)
{
	struct content_reader reader;
	char path[4096];
	uint32_t layer, entry;
	struct span text;
	uint64_t n;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	CHECK_INT(snapshot_lookup(snapshot, span_of(path), &layer, &entry), 0);
	content_reader_init(&reader, opts);
	r = content_open(&reader, snapshot, layer, entry, &text, &n);
	if (r == CONTENT_OK)
		(void)content_close(&reader);
	content_reader_fini(&reader);
	return r;
}

/* Text before a hole is not looked through for a NUL: the deadline is not asked for. */
TEST(verify, a_large_file_is_told_from_binary_within_the_deadline)
{
	struct cursor_opts never = {.deadline = USEC_NEVER}, past = {.deadline = 1};
	size_t len = 9u << 20;
	char *text = malloc(len), path[4096];

	memset(text, 'a', len);
	write_bytes("text", text, len);
	write_bytes("hole", text, len);
	text[len - 1] = '\0';
	write_bytes("binary", text, len);
	(void)snprintf(path, sizeof(path), "%s/hole", dir);
	CHECK_INT(truncate(path, (off_t)1 << 35), 0); /* what also fits beside the shadow of TSan */
	grow();
	CHECK_INT(open_by("text", &never), CONTENT_OK);
	CHECK_INT(open_by("binary", &never), CONTENT_BINARY);
	CHECK_INT(open_by("hole", &never), CONTENT_BINARY);
	CHECK_INT(open_by("text", &past), -ETIMEDOUT);
	CHECK_INT(open_by("binary", &past), -ETIMEDOUT);
	CHECK_INT(open_by("hole", &past), CONTENT_BINARY);
	free(text);
}

TEST(verify, deadline_and_stop_end_a_search)
{
	struct cursor_opts opts = {.deadline = 1};
	struct stop stop;
	struct cursor *c;
	struct hit hit;

	test_write(dir, "a", "needle\n");
	grow();
	c = open_cursor("content:needle", &opts);
	CHECK_INT(cursor_next(c, &hit), -ETIMEDOUT);
	CHECK_INT(cursor_next(c, &hit), -ETIMEDOUT);
	cursor_close(c);

	stop_init(&stop, NULL);
	opts = (struct cursor_opts){.stop = &stop};
	c = open_cursor("content:needle", &opts);
	stop_request(&stop);
	CHECK_INT(cursor_next(c, &hit), -ECANCELED);
	cursor_close(c);
	stop_fini(&stop);
}
