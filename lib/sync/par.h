/**
 * par: a loop over a range, shared between the caller and the pool's workers.
 *
 * Which to use
 *   par_for      each item by itself, results where the item is (also: a scratch per worker)
 *   par_map      an array from an array, one to one (below)
 *   par_reduce   one result from all items: sums, maxima, merged tables (par_reduce.h)
 *   par_collect  any number of results an item, in one array in input order (par_collect.h)
 *   par_bridge   the items come one after the other: a channel, a cursor, stdin (par_bridge.h)
 *   par_sort, par_scan   stable sort; running sums (par_sort.h, par_scan.h)
 *   pool_join    the work is a tree, not a range (pool.h)
 *
 * When it pays: a helper costs the caller a wake-up (2-5 us) and comes 10-50 us later, so a loop of
 * less than some 20 us of work gains nothing. par_for() sees to that itself: a range of `grain`
 * items or less is one plain call of `fn`; what was quick last time (a table of the cost of an item
 * by `fn`, see par_cost.h) is begun alone, and help is called when it takes longer than expected.
 * Neither allocates nor touches the pool. What was slow last time, or was never seen, gets help at
 * once. Items bound by memory rather than by the processor gain little: two threads add 10^8
 * integers 1.2 times as fast as one.
 *
 * `grain` is the smallest piece handed to `fn`: the number of items below which a call is not worth
 * its 20-50 ns of bookkeeping. 1 is right for items of a microsecond and more (100 ns in all are
 * lost where they turn out trivial); for a sum take thousands. It is a floor, not a size: pieces
 * grow to some 30 us of work, and shrink where items turn out slow and towards the end, so that all
 * threads end together. What par cannot split is one piece: where a few very slow items hide among
 * many trivial ones, they may all lie in one; then bound the pieces by handing out groups.
 *
 * Pieces are handed out in ascending order, at once to whoever is free: low results come first, and
 * an early stop wastes little. The caller works too, therefore par_for() makes progress on a pool
 * with no free worker and may be called from a task of the same pool, or of another one.
 *
 * `fn(lo, hi, worker, ctx)` returns 0 to go on, or anything else to stop the loop early; the value
 * of the lowest piece that stopped is returned (pieces above it may or may not have run, all below
 * it have). `worker` is below par_width() and at any moment belongs to one thread: use it to index
 * scratch space; who uses it next sees what was written there. The caller is 0.
 *
 * Threads: any, holding no ranked lock. Blocks until every piece that started has ended; what the
 *          pieces wrote is then seen by the caller.
 * Errors:  -ECANCELED when the token fired before the range was done (it is looked at before every
 *          piece); else what fn returned. Never -ENOMEM: without memory the caller does it alone.
 */
#pragma once

#include "sync/pool.h"

typedef int (*par_fn)(size_t lo, size_t hi, unsigned worker, void *ctx);

/** `stop` may be NULL; a grain of 0 is 1. */
int par_for(struct pool *p, enum task_class cls, size_t n, size_t grain, par_fn fn, void *ctx,
	struct stop *stop);
/** Pool's threads + 1. */
unsigned par_width(const struct pool *p);

/** One item into one result; anything but 0 stops as in par_for(). */
typedef int (*par_map_fn)(const void *item, void *ret_result, unsigned worker, void *ctx);

struct par_map {
	const void *items;
	void *results; /* the caller's array of n */
	size_t item_bytes, result_bytes;
	par_map_fn fn;
	void *ctx;
};
int par_map(struct pool *p, enum task_class cls, size_t n, size_t grain, const struct par_map *map,
	struct stop *stop);
