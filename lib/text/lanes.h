/**
 * lanes: 16 bytes at once, on every processor. Inside lib/text only.
 *
 * Threads: pure.
 */
#pragma once

#include <string.h>

#include "base/defs.h"

typedef unsigned char lanes __attribute__((vector_size(16)));
typedef signed char signed_lanes __attribute__((vector_size(16)));
#define LANES sizeof(lanes)

static inline lanes
lanes_load(const char *p)
{
	lanes v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/** Is a bit set in any of them? */
static inline bool
lanes_any(lanes v)
{
	uint64_t word[LANES / 8];

	memcpy(word, &v, sizeof(word));
	return word[0] | word[1];
}
