/**
 * rank_order: the candidates of a question, best file first, by their places and names alone.
 *
 *     sweep -> a pool of up to RANK_CANDIDATES, as bits -> the best RANK_HEAD of them by place
 *           -> their names are held against the pattern -> best first, of equals the newest
 *
 * The pool is what is looked at together. A head is taken from it again and again, without the
 * names of what is left being looked at; when it is empty, it is filled again. Both hang on nothing
 * but the candidates, so the order is the same whatever the limit.
 *
 * Ownership: borrows all; rank_order_create()/destroy().
 * Threads:   one at a time.
 * Errors:    -ENOMEM, and those of the sweep.
 */
#pragma once

#include "query/rank_score.h"
#include "query/sweep.h"

#define RANK_CANDIDATES 65536u
#define RANK_HEAD 1024u

struct rank_order;

/** What a file is ranked by. */
struct rank_place {
	int32_t score;
	uint32_t layer, entry;
	int64_t mtime;
};

int rank_order_create(const struct snapshot *s, struct rank_scorer *scorer, struct sweep *sweep,
	struct rank_order **ret);
void rank_order_destroy(struct rank_order *o); /* NULL is legal */
/** The next candidate: 1, 0 the end, or an error. */
int rank_order_next(struct rank_order *o, uint32_t *ret_layer, uint32_t *ret_entry);
/** Candidates that were taken from the sweep and not given. */
uint64_t rank_order_left(const struct rank_order *o);
/** Adds n_candidates, nsec. */
void rank_order_get_cost(const struct rank_order *o, struct rank_cost *ret);

/** Of an entry that was given. */
int rank_order_place(struct rank_order *o, uint32_t layer, uint32_t entry, struct rank_place *ret);
/** Best first, then the newest, then as they stand in the index: as qsort() has it. */
int rank_order_compare(const struct rank_place *a, const struct rank_place *b);
