/**
 * counter: a statistic that many threads write at once.
 *
 * `struct counter` (atomic.h) is one word: 5 ns, but each writing CPU takes its line from the one
 * before. A sharded counter gives every thread one of COUNTER_SHARDS lines of its own and is read
 * by adding them up: for what each worker counts per item, not for what is read often.
 *
 * The sum counts every add exactly once. It is exact as of one moment when all adds happened before
 * it (after a join); otherwise each add under way may or may not be in it.
 *
 * Ownership: caller's storage, zeroes. Threads: any.
 */
#pragma once

#include "sync/rank.h"

#define COUNTER_SHARDS 16u

struct counter_sharded {
	struct {
		ON_OWN_LINE struct counter n; /* relaxed, like every counter */
	} shard[COUNTER_SHARDS];
};

static inline void
counter_sharded_add(struct counter_sharded *c, uint64_t n)
{
	counter_add(&c->shard[(unsigned)thread_number() % COUNTER_SHARDS].n, n);
}

uint64_t counter_sharded_sum(const struct counter_sharded *c);
