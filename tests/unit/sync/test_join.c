#include "test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "sync/pool.h"
#include "sync/thread.h"

static struct pool *pool;

static void
make_pool(void)
{
	CHECK_INT(pool_create("test", 4, &pool), 0);
}

static void
remove_pool(void)
{
	pool_destroy(pool);
}

struct fib {
	unsigned n;
	uint64_t result;
};

static int
fib(void *arg, bool stolen)
{
	struct fib *f = arg, a = {.n = f->n - 1}, b = {.n = f->n - 2};

	(void)stolen;
	if (f->n < 2) {
		f->result = f->n;
		return 0;
	}
	CHECK_INT(pool_join(pool, fib, &a, fib, &b), 0);
	f->result = a.result + b.result;
	return 0;
}

static int
fib_task(void *arg)
{
	return fib(arg, false);
}

static uint64_t
fib_serially(unsigned n)
{
	return n < 2 ? n : fib_serially(n - 1) + fib_serially(n - 2);
}

/* The largest of which a full recursion makes at most `joins`. */
static unsigned
fib_of_joins(unsigned long joins)
{
	unsigned n = 5;

	while (fib_serially(n + 2) < joins)
		n++;
	return n;
}

TEST(join, a_recursion_gives_what_it_gives_serially_on_any_number_of_threads)
{
	static const unsigned threads[] = {1, 2, 3, 16};
	unsigned n = fib_of_joins(test_scale(10000000));

	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		struct fib f = {.n = n};

		CHECK_INT(pool_create("test", threads[i], &pool), 0);
		CHECK_INT(pool_run(pool, TASK_INDEX, fib_task, &f), 0);
		CHECK_INT(f.result, fib_serially(n));
		pool_destroy(pool);
	}
}

TEST(join, recursions_started_outside_share_one_pool, .init = make_pool, .fini = remove_pool)
{
	struct fib a = {.n = 14}, b = {.n = 12};

	for (unsigned long i = test_scale(50000); i > 0; i--) {
		CHECK_INT(pool_join(pool, fib, &a, fib, &b), 0);
		CHECK_INT(a.result, 377);
		CHECK_INT(b.result, 144);
	}
}

struct slice {
	int *from;
	size_t n;
};

static size_t
partition(const struct slice *s)
{
	int pivot = s->from[(s->n - 1) / 2];
	size_t i = 0, k = s->n - 1;

	for (;; i++, k--) {
		int swap;

		while (s->from[i] < pivot)
			i++;
		while (s->from[k] > pivot)
			k--;
		if (i >= k)
			return k + 1;
		swap = s->from[i];
		s->from[i] = s->from[k];
		s->from[k] = swap;
	}
}

static int
quicksort(void *arg, bool stolen)
{
	struct slice *s = arg, low = *s, high = *s;

	(void)stolen;
	if (s->n < 2)
		return 0;
	low.n = partition(s);
	high.from += low.n;
	high.n -= low.n;
	return pool_join(pool, quicksort, &low, quicksort, &high);
}

static int
compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

TEST(join, quicksort_sorts_as_qsort_does, .init = make_pool, .fini = remove_pool)
{
	size_t n = test_scale(10000000);
	int *ours = malloc(n * sizeof(*ours)), *theirs = malloc(n * sizeof(*theirs));
	struct slice all = {ours, n};
	uint32_t random = 1;

	for (size_t i = 0; i < n; i++) {
		random = random * 1664525 + 1013904223;
		ours[i] = theirs[i] = (int)(random >> (i % 3 ? 8 : 20));
	}
	CHECK_INT(quicksort(&all, false), 0); /* from outside */
	qsort(theirs, n, sizeof(*theirs), compare_ints);
	CHECK(memcmp(ours, theirs, n * sizeof(*ours)) == 0);
	free(ours);
	free(theirs);
}

/* One half waits until the other has begun elsewhere, so both surely run on two threads. */
struct half {
	_Atomic bool *begin, *begun;
	bool was_stolen, ended;
	int result;
};

static int
meet(void *arg, bool stolen)
{
	struct half *h = arg;

	h->was_stolen = stolen;
	store_rel(h->begun, true);
	while (!load_acq(h->begin))
		sched_yield();
	for (int i = 0; i < 100; i++)
		sched_yield();
	h->ended = true;
	return h->result;
}

