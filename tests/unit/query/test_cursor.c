#include "forest.h"

#include <pthread.h>

static struct forest forest;

static void
plant_forest(void)
{
	forest_grow(&forest, 5, 400);
}

static void
fell_forest(void)
{
	forest_fell(&forest);
}

TestSuite(cursor, .init = plant_forest, .fini = fell_forest);

static uint64_t
drain(struct cursor *c)
{
	struct hit hit;
	uint64_t n = 0;
	int r;

	while ((r = cursor_next(c, &hit)) == 1)
		n++;
	CHECK_INT(r, 0);
	return n;
}

TEST(cursor, limit_and_offset_cut_and_the_rest_is_counted_when_asked)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct cursor *c = ask_cursor(forest.snapshot, "a", &opts);
	uint64_t all = drain(c);

	cursor_close(c);
	CHECK(all > 50);
	for (uint64_t limit = 1; limit <= all + 1; limit += 1 + all / 9) {
		for (uint64_t offset = 0; offset <= all + 1; offset += 1 + all / 7) {
			uint64_t left = offset < all ? all - offset : 0;
			struct cursor_stats stats;

			opts = (struct cursor_opts){.deadline = USEC_NEVER,
				.limit = limit,
				.offset = offset,
				.count_exact = true};
			c = ask_cursor(forest.snapshot, "a", &opts);
			CHECK_INT(drain(c), MIN(limit, left));
			cursor_get_stats(c, &stats);
			CHECK(stats.n == MIN(limit, left) && stats.more == (left > limit));
			CHECK(stats.total == all && stats.total_exact);
			cursor_close(c);

			opts.count_exact = false;
			c = ask_cursor(forest.snapshot, "a", &opts);
			CHECK_INT(drain(c), MIN(limit, left));
			cursor_get_stats(c, &stats);
			CHECK(stats.more == (left > limit) && stats.total_exact == !stats.more);
			CHECK(stats.total <= all);
			cursor_close(c);
		}
	}
}

TEST(cursor, a_root_without_a_tree_is_passed_over)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct snapshot *s = snapshot_create(2);
	struct cursor *c;
	struct hit hit;

	for (unsigned i = 0; i < 2; i++) {
		s->roots[i].name = strdup(i ? "two" : "new");
		s->roots[i].path = strdup(i ? "/two" : "/new");
	}
	s->roots[1].stack = tree_stack_ref(forest.snapshot->roots[2].stack);
	snapshot_seal(s);
	c = ask_cursor(s, "", &opts);
	CHECK_INT(cursor_next(c, &hit), 1);
	CHECK(hit.layer == 0 && hit.entry == 0);
	CHECK_INT(drain(c), 9);
	cursor_close(c);
	snapshot_unref(s);
}

TEST(cursor, holds_its_snapshot_and_query)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct snapshot *s = snapshot_create(1);
	struct cursor *c;

	s->roots[0].name = strdup("two");
	s->roots[0].path = strdup("/two");
	s->roots[0].stack = tree_stack_ref(forest.snapshot->roots[2].stack);
	snapshot_seal(s);
	c = ask_cursor(s, "", &opts); /* gives its reference to the query back */
	CHECK(cursor_snapshot(c) == s);
	snapshot_unref(s);
	CHECK_INT(drain(c), 10);
	CHECK_INT(drain(c), 0);
	cursor_close(c);
	cursor_close(NULL);
}

TEST(cursor, deadline_and_stop_end_it_and_stay)
{
	struct cursor_opts opts = {.deadline = 1};
	struct cursor_stats stats;
	struct stop stop;
	struct cursor *c = ask_cursor(forest.snapshot, "", &opts);
	struct hit hit;

	CHECK_INT(cursor_next(c, &hit), -ETIMEDOUT);
	CHECK_INT(cursor_next(c, &hit), -ETIMEDOUT);
	cursor_get_stats(c, &stats);
	CHECK(!stats.total_exact && stats.n == 0);
	cursor_close(c);

	stop_init(&stop, NULL);
	stop_request(&stop);
	opts = (struct cursor_opts){.deadline = USEC_NEVER, .stop = &stop};
	c = ask_cursor(forest.snapshot, "", &opts);
	CHECK_INT(cursor_next(c, &hit), -ECANCELED);
	cursor_close(c);
	opts.n_sort = 1;
	c = ask_cursor(forest.snapshot, "", &opts);
	CHECK_INT(cursor_next(c, &hit), -ECANCELED);
	CHECK_INT(cursor_next(c, &hit), -ECANCELED);
	cursor_close(c);
	stop_fini(&stop);
}

