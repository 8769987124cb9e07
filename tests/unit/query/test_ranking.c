#include "grown.h"

#include "query/rank_place.h"
#include "query/ranking.h"
#include "sync/par.h"
#include "text/mapfile.h"

#include <fcntl.h>
#include <sys/stat.h>

static char *dir, *store;
static struct snapshot *snapshot;

static void
begin(void)
{
	CHECK_INT(mapfile_setup(), 0);
	dir = test_dir();
	store = test_dir();
}

static void
finish(void)
{
	snapshot_unref(snapshot);
	test_dir_remove(store);
	test_dir_remove(dir);
}

TestSuite(ranking, .init = begin, .fini = finish);

/* The points of the line for the text between '<' and '>'. */
static int
points(const char *marked)
{
	char line[256];
	const char *open = strchr(marked, '<'), *close = strchr(marked, '>');
	struct match m = {(size_t)(open - marked), (size_t)(close - marked) - 1};

	(void)snprintf(line, sizeof(line), "%.*s%.*s%s", (int)(open - marked), marked,
		(int)(close - open - 1), open + 1, close + 1);
	return rank_line(span_of(line), m);
}

TEST(ranking, a_line_that_defines_is_worth_more_than_one_that_uses)
{
	static const char *const defines[] = {"#define <foo> 1",
		"  def <foo>(self):", "struct <foo> {", "static int <foo>(void)", "fn <foo>() {",
		"class <foo>:", "<foo> = 1", "<foo>: all", "func <foo>(x int) {",
		"int <foo>(void) {", "<foo>(int a, int b) {"};
	static const char *const uses[] = {"\tx = <foo>(1);", "struct <foo>;", "struct <foo> *p;",
		"<foo>(1);", "int <foo>(void);", "<foo> == 1", "\treturn <foo>;", "a <foo>::b"};

	for (size_t i = 0; i < ARRAY_LEN(defines); i++)
		CHECK_SAY(points(defines[i]) >= 50, "%s: %d", defines[i], points(defines[i]));
	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		CHECK_SAY(points(uses[i]) < 50, "%s: %d", uses[i], points(uses[i]));
}

TEST(ranking, a_word_by_itself_is_worth_more_than_a_part_of_one)
{
	CHECK(points("a <foo> b") > points("a x<foo> b"));
	CHECK(points("a <foo> b") > points("a <foo>x b"));
	CHECK(points("  <foo> b") > points("a <foo> b"));
	CHECK_INT(points("def <>x"), 0);
}

/* "name:line " of each answer. */
static void
answers(struct pattern *p, const char *q, struct cursor_opts opts, struct strbuf *out,
	struct cursor_stats *stats)
{
	const struct query_env env = {0};
	struct query *query;
	struct cursor *c;
	struct hit hit;
	int r;

	opts.grep = p;
	opts.deadline = USEC_NEVER;
	CHECK_INT(query_parse(span_of(q), &env, &query, NULL), 0);
	CHECK_INT(cursor_open(query, snapshot, &opts, &c, NULL), 0);
	while ((r = cursor_next(c, &hit)) == 1) {
		struct span name = tree_name(snapshot_cols(snapshot, hit.layer), hit.entry);

		(void)strbuf_printf(out, "%.*s", (int)name.len, name.data);
		if (p)
			(void)strbuf_printf(out, ":%llu%s", (unsigned long long)hit.line,
				hit.context ? "-" : "");
		(void)strbuf_putc(out, ' ');
		CHECK(!p || hit.context ||
			memcmp(hit.text.data + hit.spans[0].start, "foo", 3) == 0);
	}
	CHECK_INT(r, 0);
	cursor_get_stats(c, stats);
	cursor_close(c);
	query_unref(query);
}