static int
join_meeting(void *arg)
{
	struct half *h = arg;
	int r = pool_join(pool, meet, &h[0], meet, &h[1]);

	CHECK(h[0].ended && h[1].ended); /* before our frame goes */
	CHECK(!h[0].was_stolen && h[1].was_stolen);
	return r;
}

TEST(join, a_failure_in_either_half_waits_for_the_other, .init = make_pool, .fini = remove_pool)
{
	static const int results[][3] = {{0, 0, 0}, {-5, 0, -5}, {0, -6, -6}, {-5, -6, -5}};

	for (unsigned long i = 0; i < 4 * test_scale(5000); i++) {
		_Atomic bool begun[2] = {0};
		struct half h[2] = {{.begin = &begun[1], .begun = &begun[0]},
			{.begin = &begun[0], .begun = &begun[1]}};

		h[0].result = results[i % 4][0];
		h[1].result = results[i % 4][1];
		CHECK_INT(pool_run(pool, TASK_QUERY, join_meeting, h), results[i % 4][2]);
	}
}

static int
set_flag(void *arg, bool stolen)
{
	*(bool *)arg = true;
	return stolen ? -1 : 0;
}

static int
fail(void *arg, bool stolen)
{
	(void)stolen;
	*(bool *)arg = true;
	return -5;
}

TEST(join, on_one_thread_the_second_half_runs_after_a_failure_too)
{
	bool a = false, b = false;

	CHECK_INT(pool_create("test", 1, &pool), 0);
	CHECK_INT(pool_join(pool, fail, &a, set_flag, &b), -5);
	CHECK(a && b);
	pool_destroy(pool);
}

TEST(join, on_a_closed_pool_both_halves_run_on_the_caller)
{
	bool a = false, b = false;

	CHECK_INT(pool_create("test", 2, &pool), 0);
	pool_close(pool);
	CHECK_INT(pool_join(pool, set_flag, &a, fail, &b), -5);
	CHECK(a && b);
	pool_destroy(pool);
}

struct spine {
	unsigned long depth;
	_Atomic unsigned long *n;
};

static int
count_one(void *arg, bool stolen)
{
	(void)stolen;
	(void)add_rlx(((struct spine *)arg)->n, 1);
	return 0;
}

static int
descend(void *arg, bool stolen)
{
	struct spine *s = arg, below = {s->depth - 1, s->n};

	(void)stolen;
	return s->depth ? pool_join(pool, descend, &below, count_one, &below) : 0;
}

/* More halves wait than the deque may hold: the rest runs serially. */
TEST(join, a_recursion_of_any_depth_ends)
{
	unsigned long depth = test_scale(1000000) + 5000;
	struct pool_opts opts = {.name = "test", .n_threads = 4, .stack_bytes = depth << 10};
	_Atomic unsigned long n = 0;
	struct spine s = {depth, &n};

	CHECK_INT(pool_create_with(&opts, &pool), 0);
	CHECK_INT(pool_join(pool, descend, &s, count_one, &s), 0);
	CHECK_INT(n, depth + 1);
	pool_destroy(pool);
}

/*
 * A binary tree of joins: node k forks 2k and 2k+1. Each thread notes which node it is in, so that
 * a half which begins within another one knows below which it was put.
 */
static _Thread_local uint64_t node_here;
static _Thread_local unsigned depth_here;
static _Atomic unsigned max_depth;

struct node {
	uint64_t k, last;
};

static bool
is_below(uint64_t k, uint64_t above)
{
	while (k > above)
		k /= 2;
	return k == above;
}

static void
note_depth(void)
{
	unsigned seen = load_rlx(&max_depth);

	while (depth_here > seen && !cas_weak_rlx(&max_depth, &seen, depth_here))
		;
}

static int
visit(void *arg, bool stolen)
{
	struct node *at = arg, left = {2 * at->k, at->last}, right = {2 * at->k + 1, at->last};
	uint64_t outer = node_here;

	if (stolen && outer) { /* in a wait of `outer`, for its second half */
		CHECK(at->k != 2 * outer + 1);
		CHECK(is_below(at->k, 2 * outer + 1));
	}
	node_here = at->k;
	depth_here++;
	note_depth();
	if (at->k % 97 == 0)
		sched_yield();
	if (left.k < at->last)
		CHECK_INT(pool_join(pool, visit, &left, visit, &right), 0);
	depth_here--;
	node_here = outer;
	return 0;
}

