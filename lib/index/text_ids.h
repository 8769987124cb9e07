/**
 * text_ids: a set of units or documents, as a sorted list when they are few and as a bitmap when
 * they are many. Internal to lib/index.
 *
 * Ownership: the caller's struct; zero-initialised is empty.
 * Threads:   one.
 * Errors:    -ENOMEM; the set is then empty.
 */
#pragma once

#include "base/defs.h"

struct text_ids {
	uint32_t range; /* ids are below */
	uint32_t n;     /* how many */
	uint32_t *list; /* ascending; NULL when `bits` is there */
	uint64_t *bits;
};

/** Empty, as a bitmap to be marked; text_ids_count() when that is done. */
int text_ids_init(struct text_ids *s, uint32_t range);
void text_ids_fini(struct text_ids *s);
/** Count the bits, and make a list of them when they are few. Call after marking. */
int text_ids_count(struct text_ids *s);
/** What is in both; into a. */
int text_ids_and(struct text_ids *a, const struct text_ids *b);
/** Add what is in s to a bitmap of the same range. */
void text_ids_mark(const struct text_ids *s, uint64_t *bits);

static inline bool
text_ids_has_bit(const uint64_t *bits, uint32_t id)
{
	return bits[id / 64] >> id % 64 & 1;
}

static inline void
text_ids_set_bit(uint64_t *bits, uint32_t id)
{
	bits[id / 64] |= (uint64_t)1 << id % 64;
}

static inline size_t
text_ids_words(uint32_t range)
{
	return (size_t)range / 64 + 1;
}