/* Written in the same second, but for one file. */
static void
put(const char *name, const char *text, time_t mtime)
{
	const struct timespec times[2] = {{mtime, 0}, {mtime, 0}};
	char path[4096];

	test_write(dir, name, text);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	CHECK_INT(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
grow(void)
{
	put("a.c", "x\nfoo(1);\nint foo(void)\n", 1000);
	put("foo.c", "a foo\n", 1000);
	put("tests/t.c", "int foo(void)\n", 1000);
	put("vendor/v.c", "int foo(void)\n", 1000);
	put("y.c", "xfoox\n", 1000);
	put("z.c", "xfoox\n", 2000);
	snapshot = grown_snapshot(dir, store);
}

static void
check(const char *q, struct cursor_opts opts, const char *want)
{
	struct strbuf out = {0};
	struct cursor_stats stats;
	struct pattern *p = NULL;

	if (!strstr(q, "foo"))
		CHECK_INT(pattern_create(SPAN_LIT("foo"), 0, &p, NULL), 0);
	answers(p, q, opts, &out, &stats);
	CHECK_STR(out.data, want);
	CHECK(!opts.count_exact || (stats.total == 7 && stats.total_exact));
	strbuf_fini(&out);
	pattern_destroy(p);
}

TEST(ranking, definitions_and_names_come_first_tests_and_foreign_trees_last)
{
	grow();
	check("", (struct cursor_opts){.rank = RANK_CONTENTS},
		"a.c:3 a.c:2 foo.c:1 t.c:1 v.c:1 z.c:1 y.c:1 ");
}

/* What is read ahead hangs on the limit; what is given does not. */
TEST(ranking, pages_hold_what_one_answer_holds)
{
	struct strbuf all = {0}, pages = {0};
	struct cursor_stats stats;
	struct pattern *p;
	char name[32], text[600] = "";

	for (unsigned i = 0; i < 150; i++) { /* in places as good: batches grow */
		(void)snprintf(name, sizeof(name), "src/n%u.c", i);
		test_write(dir, name, "nothing\n");
	}

	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(text, sizeof(text), "%s\n%s\nx foo\n", i % 3 ? "foo" : "#define foo",
			i % 5 ? "y" : "int foo()");
		(void)snprintf(name, sizeof(name), "%s/f%u.c", i % 7 ? "src" : "tests", i);
		test_write(dir, name, text);
	}
	snapshot = grown_snapshot(dir, store);
	CHECK_INT(pattern_create(SPAN_LIT("foo"), 0, &p, NULL), 0);
	answers(p, "", (struct cursor_opts){.rank = RANK_CONTENTS}, &all, &stats);
	for (uint64_t at = 0; at == 0 || stats.more; at += 29)
		answers(p, "",
			(struct cursor_opts){.rank = RANK_CONTENTS,
				.offset = at,
				.limit = 29,
				.count_exact = at % 2},
			&pages, &stats);
	CHECK_STR(pages.data, all.data);
	CHECK_INT(stats.total, 440);
	strbuf_fini(&all);
	strbuf_fini(&pages);
	pattern_destroy(p);
}

/* A window is full with the first file; what is given hangs on none of that. */
TEST(ranking, files_behind_a_full_window_are_not_read)
{
	struct strbuf all = {0}, pages = {0}, text = {0};
	struct cursor_stats stats;
	struct pattern *p;
	char name[32];

	for (unsigned i = 0; i < RANK_WINDOW_LINES + 100; i++)
		CHECK_INT(strbuf_puts(&text, i % 7 ? "x = foo;\n" : "int foo(void)\n"), 0);
	for (unsigned i = 0; i < 6; i++) {
		(void)snprintf(name, sizeof(name), "f%u.c", i);
		put(name, text.data, 1000 + (time_t)i);
	}
	snapshot = grown_snapshot(dir, store);
	CHECK_INT(pattern_create(SPAN_LIT("foo"), 0, &p, NULL), 0);
	answers(p, "", (struct cursor_opts){.rank = RANK_CONTENTS}, &all, &stats);
	CHECK_INT(stats.n_verified, 6);
	for (uint64_t at = 0; at == 0 || stats.more; at += 700) {
		answers(p, "",
			(struct cursor_opts){.rank = RANK_CONTENTS, .offset = at, .limit = 700},
			&pages, &stats);
		CHECK(stats.n_verified <= 2 + (at + 700) / RANK_WINDOW_LINES);
	}
	CHECK_STR(pages.data, all.data);
	strbuf_fini(&all);
	strbuf_fini(&pages);
	strbuf_fini(&text);
	pattern_destroy(p);
}

TEST(ranking, a_limit_counts_what_is_left)
{
	grow();
	check("", (struct cursor_opts){.rank = RANK_CONTENTS, .limit = 1, .count_exact = true},
		"a.c:3 ");
	check("", (struct cursor_opts){.rank = RANK_CONTENTS, .limit = 2, .before = 1},
		"a.c:1- a.c:2 a.c:3 ");
}

TEST(ranking, questions_without_lines_are_ranked_by_files)
{
	grow();
	check("content:foo ext:c", (struct cursor_opts){.rank = RANK_CONTENTS},
		"foo.c z.c a.c y.c t.c v.c ");
	check("foo | ext:c", (struct cursor_opts){.rank = RANK_CONTENTS},
		"a.c foo.c y.c z.c t.c v.c ");
	check("ext:c -content:foo | ext:c", (struct cursor_opts){.rank = RANK_ALWAYS, .limit = 3},
		"z.c a.c foo.c ");
	check("name:foo | ext:c", (struct cursor_opts){.rank = RANK_ALWAYS, .limit = 4},
		"z.c a.c foo.c y.c ");
}

TEST(ranking, a_file_that_the_pattern_is_named_after_comes_before_others)
{
	struct strbuf out = {0};
	struct cursor_stats stats;
	struct pattern *p;

	put("a.c", "foo_lock\n", 1000);
	put("d/foo.c", "foo_lock\n", 1000);
	put("fo.c", "foo_lock\n", 1000);
	snapshot = grown_snapshot(dir, store);
	CHECK_INT(pattern_create(SPAN_LIT("foo_lock"), 0, &p, NULL), 0);
	answers(p, "", (struct cursor_opts){.rank = RANK_CONTENTS}, &out, &stats);
	CHECK_STR(out.data, "foo.c:1 a.c:1 fo.c:1 ");
	strbuf_fini(&out);
	pattern_destroy(p);
}

/* Some more than a head, in directories of all depths and kinds. */
static void
grow_many(void)
{
	static const char *const dirs[] = {
		"a", "a/b", "a/b/c", "tests", "a/tests", "vendor/x", ".h", "a/b/c/d/e/f"};
	char name[64];

	for (unsigned i = 0; i < RANK_HEAD + 300; i++) {
		(void)snprintf(name, sizeof(name), "%s/%s%u.c", dirs[i * 7 % ARRAY_LEN(dirs)],
			i % 11 ? "f" : "test_", i);
		test_write(dir, name, "");
	}
	snapshot = grown_snapshot(dir, store);
}

/* As LANGUAGE.md has it, from the path alone. */
static int
place_of(const char *path)
{
	int place = strstr(path, "vendor/") ? -40 : strstr(path, "tests/") ? -25 : 0;

	if (!place && path[0] == '.')
		place = -10;
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++)
		place--;
	return place - (strstr(path, "/test_") ? 25 : 0);
}

