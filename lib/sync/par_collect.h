/**
 * par_collect: any number of results from each item, in one array in input order.
 *
 * Each piece appends to a buffer of its thread's own; neighbouring pieces share one. At the end the
 * buffers are joined into the first. (par_map() is for exactly one result an item.)
 *
 * Ownership: *ret is of malloc and the caller's (NULL when there is nothing); on failure nothing is
 *            returned, and results that own something are lost: keep what they own elsewhere.
 * Threads:   as par_for().
 * Errors:    -ENOMEM; else as par_for().
 */
#pragma once

#include "sync/par.h"

/** Results of one thread; fields are private. */
struct par_out {
	char *data;
	size_t len, cap; /* items */
	size_t item_bytes;
};

/** Room for n >= 1 more results, which count at once and which the caller fills in. NULL: no
 * memory; valid until the next call. */
void *par_out_add(struct par_out *out, size_t n);

typedef int (*par_collect_fn)(
	size_t lo, size_t hi, unsigned worker, struct par_out *out, void *ctx);

struct par_collection {
	size_t item_bytes;
	par_collect_fn fn;
	void *ctx;
};

int par_collect(struct pool *p, enum task_class cls, size_t n, size_t grain,
	const struct par_collection *c, struct stop *stop, void **ret, size_t *ret_n);
