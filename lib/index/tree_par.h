/**
 * tree_par: par_for() with a pool that may be missing. Internal to lib/index.
 */
#pragma once

#include <errno.h>

#include "sync/par.h"

/** As par_for(); without a pool the caller alone, an item at a time, worker 0, which may be held
 *  up (stop_pass()). */
static inline int
tree_par(struct pool *pool, enum task_class cls, size_t n, par_fn fn, void *ctx, struct stop *stop)
{
	int r = 0;

	if (pool)
		return par_for(pool, cls, n, 1, fn, ctx, stop);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = stop_pass(stop);
		r = r < 0 ? r : fn(i, i + 1, 0, ctx);
	}
	return r;
}

static inline unsigned
tree_par_width(const struct pool *pool)
{
	return pool ? par_width(pool) : 1;
}