TEST(ranking, places_alone_order_as_many_files_as_there_are)
{
	const struct query_env env = {0};
	struct cursor_opts opts = {.rank = RANK_ALWAYS, .deadline = USEC_NEVER};
	struct strbuf path = {0};
	struct query *query;
	struct cursor *c;
	struct hit hit;
	unsigned n = 0;
	int before = 0;

	grow_many();
	CHECK_INT(query_parse(SPAN_LIT("ext:c"), &env, &query, NULL), 0);
	CHECK_INT(cursor_open(query, snapshot, &opts, &c, NULL), 0);
	for (; cursor_next(c, &hit) == 1; n++) {
		int place;

		strbuf_reset(&path);
		CHECK_INT(tree_path(snapshot_cols(snapshot, hit.layer), hit.entry, &path), 0);
		place = place_of(path.data);
		CHECK_SAY(place <= before, "%s after %d", path.data, before);
		before = place;
	}
	CHECK_INT(n, RANK_HEAD + 300);
	cursor_close(c);
	query_unref(query);
	strbuf_fini(&path);
}

static int
ask_places(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const int8_t **ret = ctx;

	(void)worker;
	for (size_t i = lo; i < hi; i++)
		ret[i] = rank_places(snapshot->layers[0].tree);
	return 0;
}

TEST(ranking, places_are_worked_out_once_whoever_asks_first)
{
	const struct tree_cols *c;
	const int8_t *places[64];
	struct pool *pool;
	uint32_t entry;

	grow();
	CHECK_INT(pool_create("places", test_threads(3), &pool), 0);
	CHECK_INT(par_for(pool, TASK_QUERY, ARRAY_LEN(places), 1, ask_places, places, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		CHECK(places[i] != NULL && places[i] == places[0]);
	c = snapshot_cols(snapshot, 0);
	CHECK_INT(tree_lookup(c, SPAN_LIT("vendor/v.c"), &entry), 0);
	CHECK_INT(places[0][entry], -41);
	CHECK_INT(tree_lookup(c, SPAN_LIT("foo.c"), &entry), 0);
	CHECK_INT(places[0][entry], 0);
	pool_destroy(pool);
}
