#include "forest.h"

#include "query/sort.h"
#include "sync/chan.h"

#include <pthread.h>

static struct forest forest;

static void
plant_forest(void)
{
	forest_grow(&forest, 77, 300);
}

static void
fell_forest(void)
{
	forest_fell(&forest);
}

TestSuite(sort, .init = plant_forest, .fini = fell_forest);

struct row {
	uint32_t root, entry;
};

static const struct query_sort *sort_keys;
static uint32_t n_sort_keys;

/* Every field through its value as it is shown, built anew for each comparison. */
static int
compare_field(const struct row *a, const struct row *b, enum field f)
{
	struct strbuf x = {0}, y = {0};
	int64_t m = 0, n = 0;
	int r;

	CHECK_INT(field_value(forest.snapshot, a->root, a->entry, f, &x, &m), 0);
	CHECK_INT(field_value(forest.snapshot, b->root, b->entry, f, &y, &n), 0);
	r = field_kind(f) == FIELD_TEXT ? span_cmp(strbuf_view(&x), strbuf_view(&y))
	                                : (m > n) - (m < n);
	strbuf_fini(&x);
	strbuf_fini(&y);
	return r;
}

static int
compare_rows(const void *va, const void *vb)
{
	const struct row *a = va, *b = vb;

	for (uint32_t i = 0; i < n_sort_keys; i++) {
		int r = compare_field(a, b, sort_keys[i].field);

		if (r != 0)
			return sort_keys[i].descending ? -r : r;
	}
	if (a->root != b->root)
		return a->root < b->root ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

/* All rows of the cursor; returns their number. */
static size_t
take(struct cursor *c, struct row *rows)
{
	struct hit hit;
	size_t n = 0;
	int r;

	while ((r = cursor_next(c, &hit)) == 1)
		rows[n++] = (struct row){hit.layer, hit.entry};
	CHECK_INT(r, 0);
	return n;
}

static void
check_sorted(const char *text, const struct cursor_opts *by)
{
	struct cursor_opts opts = *by;
	struct row *expected = calloc(forest.n, sizeof(*expected));
	struct row *got = calloc(forest.n, sizeof(*got));
	struct cursor *c;
	struct cursor_stats stats;
	size_t n, all, first;

	opts.deadline = USEC_NEVER;
	opts.n_sort = 0;
	opts.limit = opts.offset = 0;
	c = ask_cursor(forest.snapshot, text, &opts);
	all = take(c, expected);
	cursor_close(c);
	sort_keys = by->sort;
	n_sort_keys = by->n_sort;
	qsort(expected, all, sizeof(*expected), compare_rows);

	opts = *by;
	opts.deadline = USEC_NEVER;
	c = ask_cursor(forest.snapshot, text, &opts);
	n = take(c, got);
	cursor_get_stats(c, &stats);
	cursor_close(c);
	first = MIN(opts.offset, all);
	CHECK_INT(n, opts.limit ? MIN(opts.limit, all - first) : all - first);
	for (size_t i = 0; i < n; i++)
		CHECK_SAY(got[i].root == expected[first + i].root &&
				  got[i].entry == expected[first + i].entry,
			"%s by %s: row %zu is %u:%u, expected %u:%u", text,
			field_word(by->sort[0].field), i, got[i].root, got[i].entry,
			expected[first + i].root, expected[first + i].entry);
	CHECK(stats.total_exact ? stats.total == all
				: stats.total <= all && stats.total > first + n);
	CHECK(stats.total_exact || !by->count_exact);
	CHECK(stats.more == (all > first + n));
	free(expected);
	free(got);
}

TEST_SINGLE(sort, each_field_orders_as_its_values_do)
{
	for (unsigned f = 0; f < N_FIELDS; f++) {
		struct cursor_opts opts = {.sort = {{(enum field)f, false}}, .n_sort = 1};

		check_sorted("", &opts);
		opts.sort[0].descending = true;
		check_sorted("", &opts);
		opts.limit = 10;
		opts.offset = 5;
		check_sorted("", &opts);
	}
}

TEST_SINGLE(sort, random_keys_limits_and_offsets_match_a_plain_sort)
{
	unsigned long n = test_scale(20000);

	for (unsigned long i = 0; i < n; i++) {
		struct cursor_opts opts = {.n_sort = 1 + roll(4)};

		for (uint32_t k = 0; k < opts.n_sort; k++)
			opts.sort[k] =
				(struct query_sort){(enum field)roll(N_FIELDS), roll(2) == 1};
		if (roll(2))
			opts.limit = 1 + roll(700);
		if (roll(2))
			opts.offset = roll(700);
		opts.count_exact = roll(2);
		check_sorted(roll(2) ? "" : "type:f a", &opts);
	}
}

/* Every entry of the forest, over and over. */
static struct sorter *
crowd(const struct cursor_opts *opts, uint32_t n)
{
	struct sorter *s;
	uint32_t added = 0;

	CHECK_INT(sorter_create(forest.snapshot, opts, 0, &s), 0);
	while (added < n) {
		for (uint32_t i = 0; i < forest.n && added < n; i++, added++)
			CHECK_INT(sorter_add(s, forest.plant[i].root, forest.plant[i].entry), 0);
	}
	return s;
}

TEST(sort, many_entries_on_a_pool_come_in_the_order_of_a_plain_sort)
{
	enum { N = 12000 };
	struct cursor_opts opts = {.deadline = USEC_NEVER,
		.sort = {{FIELD_EXT, true}, {FIELD_PATH, false}},
		.n_sort = 2};
	struct row *expected = calloc(N, sizeof(*expected));
	struct sorter *s;
	uint32_t root, entry;

	for (uint32_t i = 0; i < N; i++)
		expected[i] = (struct row){
			forest.plant[i % forest.n].root, forest.plant[i % forest.n].entry};
	sort_keys = opts.sort;
	n_sort_keys = opts.n_sort;
	qsort(expected, N, sizeof(*expected), compare_rows);
	CHECK_INT(pool_create("cpu", test_threads(3), &opts.compute), 0);
	s = crowd(&opts, N);
	CHECK_INT(sorter_finish(s), 0);
	for (uint32_t i = 0; i < N; i++) {
		CHECK_INT(sorter_next(s, &root, &entry), 1);
		CHECK(root == expected[i].root && entry == expected[i].entry);
	}
	CHECK_INT(sorter_next(s, &root, &entry), 0);
	sorter_destroy(s);
	pool_destroy(opts.compute);
	free(expected);
}

struct canceler {
	struct chan *begun;
	struct stop stop;
	usec_t after; /* the sort has begun */
};

/* The sort is under way by then or not: it must end soon after. */
static void *
cancel_later(void *arg)
{
	struct canceler *c = arg;
	void *item;

	CHECK_INT(chan_recv(c->begun, &item, NULL), 0);
	(void)chan_recv_until(c->begun, &item, NULL, clock_deadline(c->after));
	stop_request(&c->stop);
	return NULL;
}

static int
cancel_sort(struct sorter *s, struct cursor_opts *opts, usec_t after)
{
	struct canceler c = {.begun = chan_create(1, NULL), .after = after};
	pthread_t thread;
	int r;

	stop_init(&c.stop, NULL);
	opts->stop = &c.stop;
	CHECK_INT(pthread_create(&thread, NULL, cancel_later, &c), 0);
	CHECK_INT(chan_send(c.begun, &c, NULL), 0);
	r = sorter_finish(s);
	CHECK_INT(pthread_join(thread, NULL), 0);
	opts->stop = NULL;
	stop_fini(&c.stop);
	chan_destroy(c.begun);
	return r;
}

/* At any moment; a sort that never looked at its token would end with 0 each time. */
TEST(sort, a_million_entries_can_be_left_by_the_cancel_and_by_the_deadline)
{
	enum { N = 1000000, N_TRIES = 5 };
	struct cursor_opts opts = {
		.deadline = USEC_NEVER, .sort = {{FIELD_PATH, true}}, .n_sort = 1};
	uint32_t root, entry, n = 0, n_canceled = 0, n_late = 0;
	struct sorter *s;

	CHECK_INT(pool_create("cpu", test_threads(2), &opts.compute), 0);
	s = crowd(&opts, N);
	for (usec_t i = 0; i < N_TRIES; i++) {
		int r = cancel_sort(s, &opts, i * 5 * USEC_PER_MSEC);

		CHECK(r == 0 || r == -ECANCELED);
		n_canceled += r < 0;
		opts.deadline = clock_deadline(i * 5 * USEC_PER_MSEC);
		r = sorter_finish(s);
		CHECK(r == 0 || r == -ETIMEDOUT);
		n_late += r < 0;
		opts.deadline = USEC_NEVER;
	}
	CHECK(n_canceled > 0 && n_late > 0);
	while (sorter_next(s, &root, &entry) == 1)
		n++;
	CHECK_INT(n, N);
	sorter_destroy(s);
	pool_destroy(opts.compute);
}
