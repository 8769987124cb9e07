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
	_Atomic uint32_t epoch; /* advanced by each notify that sees a waiter */
	/* Sleepers between prepare and the end of wait or cancel; above them the watchers, in units
	 * of EVENTCOUNT_WATCHER; EVENTCOUNT_WAKING on top. */
	_Atomic uint32_t waiters;
};

/* A notify_one is on its way to a waiter, none of which has left since. */
#define EVENTCOUNT_WAKING (1u << 31)
#define EVENTCOUNT_WATCHER (1u << 20)

void eventcount_prepare(struct eventcount *ec, uint32_t *ret_key);
void eventcount_cancel(struct eventcount *ec);
/** 0 woken or epoch advanced; -ETIMEDOUT. */
int eventcount_wait(struct eventcount *ec, uint32_t key, usec_t deadline);
/** Wake up to n sleepers; UINT32_MAX all. Costs one load while nobody waits. true: there are
 *  watchers too, and the caller wakes them all. */
bool eventcount_notify(struct eventcount *ec, uint32_t n);
/**
 * Wake one waiter, unless an earlier notify_one is still on its way: one system call for a burst.
 * For conditions that every waiter passes on: who leaves wait or cancel looks at the condition
 * again, and calls notify_one when there is more than it takes for itself. true: it is the turn of
 * a watcher, and the caller wakes one.
 */
bool eventcount_notify_one(struct eventcount *ec);

/**
 * A watcher waits for several eventcounts and sleeps on a word of its own; whoever keeps the
 * eventcount keeps a list of them, and wakes them when notify says so. watch and unwatch count it,
 * as prepare and cancel do a sleeper. At most 2,047 to an eventcount.
 */
void eventcount_watch(struct eventcount *ec);
void eventcount_unwatch(struct eventcount *ec);
