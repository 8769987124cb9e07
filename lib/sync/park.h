/**
 * park: sleeping on a word (futex) and the eventcount built on it.
 *
 * Eventcount (note: wakeup): a waiter announces itself, re-checks its condition, then sleeps on an
 * epoch that every notifier advances. The waiter's announcement and the notifier's look at it are
 * both sequentially consistent, so one of the two sees the other: either the waiter sees the
 * condition true, or the notifier sees the waiter. With weaker orders a wake-up can be lost.
 *
 *     eventcount_prepare(&ec, &key);              if (condition) eventcount_cancel(&ec);
 *     else eventcount_wait(&ec, key, deadline);   loop
 *
 * The condition must be changed with a seq_cst read-modify-write (or under a lock) before notify,
 * and re-checked with seq_cst loads after prepare.
 *
 * Threads: any.
 */
#pragma once

#include "base/clock.h"
#include "sync/atomic.h"

/** Sleep while *word == expected: 0 woken (also spuriously), -EAGAIN it differs, -ETIMEDOUT. The
 *  deadline is on the monotonic clock; USEC_NEVER waits for ever. */
int park_wait(_Atomic uint32_t *word, uint32_t expected, usec_t deadline);
/** Wake up to n sleepers on the word. */
void park_wake(_Atomic uint32_t *word, uint32_t n);

struct eventcount {
	_Atomic uint32_t epoch;   /* advanced by each notify that sees a waiter */
	_Atomic uint32_t waiters; /* between prepare and the end of wait or cancel */
};

void eventcount_prepare(struct eventcount *ec, uint32_t *ret_key);
void eventcount_cancel(struct eventcount *ec);
/** 0 woken or epoch advanced; -ETIMEDOUT. */
int eventcount_wait(struct eventcount *ec, uint32_t key, usec_t deadline);
/** Wake up to n waiters; UINT32_MAX all. Costs one load while nobody waits. */
void eventcount_notify(struct eventcount *ec, uint32_t n);
