/**
 * par_bridge: a sequential source of items, worked on by the caller and the pool's workers.
 *
 * Who has nothing to do tries to take the source's turn, pulls a batch (1 item at first, up to
 * `batch` while items are quick), gives the turn back and works on its batch. A worker that does
 * not get the turn goes back to its pool instead of waiting, and is asked in again after the next
 * pull; only the caller itself ever waits. So a source may block (a channel), and may use the pool
 * (pool_join(), par_for()): no worker is held up meanwhile, and a pool without a free one is
 * enough. Helpers are called only where a batch takes longer than calling them; trivial items are
 * done by the caller alone.
 *
 *     source                     ->  batches of <= 32 items  ->  fn  [ -> emit, in input order ]
 *     next() or pull(), in turn      one a thread                 in parallel    in turn
 *
 * Ordered: with `emit`, results come out in the order of the items, one at a time, on any of the
 * threads. At most `window` batches are between source and emit; the source waits while they are.
 *
 * Source: exactly one of
 *   next  one item: 1, 0 at the end, -errno
 *   pull  1..max items, waiting at most for the first one: how many, 0 at the end, -errno
 * Neither is called by two threads at once, nor after it has returned 0 or less.
 *
 * Ownership: items are copied by value; each that was pulled is given either to fn or, when the
 *            bridge stopped early, to `drop` (may be NULL). Each result that fn made (returning 0)
 *            is given to emit, or after an early stop to `drop_result` (may be NULL).
 * Threads:   as par_for(). `worker` as in par_for().
 * Errors:    fn, emit, next and pull stop the bridge with what they return (fn, emit: not 0; next,
 *            pull: below 0); the value of the lowest item counts, among those that began, a
 * source's failure after all items before it. -ECANCELED when the token fired before the end (asked
 * before every pull and every item; a blocking source takes the token itself). -ENOMEM before
 * anything is pulled.
 */
#pragma once

#include "sync/chan.h"
#include "sync/par.h"

#define PAR_BRIDGE_BATCH 32u

struct par_bridge {
	size_t item_bytes;
	int (*next)(void *source, void *ret_item);
	int (*pull)(void *source, void *ret_items, unsigned max);
	void *source;

	/* `result` is NULL without emit. */
	int (*fn)(void *item, void *result, unsigned worker, void *ctx);
	void (*drop)(void *item, void *ctx);
	void *ctx;

	/* Ordered mode, or NULL. */
	int (*emit)(void *result, void *ctx);
	void (*drop_result)(void *result, void *ctx);
	size_t result_bytes;

	unsigned batch;  /* at most this many items a batch; 0: PAR_BRIDGE_BATCH */
	unsigned window; /* batches; 0: 4 a thread */
};

int par_bridge(struct pool *p, enum task_class cls, const struct par_bridge *b, struct stop *stop);

/** The items of a channel until it is closed and drained, as a `pull` with item_bytes ==
 *  sizeof(void *). When the bridge stops early, what was not pulled stays in the channel. */
struct par_chan {
	struct chan *chan;
	struct stop *stop; /* ends a wait for an item: -ECANCELED */
};
int par_chan_pull(void *source, void *ret_items, unsigned max);
