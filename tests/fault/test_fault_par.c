/* Parallel loops: the result is right, or there is a clean error; par_for() never says -ENOMEM. */
#include "fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/par.h"
#include "sync/par_bridge.h"
#include "sync/par_collect.h"
#include "sync/par_reduce.h"
#include "sync/par_sort.h"

#define N 20000u

static struct pool *pool;
static uint32_t numbers[N];

/* Items of some microseconds, so that helpers are called. */
static void
work(void)
{
	for (unsigned i = 0; i < 300; i++)
		__asm__ volatile("");
}

static void
setup(void *arg)
{
	(void)arg;
	FAULT_CHECK(pool_create("fault", 3, &pool) == 0);
	for (uint32_t i = 0; i < N; i++)
		numbers[i] = (i * 2654435761u) % N;
}

static void
teardown(void *arg)
{
	(void)arg;
	pool_destroy(pool);
}

static int
touch(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	uint8_t *seen = ctx;

	FAULT_CHECK(worker < par_width(pool));
	for (size_t i = lo; i < hi; i++) {
		work();
		seen[i]++;
	}
	return 0;
}

static int
loop(void *arg)
{
	static uint8_t seen[N];

	(void)arg;
	FAULT_CHECK(par_for(pool, TASK_QUERY, N, 1, touch, seen, NULL) == 0);
	for (size_t i = 0; i < N; i++)
		FAULT_CHECK(seen[i] == 1);
	return 0;
}

static int
fail_at_half(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	(void)worker;
	(void)ctx;
	work();
	return lo <= N / 2 && N / 2 < hi ? 42 : 0;
}

static int
stop_early(void *arg)
{
	(void)arg;
	FAULT_CHECK(par_for(pool, TASK_QUERY, N, 16, fail_at_half, NULL, NULL) == 42);
	return 0;
}

static int
twice(const void *item, void *ret, unsigned worker, void *ctx)
{
	(void)worker;
	(void)ctx;
	work();
	*(uint32_t *)ret = *(const uint32_t *)item * 2;
	return 0;
}

static int
map(void *arg)
{
	static uint32_t doubled[N];
	const struct par_map m = {
		numbers, doubled, sizeof(uint32_t), sizeof(uint32_t), twice, NULL};

	(void)arg;
	FAULT_CHECK(par_map(pool, TASK_QUERY, N, 1, &m, NULL) == 0);
	for (size_t i = 0; i < N; i++)
		FAULT_CHECK(doubled[i] == 2 * numbers[i]);
	return 0;
}

/* An accumulator that owns memory: the numbers of its items, in order. */
struct bag {
	uint32_t *items;
	size_t n;
};

static void
bag_init(void *acc, void *ctx)
{
	(void)ctx;
	*(struct bag *)acc = (struct bag){0};
}

