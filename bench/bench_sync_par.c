/* The figures of parallel loops: a sum bound by memory, a bridge, a sort. */
#include "bench_sync.h"

#include <stdlib.h>

#include "sync/par_bridge.h"
#include "sync/par_reduce.h"
#include "sync/par_sort.h"
#include "sync/thread.h"

#define NUMBERS 100000000u
#define SUM 4999999950000000u
#define GRAIN 65536u
#define SORTED 4000000u
#define ITEMS 4000000u

static uint64_t *
make_numbers(size_t n)
{
	uint64_t *x = malloc(n * sizeof(*x));

	bench_must(x ? 0 : -1, "allocate the numbers");
	for (size_t i = 0; i < n; i++)
		x[i] = i;
	return x;
}

/* Not inlined: every form of the sum runs the same loop. */
static __attribute__((noinline)) uint64_t
add_up(const uint64_t *x, size_t lo, size_t hi)
{
	uint64_t sum = 0;

	for (size_t i = lo; i < hi; i++)
		sum += x[i];
	return sum;
}

double
bench_sum_serial(void)
{
	uint64_t *x = make_numbers(NUMBERS), began = bench_now(), sum = add_up(x, 0, NUMBERS);
	double took = bench_per(began, NUMBERS);

	bench_must(sum == SUM ? 0 : -1, "add up");
	free(x);
	return took;
}

struct half {
	const uint64_t *x;
	size_t lo, hi;
	uint64_t sum;
};

static int
add_half(void *arg)
{
	struct half *h = arg;

	h->sum = add_up(h->x, h->lo, h->hi);
	return 0;
}

/* What two threads can do at most: a half each, nothing shared, started before the clock. */
double
bench_sum_memory(void)
{
	uint64_t *x = make_numbers(NUMBERS), began;
	struct half lower = {x, 0, NUMBERS / 2, 0}, upper = {x, NUMBERS / 2, NUMBERS, 0};
	struct thread thread;
	double took;

	began = bench_now();
	bench_must(thread_start(&thread, "bench", add_half, &upper), "start a thread");
	(void)add_half(&lower);
	(void)thread_join(&thread);
	took = bench_per(began, NUMBERS);
	bench_must(lower.sum + upper.sum == SUM ? 0 : -1, "add up");
	free(x);
	return took;
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
	(void)worker;
	*(uint64_t *)acc += add_up(ctx, lo, hi);
	return 0;
}

static int
sum_merge(void *acc, void *later, void *ctx)
{
	(void)ctx;
	*(uint64_t *)acc += *(uint64_t *)later;
	return 0;
}

static const struct par_reduction sum_of = {
	.acc_bytes = sizeof(uint64_t),
	.init = sum_init,
	.fold = sum_fold,
	.merge = sum_merge,
};

static struct pool *
make_pool(unsigned n_threads)
{
	struct pool *p;

	bench_must(pool_create("bench", n_threads, &p), "make a pool");
	return p;
}

/* The caller works too: a pool of one thread less than `width`. */
static double
reduce(struct pool *p)
{
	uint64_t *x = make_numbers(NUMBERS), began = bench_now(), sum;
	double took;

	bench_must(par_reduce(p, TASK_QUERY, NUMBERS, GRAIN, &sum_of, x, NULL, &sum), "reduce");
	took = bench_per(began, NUMBERS);
	bench_must(sum == SUM ? 0 : -1, "add up");
	free(x);
	pool_destroy(p);
	return took;
}

double
bench_sum_1(void)
{
	return reduce(NULL);
}

double
bench_sum_2(void)
{
	return reduce(make_pool(1));
}

struct numbers {
	uint64_t next, n;
};

static int
next_number(void *source, void *ret_item)
{
	struct numbers *s = source;

	if (s->next == s->n)
		return 0;
	*(uint64_t *)ret_item = s->next++;
	return 1;
}

static int
use_number(void *item, void *result, unsigned worker, void *ctx)
{
	uint64_t *sums = ctx;

	(void)result;
	sums[worker * CACHELINE / sizeof(*sums)] += *(uint64_t *)item;
	return 0;
}

double
bench_par_bridge(void)
{
	struct pool *p = make_pool(2);
	struct numbers source = {.n = ITEMS};
	uint64_t sums[3 * CACHELINE / sizeof(uint64_t)] = {0}, began;
	struct par_bridge b = {
		.item_bytes = sizeof(uint64_t),
		.next = next_number,
		.source = &source,
		.fn = use_number,
		.ctx = sums,
	};
	double took;

	began = bench_now();
	bench_must(par_bridge(p, TASK_QUERY, &b, NULL), "bridge");
	took = bench_per(began, ITEMS);
	pool_destroy(p);
	return took;
}

static uint64_t *
make_shuffled(void)
{
	uint64_t *x = make_numbers(SORTED), state = 88172645463325252u;

	for (size_t i = SORTED - 1; i > 0; i--) {
		size_t k;
		uint64_t t = x[i];

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		k = state % (i + 1);
		x[i] = x[k];
		x[k] = t;
	}
	return x;
}

static int
compare(const void *a, const void *b, void *ctx)
{
	const uint64_t *x = a, *y = b;

	(void)ctx;
	return (*x > *y) - (*x < *y);
}

double
bench_sort_qsort(void)
{
	uint64_t *x = make_shuffled(), began = bench_now();
	double took;

	qsort_r(x, SORTED, sizeof(*x), compare, NULL);
	took = bench_per(began, SORTED);
	free(x);
	return took;
}

static double
sort(struct pool *p)
{
	uint64_t *x = make_shuffled(), began = bench_now();
	double took;

	bench_must(par_sort(p, TASK_QUERY, x, SORTED, sizeof(*x), compare, NULL, NULL), "sort");
	took = bench_per(began, SORTED);
	for (size_t i = 0; i < SORTED; i++)
		bench_must(x[i] == i ? 0 : -1, "put in order");
	free(x);
	pool_destroy(p);
	return took;
}

double
bench_sort_1(void)
{
	return sort(NULL);
}

double
bench_sort_2(void)
{
	return sort(make_pool(1));
}
