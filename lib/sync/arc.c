#include "sync/arc.h"

#include <stdio.h>
#include <unistd.h>

#define ARC_MAX_REFS (1 << 30)
/* What the reference of a slot counts for; the low half of the count is for all others. See note:
 * split count. */
#define SLOT_REF (1ll << 32)
#define SLOT_COUNT_BITS 16u
#define SLOT_COUNT_MASK ((1u << SLOT_COUNT_BITS) - 1)

static void
arc_add(struct arc *a, int64_t n)
{
	/* Relaxed: who adds is already protected by a reference (its own or the slot's). */
	int64_t before = add_rlx(&a->refs, n);

	if (LIKELY(before > 0 && (int32_t)before < ARC_MAX_REFS))
		return;
	(void)dprintf(STDERR_FILENO, "arc %p has %lld references\n", (void *)a, (long long)before);
	abort();
}

static void
arc_sub(struct arc *a, int64_t n)
{
	/* Release: our uses happen before the destruction. It pairs with the acquire below, on the
	 * release sequence that all the other subtractions continue. */
	int64_t before = sub_rel(&a->refs, n);

	assert(before >= n);
	if (before > n)
		return;
	(void)load_acq(&a->refs);
	a->destroy(a);
}

void
arc_init(struct arc *a, void (*destroy)(struct arc *a))
{
	a->refs = 1;
	a->destroy = destroy;
}

void
arc_get(struct arc *a)
{
	arc_add(a, 1);
}

void
arc_put(struct arc *a)
{
	if (a)
		arc_sub(a, 1);
}

/* Slots and others, each as one: the low half is signed, for it may be short of what readers of a
 * slot put before the publisher credited them. */
int64_t
arc_refs(const struct arc *a)
{
	int64_t refs = load_rlx(&a->refs), others = (int32_t)refs;

	return (refs - others) / SLOT_REF + others;
}

static uint64_t
slot_pack(struct arc *a)
{
	uint64_t word = (uint64_t)(uintptr_t)a;

	assert(word >> 47 == 0);
	return word << SLOT_COUNT_BITS;
}

static struct arc *
slot_arc(uint64_t word)
{
	return (struct arc *)(uintptr_t)(word >> SLOT_COUNT_BITS);
}

/* The caller's reference becomes the slot's. */
static uint64_t
slot_word(struct arc *a)
{
	if (a)
		arc_add(a, SLOT_REF - 1);
	return slot_pack(a);
}

void
arc_slot_init(struct arc_slot *s, struct arc *a)
{
	store_rel(&s->word, slot_word(a));
}

/*
 * note: split count. A reader announces itself in the slot's word (one), takes its reference in the
 * object (two), and takes the announcement back (three). A publisher that comes between one and
 * three finds the announcement in the word that it swapped out and credits it to the object in the
 * same step in which it drops the slot's reference. The reader, who finds its announcement gone,
 * has one reference too many and puts it.
 *
 * Between swap and credit such readers may put more than they took: twice each, at most 65,535
 * readers. The slot's reference counts for more than that, so the count cannot reach zero before
 * the credit. (With a slot's reference of 1 it does: the reader's second put frees the object.)
 *
 * The same object may have been published a second time in between. Then the reader takes back the
 * announcement of another reader of the same object, who in turn finds none and puts: references to
 * one object are alike, the sum is right.
 */
struct arc *
arc_slot_acquire(struct arc_slot *s)
{
	uint64_t word = load_rlx(&s->word);
	struct arc *a;

	if (!slot_arc(word))
		return NULL;
	/* Acquire pairs with the release of the publishing swap: the object is seen as built. */
	word = add_acq(&s->word, 1) + 1;
	assert((word & SLOT_COUNT_MASK) != 0);
	a = slot_arc(word);
	if (a)
		arc_add(a, 1);
	/* Release pairs with the acquire of the publisher's swap: who sees the announcement gone
	 * also sees the reference that replaced it. */
	while (slot_arc(word) == a && (word & SLOT_COUNT_MASK) != 0) {
		if (cas_ar(&s->word, &word, word - 1))
			return a;
	}
	arc_put(a);
	return a;
}

/* Release: readers see the new object as built. Acquire pairs with the release of readers taking
 * their announcements back: their references are counted before the slot's is dropped. */
void
arc_slot_publish(struct arc_slot *s, struct arc *a)
{
	uint64_t word = swap_ar(&s->word, slot_word(a));
	struct arc *old = slot_arc(word);

	if (old)
		arc_sub(old, SLOT_REF - (int64_t)(word & SLOT_COUNT_MASK));
}

void
arc_slot_fini(struct arc_slot *s)
{
	arc_slot_publish(s, NULL);
}
