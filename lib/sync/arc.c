#include "sync/arc.h"

#include <stdio.h>
#include <unistd.h>

#define ARC_MAX_REFS (1 << 30)

static void
check_refs(const struct arc *a, int64_t before)
{
	if (LIKELY(before > 0 && before < ARC_MAX_REFS))
		return;
	(void)dprintf(
		STDERR_FILENO, "arc %p has %lld references\n", (const void *)a, (long long)before);
	abort();
}

void
arc_init(struct arc *a, void (*destroy)(struct arc *a))
{
	a->refs = 1;
	a->destroy = destroy;
}

/* Relaxed: who adds is already protected by a reference of its own. */
void
arc_get(struct arc *a)
{
	check_refs(a, add_rlx(&a->refs, 1));
}

/* Acquire: another thread's last write to the object came before the put that left this count. */
bool
arc_get_unless_zero(struct arc *a)
{
	int64_t refs = load_rlx(&a->refs);

	while (refs != 0) {
		check_refs(a, refs);
		if (cas_weak_acq(&a->refs, &refs, refs + 1))
			return true;
	}
	return false;
}

/* Release: our uses happen before the destruction. It pairs with the acquire of the last one, on
 * the release sequence that all the other changes continue; a load and not a fence. */
void
arc_put(struct arc *a)
{
	int64_t before;

	if (!a)
		return;
	before = sub_rel(&a->refs, 1);
	assert(before >= 1);
	if (before > 1)
		return;
	(void)load_acq(&a->refs);
	a->destroy(a);
}

int64_t
arc_refs(const struct arc *a)
{
	return load_rlx(&a->refs);
}

static void
release_shared(struct epoch_item *item)
{
	struct shared *s = CONTAINER_OF(item, struct shared, retired);

	s->release(s);
}

static void
end_shared(struct arc *a)
{
	struct shared *s = CONTAINER_OF(a, struct shared, arc);

	s->fini(s);
	epoch_defer(&s->retired, release_shared);
}

void
shared_init(struct shared *s, void (*fini)(struct shared *s), void (*release)(struct shared *s))
{
	arc_init(&s->arc, end_shared);
	s->fini = fini;
	s->release = release;
}

void
published_init(struct published *p, struct shared *s)
{
	store_sc(&p->pointer, s);
}

/* The pointer's reference is put only after the pointer was changed, so an object with a count of
 * zero is no longer published, and another look finds its successor: each round is another thread's
 * progress. The pin keeps the count readable meanwhile. */
struct shared *
published_acquire(struct published *p)
{
	struct shared *s;

	epoch_pin();
	while ((s = load_sc(&p->pointer)) && !arc_get_unless_zero(&s->arc))
		;
	epoch_unpin();
	return s;
}

/* The swap takes the object out of reach before its last put can defer it. */
void
published_set(struct published *p, struct shared *s)
{
	struct shared *old = swap_sc(&p->pointer, s);

	if (old)
		arc_put(&old->arc);
}

void
published_fini(struct published *p)
{
	published_set(p, NULL);
}
