/**
 * arc: shared ownership by counting, and published: a pointer from which readers take a reference
 * without a lock.
 *
 * struct arc is embedded in the object. arc_get() is relaxed (who calls it already holds one);
 * arc_put() releases, and the last one acquires before it destroys, so every earlier use happens
 * before the destruction. More than 2^30 references abort: they are a bug.
 *
 * struct shared is for objects that are reached through a struct published. It ends in two steps:
 * the last arc_put() calls `fini`, at once and on that thread, for all that the object holds (maps,
 * files); `release` frees the memory itself when no reader can be looking at the count any more,
 * through epoch_defer(). So a published object never keeps its big parts for the epoch's sake, and
 * a reader that comes too late finds a count of zero instead of freed memory.
 *
 * published_acquire() pins the epoch, reads the pointer and counts: no lock, no line written that
 * other readers write but the count of the object it returns.
 *
 * Ownership: the published pointer holds one reference to what it points at.
 * Threads:   any number of acquirers and publishers; published_fini() when both are gone.
 * Limits:    `fini` runs with whatever locks the last holder has; who publishes under a lock holds
 *            a reference to the old object beyond it when `fini` is more than the lock may cover.
 *            `release` is a function of the epoch's: see epoch.h.
 */
#pragma once

#include "sync/epoch.h"

struct arc {
	/* get relaxed, put release, acquire after the last put: arc.c. */
	_Atomic int64_t refs;
	void (*destroy)(struct arc *a); /* fixed at init */
};

void arc_init(struct arc *a, void (*destroy)(struct arc *a)); /* count 1 */
void arc_get(struct arc *a);
/** false: the count is zero already, and the object may be used no more. Its memory must be held by
 *  other means (a pin). Acquires. */
bool arc_get_unless_zero(struct arc *a);
void arc_put(struct arc *a); /* NULL is legal */
/** How many references there are; a moment's value. */
int64_t arc_refs(const struct arc *a);

struct shared {
	struct arc arc;
	struct epoch_item retired; /* the epoch's once the count is zero */
	/* Fixed at init. */
	void (*fini)(struct shared *s);
	void (*release)(struct shared *s);
};

void shared_init(struct shared *s, void (*fini)(struct shared *s), /* count 1 */
	void (*release)(struct shared *s));

struct published {
	_Atomic(struct shared *) pointer; /* seq_cst: epoch.h */
};

void published_init(struct published *p, struct shared *s); /* takes over the reference; or NULL */
/** A new reference to the object now published; NULL when there is none. */
struct shared *published_acquire(struct published *p);
/** Publish `s` (reference taken over, may be NULL); the old object loses the pointer's reference.
 */
void published_set(struct published *p, struct shared *s);
void published_fini(struct published *p);
