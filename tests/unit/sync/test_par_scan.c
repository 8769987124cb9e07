#include "test.h"

#include <errno.h>
#include <string.h>

#include "sync/par_scan.h"

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

/* The sums of squares, with the serial sum beside. */
static void
check_sums(size_t n, enum par_scan_kind kind, struct pool *p)
{
	uint64_t *x = calloc(n + 1, sizeof(*x)), total = 1, sum = 0;

	for (uint64_t i = 0; i < n; i++)
		x[i] = i * i + 1;
	CHECK_INT(par_scan_u64(p, TASK_QUERY, x, n, kind, NULL, &total), 0);
	for (uint64_t i = 0; i < n; i++) {
		CHECK(kind == SCAN_INCLUSIVE || x[i] == sum);
		sum += i * i + 1;
		CHECK(kind == SCAN_EXCLUSIVE || x[i] == sum);
	}
	CHECK(total == sum);
	CHECK(x[n] == 0);
	free(x);
}

TEST(par_scan, sums_equal_the_serial_ones, .init = make_pool, .fini = remove_pool)
{
	for (size_t n = 0; n <= 10000; n += MAX(2000 / test_scale(20000), 1ul)) {
		check_sums(n, SCAN_INCLUSIVE, pool);
		check_sums(n, SCAN_EXCLUSIVE, n % 2 ? pool : NULL);
	}
	check_sums(4096 * 128 * 2 + 1, SCAN_INCLUSIVE, pool);
	check_sums(4096 * 128 + 4097, SCAN_EXCLUSIVE, pool);
	check_sums(test_scale(100000000), SCAN_EXCLUSIVE, pool);
}

/* Composition of x -> a * x + b: associative, not commutative. 12 bytes. */
struct affine {
	uint32_t a, b, n;
};

static void
affine_add(void *acc, const void *x, void *ctx)
{
	struct affine *f = acc;
	const struct affine *g = x;

	CHECK(ctx == &pool);
	f->b = f->b * g->a + g->b;
	f->a *= g->a;
	f->n += g->n;
}

static void
check_affine(size_t n, enum par_scan_kind kind)
{
	static const struct affine neutral = {.a = 1};
	struct par_scan_op op = {sizeof(struct affine), affine_add, &neutral, &pool};
	struct affine *x = calloc(MAX(n, (size_t)1), sizeof(*x)), acc = neutral, total;

	for (uint32_t i = 0; i < n; i++)
		x[i] = (struct affine){2 * i + 3, i ^ 12345, 1};
	CHECK_INT(par_scan(pool, TASK_QUERY, x, n, &op, kind, NULL, &total), 0);
	for (uint32_t i = 0; i < n; i++) {
		CHECK(kind == SCAN_INCLUSIVE || memcmp(&x[i], &acc, sizeof(acc)) == 0);
		affine_add(&acc, &(struct affine){2 * i + 3, i ^ 12345, 1}, &pool);
		CHECK(kind == SCAN_EXCLUSIVE || memcmp(&x[i], &acc, sizeof(acc)) == 0);
	}
	CHECK(memcmp(&total, &acc, sizeof(acc)) == 0);
	free(x);
}

TEST(par_scan, any_associative_operation, .init = make_pool, .fini = remove_pool)
{
	for (size_t n = 0; n < 10000; n += MAX(2000 / test_scale(20000), 1ul))
		check_affine(n, n % 2 ? SCAN_INCLUSIVE : SCAN_EXCLUSIVE);
	check_affine(2730 * 128 + 5000, SCAN_INCLUSIVE);
	check_affine(2730 * 128 * 2, SCAN_EXCLUSIVE);
}

TEST(par_scan, a_fired_token_ends_it, .init = make_pool, .fini = remove_pool)
{
	static uint64_t x[20000];
	struct stop s;

	stop_init(&s, NULL);
	stop_request(&s);
	CHECK_INT(par_scan_u64(pool, TASK_QUERY, x, 20000, SCAN_INCLUSIVE, &s, NULL), -ECANCELED);
	CHECK_INT(par_scan_u64(NULL, TASK_QUERY, x, 20000, SCAN_INCLUSIVE, &s, NULL), -ECANCELED);
	CHECK_INT(par_scan_u64(pool, TASK_QUERY, x, 0, SCAN_INCLUSIVE, &s, NULL), 0);
	stop_fini(&s);
}
