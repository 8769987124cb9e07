/**
 * hash: XXH3, for checksums of sections and for hash tables. hash.c is the only door to xxhash.h.
 */
#pragma once

#include "base/defs.h"

struct hash128 {
	uint64_t low, high;
};

uint64_t hash64(const void *data, size_t len, uint64_t seed);
struct hash128 hash128(const void *data, size_t len);

/** A streaming 64-bit sum, equal to hash64() of the concatenation with the same seed. */
struct hash_stream;
struct hash_stream *hash_stream_create(uint64_t seed); /* NULL: out of memory */
void hash_stream_add(struct hash_stream *h, const void *data, size_t len);
uint64_t hash_stream_sum(const struct hash_stream *h);
/** 128 bits of the same; with seed 0 equal to hash128(). */
struct hash128 hash_stream_sum128(const struct hash_stream *h);
void hash_stream_destroy(struct hash_stream *h);
