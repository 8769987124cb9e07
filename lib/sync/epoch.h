/**
 * epoch: freeing what lock-free readers may still be looking at.
 *
 * A reader pins its thread, follows pointers, unpins. Who takes an object out of reach hands it to
 * epoch_defer(); its function is called two epochs later, when every thread that was pinned at the
 * time has unpinned. A global epoch advances when all pinned threads have been seen in it.
 *
 *     reader                             writer
 *     epoch_pin();                       old = swap_sc(&pointer, new);
 *     p = load_sc(&pointer); use *p;     epoch_defer(&old->item, object_free);
 *     epoch_unpin();
 *
 * Both orders are part of the contract: what may be replaced is read with load_sc() inside the pin,
 * and taken out with swap_sc(), cas_sc() or store_sc() before epoch_defer() (epoch.c, note: grace).
 * On x86 the load is a plain one.
 *
 * Not for long stays: one thread that stays pinned stops all reclamation. Pins span instructions,
 * never a lock, a wait or I/O; who stays long takes a reference (arc.h) or a hazard (hazard.h).
 * epoch_get_stats() names the thread that holds the rest up, and since when.
 *
 * Two ways to pin, chosen once for the process. EPOCH_FENCED: the pin is a read-modify-write of the
 * thread's own word. EPOCH_MEMBARRIER, where the kernel has the private expedited membarrier: a
 * plain store, and the side that advances interrupts the other CPUs instead. Builds for
 * ThreadSanitizer and random delays know only the first.
 *
 * Ownership: struct epoch_item lies in the object, the epoch's from epoch_defer() to the call of
 *            its function, which may free it. No allocation but one record a thread.
 * Threads:   any. A pin belongs to its thread. Pins and unpins take no lock and write no shared
 *            line; a thread's first call, epoch_defer() and epoch_flush() may (RANK_LEAF).
 * Errors:    none. A thread whose record cannot be allocated is a guest: each of its outermost pins
 *            takes a lock, and all guests count as one thread.
 * Limits:    a thread's functions are called by its epoch_flush(), its outermost unpins (at the
 *            latest the 128th) and its epoch_defer() outside of a pin, whatever locks it holds:
 * they free memory, may pin and defer, and take no lock, wait for nothing, unmap nothing big. What
 * is left when a thread ends goes to the next epoch_flush() of any thread. Fork:      pins of other
 * threads stay for ever in the child, which so frees nothing that they may see; a child should
 * exec. At exit nothing is called.
 */
#pragma once

#include "base/clock.h"
#include "sync/atomic.h"

struct epoch_item {
	struct epoch_item *next;
	void (*fn)(struct epoch_item *item);
	uint64_t epoch; /* read after the object was out of reach */
};

/** Pins nest; only the outermost counts. */
void epoch_pin(void);
void epoch_unpin(void);
/** A reader that goes on, with none of the pointers it had: lets the epoch advance past it. Does
 *  nothing in a nested pin. */
void epoch_repin(void);
/** For assertions in what must not be called pinned. */
bool epoch_pinned(void);

/** Call fn(item) when nobody can see the object any more. Legal inside and outside of a pin. */
void epoch_defer(struct epoch_item *item, void (*fn)(struct epoch_item *item));
/** Advance as far as readers allow and call what is due of this thread and of ended ones, on this
 *  thread. Returns how many of those still wait; never blocks for readers. Not inside a pin. */
size_t epoch_flush(void);

enum epoch_mode { EPOCH_FENCED, EPOCH_MEMBARRIER };

/** The mode in use; the first call of any function here decides. */
enum epoch_mode epoch_mode(void);
/** Before anything else here: 0, -EBUSY too late, -EOPNOTSUPP not in this kernel or build. */
int epoch_set_mode(enum epoch_mode wanted);

struct epoch_stats {
	enum epoch_mode mode;
	uint64_t epoch;
	uint64_t n_deferred, n_freed; /* ever; the difference waits */
	unsigned n_threads, n_pinned; /* with a record; pinned at this moment */
	unsigned n_guests;            /* pinned without a record */
	/* The thread that holds back the epoch, when an attempt to advance met one; tid 0: none,
	 * -1 the guests. */
	int stalled_tid;
	char stalled_name[16];
	usec_t stalled_since; /* of that first attempt, monotonic; the pin is older */
};
void epoch_get_stats(struct epoch_stats *ret);
