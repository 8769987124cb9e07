#include "grown.h"

#include "sync/par.h"
#include "text/mapfile.h"

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

TestSuite(dupe, .init = begin, .fini = finish);

static void
check_answers(const char *text, struct pool *io, const char *expected, struct cursor_stats *stats)
{
	struct query_env env = {0};
	struct cursor_opts opts = {.deadline = USEC_NEVER, .io = io, .compute = io};
	struct strbuf out = {0};
	struct query *q;
	struct cursor *c;
	struct hit hit;
	int r;

	CHECK_INT(query_parse(span_of(text), &env, &q, NULL), 0);
	CHECK_INT(cursor_open(q, snapshot, &opts, &c, NULL), 0);
	query_unref(q);
	CHECK_INT(strbuf_puts(&out, ""), 0);
	while ((r = cursor_next(c, &hit)) == 1)
		CHECK_INT(tree_path(tree_cols(snapshot->roots[0].tree), hit.entry, &out) |
				  strbuf_putc(&out, ' '),
			0);
	CHECK_INT(r, 0);
	cursor_get_stats(c, stats);
	cursor_close(c);
	cr_assert(strcmp(out.data, expected) == 0, "%s: got %s, expected %s", text, out.data,
		expected);
	strbuf_fini(&out);
}

TEST(dupe, files_with_equal_bytes_are_found_and_no_others)
{
	struct cursor_stats stats;
	struct pool *io;

	test_write(dir, "a", "same bytes\n");
	test_write(dir, "b", "same bytez\n");
	test_write(dir, "d/c", "same bytes\n");
	test_write(dir, "d/e", "alone in its size\n");
	test_write(dir, "f", "");
	test_write(dir, "g", "");
	test_write(dir, "h", "xy");
	test_write(dir, "i", "xy");
	test_write(dir, "j", "xy");
	snapshot = grown_snapshot(dir, store);
	CHECK_INT(pool_create("io", 2, &io), 0);
	check_answers("dupe:", io, "a h i j d/c ", &stats);
	CHECK_INT(stats.n_verified, 6);
	CHECK_INT(stats.n_bytes_read, 3 * 11 + 3 * 2);
	check_answers("dupe:yes size:>5", NULL, "a d/c ", &stats);
	check_answers("dupe:no type:f", io, "b f g d/e ", &stats);
	check_answers("content:same dupe:", io, "a d/c ", &stats);
	check_answers("content:same | dupe:", io, "a b h i j d/c ", &stats);
	pool_destroy(io);
}

TEST(dupe, what_cannot_be_read_is_no_twin_and_is_counted)
{
	struct cursor_stats stats;
	char path[4096];

	test_write(dir, "a", "same\n");
	test_write(dir, "b", "same\n");
	test_write(dir, "c", "same\n");
	snapshot = grown_snapshot(dir, store);
	(void)snprintf(path, sizeof(path), "%s/b", dir);
	CHECK_INT(unlink(path), 0);
	check_answers("dupe:", NULL, "a c ", &stats);
	CHECK_INT(stats.skipped.gone, 1);
	snapshot->roots[0].content_max_bytes = 3;
	check_answers("dupe:", NULL, "", &stats);
	CHECK_INT(stats.skipped.too_large, 2);
}
