/**
 * deque: the work of one thread, from which others steal (D. Chase, Y. Lev, SPAA 2005).
 *
 * The owner pushes and pops at the bottom, thieves take from the top: the owner works depth first
 * on what is warm in its cache, a thief gets the oldest and so the largest piece. Items are
 * non-NULL pointers. It grows by doubling up to a fixed most.
 *
 *        top          bottom           end
 *         | stealable   |  the owner's  |
 *     ----+---+---+-----+---+---+---+---+----  index, ascending
 *
 * Only the oldest items are offered to thieves, `n_public` of them; when the thieves have taken all
 * of those, everything is offered next. Above them the owner pushes and pops without a single
 * read-modify-write, which is most of a fork-join's cost and, in a recursion, the fate of all but a
 * few forks. A thief finds nothing only when there is nothing, or when the owner has neither pushed
 * nor popped since the last of n_public items was stolen.
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

struct deque_ring {
	struct deque_ring *older; /* outgrown; freed with the deque */
	int64_t mask;
	/* Item i is in slot i & mask. Relaxed: `bottom` publishes, `top` protects. */
	_Atomic(void *) slots[];
};

struct deque {
	/* Index of the oldest item; only grows. Every change is seq_cst. */
	ON_OWN_LINE _Atomic int64_t top;

	/* The owner writes, thieves read; seldom changed, so that looking disturbs nobody.
	 * One past the newest item that may be stolen: release when raised (publishes the items),
	 * seq_cst when lowered. */
	ON_OWN_LINE _Atomic int64_t bottom;
	/* Release when grown, before the bottom that needs it; thieves acquire. */
	_Atomic(struct deque_ring *) ring;

	/* The owner's. */
	ON_OWN_LINE int64_t end; /* one past the newest item; >= bottom */
	int64_t full_at;         /* a push at this end looks whether there is room */
	int64_t n_public;
	size_t max_items;
};

/** `n_items` to begin with and `max_items` are rounded up to powers of two. -ENOMEM. */
int deque_init(struct deque *d, size_t n_items, size_t max_items, size_t n_public);
/** A deque that is zeroed is legal. */
void deque_fini(struct deque *d);

/* Out of line: the rare ends of the two functions below. */
int deque_make_room(struct deque *d);
void deque_publish(struct deque *d, int64_t top, int64_t bottom);
void *deque_pop_public(struct deque *d, int64_t bottom);

static inline int
deque_push(struct deque *d, void *item)
{
	int64_t end = d->end, top, bottom;
	struct deque_ring *r;

	if (UNLIKELY(end >= d->full_at)) {
		int e = deque_make_room(d);

		if (e < 0)
			return e;
	}
	r = load_rlx(&d->ring);
	store_rlx(&r->slots[end & r->mask], item);
	d->end = end + 1;
	top = load_rlx(&d->top);
	bottom = load_rlx(&d->bottom);
	if (bottom - top < d->n_public)
		deque_publish(d, top, bottom);
	return 0;
}

/** The newest item; NULL when there is none. */
static inline void *
deque_pop(struct deque *d)
{
	int64_t bottom = load_rlx(&d->bottom);
	struct deque_ring *r = load_rlx(&d->ring);

	if (UNLIKELY(d->end == bottom))
		return deque_pop_public(d, bottom);
	d->end--;
	if (UNLIKELY(load_rlx(&d->top) == bottom))
		deque_publish(d, bottom, bottom);
	return load_rlx(&r->slots[d->end & r->mask]);
}

/** The oldest item; NULL: none is to be had, or another thread was quicker to take one. */
void *deque_steal(struct deque *d);

/** For a thief that has something to check between looking and taking: deque_steal_at() takes the
 *  item only if nothing was taken and no deque_skip() done since deque_mark(). */
int64_t deque_mark(const struct deque *d);
void *deque_steal_at(struct deque *d, int64_t mark);
/** The deque is empty: make every mark that was taken before worthless. */
void deque_skip(struct deque *d);

/** How many can be stolen, a moment's value; seq_cst loads, so that it can stand in an
 *  announce-and-re-check (park.h) after a seq_cst change by the pusher. */
size_t deque_len(const struct deque *d);
/** Nothing is left to pop, but for what a thief takes at this moment. The owner alone. */
static inline bool
deque_is_empty(const struct deque *d)
{
	return load_rlx(&d->top) >= d->end;
}
