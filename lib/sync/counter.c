#include "sync/counter.h"

uint64_t
counter_sharded_sum(const struct counter_sharded *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < COUNTER_SHARDS; i++)
		sum += counter_get(&c->shard[i].n);
	return sum;
}
