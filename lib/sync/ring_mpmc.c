#include "sync/ring_mpmc.h"

#include <errno.h>

#define CLOSED (1ull << 63) /* in tail */

int
ring_mpmc_init(struct ring_mpmc *r, size_t cap, uint32_t spin_max)
{
	*r = (struct ring_mpmc){.cap = cap, .spin_max = spin_max};
	r->slots = aligned_alloc(CACHELINE, ALIGN_UP(cap * sizeof(*r->slots), (size_t)CACHELINE));
	if (!r->slots)
		return -ENOMEM;
	for (size_t i = 0; i < cap; i++)
		r->slots[i] = (struct ring_slot){.seq = 2 * i};
	return 0;
}

void
ring_mpmc_fini(struct ring_mpmc *r)
{
	free(r->slots);
}

static struct ring_slot *
slot_at(const struct ring_mpmc *r, uint64_t pos)
{
	return &r->slots[pos & (r->cap - 1)];
}

/* Position `pos` is reserved by a peer that has not come to its end yet: worth a few pauses. */
static bool
seq_arrives(struct ring_mpmc *r, uint64_t pos, uint64_t want)
{
	struct ring_slot *s = slot_at(r, pos);

	for (uint32_t i = 0; i < r->spin_max; i++) {
		if (load_sc(&s->seq) == want)
			return true;
		cpu_pause();
	}
	return false;
}

/* How many slots from `pos` on, the first of which is ready, are ready: seq is 2 * position +
 * `phase`. Acquire is enough: reserving them rests on the index, which has not moved. */
static size_t
count_ready(struct ring_mpmc *r, uint64_t pos, size_t n, unsigned phase)
{
	size_t k = 1;

	n = MIN(n, r->cap);
	while (k < n && load_acq(&slot_at(r, pos + k)->seq) == 2 * (pos + k) + phase)
		k++;
	return k;
}

/* Why is `pos` not free? 0: look again. */
static int
why_not_free(struct ring_mpmc *r, uint64_t pos)
{
	if (load_sc(&r->head) + r->cap <= pos || !seq_arrives(r, pos, 2 * pos))
		return -EAGAIN;
	return 0;
}

ssize_t
ring_mpmc_send(struct ring_mpmc *r, void *const *items, size_t n)
{
	uint64_t pos = load_sc(&r->tail);
	size_t k;

	for (;;) {
		int64_t ahead;

		if (UNLIKELY(pos & CLOSED))
			return -EPIPE;
		ahead = (int64_t)(load_sc(&slot_at(r, pos)->seq) - 2 * pos);
		if (LIKELY(ahead == 0)) {
			k = n == 1 ? 1 : count_ready(r, pos, n, 0);
			if (cas_weak_sc(&r->tail, &pos, pos + k))
				break;
			continue;
		}
		if (ahead < 0 && why_not_free(r, pos) < 0)
			return -EAGAIN;
		pos = load_sc(&r->tail); /* others were quicker */
	}
	for (size_t i = k - 1; i > 0; i--) {
		slot_at(r, pos + i)->item = items[i];
		store_rel(&slot_at(r, pos + i)->seq, 2 * (pos + i) + 1);
	}
	slot_at(r, pos)->item = items[0];
	store_sc(&slot_at(r, pos)->seq, 2 * pos + 1);
	return (ssize_t)k;
}

/* Nothing is published at `pos`: is nothing going to be, ever? 0: look again. */
static int
why_not_published(struct ring_mpmc *r, uint64_t pos)
{
	uint64_t tail = load_sc(&r->tail);

	if (tail == (pos | CLOSED))
		return -EPIPE;
	if ((tail & ~CLOSED) > pos && seq_arrives(r, pos, 2 * pos + 1))
		return 0;
	return -EAGAIN;
}

ssize_t
ring_mpmc_recv(struct ring_mpmc *r, void **ret, size_t n)
{
	uint64_t pos = load_sc(&r->head);
	size_t k;

	for (;;) {
		int64_t ahead = (int64_t)(load_sc(&slot_at(r, pos)->seq) - (2 * pos + 1));

		if (LIKELY(ahead == 0)) {
			k = n == 1 ? 1 : count_ready(r, pos, n, 1);
			if (cas_weak_sc(&r->head, &pos, pos + k))
				break;
			continue;
		}
		if (ahead < 0) {
			int e = why_not_published(r, pos);

			if (e < 0)
				return e;
		}
		pos = load_sc(&r->head); /* others were quicker */
	}
	for (size_t i = k - 1; i > 0; i--) {
		ret[i] = slot_at(r, pos + i)->item;
		store_rel(&slot_at(r, pos + i)->seq, 2 * (pos + i + r->cap));
	}
	ret[0] = slot_at(r, pos)->item;
	store_sc(&slot_at(r, pos)->seq, 2 * (pos + r->cap));
	return (ssize_t)k;
}

bool
ring_mpmc_close(struct ring_mpmc *r)
{
	return !(or_sc(&r->tail, CLOSED) & CLOSED);
}

bool
ring_mpmc_can_send(struct ring_mpmc *r)
{
	uint64_t tail = load_sc(&r->tail);

	return (tail & CLOSED) || load_sc(&slot_at(r, tail)->seq) == 2 * tail;
}

bool
ring_mpmc_can_recv(struct ring_mpmc *r)
{
	uint64_t head = load_sc(&r->head);

	return load_sc(&slot_at(r, head)->seq) == 2 * head + 1 ||
	       load_sc(&r->tail) == (head | CLOSED);
}

uint64_t
ring_mpmc_sent(const struct ring_mpmc *r)
{
	return load_sc(&r->tail) & ~CLOSED;
}

size_t
ring_mpmc_len(const struct ring_mpmc *r)
{
	uint64_t head = load_sc(&r->head), tail = ring_mpmc_sent(r);

	return tail > head ? MIN(tail - head, r->cap) : 0;
}
