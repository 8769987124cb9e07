#include "clustered.h"

#include "query/explain.h"

static struct clustered tree;

static void
grow(void)
{
	clustered_grow(&tree, 8, 900);
}

static void
fell(void)
{
	clustered_fell(&tree);
}

TestSuite(explain, .init = grow, .fini = fell);

static struct explain *
explain(const char *text, const struct cursor_opts *more, bool run)
{
	struct cursor_opts opts = *more;
	struct query *q = ask(text);
	struct explain *x = NULL;
	struct err err = {0};

	opts.deadline = USEC_NEVER;
	CHECK_INT(explain_create(q, tree.snapshot, &opts, run, &x, &err), 0);
	query_unref(q);
	return x;
}

static uint64_t
count(const char *text)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct cursor *c = ask_cursor(tree.snapshot, text, &opts);
	struct hit hit;
	uint64_t n = 0;

	while (cursor_next(c, &hit) == 1)
		n++;
	cursor_close(c);
	return n;
}

/* The steps as lines, deeper ones indented. */
static void
check_steps(const char *query, const char *expected)
{
	struct explain *x = explain(query, &(struct cursor_opts){0}, false);
	struct strbuf lines = {0};

	for (uint32_t i = 0; i < x->n_steps; i++)
		(void)strbuf_printf(&lines, "%*s%s\n", (int)x->step[i].depth, "", x->step[i].text);
	CHECK_STR(lines.data, expected);
	strbuf_fini(&lines);
	explain_destroy(x);
}

TEST(explain, steps_stand_in_the_order_of_evaluation_the_cheapest_first)
{
	check_steps("size:>1k", "(size 1025..)\n");
	check_steps("*", "(name-glob *)\n");
	check_steps("/x[yz]/ foo ext:c type:f in:/r/d00001",
		"and\n (in /r/d00001)\n (type f)\n (word foo)\n (ext c)\n (regex x[yz])\n");
	check_steps("foo -(size:0 | user:1)",
		"and\n not\n  or\n   (user 1)\n   (size ..0)\n (word foo)\n");
}

TEST(explain, ranges_are_what_in_and_root_leave)
{
	struct strbuf in = {0};
	struct explain *x;

	CHECK_INT(strbuf_puts(&in, "size:>5 in:"), 0);
	CHECK_INT(snapshot_path(tree.snapshot, 0, tree.cols->dir_entry[1], &in), 0);
	x = explain(in.data, &(struct cursor_opts){0}, false);
	CHECK_INT(x->n_ranges, 1);
	CHECK_INT(x->n_entries, count(in.data + strlen("size:>5 ")));
	strbuf_fini(&in);
	CHECK_INT(x->n_all, tree.cols->n_entries);
	CHECK(x->step[1].exact && x->step[1].estimate == x->n_entries);
	CHECK(!x->ran);
	explain_destroy(x);
	x = explain("in:/nowhere foo", &(struct cursor_opts){0}, true);
	CHECK(x->n_ranges == 0 && x->n_entries == 0 && x->ran && x->stats.n == 0);
	explain_destroy(x);
}

TEST(explain, a_run_counts_what_each_term_was_asked_and_took)
{
	struct pool *pool;
	struct cursor_opts opts = {0};
	struct explain *x;
	uint64_t n_large = count("size:>100000"), n_both = count("size:>100000 ext:x");

	CHECK_INT(pool_create("t", test_threads(2), &pool), 0);
	opts.compute = pool;
	x = explain("size:>100000 name:7", &opts, true);
	CHECK_STR(x->step[1].text, "(size 100001..)");
	CHECK_INT(x->step[1].cost.n_asked, tree.cols->n_entries);
	CHECK_INT(x->step[1].cost.n_hits, n_large);
	CHECK_INT(x->step[2].cost.n_asked, n_large);
	CHECK_INT(x->step[2].cost.n_hits, x->stats.n);
	CHECK_INT(x->stats.n, count("size:>100000 name:7"));
	CHECK(x->stats.total_exact && x->cost.n_threads >= 1 && x->nsec > 0);
	explain_destroy(x);
	/* Words are looked for ahead of the question; one that is all of it counts the same. */
	x = explain("d00001", &opts, true);
	CHECK_INT(x->step[0].cost.n_hits, count("d00001"));
	CHECK_INT(x->step[0].cost.n_read + x->step[0].cost.n_skipped > 0, true);
	explain_destroy(x);
	x = explain("size:>100000 ext:x", &opts, true);
	CHECK_INT(x->stats.n, n_both);
	explain_destroy(x);
	pool_destroy(pool);
}

TEST(explain, a_sort_with_a_limit_tells_what_it_kept)
{
	struct cursor_opts opts = {.sort = {{FIELD_SIZE, true}}, .n_sort = 1, .limit = 7};
	struct explain *x = explain("type:f", &opts, true);

	CHECK(x->cost.sorted && x->stats.n == 7 && x->stats.more);
	CHECK_INT(x->cost.sort.n_kept, 8); /* one more tells that there are more */
	explain_destroy(x);
}

/* Of a clustered tree a sample is not exact, but not far off either; of a small range it is. */
TEST(explain, estimates_are_near_the_truth)
{
	static const char *const texts[] = {"type:f", "user:1", "size:0", "mtime:<2000d", "name:3"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct explain *x = explain(texts[i], &(struct cursor_opts){0}, false);
		uint64_t truth = count(texts[i]), n = tree.cols->n_entries;
		uint64_t guess = x->step[0].estimate;

		CHECK(x->step[0].estimated && x->step[0].leaf);
		CHECK_SAY(guess + n / 5 >= truth && guess <= truth + n / 5, "%s: %lu, really %lu",
			texts[i], (unsigned long)guess, (unsigned long)truth);
		explain_destroy(x);
	}
}
