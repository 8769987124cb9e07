#include "sync/ring_spsc.h"

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

bool
ring_spsc_close(struct ring_spsc *r)
{
	return !(or_sc(&r->tail, RING_SPSC_CLOSED) & RING_SPSC_CLOSED);
}

uint64_t
ring_spsc_sent(const struct ring_spsc *r)
{
	return load_sc(&r->tail) & ~RING_SPSC_CLOSED;
}

size_t
ring_spsc_len(const struct ring_spsc *r)
{
	uint64_t head = load_sc(&r->head), tail = ring_spsc_sent(r);

	return tail > head ? MIN(tail - head, r->cap) : 0;
}
