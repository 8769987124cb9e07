/**
 * arc: shared ownership by counting, and a slot from which readers take a reference without a lock.
 *
 * struct arc is embedded in the object. arc_get() is relaxed (who calls it already holds one);
 * arc_put() releases, and the last one acquires before it destroys, so every earlier use happens
 * before the destruction. More than 2^30 references abort: they are a bug.
 *
 * struct arc_slot is a published pointer with a split count (the classic two-count scheme): one
 * 64-bit word holds the pointer in its upper 48 bits and, in the lower 16, how many readers are
 * between "saw the pointer" and "hold a reference". arc_slot_acquire() never waits and takes no
 * lock; a reader writes the slot's word and the object's count, nothing else.
 *
 * Ownership: the slot holds one reference to what it points at.
 * Threads:   any number of acquirers and publishers.
 * Limits:    65,535 acquirers between two instructions; user-space addresses below 2^47 (x86-64,
 * arm64).
 */
#pragma once

#include "sync/atomic.h"

struct arc {
	_Atomic int64_t refs; /* a slot's reference counts for 2^32: arc.c, note: split count */
	void (*destroy)(struct arc *a); /* fixed at init */
};

void arc_init(struct arc *a, void (*destroy)(struct arc *a)); /* count 1 */
void arc_get(struct arc *a);
void arc_put(struct arc *a); /* NULL is legal */
/** How many references there are; a moment's value. */
int64_t arc_refs(const struct arc *a);

struct arc_slot {
	_Atomic uint64_t word;
};

void arc_slot_init(struct arc_slot *s, struct arc *a); /* takes over the reference; a may be NULL */
/** A new reference to the object now in the slot; NULL when it is empty. */
struct arc *arc_slot_acquire(struct arc_slot *s);
/** Put `a` (reference taken over, may be NULL) in; the old object loses the slot's reference. */
void arc_slot_publish(struct arc_slot *s, struct arc *a);
void arc_slot_fini(struct arc_slot *s);
