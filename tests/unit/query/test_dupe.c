#include "grown.h"

#include "query/dupe.h"
#include "query/hash_cache.h"
#include "sync/par.h"
#include "text/mapfile.h"

static char *dir, *store;
static struct snapshot *snapshot;
static struct hash_cache *hashes;

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
	hash_cache_destroy(hashes);
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
		CHECK_INT(tree_path(snapshot_cols(snapshot, 0), hit.entry, &out) |
				  strbuf_putc(&out, ' '),
			0);
	CHECK_INT(r, 0);
	cursor_get_stats(c, stats);
	cursor_close(c);
	CHECK_SAY(strcmp(out.data, expected) == 0, "%s: got %s, expected %s", text, out.data,
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

static void
link_to(const char *from, const char *to)
{
	char a[4096], b[4096];

	(void)snprintf(a, sizeof(a), "%s/%s", dir, from);
	(void)snprintf(b, sizeof(b), "%s/%s", dir, to);
	CHECK_INT(link(a, b), 0);
}

static struct dupes *
find_dupes(const char *text)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER, .hashes = hashes};
	struct query_env env = {0};
	struct query *q;
	struct dupes *d;

	CHECK_INT(query_parse(span_of(text), &env, &q, NULL), 0);
	CHECK_INT(dupes_find(q, snapshot, &opts, &d), 0);
	query_unref(q);
	return d;
}

/* "size(name name=name)" a group, names of one file joined by "=". */
static void
check_groups(const char *text, const char *expected, struct dupe_stats *stats)
{
	struct dupes *d = find_dupes(text);
	struct strbuf out = {0};

	CHECK_INT(strbuf_puts(&out, ""), 0);
	for (size_t i = 0; i < d->n_groups; i++) {
		const struct dupe_group *g = &d->group[i];

		(void)strbuf_printf(&out, "%llu(", (unsigned long long)g->size);
		for (uint32_t k = 0; k < g->n_names; k++) {
			const struct dupe_name *n = &d->name[g->first + k];

			if (k > 0)
				(void)strbuf_putc(&out, n[0].file == n[-1].file ? '=' : ' ');
			CHECK_INT(tree_path(snapshot_cols(snapshot, 0), n->entry, &out), 0);
			CHECK(n->file < g->n_files);
		}
		(void)strbuf_putc(&out, ')');
	}
	CHECK_STR(out.data, expected);
	*stats = d->stats;
	strbuf_fini(&out);
	dupes_destroy(d);
}

TEST(dupe, names_of_one_inode_are_one_file)
{
	struct cursor_stats stats;
	struct dupe_stats read;

	test_write(dir, "a", "alone, with three names\n");
	link_to("a", "b");
	link_to("a", "c");
	test_write(dir, "d", "twin\n");
	link_to("d", "e");
	test_write(dir, "f/g", "twin\n");
	snapshot = grown_snapshot(dir, store);
	check_answers("dupe:", NULL, "d e f/g ", &stats);
	CHECK_INT(stats.n_bytes_read, 2 * 5);
	check_groups("", "5(d=e f/g)", &read);
	CHECK_INT(read.n_read, 2);
	/* Among what the question matches, and nothing else. */
	check_groups("NOT in:f", "", &read);
	CHECK_INT(read.n_read, 0);
}

TEST(dupe, groups_come_with_the_largest_waste_first)
{
	struct dupe_stats stats;

	test_write(dir, "a", "12345678");
	test_write(dir, "b", "12345678");
	test_write(dir, "c", "1234");
	test_write(dir, "d", "1234");
	test_write(dir, "e", "1234");
	test_write(dir, "f", "1234");
	test_write(dir, "g", "4321");
	test_write(dir, "h", "4321");
	snapshot = grown_snapshot(dir, store);
	check_groups("", "4(c d e f)8(a b)4(g h)", &stats);
	check_groups("size:>4", "8(a b)", &stats);
	CHECK_INT(stats.n_read, 2);
}

TEST(dupe, what_was_hashed_is_not_read_again_until_it_changes)
{
	struct dupe_stats stats;

	test_write(dir, "a", "same");
	test_write(dir, "b", "same");
	test_write(dir, "c", "diff");
	CHECK_INT(hash_cache_create(1 << 20, &hashes), 0);
	snapshot = grown_snapshot(dir, store);
	/* Just written, their times may still be given to another state: not remembered. */
	do
		check_groups("", "4(a b)", &stats);
	while (stats.n_read > 0);
	CHECK_INT(stats.n_cached, 3);
	test_write(dir, "c", "same");
	check_groups("", "4(a b c)", &stats);
	CHECK_INT(stats.n_read, 1);
	CHECK_INT(stats.n_bytes, 4);
}

static void
write_large(const char *name, size_t holes, size_t at, char byte)
{
	AUTO(freep) char *piece = calloc(1, 3 << 20);
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	if (!holes)
		CHECK_INT(pwrite(fd, piece, 3 << 20, 0), 3 << 20);
	if (byte)
		CHECK_INT(pwrite(fd, &byte, 1, (off_t)at), 1);
	CHECK_INT(ftruncate(fd, 3 << 20), 0);
	CHECK_INT(close(fd), 0);
}

TEST(dupe, holes_equal_the_zeros_that_they_read_as)
{
	struct dupe_stats stats;

	write_large("a", 1, 1500000, 'x');
	write_large("b", 0, 1500000, 'x');
	write_large("c", 1, 1500001, 'x');
	write_large("d", 1, 500000, 'x'); /* the same piece elsewhere */
	write_large("e", 1, 0, 0);
	write_large("f", 0, 0, 0);
	write_large("g", 1, (3 << 20) - 1, 'x');
	snapshot = grown_snapshot(dir, store);
	check_groups("", "3145728(a b)3145728(e f)", &stats);
}

TEST(dupe, a_huge_hole_takes_no_time)
{
	struct dupe_stats stats;
	char path[4096];

	test_write(dir, "a", "x");
	test_write(dir, "b", "x");
	(void)snprintf(path, sizeof(path), "%s/a", dir);
	if (truncate(path, 1ll << 40) < 0)
		cr_skip_test("no file so large here");
	(void)snprintf(path, sizeof(path), "%s/b", dir);
	CHECK_INT(truncate(path, 1ll << 40), 0);
	snapshot = grown_snapshot(dir, store);
	check_groups("", "1099511627776(a b)", &stats);
	CHECK(stats.n_bytes <= 4 << 20);
}

TEST(dupe, a_stopped_search_says_so)
{
	struct stop stop;
	struct cursor_opts opts = {.deadline = USEC_NEVER, .stop = &stop};
	struct query_env env = {0};
	struct query *q;
	struct dupes *d;

	test_write(dir, "a", "same");
	test_write(dir, "b", "same");
	snapshot = grown_snapshot(dir, store);
	CHECK_INT(query_parse(SPAN_LIT(""), &env, &q, NULL), 0);
	stop_init(&stop, NULL);
	stop_request(&stop);
	CHECK_INT(dupes_find(q, snapshot, &opts, &d), -ECANCELED);
	stop_fini(&stop);
	opts = (struct cursor_opts){.deadline = 1};
	CHECK_INT(dupes_find(q, snapshot, &opts, &d), -ETIMEDOUT);
	query_unref(q);
}
