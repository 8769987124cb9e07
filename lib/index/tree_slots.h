/**
 * tree_slots: which numbers have a hash. Internal to lib/index.
 *
 * A table of open addressing, at most half full; whoever asks compares what the numbers stand for.
 *
 * Ownership: the caller's, zeroed; slots_fini().
 */
#pragma once

#include "base/defs.h"

#define SLOTS_NONE UINT32_MAX

struct slots {
	struct slot {
		uint64_t hash;
		uint32_t value; /* + 1; 0 free */
	} * at;
	size_t n, used; /* n: a power of two */
};

/** The numbers with this hash, one a call, from *pos = 0 on; SLOTS_NONE: no more. */
uint32_t slots_next(const struct slots *s, uint64_t hash, size_t *pos);
/** 0 or -ENOMEM. */
int slots_add(struct slots *s, uint64_t hash, uint32_t value);
void slots_fini(struct slots *s);
