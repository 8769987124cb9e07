/**
 * sort: entries in the order of up to four keys, ties in entry order.
 *
 * All entries are put in, then taken out in order. With a bound only the first `keep` are held (a
 * heap a thread), else all (16 bytes each, and as many again while they are sorted, on the compute
 * pool). No text is copied: names are compared where they are, paths by climbing to where they
 * part.
 *
 * Where the first key is a column and `keep` is known, a block of entries whose bounds say that
 * none can be among the first is not even evaluated, unless all are to be counted
 * (opts->count_exact); chunks that promise most are then looked at first.
 *
 * Ownership: borrows snapshot and opts; sorter_create()/sorter_destroy().
 * Threads:   one at a time; sorter_gather() uses the compute pool.
 * Errors:    -ENOMEM; gather: those of eval_chunk(); gather and finish: -ECANCELED, -ETIMEDOUT.
 */
#pragma once

#include "query/sweep.h"

struct sorter;

/** By opts->sort; `keep` 0: all. */
int sorter_create(const struct snapshot *s, const struct cursor_opts *opts, uint64_t keep,
	struct sorter **ret);
void sorter_destroy(struct sorter *s); /* NULL is legal */
int sorter_add(struct sorter *s, uint32_t layer, uint32_t entry);
/** Every entry that the question takes; the sweep is new. */
int sorter_gather(struct sorter *s, struct eval *e, struct sweep *sweep);
/** After the last add: put what was kept in order. */
int sorter_finish(struct sorter *s);
/** How many were added; of sorter_gather() all that match when sorter_saw_all(), else at least
 *  so many, and more than were kept. */
uint64_t sorter_added(const struct sorter *s);
bool sorter_saw_all(const struct sorter *s);
void sorter_get_cost(const struct sorter *s, struct sort_cost *ret);
/** 1 the next in order, 0 the end. */
int sorter_next(struct sorter *s, uint32_t *ret_layer, uint32_t *ret_entry);
