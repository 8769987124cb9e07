/**
 * barrier: n threads wait for each other, round after round; one of them leads the round.
 *
 *     if (barrier_wait(&b))      true for exactly one of the n: the last to arrive
 *             swap_buffers();
 *
 * There is no deadline: a thread that went away would leave the others one short for ever. Where
 * a participant may fail, a waitgroup with a deadline is what you want.
 *
 * Ownership: barrier_init() on caller's storage, nothing to undo. The storage outlives the last
 *            barrier_wait().
 * Threads:   n in each round, any of them. What each did before its wait is seen by all after.
 */
#pragma once

#include "sync/park.h"

struct barrier {
	uint32_t n; /* fixed at init */
	/* Arrivals of this round. Acquire and release: the last to arrive has seen all before. */
	_Atomic uint32_t arrived;
	/* Rounds ended, the futex. The leader releases; who waits acquires, and so sees all that
	 * the leader saw. */
	_Atomic uint32_t round;
};

void barrier_init(struct barrier *b, uint32_t n); /* n >= 1 */
/** true for the leader. Hold no lock. */
bool barrier_wait(struct barrier *b);
