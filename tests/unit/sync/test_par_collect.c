#include "test.h"

#include <errno.h>
#include <sched.h>

#include "sync/par_collect.h"

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

struct found {
	uint32_t item, nth;
};

static uint32_t
n_of(size_t item)
{
	return item % 7 == 3 ? 5 : item % 3 == 0;
}

static int
find(size_t lo, size_t hi, unsigned worker, struct par_out *out, void *ctx)
{
	const size_t *stop_at = ctx;

	(void)worker;
	for (; lo < hi; lo++) {
		struct found *to;

		if (lo >= *stop_at)
			return -(int)lo;
		if (lo % 512 == 0)
			sched_yield();
		if (n_of(lo) == 0)
			continue;
		to = par_out_add(out, n_of(lo));
		if (!to)
			return -ENOMEM;
		for (uint32_t i = 0; i < n_of(lo); i++)
			to[i] = (struct found){(uint32_t)lo, i};
	}
	return 0;
}

static void
check_collected(size_t n, size_t grain)
{
	size_t never = SIZE_MAX, at = 0, n_got = 99;
	struct par_collection c = {sizeof(struct found), find, &never};
	struct found *got = NULL;

	CHECK_INT(par_collect(pool, TASK_QUERY, n, grain, &c, NULL, (void **)&got, &n_got), 0);
	for (size_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < n_of(i); k++, at++)
			CHECK(at < n_got && got[at].item == i && got[at].nth == k);
	}
	CHECK_INT(n_got, at);
	CHECK((got == NULL) == (n_got == 0));
	free(got);
}

TEST(par_collect, results_are_in_input_order, .init = make_pool, .fini = remove_pool)
{
	for (size_t n = 0; n <= 10000; n += MAX(1000 / test_scale(50000), 1ul))
		check_collected(n, 1 + n % 31);
}

TEST(par_collect, an_early_stop_returns_nothing, .init = make_pool, .fini = remove_pool)
{
	for (unsigned long i = 0; i < test_scale(50000); i++) {
		size_t stop_at = i * 7919 % 5000 + 1, n = 77;
		struct par_collection c = {sizeof(struct found), find, &stop_at};
		void *got = &n;

		CHECK_INT(
			par_collect(pool, TASK_QUERY, 5001, 1, &c, NULL, &got, &n), -(int)stop_at);
		CHECK(got == &n && n == 77);
	}
}
