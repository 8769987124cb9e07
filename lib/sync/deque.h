/**
 * deque: the work of one thread, from which others steal (D. Chase, Y. Lev, SPAA 2005).
 *
 * The owner pushes and pops at the bottom, thieves take from the top: the owner works depth first
 * on what is warm in its cache, a thief gets the oldest and so the largest piece. Items are
 * non-NULL pointers. It grows by doubling up to a fixed most.
 *
 * A ring that was outgrown stays until deque_fini(), because a thief may still be reading it: all
 * of them together are smaller than the newest one, hence no reclamation is needed.
 *
 * Ownership: deque_init()/deque_fini() on caller's storage, aligned to CACHELINE. Items are not
 *            touched. At deque_fini() no thief is left.
 * Threads:   push, pop, skip: the owner alone. The rest: any.
 * Errors:    -ENOMEM: no memory to grow, nothing was pushed; -EOVERFLOW: at its most.
 * Orders:    what was written before a push is seen by who pops or steals the item. Argument and
 *            the orders of each variable: note: deque.
 */
#pragma once

#include "sync/atomic.h"

struct deque_ring;

struct deque {
	/* Index of the oldest item; only grows. Every change is seq_cst. */
	ON_OWN_LINE _Atomic int64_t top;
	/* One past the newest. Release on push (publishes the item), seq_cst on pop. */
	ON_OWN_LINE _Atomic int64_t bottom;
	/* Release when grown, before the bottom that needs it; thieves acquire. */
	_Atomic(struct deque_ring *) ring;

	/* The owner's. */
	int64_t full_at; /* a push at this bottom looks whether there is room */
	size_t max_items;
};

/** Both counts are rounded up to powers of two. -ENOMEM. */
int deque_init(struct deque *d, size_t n_items, size_t max_items);
/** A deque that is zeroed is legal. */
void deque_fini(struct deque *d);

int deque_push(struct deque *d, void *item);
/** The newest item; NULL when there is none. */
void *deque_pop(struct deque *d);

/** The oldest item; NULL: there is none, or another thread was quicker to take one. */
void *deque_steal(struct deque *d);

/** For a thief that has something to check between looking and taking: deque_steal_at() takes the
 *  item only if nothing was taken and no deque_skip() done since deque_mark(). */
int64_t deque_mark(const struct deque *d);
void *deque_steal_at(struct deque *d, int64_t mark);
/** The deque is empty: make every mark that was taken before worthless. */
void deque_skip(struct deque *d);

/** A moment's value; seq_cst loads, so that it can stand in an announce-and-re-check (park.h) after
 *  a seq_cst change by the pusher. */
size_t deque_len(const struct deque *d);
