/**
 * cond: waiting, under a lock, until another thread has changed something. Comes with lock.h.
 *
 *     while (!condition)
 *             cond_wait(&c, &lock);
 *
 * Change the condition under the lock, then signal, best under it still. Signal wakes one of those
 * who waited when it was called, broadcast all of them.
 *
 * Ownership: cond_init()/cond_fini() on caller's storage, zeroes are a fine cond. It may go when no
 *            waiter is left in it; a signal given under the lock touches nothing after the give.
 * Threads:   any. Orders: the lock's. The eventcount inside is seq_cst (park.h).
 */
#pragma once

#include "sync/lock.h"
#include "sync/park.h"

struct cond {
	struct eventcount sleepers;
};

void cond_init(struct cond *c);
void cond_fini(struct cond *c);
/** The lock is held before and after; only this lock may be held. Wakes may be spurious: loop. */
void cond_wait(struct cond *c, struct lock *l) REQUIRES(l);
/** 0 or -ETIMEDOUT. */
int cond_wait_until(struct cond *c, struct lock *l, usec_t deadline) REQUIRES(l);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);