TEST(cursor, a_pattern_that_runs_away_on_a_path_ends_the_query)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct tree_input root = {.mode = S_IFDIR | 0755, .dir = 0};
	struct tree_input file = {
		.name = SPAN_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"),
		.mode = S_IFREG | 0644,
		.dir = TREE_BUILD_NO_DIR};
	struct snapshot *s = snapshot_create(1);
	AUTO(closep) int dirfd = open(forest.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree_builder *b;
	struct tree *tree;
	struct cursor *c;
	struct hit hit;
	uint64_t bytes;

	CHECK_INT(tree_builder_create(&root, &b), 0);
	CHECK_INT(tree_builder_add(b, 0, &file, 1, false), 0);
	CHECK_INT(tree_builder_write(b, dirfd, "x", NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	s->roots[0] = (struct snap_root){.name = strdup("x"), .path = strdup("/x")};
	CHECK_INT(tree_open(dirfd, "x", &tree, NULL), 0);
	s->roots[0].stack = one_stack(tree);
	snapshot_seal(s);
	c = ask_cursor(s, "/(a+)+(a+)+$/", &opts);
	CHECK_INT(cursor_next(c, &hit), -EOVERFLOW);
	cursor_close(c);
	snapshot_unref(s);
}

static void *
next_elsewhere(void *arg)
{
	struct hit hit;

	CHECK_INT(cursor_next(arg, &hit), 1);
	return NULL;
}

TEST(cursor, may_go_on_in_another_thread)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct cursor *c = ask_cursor(forest.snapshot, "", &opts);
	struct hit hit;

	for (int i = 0; i < 4; i++) {
		pthread_t t;

		CHECK_INT(cursor_next(c, &hit), 1);
		CHECK_INT(hit.entry, 2 * i);
		CHECK_INT(pthread_create(&t, NULL, next_elsewhere, c), 0);
		CHECK_INT(pthread_join(t, NULL), 0);
	}
	cursor_close(c);
}

/* Some at once, `n` at most, against one by one. */
static void
compare_entries(const char *text, const struct cursor_opts *opts, uint32_t n)
{
	struct cursor *one = ask_cursor(forest.snapshot, text, opts);
	struct cursor *some = ask_cursor(forest.snapshot, text, opts);
	struct cursor_stats a, b;
	uint32_t layer, entry[512];
	struct hit hit;
	int got;

	while ((got = cursor_next_entries(some, &layer, entry, n)) > 0) {
		CHECK(got <= (int)n);
		for (int i = 0; i < got; i++) {
			CHECK_INT(cursor_next(one, &hit), 1);
			CHECK(hit.layer == layer && hit.entry == entry[i]);
		}
	}
	CHECK_INT(got, cursor_next(one, &hit));
	CHECK_INT(cursor_next_entries(some, &layer, entry, n), got);
	cursor_get_stats(one, &a);
	cursor_get_stats(some, &b);
	CHECK(a.n == b.n && a.more == b.more && a.total == b.total &&
		a.total_exact == b.total_exact);
	cursor_close(one);
	cursor_close(some);
}

TEST(cursor, answers_some_at_once_are_those_one_by_one)
{
	static const char *const texts[] = {
		"a", "", "type:d", "\"a/\"", "nosuch", "a or k", "root:two"};
	static const uint32_t ns[] = {1, 2, 63, 64, 65, 512};

	for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
		for (size_t i = 0; i < ARRAY_LEN(ns); i++) {
			struct cursor_opts opts = {.deadline = USEC_NEVER};

			compare_entries(texts[t], &opts, ns[i]);
			for (opts.limit = 1; opts.limit < 400; opts.limit += 1 + opts.limit / 3) {
				opts.offset = opts.limit % 3 * 40;
				opts.count_exact = opts.limit % 2;
				compare_entries(texts[t], &opts, ns[i]);
			}
			opts.rank = RANK_ALWAYS;
			compare_entries(texts[t], &opts, ns[i]);
			opts.rank = RANK_OFF;
			opts.n_sort =
				(uint32_t)query_sort_parse(SPAN_LIT("size:desc"), opts.sort, NULL);
			compare_entries(texts[t], &opts, ns[i]);
		}
	}
}

TEST(cursor, a_stop_among_answers_at_once_stays)
{
	struct stop stop;
	struct cursor_opts opts = {.deadline = USEC_NEVER, .stop = &stop};
	uint32_t layer, entry[8];
	struct cursor *c;
	int r = 1;

	stop_init(&stop, NULL);
	c = ask_cursor(forest.snapshot, "", &opts);
	CHECK_INT(cursor_next_entries(c, &layer, entry, 8), 1);
	stop_request(&stop);
	/* What was found before is given. */
	while (r > 0)
		r = cursor_next_entries(c, &layer, entry, 8);
	CHECK_INT(r, -ECANCELED);
	CHECK_INT(cursor_next_entries(c, &layer, entry, 8), -ECANCELED);
	cursor_close(c);
	stop_fini(&stop);
}
