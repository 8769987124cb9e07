/**
 * marks: ranges of entries that are known before they are reached, in a walk through all entries in
 * order: what is below directories that were met.
 *
 * The ranges are subtrees, or blocks of children: of two, one holds the other or they are apart.
 * Those ahead wait in a heap by where they begin; of those begun only the furthest end matters.
 *
 * Ownership: init is zeroing; marks_fini().
 * Threads:   one at a time.
 * Errors:    -ENOMEM.
 */
#pragma once

#include "base/vec.h"
#include "query/eval.h"

struct mark {
	uint32_t lo, hi;
};

struct marks {
	VEC(struct mark) ahead; /* a heap, the smallest lo on top */
	uint32_t cover;         /* begun: everything up to here is marked */
};

void marks_reset(struct marks *m);
void marks_fini(struct marks *m);
/** Mark [lo, hi), which begins after the directory that is at hand. */
int marks_add(struct marks *m, uint32_t lo, uint32_t hi);
/** Set the marked ones of [lo, lo + n) and forget what is not marked beyond: chunks come in order,
 *  each once. */
void marks_apply(struct marks *m, uint32_t lo, uint32_t n, struct bits *out);

/** Is one of [lo, hi) marked? Everything before lo has been applied. */
static inline bool
marks_touch(const struct marks *m, uint32_t lo, uint32_t hi)
{
	return m->cover > lo || (m->ahead.len > 0 && m->ahead.data[0].lo < hi);
}
