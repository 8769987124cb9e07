/**
 * par_sort: a stable merge sort that can be stopped.
 *
 * Chunks are sorted by the threads, each by itself; then pairs of runs are merged level by level,
 * and each level is cut into equal pieces of output (the place where a piece begins in both runs is
 * found by bisection), so that all threads are busy to the last merge. Elements of 4, 8, 16, 24 and
 * 32 bytes are moved as such, shorter ones by memcpy, and longer ones once, at the end: until then
 * pointers to them are sorted.
 *
 * Where the pool is NULL or n is small it runs on the caller alone, and is quicker than qsort_r().
 *
 * Ownership: whatever is returned, `base` holds the same elements: in order on 0, in any order on
 *            -ECANCELED, as before on -ENOMEM (as many bytes again are needed meanwhile, and a
 * pointer each for long ones). Threads:   as par_for(); `cmp` is called by several at once. Errors:
 * -ECANCELED the token fired (noticed within some 10,000 comparisons), -ENOMEM.
 */
#pragma once

#include "sync/par.h"

/** Below, above or equal to 0, like that of qsort_r(): a strict weak order. */
typedef int (*par_cmp_fn)(const void *a, const void *b, void *ctx);

int par_sort(struct pool *p, enum task_class cls, void *base, size_t n, size_t size, par_cmp_fn cmp,
	void *ctx, struct stop *stop);
