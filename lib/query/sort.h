/**
 * sort: entries in the order of up to four keys, ties in entry order.
 *
 * All entries are put in, then taken out in order. With a bound only the first `keep` are held (a
 * heap), else all (16 bytes each, and as many again while they are sorted, on the compute pool). No
 * text is copied: names are compared where they are, paths by climbing to where they part.
 *
 * Ownership: borrows snapshot and opts; sorter_create()/sorter_destroy().
 * Threads:   one at a time.
 * Errors:    -ENOMEM; finish: -ECANCELED, -ETIMEDOUT.
 */
#pragma once

#include "query/query.h"

struct sorter;

/** By opts->sort; `keep` 0: all. */
int sorter_create(const struct snapshot *s, const struct cursor_opts *opts, uint64_t keep,
	struct sorter **ret);
void sorter_destroy(struct sorter *s); /* NULL is legal */
int sorter_add(struct sorter *s, uint32_t root, uint32_t entry);
/** After the last add: put what was kept in order. */
int sorter_finish(struct sorter *s);
/** How many were added. */
uint64_t sorter_added(const struct sorter *s);
/** 1 the next in order, 0 the end. */
int sorter_next(struct sorter *s, uint32_t *ret_root, uint32_t *ret_entry);