struct tree_task {
	struct task task;
	struct node root;
	_Atomic unsigned *n_ended;
};

static void
run_tree(struct task *t)
{
	struct tree_task *tree = CONTAINER_OF(t, struct tree_task, task);

	CHECK_INT(node_here, 0); /* never in a wait */
	CHECK_INT(visit(&tree->root, false), 0);
	(void)add_rlx(tree->n_ended, 1);
}

/* So the stack of a thread is never deeper than that of the serial recursion. */
TEST(join, who_waits_runs_only_what_was_forked_inside_what_it_waits_for)
{
	struct tree_task trees[20];
	_Atomic unsigned n_ended = 0;
	unsigned levels = 9;

	while (1ul << levels < test_scale(1000000) / 10)
		levels++;
	CHECK_INT(pool_create("test", 16, &pool), 0);
	for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
		trees[i] = (struct tree_task){
			.task.run = run_tree, .root = {1, 1ull << levels}, .n_ended = &n_ended};
		CHECK_INT(pool_submit(pool, &trees[i].task, i % N_TASK_CLASSES), 0);
	}
	pool_destroy(pool);
	CHECK_INT(n_ended, ARRAY_LEN(trees));
	CHECK(load_rlx(&max_depth) <= levels);
}

/* The thief of the half forks one of its own and stays in the other: the waiter must take that. */
struct leap {
	_Atomic bool stolen, leapt;
};

static int
leap_inner(void *arg, bool stolen)
{
	struct leap *l = arg;

	CHECK(stolen);
	CHECK_INT(node_here, 77); /* on the thread that waits */
	store_rel(&l->leapt, true);
	return 0;
}

static int
wait_for_leap(void *arg, bool stolen)
{
	struct leap *l = arg;

	(void)stolen;
	while (!load_acq(&l->leapt))
		sched_yield();
	return 0;
}

static int
leap_outer(void *arg, bool stolen)
{
	struct leap *l = arg;

	CHECK(stolen);
	store_rel(&l->stolen, true);
	return pool_join(pool, wait_for_leap, l, leap_inner, l);
}

static int
wait_for_theft(void *arg, bool stolen)
{
	struct leap *l = arg;

	(void)stolen;
	while (!load_acq(&l->stolen))
		sched_yield();
	return 0;
}

static int
join_leap(void *arg)
{
	int r;

	node_here = 77;
	r = pool_join(pool, wait_for_theft, arg, leap_outer, arg);
	node_here = 0;
	return r;
}

TEST(join, who_waits_helps_the_thief_of_its_half)
{
	CHECK_INT(pool_create("test", 2, &pool), 0);
	for (unsigned long i = test_scale(20000) + 1; i > 0; i--) {
		struct leap l = {0};

		CHECK_INT(pool_run(pool, TASK_QUERY, join_leap, &l), 0);
	}
	pool_destroy(pool);
}

TEST(join, nests_from_one_pool_into_another, .init = make_pool, .fini = remove_pool)
{
	struct pool *other;
	struct fib f = {.n = 10};

	CHECK_INT(pool_create("other", 2, &other), 0);
	CHECK_INT(pool_run(other, TASK_QUERY, fib_task, &f), 0); /* joins on `pool` */
	CHECK_INT(f.result, 55);
	pool_destroy(other);
}

#if TRAWL_DEBUG
static int
join_under_a_lock(void *arg)
{
	static struct lock lock = LOCK_INITIALIZER(RANK_ROOTS, "held");
	bool a, b;

	(void)arg;
	LOCK_SCOPE(&lock);
	return pool_join(pool, set_flag, &a, set_flag, &b);
}

TEST(join, with_a_lock_held_aborts, .init = make_pool, .signal = SIGABRT)
{
	(void)pool_run(pool, TASK_QUERY, join_under_a_lock, NULL);
}

TEST(join, from_outside_with_a_lock_held_aborts, .init = make_pool, .signal = SIGABRT)
{
	(void)join_under_a_lock(NULL);
}
#endif
