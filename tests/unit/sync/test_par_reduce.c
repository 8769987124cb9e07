#include "test.h"

#include <errno.h>
#include <sched.h>

#include "sync/par_reduce.h"

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

/* Composition of x -> a * x + b, modulo 2^64: associative, not commutative; item i has its own a
 * and b. An accumulator counts itself, and knows the items that it holds. */
struct affine {
	uint64_t a, b;
	size_t lo, hi; /* SIZE_MAX: none so far */
};

struct trial {
	_Atomic int n_accs;
	_Atomic unsigned n_merged;
	size_t stop_at;          /* SIZE_MAX: never; later items that stop give other values */
	struct stop *fire;       /* by item 100 */
	unsigned merge_fails;    /* this one, counted from 1; 0 none */
	size_t slow_lo, slow_hi; /* items that take a while */
};

static void
affine_init(void *acc, void *ctx)
{
	struct trial *t = ctx;

	(void)add_rlx(&t->n_accs, 1);
	*(struct affine *)acc = (struct affine){.a = 1, .lo = SIZE_MAX, .hi = SIZE_MAX};
}

static void
affine_add(struct affine *acc, uint64_t a, uint64_t b)
{
	acc->b = acc->b * a + b;
	acc->a *= a;
}

static int
affine_fold(void *acc, size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct affine *f = acc;
	struct trial *t = ctx;

	if (worker >= par_width(pool) || (f->lo != SIZE_MAX && f->hi != lo))
		abort();
	f->lo = f->lo == SIZE_MAX ? lo : f->lo;
	for (f->hi = lo; f->hi < hi; f->hi++) {
		if (f->hi >= t->stop_at)
			return (int)f->hi + 1;
		if (t->fire && f->hi == 100)
			stop_request(t->fire);
		if (f->hi >= t->slow_lo && f->hi < t->slow_hi)
			sched_yield();
		affine_add(f, 2 * f->hi + 3, f->hi ^ 12345);
	}
	return 0;
}

static int
affine_merge(void *acc, void *later, void *ctx)
{
	struct affine *f = acc, *g = later;
	struct trial *t = ctx;

	(void)sub_rlx(&t->n_accs, 1);
	if (add_rlx(&t->n_merged, 1) + 1 == t->merge_fails)
		return -ENOSPC;
	if (g->lo == SIZE_MAX) /* all of its range was taken away again */
		return 0;
	if (g->lo != (f->lo == SIZE_MAX ? 0 : f->hi))
		abort();
	affine_add(f, g->a, g->b);
	f->lo = 0;
	f->hi = g->hi;
	return 0;
}

static void
affine_fini(void *acc, void *ctx)
{
	struct trial *t = ctx;

	(void)acc;
	(void)sub_rlx(&t->n_accs, 1);
}

static const struct par_reduction affine = {
	sizeof(struct affine), affine_init, affine_fold, affine_merge, affine_fini, 0};

static void
check_serial_order(size_t n, size_t grain, struct trial *t)
{
	struct affine got, want;
	struct trial alone = {.stop_at = SIZE_MAX};

	affine_init(&want, &alone);
	CHECK_INT(affine_fold(&want, 0, n, 0, &alone), 0);
	CHECK_INT(par_reduce(pool, TASK_QUERY, n, grain, &affine, t, NULL, &got), 0);
	CHECK(got.a == want.a && got.b == want.b);
	CHECK_INT(t->n_accs, 1); /* ours */
	t->n_accs = 0;
}

TEST(par_reduce, the_result_is_that_of_the_serial_order, .init = make_pool, .fini = remove_pool)
{
	struct trial t = {.stop_at = SIZE_MAX};

	for (size_t n = 0; n <= 10000; n += MAX(1000 / test_scale(50000), 1ul))
		check_serial_order(n, 1 + n % 97, &t);
}

TEST(par_reduce, heavy_regions_are_shared_out, .init = make_pool, .fini = remove_pool)
{
	struct trial t = {.stop_at = SIZE_MAX};

	/* Until somebody helped, else nothing is tested. */
	for (unsigned long i = 0; i < MAX(test_scale(1000), 4ul) || t.n_merged == 0; i++) {
		t.slow_lo = i * 997 % 4000;
		t.slow_hi = t.slow_lo + 200;
		check_serial_order(5000, 1, &t);
	}
}

