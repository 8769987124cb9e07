#include "sync/ring_mpmc.h"

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

bool
ring_mpmc_close(struct ring_mpmc *r)
{
	return !(or_sc(&r->tail, RING_MPMC_CLOSED) & RING_MPMC_CLOSED);
}

/* Position `pos` is reserved by a peer that has not come to its end yet: worth a few pauses. */
static bool
seq_arrives(struct ring_mpmc *r, uint64_t pos, uint64_t want)
{
	struct ring_slot *s = ring_mpmc_slot_at(r, pos);

	for (uint32_t i = 0; i < r->spin_max; i++) {
		if (load_sc(&s->seq) == want)
			return true;
		cpu_pause();
	}
	return false;
}

/* How many slots from `pos` on, the first of which is ready, are ready: seq is 2 * position +
 * `phase`. Acquire is enough: reserving them rests on the index, which has not moved. */
size_t
ring_mpmc_count_ready(struct ring_mpmc *r, uint64_t pos, size_t n, unsigned phase)
{
	size_t k = 1;

	n = MIN(n, r->cap);
	while (k < n && load_acq(&ring_mpmc_slot_at(r, pos + k)->seq) == 2 * (pos + k) + phase)
		k++;
	return k;
}

void
ring_mpmc_note_len(struct ring_mpmc *r, uint64_t pos)
{
	counter_max(&r->max_len, MIN(ring_mpmc_sent(r) - pos, r->cap));
}

/* Why is `pos` not free? 0: look again. */
int
ring_mpmc_why_not_free(struct ring_mpmc *r, uint64_t pos)
{
	if (load_sc(&r->head) + r->cap <= pos) {
		counter_max(&r->max_len, r->cap);
		return -EAGAIN;
	}
	return seq_arrives(r, pos, 2 * pos) ? 0 : -EAGAIN;
}

/* Nothing is published at `pos`: is nothing going to be, ever? 0: look again. */
int
ring_mpmc_why_not_published(struct ring_mpmc *r, uint64_t pos)
{
	uint64_t tail = load_sc(&r->tail);

	if (tail == (pos | RING_MPMC_CLOSED))
		return -EPIPE;
	if ((tail & ~RING_MPMC_CLOSED) > pos && seq_arrives(r, pos, 2 * pos + 1))
		return 0;
	return -EAGAIN;
}

uint64_t
ring_mpmc_sent(const struct ring_mpmc *r)
{
	return load_sc(&r->tail) & ~RING_MPMC_CLOSED;
}

size_t
ring_mpmc_len(const struct ring_mpmc *r)
{
	uint64_t head = load_sc(&r->head), tail = ring_mpmc_sent(r);

	return tail > head ? MIN(tail - head, r->cap) : 0;
}
