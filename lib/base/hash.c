#include "base/hash.h"

#include <xxhash.h>

uint64_t
hash64(const void *data, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, len, seed);
}

struct hash128
hash128(const void *data, size_t len)
{
	XXH128_hash_t h = XXH3_128bits(data, len);

	return (struct hash128){h.low64, h.high64};
}

struct hash_stream *
hash_stream_create(uint64_t seed)
{
	XXH3_state_t *state = XXH3_createState();

	if (state)
		(void)XXH3_64bits_reset_withSeed(state, seed);
	return (struct hash_stream *)state;
}

void
hash_stream_add(struct hash_stream *h, const void *data, size_t len)
{
	(void)XXH3_64bits_update((XXH3_state_t *)h, data, len);
}

uint64_t
hash_stream_sum(const struct hash_stream *h)
{
	return XXH3_64bits_digest((const XXH3_state_t *)h);
}

struct hash128
hash_stream_sum128(const struct hash_stream *h)
{
	XXH128_hash_t sum = XXH3_128bits_digest((const XXH3_state_t *)h);

	return (struct hash128){sum.low64, sum.high64};
}

void
hash_stream_destroy(struct hash_stream *h)
{
	(void)XXH3_freeState((XXH3_state_t *)h);
}