TEST(par_reduce, the_lowest_stop_decides_and_nothing_leaks, .init = make_pool, .fini = remove_pool)
{
	struct affine got;

	for (unsigned long i = 0; i < test_scale(200000); i++) {
		struct trial t = {.stop_at = i * 7919 % 1000, .slow_hi = i % 3 * 10};

		CHECK_INT(par_reduce(pool, TASK_INDEX, 1000, 1, &affine, &t, NULL, &got),
			(int)t.stop_at + 1);
		CHECK_INT(t.n_accs, 0);
	}
}

TEST(par_reduce, a_fired_token_ends_it, .init = make_pool, .fini = remove_pool)
{
	for (unsigned long i = 0; i < MAX(test_scale(10000), 20ul); i++) {
		struct trial t = {.stop_at = SIZE_MAX, .slow_hi = 1000};
		struct affine got;
		struct stop s;

		stop_init(&s, NULL);
		t.fire = &s;
		CHECK_INT(
			par_reduce(pool, TASK_QUERY, 100000, 1, &affine, &t, &s, &got), -ECANCELED);
		CHECK_INT(t.n_accs, 0);
		CHECK_INT(par_reduce(pool, TASK_QUERY, 10, 10, &affine, &t, &s, &got), -ECANCELED);
		CHECK_INT(t.n_accs, 0);
		CHECK_INT(par_reduce(pool, TASK_QUERY, 0, 10, &affine, &t, &s, &got), 0);
		CHECK_INT(t.n_accs, 1);
		stop_fini(&s);
	}
}

/* The caller's first item waits until there is a second accumulator: the loop must call for help
 * whatever the last one cost. */
static int
wait_fold(void *acc, size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct trial *t = ctx;

	while (lo == 0 && load_rlx(&t->n_accs) < 2)
		sched_yield();
	return affine_fold(acc, lo, hi, worker, ctx);
}

TEST(par_reduce, a_failing_merge_drops_the_rest, .init = make_pool, .fini = remove_pool)
{
	struct par_reduction op = affine;

	op.fold = wait_fold;
	for (int i = 0; i < 100; i++) {
		struct trial t = {.stop_at = SIZE_MAX, .merge_fails = 1, .slow_hi = 1000};
		struct affine got;
		int r;

		op.cost_key = (uintptr_t)i + 1; /* of which nothing is known */
		r = par_reduce(pool, TASK_QUERY, 1000, 1, &op, &t, NULL, &got);
		CHECK(r == -ENOSPC || t.n_merged == 0); /* the theft may have come too late */
		CHECK_INT(t.n_accs, r == 0);
	}
}

static void
sum_init(void *acc, void *ctx)
{
	(void)ctx;
	*(uint64_t *)acc = 0;
}

static int
sum_fold(void *acc, size_t lo, size_t hi, unsigned worker, void *ctx)
{
	uint64_t *sum = acc, n = hi - lo;

	(void)worker;
	(void)ctx;
	*sum += n % 2 ? n * ((lo + hi - 1) / 2) : n / 2 * (lo + hi - 1);
	return 0;
}

static int
sum_merge(void *acc, void *later, void *ctx)
{
	(void)ctx;
	*(uint64_t *)acc += *(uint64_t *)later;
	return 0;
}

static const struct par_reduction sum = {sizeof(uint64_t), sum_init, sum_fold, sum_merge, NULL, 0};

TEST(par_reduce, sizes_may_be_huge, .init = make_pool, .fini = remove_pool)
{
	uint64_t total;

	for (size_t grain = 0; grain < 100; grain = grain * 3 + 1) {
		size_t n = ((size_t)1 << 36) + grain;

		CHECK_INT(par_reduce(pool, TASK_QUERY, n, grain, &sum, NULL, NULL, &total), 0);
		CHECK(total == (n % 2 ? n * ((n - 1) / 2) : n / 2 * (n - 1)));
	}
	CHECK_INT(
		par_reduce(pool, TASK_QUERY, SIZE_MAX, SIZE_MAX / 3, &sum, NULL, NULL, &total), 0);
}

TEST(par_reduce, a_closed_pool_leaves_the_work_to_the_caller, .init = make_pool,
	.fini = remove_pool)
{
	struct trial t = {.stop_at = SIZE_MAX, .slow_hi = 100};

	pool_close(pool);
	check_serial_order(1000, 1, &t);
	CHECK_INT(t.n_merged, 0);
}

TEST(par_reduce, many_more_threads_than_processors)
{
	struct trial t = {.stop_at = SIZE_MAX, .slow_hi = 5000};

	CHECK_INT(pool_create("test", 16, &pool), 0);
	for (unsigned long i = 0; i < MAX(test_scale(5000), 10ul); i++)
		check_serial_order(5000, 1, &t);
	pool_destroy(pool);
}
