/**
 * sweep: the entries of a snapshot that a question may match, in order, a window at a time.
 *
 * Chunks are those of the tree, so that what its grams leave out is left out whole. A window is a
 * run of them, evaluated together, in parallel on the compute pool when that pays:
 *
 *   1. chunks that the words' grams and marks leave are listed
 *   2. the fronts (front.h) scan their names, in parallel
 *   3. the fronts absorb what was found, in order, which may list more chunks
 *   4. the question is asked of each listed chunk, in parallel; when it is one front, that is it
 *
 * The first window has a chunk of names to look at, so that the first answers come at once; with a
 * limit the others have what is missing, as the answers so far lie (guess_groups()), else each
 * has twice as many as the one before. Of a rare word that is many chunks, with a few names each.
 * `in:` and `root:` that hold for the whole question cut the ranges of entries that are looked at.
 *
 * Ownership: borrows everything given; sweep_open()/sweep_close().
 * Threads:   one at a time.
 * Errors:    -ECANCELED, -ETIMEDOUT, -ENOMEM, -EOVERFLOW, -EIO; the sweep is then over.
 */
#pragma once

#include "query/eval.h"

#define SWEEP_MAX_CHUNKS 256u /* of a window */

struct sweep;

/** Entries of one layer that are looked at. */
struct sweep_range {
	uint32_t layer, lo, hi;
};

int sweep_open(struct eval *e, const struct cursor_opts *opts, struct sweep **ret);
void sweep_close(struct sweep *s); /* NULL is legal */

/** What is looked at, in order, nothing empty: their number. Valid until the sweep is closed. */
uint32_t sweep_ranges(const struct sweep *s, const struct sweep_range **ret);
/** The next entry that may match: 1, 0 the end, or an error. eval is bound to its layer. */
int sweep_next(struct sweep *s, uint32_t *ret_layer, uint32_t *ret_entry);
/** The same, some at once, ascending and all of one layer: how many (`n` at most, which is not 0),
 *  0 the end, or an error. */
int sweep_next_some(struct sweep *s, uint32_t *ret_layer, uint32_t *ret_entry, uint32_t n);
/** The same, all answers of a chunk at once: bit i is entry lo + i. Valid until the next call. Not
 *  after sweep_next() of the same sweep. */
int sweep_next_chunk(
	struct sweep *s, uint32_t *ret_layer, uint32_t *ret_lo, const struct bits **ret);
/** Is it worth to be asked for all entries in order: has the question words in paths? Who evaluates
 *  chunks without the sweep asks sweep_may_match() which ones, eval bound to their layer. */
bool sweep_has_words(const struct sweep *s);
bool sweep_may_match(const struct sweep *s, uint32_t lo, uint32_t n);
/** How many are left; the sweep is then at its end. */
int sweep_count_rest(struct sweep *s, uint64_t *ret);
