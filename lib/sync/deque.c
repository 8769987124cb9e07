#include "sync/deque.h"

#include <errno.h>

/*
 * note: deque. S is the single order of all seq_cst operations.
 *
 * One item, one taker. Items below `bottom` are contended, those above are the owner's alone, who
 * takes them without asking. Whoever takes a contended item at index t raises top from t to t+1 by
 * compare and exchange, but for a pop at b > top, which takes without asking too. Such a pop wrote
 * bottom = b (P1, seq_cst) and then read top < b (P2). A thief takes b only after it read top == b
 * (T1) and then bottom > b (T2, seq_cst). top == b comes after P2's value, so P2 is before T1 in S
 * and P1 before T2: T2 reads P1's bottom, or one that the owner wrote later; when that is above b,
 * the owner has offered another item at b since. So from P1 on index b is the owner's, until it
 * raises bottom again. With weaker orders both may miss each other and the item is taken twice.
 *
 * The slot. A thief reads the slot before its exchange. The owner reuses the slot of index t only
 * for t + size, after it acquired a top > t: so every reader of the old content either read before
 * that or fails in the exchange, and its pointer is never followed. Growing copies the items from
 * top to end and leaves the old ring as it is, therefore a slot read from an outgrown ring is right
 * whenever the exchange succeeds.
 *
 * The content. Bottom is raised with release, and every later bottom is stored by the same thread
 * with release or stronger: who acquires any of them sees the items below.
 *
 * Publishing. The owner's reading of top is relaxed: top only grows, an old value makes it believe
 * that more is on offer than there is, until its next push or pop.
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
deque_init(struct deque *d, size_t n_items, size_t max_items, size_t n_public)
{
	int64_t n = (int64_t)power_of_two(n_items);
	struct deque_ring *r = ring_create(n);

	assert(n_public > 0);
	*d = (struct deque){.full_at = n,
		.n_public = (int64_t)MIN(n_public, (size_t)INT64_MAX),
		.max_items = power_of_two(max_items)};
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
grow(struct deque *d, int64_t top)
{
	struct deque_ring *old = load_rlx(&d->ring), *new;
	int64_t n = old->mask + 1;

	if ((size_t)n >= d->max_items)
		return -EOVERFLOW;
	new = ring_create(2 * n);
	if (!new)
		return -ENOMEM;
	for (int64_t i = top; i < d->end; i++)
		store_rlx(&new->slots[i & new->mask], load_rlx(&old->slots[i & old->mask]));
	new->older = old;
	store_rel(&d->ring, new);
	d->full_at = top + 2 * n;
	return 0;
}

/* The slot for `end` may still be in use. Acquire, pairs with the thieves' exchange (note: deque,
 * the slot). */
int
deque_make_room(struct deque *d)
{
	int64_t top = load_acq(&d->top);

	d->full_at = top + load_rlx(&d->ring)->mask + 1;
	return d->end < d->full_at ? 0 : grow(d, top);
}

/* Offer more: everything when thieves have taken all that was offered. */
void
deque_publish(struct deque *d, int64_t top, int64_t bottom)
{
	bool starved = top >= bottom;

	store_rel(&d->bottom, starved ? d->end : MIN(d->end, bottom + 1));
}

/* Nothing is left above bottom. */
void *
deque_pop_public(struct deque *d, int64_t bottom)
{
	int64_t b = bottom - 1, top;
	struct deque_ring *r = load_rlx(&d->ring);
	void *item = NULL;

	(void)swap_sc(&d->bottom, b); /* P1 */
	top = load_sc(&d->top);       /* P2 */
	if (top <= b)
		item = load_rlx(&r->slots[b & r->mask]);
	if (top < b) {
		d->end = b;
		return item;
	}
	/* At most one item, which a thief may have taken, or takes now. */
	if (top == b && !cas_sc(&d->top, &top, b + 1))
		item = NULL;
	store_rel(&d->bottom, bottom);
	return item;
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
	int64_t end = d->end;

	assert(load_rlx(&d->top) == end && load_rlx(&d->bottom) == end);
	d->end = end + 1;
	store_sc(&d->top, end + 1);
	store_rel(&d->bottom, end + 1);
}

size_t
deque_len(const struct deque *d)
{
	int64_t top = load_sc(&d->top), n = load_sc(&d->bottom) - top;

	return n > 0 ? (size_t)n : 0;
}
