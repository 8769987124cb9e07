#include "clustered.h"

#include "query/sort.h"

static struct clustered tree;

static void
grow(void)
{
	clustered_grow(&tree, 31, 1500);
}

static void
fell(void)
{
	clustered_fell(&tree);
}

TestSuite(gather, .init = grow, .fini = fell);

static const struct cursor_opts *order;

/* Values one at a time, each anew for every comparison; ties in entry order. */
static int
compare_entries(const void *va, const void *vb)
{
	uint32_t a = *(const uint32_t *)va, b = *(const uint32_t *)vb;

	for (uint32_t i = 0; i < order->n_sort; i++) {
		int64_t x = field_number(tree.cols, a, order->sort[i].field);
		int64_t y = field_number(tree.cols, b, order->sort[i].field);

		if (x != y)
			return (x < y) != order->sort[i].descending ? -1 : 1;
	}
	return a < b ? -1 : a > b;
}

/* Entries that the question takes, as they stand. */
static uint32_t
take_plain(const char *text, uint32_t *ret)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct cursor *c = ask_cursor(tree.snapshot, text, &opts);
	struct hit hit;
	uint32_t n = 0;

	while (cursor_next(c, &hit) == 1)
		ret[n++] = hit.entry;
	cursor_close(c);
	return n;
}

static void
check_order(const char *text, const struct cursor_opts *opts)
{
	uint32_t *expected = calloc(tree.cols->n_entries, sizeof(*expected));
	uint32_t all = take_plain(text, expected), n = 0;
	uint64_t first = MIN(opts->offset, all);
	struct cursor *c = ask_cursor(tree.snapshot, text, opts);
	struct cursor_stats stats;
	struct hit hit;

	order = opts;
	qsort(expected, all, sizeof(*expected), compare_entries);
	for (; cursor_next(c, &hit) == 1; n++)
		CHECK_SAY(first + n < all && hit.entry == expected[first + n],
			"%s by %s: row %u of %u is %u", text, field_word(opts->sort[0].field), n,
			all, hit.entry);
	CHECK_INT(n, opts->limit ? MIN(opts->limit, all - first) : all - first);
	cursor_get_stats(c, &stats);
	CHECK_INT(stats.more, all > first + n);
	CHECK(stats.total_exact ? stats.total == all
				: stats.total <= all && stats.total > first + n);
	CHECK(stats.total_exact || !opts->count_exact);
	cursor_close(c);
	free(expected);
}

TEST(gather, the_first_by_any_column_are_those_of_a_plain_sort)
{
	static const enum field fields[] = {FIELD_SIZE, FIELD_BLOCKS, FIELD_MTIME, FIELD_CTIME,
		FIELD_INODE, FIELD_LINKS, FIELD_MODE, FIELD_UID, FIELD_DEPTH};
	static const char *const texts[] = {"", "size:>100000", "user:1", "in:/r/d00001 type:f",
		"-user:2 mtime:<3000d", "size:0", "links:>2 | depth:1", "name:zzz", "d00001",
		"f0 size:>10", "d00002/f | d00003"};
	/* Where races are looked for, the half of the rounds that has threads. */
	unsigned long n = test_scale(TEST_WATCHES_THREADS ? 3000 : 6000);
	struct pool *pool;

	CHECK_INT(pool_create("t", test_threads(3), &pool), 0);
	for (unsigned long i = 0; i < n; i++) {
		struct cursor_opts opts = {.deadline = USEC_NEVER, .n_sort = 1 + roll(3)};

		for (uint32_t k = 0; k < opts.n_sort; k++)
			opts.sort[k] =
				(struct query_sort){fields[roll(ARRAY_LEN(fields))], roll(2) == 1};
		opts.limit = roll(4) ? 1 + roll(roll(2) ? 5 : 5000) : 0;
		opts.offset = roll(3) ? 0 : roll(3000);
		opts.count_exact = roll(4) == 0;
		opts.compute = TEST_WATCHES_THREADS || roll(2) ? pool : NULL;
		check_order(texts[roll(ARRAY_LEN(texts))], &opts);
	}
	pool_destroy(pool);
}

/* How many blocks a sort by size with a limit passes over. */
static uint64_t
skipped(bool count_exact)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER,
		.sort = {{FIELD_SIZE, true}},
		.n_sort = 1,
		.count_exact = count_exact};
	struct query *q = ask("type:f");
	struct sort_cost cost;
	struct sweep *sweep;
	struct sorter *s;
	struct eval *e;

	CHECK_INT(eval_create(q, tree.snapshot, 1, &e), 0);
	CHECK_INT(sorter_create(tree.snapshot, &opts, 10, &s), 0);
	CHECK_INT(sweep_open(e, &opts, &sweep), 0);
	CHECK_INT(sorter_gather(s, e, sweep), 0);
	CHECK_INT(sorter_finish(s), 0);
	sorter_get_cost(s, &cost);
	CHECK_INT(cost.n_kept, 10);
	CHECK(sorter_saw_all(s) == (cost.n_skipped == 0));
	sorter_destroy(s);
	sweep_close(sweep);
	eval_destroy(e);
	query_unref(q);
	return cost.n_skipped;
}

TEST(gather, blocks_that_cannot_win_are_passed_over_unless_all_are_counted)
{
	uint64_t n_blocks = tree.cols->n_entries / TREE_BLOCK, min, max;

	if (tree_bounds(tree.cols, TREE_SIZE, 0, 1, &min, &max))
		CHECK(skipped(false) > n_blocks / 2);
	CHECK_INT(skipped(true), 0);
}
