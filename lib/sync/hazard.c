#include "sync/hazard.h"

#include <errno.h>

#define SCAN_MIN_ITEMS 64u
#define HELD_AT_ONCE 64u

struct hazard {
	/* What the owner looks at. Written seq_cst, cleared with release; scans read it seq_cst:
	 * note: protect. */
	ON_OWN_LINE _Atomic(const void *) object;

	/* The owner's, relaxed: others read them for statistics. */
	_Atomic usec_t since;
	_Atomic(const char *) what;

	/* 1 while somebody owns the slot. Taken with acquire, given with release: the next owner
	 * finds the slot as the last one left it. */
	_Atomic uint32_t owned;

	struct hazard *next; /* fixed before the slot is listed */
};

void
hazard_domain_init(struct hazard_domain *d)
{
	*d = (struct hazard_domain){.slots = NULL};
}

void
hazard_domain_fini(struct hazard_domain *d)
{
	struct hazard *h = load_sc(&d->slots), *next;

	while (load_sc(&d->retired)) {
		size_t n_named = hazard_scan(d);

		assert(n_named == 0);
		(void)n_named;
	}
	for (; h; h = next) {
		next = h->next;
		assert(!load_acq(&h->owned));
		free(h);
	}
}

static struct hazard *
take_free_slot(struct hazard_domain *d)
{
	for (struct hazard *h = load_sc(&d->slots); h; h = h->next) {
		uint32_t nobody = 0;

		if (load_rlx(&h->owned) == 0 && cas_acq(&h->owned, &nobody, 1))
			return h;
	}
	return NULL;
}

static struct hazard *
add_slot(struct hazard_domain *d)
{
	struct hazard *h = aligned_alloc(CACHELINE, sizeof(*h));

	if (!h)
		return NULL;
	*h = (struct hazard){.owned = 1, .next = load_sc(&d->slots)};
	while (!cas_sc(&d->slots, &h->next, h))
		;
	(void)add_rlx(&d->n_slots, 1);
	return h;
}

int
hazard_acquire(struct hazard_domain *d, const char *what, struct hazard **ret)
{
	struct hazard *h = take_free_slot(d);

	if (!h)
		h = add_slot(d);
	if (!h)
		return -ENOMEM;
	store_rlx(&h->what, what);
	*ret = h;
	return 0;
}

void
hazard_release(struct hazard *h)
{
	if (!h)
		return;
	hazard_clear(h);
	store_rel(&h->owned, 0);
}

void
hazard_set(struct hazard *h, const void *object)
{
	store_rlx(&h->since, clock_mono());
	(void)swap_sc(&h->object, object);
}

/* Release: what the owner did with the object comes before its destruction by a scan that finds
 * the slot empty. */
void
hazard_clear(struct hazard *h)
{
	store_rel(&h->object, NULL);
}

/*
 * note: protect. S is the single order of all seq_cst operations. The reader: P1 names p in its
 * slot, P2 looks at *src again. The writer: U takes p out of *src, then pushes it on the stack; a
 * scan: T takes the stack, H reads the slots. If P2 still finds p, then P2 comes before U, so P1
 * before U before T before H, and the scan sees the slot. If not, p was never followed.
 *
 * p may have been destroyed and another object have come to its address before P2: then P2 finds
 * that one in *src, and it is protected as well.
 *
 * A slot that the scan does not meet was listed after T: then P2 comes after U.
 *
 * Named already and still in *src: P1 was done when it was named.
 */
void *
hazard_protect(struct hazard *h, _Atomic(void *) *src)
{
	void *p = load_sc(src), *again;

	while (p && p != load_rlx(&h->object)) {
		hazard_set(h, p);     /* P1 */
		again = load_sc(src); /* P2 */
		if (again == p)
			return p;
		p = again;
	}
	if (!p)
		hazard_clear(h);
	return p;
}

/* The stack grows by pushes and shrinks only to nothing, so a head that is still the same is still
 * followed by the same. */
static void
push_chain(struct hazard_domain *d, struct hazard_item *first, struct hazard_item *last)
{
	last->next = load_sc(&d->retired);
	while (!cas_sc(&d->retired, &last->next, first))
		;
}

/* At twice the slots at least half of what a scan looks at is destroyed: a scan costs every retired
 * object one share of it. */
void
hazard_retire(struct hazard_domain *d, struct hazard_item *item, const void *object,
	void (*fn)(struct hazard_item *item))
{
	size_t n = add_rlx(&d->n_retired, 1) + 1;

	item->object = object;
	item->fn = fn;
	push_chain(d, item, item);
	if (n >= MAX(SCAN_MIN_ITEMS, 2 * (size_t)load_rlx(&d->n_slots)))
		(void)hazard_scan(d);
}

/* Some of the objects that are named, from *slot on, which moves. */
struct held {
	const void *objects[HELD_AT_ONCE];
	size_t n;
};

static void
read_held(struct hazard **slot, struct held *ret)
{
	ret->n = 0;
	for (; *slot && ret->n < HELD_AT_ONCE; *slot = (*slot)->next) {
		const void *object = load_sc(&(*slot)->object); /* H */

		if (object)
			ret->objects[ret->n++] = object;
	}
}

static bool
is_held(const struct held *held, const void *object)
{
	for (size_t i = 0; i < held->n; i++) {
		if (held->objects[i] == object)
			return true;
	}
	return false;
}

/* Move the items that are held to the front of `kept`; returns how many. */
static size_t
keep_held(struct hazard_item **items, const struct held *held, struct hazard_item **kept)
{
	size_t n = 0;

	while (*items) {
		struct hazard_item *item = *items;

		if (!is_held(held, item->object)) {
			items = &item->next;
			continue;
		}
		*items = item->next;
		item->next = *kept;
		*kept = item;
		n++;
	}
	return n;
}

static void
destroy_items(struct hazard_domain *d, struct hazard_item *items)
{
	while (items) {
		struct hazard_item *item = items;

		items = item->next;
		(void)sub_rlx(&d->n_retired, 1);
		item->fn(item);
	}
}

size_t
hazard_scan(struct hazard_domain *d)
{
	struct hazard_item *items = swap_sc(&d->retired, NULL); /* T */
	struct hazard_item *kept = NULL, *last;
	struct hazard *slot = load_sc(&d->slots);
	struct held held;
	size_t n = 0;

	while (items && slot) {
		read_held(&slot, &held);
		n += keep_held(&items, &held, &kept);
	}
	if (kept) {
		for (last = kept; last->next; last = last->next)
			;
		push_chain(d, kept, last);
	}
	destroy_items(d, items);
	return n;
}

size_t
hazard_holders(struct hazard_domain *d, struct hazard_holder *ret, size_t max)
{
	size_t n = 0;

	for (struct hazard *h = load_sc(&d->slots); h; h = h->next) {
		const void *object = load_sc(&h->object);

		if (!object)
			continue;
		if (n < max)
			ret[n] = (struct hazard_holder){
				load_rlx(&h->what), object, load_rlx(&h->since)};
		n++;
	}
	return n;
}
