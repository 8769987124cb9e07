/**
 * waitgroup: wait until as many things are done as were added.
 *
 *     waitgroup_add(&g, n);   n tasks that call waitgroup_done(&g);   waitgroup_wait(&g);
 *
 * Adding comes before the things can be done: by the one who waits, or by a thing that is itself
 * still counted. Reusable at once: a wait is for the round that was under way when it began, and
 * ends though others have begun the next one.
 *
 * Ownership: caller's storage, zeroes: nothing to wait for. The storage may go as soon as one wait
 *            has returned and no other goes on: the last done touches nothing after that.
 * Threads:   any. What was done before each waitgroup_done() is seen after the wait.
 * Errors:    -ETIMEDOUT.
 * Limits:    WAITGROUP_MAX things at once; more, or a done too many, is a bug and aborts.
 */
#pragma once

#include "base/clock.h"
#include "sync/park.h"

#define WAITGROUP_MAX ((1u << 20) - 1)

struct waitgroup {
	/* Round, count, and whether somebody sleeps (waitgroup.c); the futex. Done releases, the
	 * wait acquires: all dones are one release sequence. Add is relaxed: it publishes nothing.
	 */
	_Atomic uint32_t word;
};

void waitgroup_add(struct waitgroup *g, uint32_t n);
void waitgroup_done(struct waitgroup *g);
/** Hold no lock. */
void waitgroup_wait(struct waitgroup *g);
/** 0 or -ETIMEDOUT. */
int waitgroup_wait_until(struct waitgroup *g, usec_t deadline);
