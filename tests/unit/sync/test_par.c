#include "test.h"

#include <errno.h>
#include <sched.h>

#include "sync/chan.h"
#include "sync/par.h"

static struct pool *pool;

static void
make_pool(void)
{
	CHECK_INT(pool_create("test", 3, &pool), 0);
}

static void
remove_pool(void)
{
	pool_destroy(pool);
}

#define N_MAX 5000u

struct visit {
	_Atomic unsigned seen[N_MAX];
	_Atomic unsigned inside[8]; /* threads that use a worker's number now */
	size_t n, grain;
	int stop_at; /* the piece that holds it returns its position, -1 none */
};

static int
visit_piece(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct visit *v = ctx;
	bool stops = v->stop_at >= 0 && lo <= (size_t)v->stop_at && (size_t)v->stop_at < hi;

	if (worker >= 4 || add_rlx(&v->inside[worker], 1) != 0 || hi > v->n ||
		(hi - lo < v->grain && hi < v->n))
		abort();
	for (size_t i = lo; i < hi; i++)
		(void)add_rlx(&v->seen[i], 1);
	(void)sub_rlx(&v->inside[worker], 1);
	return stops ? v->stop_at + 1 : 0;
}

TEST(par, each_position_is_visited_once, .init = make_pool, .fini = remove_pool)
{
	static struct visit v;

	CHECK_INT(par_width(pool), 4);
	for (size_t n = 0; n < N_MAX; n += n < 50 ? 1 : 397) {
		for (size_t grain = 1; grain < 2 * n + 2; grain = grain * 3 + 1) {
			v = (struct visit){.n = n, .grain = grain, .stop_at = -1};
			CHECK_INT(par_for(pool, TASK_QUERY, n, grain, visit_piece, &v, NULL), 0);
			for (size_t i = 0; i < n; i++)
				CHECK_INT(v.seen[i], 1);
		}
	}
}

static int
count_items(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	(void)worker;
	(void)add_rlx((_Atomic uint64_t *)ctx, hi - lo);
	return 0;
}

TEST(par, a_grain_of_zero_is_one_and_sizes_may_be_huge, .init = make_pool, .fini = remove_pool)
{
	_Atomic uint64_t n = 0;

	CHECK_INT(par_for(pool, TASK_QUERY, 100, 0, count_items, &n, NULL), 0);
	CHECK_INT(n, 100);
	n = 0;
	CHECK_INT(par_for(pool, TASK_QUERY, SIZE_MAX, SIZE_MAX / 2, count_items, &n, NULL), 0);
	CHECK(n == SIZE_MAX);
}

TEST(par, an_early_stop_leaves_nothing_out_below_it, .init = make_pool, .fini = remove_pool)
{
	static struct visit v;

	for (unsigned long i = 0; i < test_scale(1000000); i++) {
		int at = (int)(i * 7919 % 1000);

		v = (struct visit){.n = 1000, .grain = 10, .stop_at = at};
		CHECK_INT(par_for(pool, TASK_QUERY, 1000, 10, visit_piece, &v, NULL), at + 1);
		for (int k = 0; k <= at; k++)
			CHECK_INT(v.seen[k], 1);
	}
}

/* Every item from the 20th on stops, each with its own value. */
static int
stop_everywhere(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	(void)worker;
	(void)ctx;
	return hi <= 20 ? 0 : -(int)MAX(lo, (size_t)20);
}

TEST(par, the_lowest_piece_that_stopped_decides, .init = make_pool, .fini = remove_pool)
{
	for (unsigned long i = 0; i < test_scale(1000000); i++)
		CHECK_INT(par_for(pool, TASK_INDEX, 100, 1, stop_everywhere, NULL, NULL), -20);
}

/* Piece 0 stops first, piece 1 (under way since before) a good while later. */
struct two_stops {
	_Atomic unsigned one_began, zero_ends;
};

static int
stop_twice(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct two_stops *s = ctx;

	(void)hi;
	(void)worker;
	if (lo == 0) {
		while (!load_acq(&s->one_began))
			sched_yield();
		store_rel(&s->zero_ends, 1);
		return 10;
	}
	store_rel(&s->one_began, 1);
	for (int n = 0; n < 1000; n += (int)load_acq(&s->zero_ends))
		sched_yield();
	return 11;
}

TEST(par, a_higher_piece_that_stops_later_changes_nothing, .init = make_pool, .fini = remove_pool)
{
	for (int i = 0; i < 20; i++)
		CHECK_INT(par_for(pool, TASK_QUERY, 2, 1, stop_twice, &(struct two_stops){0}, NULL),
			10);
}

/* Pieces above wait for the token, or they might be all that is left. */
static int
fire_at_ten(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	(void)worker;
	if (lo <= 10 && 10 < hi)
		stop_request(ctx);
	while (lo > 10 && !stop_requested(ctx))
		sched_yield();
	return 0;
}

