/**
 * par: a loop over a range, shared between the caller and the pool's workers.
 *
 * The range [0, n) is cut into pieces of `grain`; caller and helpers take pieces from one counter
 * until none is left, so a slow piece delays nobody. The caller works too, therefore par_for()
 * makes progress on a pool with no free worker and may be called from a task of the same pool.
 *
 * `fn(lo, hi, worker, ctx)` returns 0 to go on, or anything else to stop the loop early; the value
 * of the lowest piece that stopped is returned (pieces above it may or may not have run, all below
 * it have). `worker` is below par_width() and at any moment belongs to one thread: use it to index
 * scratch space.
 *
 * Threads: any. Blocks until every piece that started has ended.
 * Errors:  -ECANCELED when the token fired before the range was done; else what fn returned.
 */
#pragma once

#include "sync/pool.h"

typedef int (*par_fn)(size_t lo, size_t hi, unsigned worker, void *ctx);

int par_for(struct pool *p, enum task_class cls, size_t n, size_t grain, par_fn fn, void *ctx,
	struct stop *stop);
/** Pool's threads + 1. */
unsigned par_width(const struct pool *p);
