/**
 * par_reduce: fold a range into one value, in parallel.
 *
 * Each thread owns a contiguous range and folds its items, lowest first, into an accumulator of
 * `acc_bytes`; a thread that runs out takes the upper half of the largest range left and begins a
 * new accumulator there. At the end the accumulators are merged from left to right. So there is one
 * accumulator a thread and one a theft, and the result is that of the serial order for every
 * associative operation, commutative or not: merge(acc, later) always gets neighbours, in order.
 *
 *     static const struct par_reduction sum = {sizeof(uint64_t), sum_init, sum_fold, sum_merge};
 *     r = par_reduce(pool, TASK_QUERY, n, 4096, &sum, columns, stop, &total);
 *
 * Ownership: `init` makes an empty accumulator (the neutral element); `merge` adds `later` to `acc`
 *            and consumes it, whatever it returns; on every failure each accumulator that was made
 *            is handed to `fini` (may be NULL: they own nothing), and *ret_acc is not to be used.
 * Threads:   as par_for(). `worker` as in par_for(); one accumulator is used by one thread.
 * Errors:    what fold returned for the lowest piece that stopped (all below have been folded);
 *            what merge returned; -ECANCELED. Never -ENOMEM of its own.
 */
#pragma once

#include "sync/par.h"

struct par_reduction {
	size_t acc_bytes; /* aligned as malloc does */
	void (*init)(void *acc, void *ctx);
	/* Items [lo, hi), which follow what is in acc. 0, or anything else to stop early. */
	int (*fold)(void *acc, size_t lo, size_t hi, unsigned worker, void *ctx);
	int (*merge)(void *acc, void *later, void *ctx);
	void (*fini)(void *acc, void *ctx);
	uintptr_t cost_key; /* the function whose cost an item is remembered; 0: fold */
};

/** ret_acc: acc_bytes of the caller's, in which the result is made (n == 0: what init makes). */
int par_reduce(struct pool *p, enum task_class cls, size_t n, size_t grain,
	const struct par_reduction *op, void *ctx, struct stop *stop, void *ret_acc);
