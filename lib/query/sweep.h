/**
 * sweep: the entries of a snapshot that a question may match, in order, a window at a time.
 *
 * A window is a few chunks of eval.h evaluated together, in parallel on the compute pool when that
 * pays. The first one is small, so that the first answers come at once; each is twice the one
 * before, up to SWEEP_MAX_CHUNKS. `in:` and `root:` that hold for the whole question cut the ranges
 * of entries that are looked at.
 *
 * Ownership: borrows everything given; sweep_open()/sweep_close().
 * Threads:   one at a time.
 * Errors:    -ECANCELED, -ETIMEDOUT, -ENOMEM, -EOVERFLOW, -EIO; the sweep is then over.
 */
#pragma once

#include "query/eval.h"

#define SWEEP_MAX_CHUNKS 64u

struct sweep;

/** Entries of one root that are looked at. */
struct sweep_range {
	uint32_t root, lo, hi;
};

int sweep_open(struct eval *e, const struct cursor_opts *opts, struct sweep **ret);
void sweep_close(struct sweep *s); /* NULL is legal */

/** What is looked at, in order, nothing empty: their number. Valid until the sweep is closed. */
uint32_t sweep_ranges(const struct sweep *s, const struct sweep_range **ret);
/** The next entry that may match: 1, 0 the end, or an error. eval is bound to its root. */
int sweep_next(struct sweep *s, uint32_t *ret_root, uint32_t *ret_entry);
/** How many are left; the sweep is then at its end. */
int sweep_count_rest(struct sweep *s, uint64_t *ret);