static int
bag_add(struct bag *b, const uint32_t *items, size_t n)
{
	uint32_t *more = realloc(b->items, (b->n + n) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	memcpy(more + b->n, items, n * sizeof(*more));
	b->items = more;
	b->n += n;
	return 0;
}

static int
bag_fold(void *acc, size_t lo, size_t hi, unsigned worker, void *ctx)
{
	(void)worker;
	(void)ctx;
	for (size_t i = lo; i < hi; i++)
		work();
	return bag_add(acc, numbers + lo, hi - lo);
}

static int
bag_merge(void *acc, void *later, void *ctx)
{
	struct bag *b = later;
	int r = b->n ? bag_add(acc, b->items, b->n) : 0;

	(void)ctx;
	free(b->items);
	return r;
}

static void
bag_fini(void *acc, void *ctx)
{
	(void)ctx;
	free(((struct bag *)acc)->items);
}

static int
reduce_own(void *arg)
{
	static const struct par_reduction op = {
		sizeof(struct bag), bag_init, bag_fold, bag_merge, bag_fini, 0};
	struct bag all;
	int r = par_reduce(pool, TASK_QUERY, N, 500, &op, NULL, NULL, &all);

	(void)arg;
	if (r < 0)
		return r;
	FAULT_CHECK(all.n == N && memcmp(all.items, numbers, sizeof(numbers)) == 0);
	free(all.items);
	return 0;
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
	(void)ctx;
	for (size_t i = lo; i < hi; i++) {
		work();
		*(uint64_t *)acc += i;
	}
	return 0;
}

static int
sum_merge(void *acc, void *later, void *ctx)
{
	(void)ctx;
	*(uint64_t *)acc += *(uint64_t *)later;
	return 0;
}

static int
reduce(void *arg)
{
	static const struct par_reduction op = {
		sizeof(uint64_t), sum_init, sum_fold, sum_merge, NULL, 0};
	uint64_t sum;

	(void)arg;
	FAULT_CHECK(par_reduce(pool, TASK_QUERY, N, 1, &op, NULL, NULL, &sum) == 0);
	FAULT_CHECK(sum == (uint64_t)N * (N - 1) / 2);
	return 0;
}

static int
collect_even(size_t lo, size_t hi, unsigned worker, struct par_out *out, void *ctx)
{
	(void)worker;
	(void)ctx;
	for (size_t i = lo; i < hi; i++) {
		size_t *to;

		work();
		if (i % 2)
			continue;
		to = par_out_add(out, 1);
		if (!to)
			return -ENOMEM;
		*to = i;
	}
	return 0;
}

static int
collect(void *arg)
{
	static const struct par_collection c = {sizeof(size_t), collect_even, NULL};
	void *found = NULL;
	size_t n = 0;
	int r = par_collect(pool, TASK_QUERY, N, 1, &c, NULL, &found, &n);

	(void)arg;
	if (r < 0) {
		FAULT_CHECK(!found);
		return r;
	}
	FAULT_CHECK(n == N / 2);
	for (size_t i = 0; i < n; i++)
		FAULT_CHECK(((size_t *)found)[i] == 2 * i);
	free(found);
	return 0;
}

/* Every item pulled owns memory, every result too. */
struct source {
	uint32_t n_pulled, n_emitted;
	_Atomic long n_alive; /* relaxed: read at the end */
};

static int
next_item(void *source, void *ret)
{
	struct source *s = source;

	if (s->n_pulled == 400)
		return 0;
	*(uint32_t *)ret = s->n_pulled++;
	(void)add_rlx(&s->n_alive, 1);
	return 1;
}

static int
item_to_result(void *item, void *result, unsigned worker, void *ctx)
{
	struct source *s = ctx;

	(void)worker;
	for (unsigned i = 0; i < 20; i++)
		work();
	if (result)
		*(uint32_t *)result = *(uint32_t *)item;
	else
		(void)sub_rlx(&s->n_alive, 1);
	return 0;
}

static int
emit_one(void *result, void *ctx)
{
	struct source *s = ctx;

	FAULT_CHECK(*(uint32_t *)result == s->n_emitted++);
	(void)sub_rlx(&s->n_alive, 1);
	return 0;
}

static void
drop_one(void *item, void *ctx)
{
	struct source *s = ctx;

	(void)item;
	(void)sub_rlx(&s->n_alive, 1);
}

static int
bridge(void *arg)
{
	bool ordered = arg != NULL;
	struct source s = {0};
	struct par_bridge b = {.item_bytes = sizeof(uint32_t),
		.next = next_item,
		.source = &s,
		.fn = item_to_result,
		.drop = drop_one,
		.ctx = &s};
	int r;

	if (ordered) {
		b.emit = emit_one;
		b.drop_result = drop_one;
		b.result_bytes = sizeof(uint32_t);
	}
	r = par_bridge(pool, TASK_QUERY, &b, NULL);
	FAULT_CHECK(load_rlx(&s.n_alive) == 0);
	FAULT_CHECK(r < 0 ? s.n_pulled == 0 : s.n_pulled == 400);
	FAULT_CHECK(r < 0 || !ordered || s.n_emitted == 400);
	return r;
}

struct wide {
	uint32_t key;
	char text[60];
};

static int
compare(const void *a, const void *b, void *ctx)
{
	uint32_t x, y;

	(void)ctx;
	memcpy(&x, a, sizeof(x)); /* the key is first in both kinds of element */
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static int
sort_narrow(void *arg)
{
	static uint32_t copy[N];
	int r;

	(void)arg;
	memcpy(copy, numbers, sizeof(copy));
	r = par_sort(pool, TASK_QUERY, copy, N, sizeof(copy[0]), compare, NULL, NULL);
	for (size_t i = 1; r == 0 && i < N; i++)
		FAULT_CHECK(copy[i - 1] <= copy[i]);
	FAULT_CHECK(r == 0 || memcmp(copy, numbers, sizeof(copy)) == 0);
	return r;
}

static int
sort_wide(void *arg)
{
	static struct wide items[N];
	int r;

	(void)arg;
	for (size_t i = 0; i < N; i++)
		items[i].key = numbers[i];
	r = par_sort(pool, TASK_QUERY, items, N, sizeof(items[0]), compare, NULL, NULL);
	for (size_t i = 1; r == 0 && i < N; i++)
		FAULT_CHECK(items[i - 1].key <= items[i].key);
	for (size_t i = 0; r < 0 && i < N; i++)
		FAULT_CHECK(items[i].key == numbers[i]);
	return r;
}

#define PAR(what, fn, more)                                                         \
	{                                                                           \
		.name = what, .run = fn, .setup = setup, .teardown = teardown, more \
	}

static const struct fault_case cases[] = {
	PAR("par_for", loop, .flags = FAULT_NEVER),
	PAR("par_for, stopped early", stop_early, .flags = FAULT_NEVER),
	PAR("par_map", map, .flags = FAULT_NEVER),
	PAR("par_reduce", reduce, .flags = FAULT_NEVER),
	PAR("par_reduce, owning", reduce_own, .min_calls = 3),
	PAR("par_collect", collect, .min_calls = 3),
	PAR("par_bridge", bridge, .min_calls = 1),
	PAR("par_bridge, ordered", bridge, .arg = &pool),
	PAR("par_sort, narrow", sort_narrow, .min_calls = 1),
	PAR("par_sort, wide", sort_wide, .min_calls = 2),
};

FAULT_MAIN(cases)
