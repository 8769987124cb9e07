/**
 * stop: a token that says "stop now", and wakes who sleeps.
 *
 * A token fires once and stays fired. Blocking calls that take a token return -ECANCELED when it
 * fires; long computations poll stop_requested(). Tokens form a tree: a child fires with its parent
 * (daemon -> query), never the other way.
 *
 * A token may hold up the work that it would end: whoever polls by stop_pass() waits in it while
 * the token's `hold` wants so. Who only asks stop_requested() is never held.
 *
 * Ownership: stop_init()/stop_fini() on caller's storage. A parent outlives its children;
 *            stop_fini() waits for a stop_request() that is still waking others, its parent's too.
 * Threads:   any; stop_request() is not async-signal-safe (signals arrive as events).
 */
#pragma once

#include "base/list.h"
#include "sync/lock.h"

struct stop;
/** Returns when the work may go on: 0, or why it is to end (-ECANCELED when `s` has fired). */
typedef int (*stop_hold_fn)(void *ctx, struct stop *s);

struct stop {
	/* 0 or 1. The request writes it with release or stronger, stop_requested() acquires: what
	 * was written before the request is seen by who stops because of it. Both are in fact
	 * seq_cst, as note: wakeup (park.c) asks of a condition that sleepers re-check. */
	_Atomic uint32_t fired;

	/* Guarded by lock (RANK_STOP; a parent's lock is given before a child's is taken). */
	struct lock lock;
	struct cond idle;     /* `busy` changed */
	const void *busy;     /* the waiter or child being woken now, without the lock */
	bool requesting;      /* a stop_request() is under way */
	struct list waiters;  /* struct stop_waiter.link */
	struct list children; /* struct stop.sibling */

	/* Fixed at init; sibling is guarded by the parent's lock. */
	struct stop *parent;
	struct list sibling;
	/* Fixed before anybody polls: of stop_set_hold(), or the parent's. */
	stop_hold_fn hold;
	void *hold_ctx;
};

/** Have stop_pass() call `hold`, on the thread that polls. After stop_init(), before it has a child
 *  or is polled; children have it, too. */
void stop_set_hold(struct stop *s, stop_hold_fn hold, void *ctx);
/** Go on? 0, perhaps after a while; -ECANCELED it has fired; else what `hold` says. NULL is legal.
 *  No ranked lock may be held. */
int stop_pass(struct stop *s);

/** What a fired token calls: `wake` runs on the firing thread without the token's lock, must not
 *  block for long (a short lock is fine) and may not touch the token. */
struct stop_waiter {
	struct list link; /* on one stop.waiters or unlinked */
	void (*wake)(void *arg);
	void *arg;
};

void stop_init(struct stop *s, struct stop *parent); /* parent may be NULL */
void stop_fini(struct stop *s);
void stop_request(struct stop *s);

static inline bool
stop_requested(const struct stop *s)
{
	return s && load_sc(&s->fired) != 0;
}

/** Register; when already fired, wake runs at once, on the calling thread. s may be NULL (nothing
 *  happens). */
void stop_add(struct stop *s, struct stop_waiter *w);
/** After this returns `wake` is neither running nor will it run; hold no lock, for it may wait. */
void stop_remove(struct stop *s, struct stop_waiter *w);