TEST(par, a_fired_token_ends_the_loop, .init = make_pool, .fini = remove_pool)
{
	_Atomic uint64_t n = 0;
	struct stop s;

	stop_init(&s, NULL);
	CHECK_INT(par_for(pool, TASK_QUERY, 1000000, 1, fire_at_ten, &s, &s), -ECANCELED);
	CHECK_INT(par_for(pool, TASK_QUERY, 100, 1, count_items, &n, &s), -ECANCELED);
	CHECK_INT(n, 0);
	CHECK_INT(par_for(pool, TASK_QUERY, 0, 1, count_items, &n, &s), 0);
	stop_fini(&s);
}

TEST(par, a_token_fired_by_the_last_piece_is_too_late, .init = make_pool, .fini = remove_pool)
{
	_Atomic uint64_t n = 0;
	struct stop s;

	stop_init(&s, NULL);
	CHECK_INT(par_for(pool, TASK_QUERY, 11, 11, count_items, &n, &s), 0);
	CHECK_INT(par_for(pool, TASK_QUERY, 11, 11, fire_at_ten, &s, &s), 0);
	CHECK(stop_requested(&s));
	stop_fini(&s);
}

TEST(par, a_closed_pool_leaves_the_work_to_the_caller, .init = make_pool, .fini = remove_pool)
{
	_Atomic uint64_t n = 0;

	pool_close(pool);
	CHECK_INT(par_for(pool, TASK_QUERY, 1000, 7, count_items, &n, NULL), 0);
	CHECK_INT(n, 1000);
}

/* Every worker runs a loop of its own, inside of which are loops: no worker is ever free to help,
 * and helpers of loops that are over wait in the queue. */
struct nest {
	struct task task;
	_Atomic uint64_t *n;
	_Atomic unsigned *n_done;
};

static int
inner_loops(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	(void)worker;
	for (; lo < hi; lo++)
		CHECK_INT(par_for(pool, TASK_QUERY, 20, 1, count_items, ctx, NULL), 0);
	return 0;
}

static void
run_nest(struct task *t)
{
	struct nest *nest = CONTAINER_OF(t, struct nest, task);

	CHECK_INT(par_for(pool, TASK_QUERY, 20, 1, inner_loops, nest->n, NULL), 0);
	(void)add_ar(nest->n_done, 1); /* pairs with the acquire of the test */
}

TEST(par, loops_within_tasks_of_a_busy_pool_end, .init = make_pool, .fini = remove_pool)
{
	for (unsigned long round = 0; round < test_scale(10000); round++) {
		_Atomic uint64_t n = 0;
		_Atomic unsigned n_done = 0;
		struct nest nests[8];

		for (size_t i = 0; i < ARRAY_LEN(nests); i++) {
			nests[i] = (struct nest){.task.run = run_nest, .n = &n, .n_done = &n_done};
			CHECK_INT(pool_submit(pool, &nests[i].task, TASK_QUERY), 0);
		}
		while (load_acq(&n_done) < ARRAY_LEN(nests))
			sched_yield();
		CHECK_INT(n, 8 * 20 * 20);
	}
}

/* All workers are held while the caller loops: it must not wait for any of them. */
struct gate {
	struct task task;
	struct chan *open;
};

static void
wait_at_gate(struct task *t)
{
	void *item;

	(void)chan_recv(CONTAINER_OF(t, struct gate, task)->open, &item, NULL);
}

TEST(par, the_caller_needs_no_free_worker, .init = make_pool, .fini = remove_pool)
{
	struct chan *open = chan_create(2, NULL);
	_Atomic uint64_t n = 0;
	struct gate gates[3];

	for (size_t i = 0; i < ARRAY_LEN(gates); i++) {
		gates[i] = (struct gate){.task.run = wait_at_gate, .open = open};
		CHECK_INT(pool_submit(pool, &gates[i].task, TASK_QUERY), 0);
	}
	for (int i = 0; i < 100; i++)
		CHECK_INT(par_for(pool, TASK_QUERY, 50, 1, count_items, &n, NULL), 0);
	CHECK_INT(n, 5000);
	chan_close(open);
	pool_close(pool);
	pool_destroy(TAKE_PTR(pool)); /* the helpers that came too late are dropped here */
	chan_destroy(open);
}

static int
square(const void *item, void *ret_result, unsigned worker, void *ctx)
{
	uint32_t x = *(const uint32_t *)item;

	(void)worker;
	if (ctx && x == *(uint32_t *)ctx)
		return -(int)x;
	*(uint64_t *)ret_result = (uint64_t)x * x;
	return 0;
}

TEST(par, a_map_gives_each_item_its_result, .init = make_pool, .fini = remove_pool)
{
	static uint32_t items[N_MAX];
	static uint64_t results[N_MAX];
	uint32_t bad = 4321;
	struct par_map map = {items, results, sizeof(items[0]), sizeof(results[0]), square, NULL};

	for (uint32_t i = 0; i < N_MAX; i++)
		items[i] = i;
	for (size_t grain = 1; grain < 2 * N_MAX; grain *= 10) {
		memset(results, 1, sizeof(results));
		CHECK_INT(par_map(pool, TASK_QUERY, N_MAX, grain, &map, NULL), 0);
		for (uint64_t i = 0; i < N_MAX; i++)
			CHECK(results[i] == i * i);
	}
	map.ctx = &bad;
	CHECK_INT(par_map(pool, TASK_QUERY, N_MAX, 1, &map, NULL), -4321);
}
