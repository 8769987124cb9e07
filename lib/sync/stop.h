/**
 * stop: a token that says "stop now", and wakes who sleeps.
 *
 * A token fires once and stays fired. Blocking calls that take a token return -ECANCELED when it
 * fires; long computations poll stop_requested(). Tokens form a tree: a child fires with its parent
 * (daemon -> query), never the other way.
 *
 * Ownership: stop_init()/stop_fini() on caller's storage. A parent outlives its children.
 * Threads:   any; stop_request() is not async-signal-safe (signals arrive as events).
 */
#pragma once

#include "base/list.h"
#include "sync/lock.h"

struct stop {
	/* 0 or 1. Release in stop_request pairs with acquire in stop_requested: what was written
	 * before the request is seen by who stops because of it. */
	_Atomic uint32_t fired;

	/* Guarded by lock (RANK_STOP; a parent's lock is given before a child's is taken). */
	struct lock lock;
	struct list waiters;  /* struct stop_waiter.link */
	struct list children; /* struct stop.sibling */

	/* Fixed at init; sibling is guarded by the parent's lock. */
	struct stop *parent;
	struct list sibling;
};

/** What a fired token calls: `wake` runs on the firing thread, must not block and may not touch the
 *  token. */
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
	return s && load_acq(&s->fired) != 0;
}

/** Register; when already fired, wake runs at once. s may be NULL (nothing happens). */
void stop_add(struct stop *s, struct stop_waiter *w);
/** After this returns `wake` is neither running nor will it run. */
void stop_remove(struct stop *s, struct stop_waiter *w);
