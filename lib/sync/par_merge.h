/**
 * par_merge: the serial parts of par_sort; internal to it.
 *
 * Stable throughout: of equal elements, those of the left run come first. The moves are compiled
 * once for each common size, so that they are a few instructions and no calls.
 *
 * Threads: any number on distinct arrays.
 */
#pragma once

#include "sync/par_sort.h"

#define PAR_SORT_DIRECT 32u /* bytes; longer elements are not moved but pointed to */

struct merge_order {
	size_t size; /* bytes of an element, at most PAR_SORT_DIRECT */
	par_cmp_fn cmp;
	void *ctx;
	struct stop *stop;
};

/** Sort n elements of `a` with `spare` (as many) for scratch; the result lies in `spare` when
 *  to_spare, else in `a`. When the token fires the elements lie there too, in any order. */
void merge_sort(const struct merge_order *o, char *a, char *spare, size_t n, bool to_spare);
/** Merge two runs into `to`, which overlaps neither. */
void merge_runs_to(const struct merge_order *o, const char *left, size_t n_left, const char *right,
	size_t n_right, char *to);
/** How many of the first `k` elements of the merged runs come from the left one. */
size_t merge_split(const struct merge_order *o, const char *left, size_t n_left, const char *right,
	size_t n_right, size_t k);
