#include "sync/ring_spsc.h"

#include <errno.h>

#define CLOSED (1ull << 63) /* in tail */

int
ring_spsc_init(struct ring_spsc *r, size_t cap)
{
	*r = (struct ring_spsc){.cap = cap};
	r->slots = aligned_alloc(CACHELINE, ALIGN_UP(cap * sizeof(*r->slots), (size_t)CACHELINE));
	return r->slots ? 0 : -ENOMEM;
}

void
ring_spsc_fini(struct ring_spsc *r)
{
	free(r->slots);
}

ssize_t
ring_spsc_send(struct ring_spsc *r, void *const *items, size_t n)
{
	uint64_t pos = load_rlx(&r->tail); /* our own, but for the closed bit */
	uint64_t room = r->head_seen + r->cap - pos;

	if (UNLIKELY(pos & CLOSED))
		return -EPIPE;
	if (UNLIKELY(room < n)) {
		r->head_seen = load_sc(&r->head);
		room = r->head_seen + r->cap - pos;
		if (room == 0)
			return -EAGAIN;
	}
	n = MIN(n, room);
	for (size_t i = 0; i < n; i++)
		r->slots[(pos + i) & (r->cap - 1)] = items[i];
	return cas_sc(&r->tail, &pos, pos + n) ? (ssize_t)n : -EPIPE;
}

ssize_t
ring_spsc_recv(struct ring_spsc *r, void **ret, size_t n)
{
	uint64_t pos = load_rlx(&r->head); /* our own */
	uint64_t there = r->tail_seen - pos;

	if (UNLIKELY(there < n)) {
		uint64_t tail = load_sc(&r->tail);

		r->tail_seen = tail & ~CLOSED;
		there = r->tail_seen - pos;
		if (there == 0)
			return tail & CLOSED ? -EPIPE : -EAGAIN;
	}
	n = MIN(n, there);
	for (size_t i = 0; i < n; i++)
		ret[i] = r->slots[(pos + i) & (r->cap - 1)];
	(void)swap_sc(&r->head, pos + n);
	return (ssize_t)n;
}

bool
ring_spsc_close(struct ring_spsc *r)
{
	return !(or_sc(&r->tail, CLOSED) & CLOSED);
}

bool
ring_spsc_can_send(struct ring_spsc *r)
{
	uint64_t tail = load_sc(&r->tail);

	return (tail & CLOSED) || load_sc(&r->head) + r->cap != tail;
}

bool
ring_spsc_can_recv(struct ring_spsc *r)
{
	uint64_t head = load_sc(&r->head);

	return load_sc(&r->tail) != head;
}

uint64_t
ring_spsc_sent(const struct ring_spsc *r)
{
	return load_sc(&r->tail) & ~CLOSED;
}

size_t
ring_spsc_len(const struct ring_spsc *r)
{
	uint64_t head = load_sc(&r->head), tail = ring_spsc_sent(r);

	return tail > head ? MIN(tail - head, r->cap) : 0;
}
