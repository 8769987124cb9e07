/**
 * trace: what answering a question really cost, step by step. Kept only for a question that is
 * explained: elsewhere the pointers to it are NULL, and one test of a pointer a step is all that
 * the others pay.
 *
 * Not a profile of the process: times are those of the threads that worked, added up.
 *
 * Threads: each struct belongs to one thread at a time; leaf_cost_add() joins those of several.
 * Units:   nanoseconds; blocks are of TREE_BLOCK entries.
 */
#pragma once

#include <stdint.h>

/** What one leaf of the question did. */
struct leaf_cost {
	uint64_t n_calls;   /* chunks it was asked about */
	uint64_t n_asked;   /* entries that still mattered when it was */
	uint64_t n_hits;    /* of those it took */
	uint64_t n_read;    /* blocks whose values or names were looked at */
	uint64_t n_skipped; /* blocks that bounds, ranges or grams decided, or that nobody asked
	                       about */
	uint64_t nsec;
};

/** What putting the answers in order did. */
struct sort_cost {
	uint64_t n_kept;    /* entries that were held at the end */
	uint64_t n_skipped; /* blocks that could not hold one of the first: not evaluated */
	uint64_t nsec;      /* from the first chunk to the last comparison, by the clock */
	uint32_t n_threads; /* that evaluated a chunk */
};

/** What ranking did. */
struct rank_cost {
	uint64_t n_candidates, n_hits; /* that were given points */
	uint64_t nsec;                 /* for points and their order */
};

static inline void
leaf_cost_add(struct leaf_cost *sum, const struct leaf_cost *one)
{
	sum->n_calls += one->n_calls;
	sum->n_asked += one->n_asked;
	sum->n_hits += one->n_hits;
	sum->n_read += one->n_read;
	sum->n_skipped += one->n_skipped;
	sum->nsec += one->nsec;
}
