/**
 * roll: numbers that look random, and are the same for the same seed everywhere (xorshift,
 * Marsaglia 2003). A test that is to repeat a case sets `seed`, never to 0.
 *
 * Threads: the test's own, one.
 */
#pragma once

#include <stdint.h>

static uint64_t seed = 88172645463325252ull;

/* One of 0 .. sides - 1. */
static inline uint32_t
roll(uint32_t sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % sides);
}
