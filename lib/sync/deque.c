#include "sync/deque.h"

#include <errno.h>

struct deque_ring {
	struct deque_ring *older; /* outgrown; freed with the deque */
	int64_t mask;
	/* Item i is in slot i & mask. Relaxed: `bottom` publishes, `top` protects. */
	_Atomic(void *) slots[];
};

/*
 * note: deque. S is the single order of all seq_cst operations.
 *
 * One item, one taker. Whoever takes the item at index t raises top from t to t+1 by compare and
 * exchange, but for a pop at b > t, which takes without asking. Such a pop wrote bottom = b (P1,
 * seq_cst) and then read top < b (P2). A thief takes b only after it read top == b (T1) and then
 * bottom > b (T2, seq_cst). top == b comes after P2's value, so P2 is before T1 in S and P1 before
 * T2: T2 reads P1's bottom, or what the owner wrote later, when index b holds another item. With
 * weaker orders both may miss each other and the item is taken twice.
 *
 * The slot. A thief reads the slot before its exchange. The owner reuses the slot of index t only
 * for t + size, after it acquired a top > t: so every reader of the old content either read before
 * that or fails in the exchange, and its pointer is never followed. Growing copies the items from
 * top to bottom and leaves the old ring as it is, therefore a slot read from an outgrown ring is
 * right whenever the exchange succeeds.
 *
 * The content. A push stores bottom with release, and every later bottom is stored by the same
 * thread with release or stronger: who acquires any of them sees the items below.
 *
 * Marks. deque_skip() raises top on an empty deque: first top, then bottom, so that the deque looks
 * empty all along (top > bottom) and no stale slot is offered. A thief with an older mark then
 * fails in its exchange.
 */

static struct deque_ring *
ring_create(int64_t n)
{
	struct deque_ring *r = malloc(sizeof(*r) + (size_t)n * sizeof(r->slots[0]));

	if (r) {
		r->older = NULL;
		r->mask = n - 1;
	}
	return r;
}

static size_t
power_of_two(size_t n)
{
	size_t p = 2;

	while (p < n)
		p *= 2;
	return p;
}

int
deque_init(struct deque *d, size_t n_items, size_t max_items)
{
	int64_t n = (int64_t)power_of_two(n_items);
	struct deque_ring *r = ring_create(n);

	*d = (struct deque){.full_at = n, .max_items = power_of_two(max_items)};
	store_rlx(&d->ring, r);
	return r ? 0 : -ENOMEM;
}

void
deque_fini(struct deque *d)
{
	struct deque_ring *r = load_rlx(&d->ring);

	while (r) {
		struct deque_ring *older = r->older;

		free(r);
		r = older;
	}
	store_rlx(&d->ring, NULL);
}

static int
grow(struct deque *d, int64_t top, int64_t bottom)
{
	struct deque_ring *old = load_rlx(&d->ring), *new;
	int64_t n = old->mask + 1;

	if ((size_t)n >= d->max_items)
		return -EOVERFLOW;
	new = ring_create(2 * n);
	if (!new)
		return -ENOMEM;
	for (int64_t i = top; i < bottom; i++)
		store_rlx(&new->slots[i & new->mask], load_rlx(&old->slots[i & old->mask]));
	new->older = old;
	store_rel(&d->ring, new);
	d->full_at = top + 2 * n;
	return 0;
}

/* The slot for `bottom` may still be in use. Acquire, pairs with the thieves' exchange (note:
 * deque, the slot). */
static int
make_room(struct deque *d, int64_t bottom)
{
	int64_t top = load_acq(&d->top);

	d->full_at = top + load_rlx(&d->ring)->mask + 1;
	return bottom < d->full_at ? 0 : grow(d, top, bottom);
}

int
deque_push(struct deque *d, void *item)
{
	int64_t b = load_rlx(&d->bottom);
	struct deque_ring *r;

	if (UNLIKELY(b >= d->full_at)) {
		int e = make_room(d, b);

		if (e < 0)
			return e;
	}
	r = load_rlx(&d->ring);
	store_rlx(&r->slots[b & r->mask], item);
	store_rel(&d->bottom, b + 1);
	return 0;
}

/* There was at most one item, which a thief may have taken, or takes now. */
static void *
pop_last(struct deque *d, int64_t top, int64_t b, void *item)
{
	bool won = top == b && cas_sc(&d->top, &top, b + 1);

	store_rel(&d->bottom, b + 1);
	return won ? item : NULL;
}

void *
deque_pop(struct deque *d)
{
	int64_t b = load_rlx(&d->bottom) - 1, top;
	struct deque_ring *r = load_rlx(&d->ring);
	void *item = load_rlx(&r->slots[b & r->mask]);

	(void)swap_sc(&d->bottom, b); /* P1 */
	top = load_sc(&d->top);       /* P2 */
	return LIKELY(top < b) ? item : pop_last(d, top, b, item);
}

int64_t
deque_mark(const struct deque *d)
{
	return load_sc(&d->top); /* T1 */
}

void *
deque_steal_at(struct deque *d, int64_t mark)
{
	struct deque_ring *r;
	void *item;

	if (load_sc(&d->bottom) <= mark) /* T2 */
		return NULL;
	r = load_acq(&d->ring);
	item = load_rlx(&r->slots[mark & r->mask]);
	return cas_sc(&d->top, &mark, mark + 1) ? item : NULL;
}

void *
deque_steal(struct deque *d)
{
	return deque_steal_at(d, deque_mark(d));
}

void
deque_skip(struct deque *d)
{
	int64_t b = load_rlx(&d->bottom);

	assert(load_rlx(&d->top) == b);
	store_sc(&d->top, b + 1);
	store_rel(&d->bottom, b + 1);
}

size_t
deque_len(const struct deque *d)
{
	int64_t top = load_sc(&d->top), n = load_sc(&d->bottom) - top;

	return n > 0 ? (size_t)n : 0;
}
