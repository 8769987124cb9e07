/**
 * join: the half of a pool_join() that waits to be taken, on the stack of who forked it. Internal
 * to the pool.
 */
#pragma once

#include "sync/worker.h"

enum latch { LATCH_OPEN, LATCH_ASLEEP, LATCH_SET };

struct fork {
	/* Fixed at the fork; published by the deque. */
	join_fn fn;
	void *arg;
	struct worker *owner;

	/* Who took it; NULL for a moment after that. seq_cst, after it serves it (note: leapfrog).
	 */
	_Atomic(struct worker *) thief;
	/* enum latch. The thief's exchange releases the result and is its last touch of the fork;
	 * the owner acquires. */
	_Atomic uint32_t latch;
	int result;
};

/** On a worker that stole it. */
void fork_run(struct worker *w, struct fork *f);
