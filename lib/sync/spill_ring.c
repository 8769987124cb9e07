#include "sync/spill_ring.h"

#include <errno.h>

#define WRAP UINT32_MAX /* as a length: the rest up to the end of the ring is unused */

/* In the ring only, so in the machine's byte order. Records are aligned to its size, so that there
 * is always room for one at the end. */
struct ring_head {
	uint32_t len, low;
};

static size_t
record_size(size_t len)
{
	return ALIGN_UP(sizeof(struct ring_head) + len, sizeof(struct ring_head));
}

static unsigned char *
place(const struct spill_ring *r, uint64_t pos)
{
	return r->data + (pos & (r->bytes - 1));
}

static struct ring_head
head_at(const struct spill_ring *r, uint64_t pos)
{
	struct ring_head h;

	memcpy(&h, place(r, pos), sizeof(h));
	return h;
}

static uint64_t
to_end(const struct spill_ring *r, uint64_t pos)
{
	return r->bytes - (pos & (r->bytes - 1));
}

int
spill_ring_init(struct spill_ring *r, size_t bytes)
{
	*r = (struct spill_ring){.bytes = bytes, .data = malloc(bytes)};
	return r->data ? 0 : -ENOMEM;
}

void
spill_ring_fini(struct spill_ring *r)
{
	free(r->data);
	r->data = NULL;
}

static bool
has_room(struct spill_ring *r, uint64_t tail, size_t need)
{
	if (LIKELY(r->bytes - (tail - r->head_seen) >= need))
		return true;
	r->head_seen = load_acq(&r->head);
	return r->bytes - (tail - r->head_seen) >= need;
}

int
spill_ring_put(struct spill_ring *r, uint64_t number, const void *record, size_t len)
{
	uint64_t tail = load_rlx(&r->tail); /* our own */
	struct ring_head head = {.len = (uint32_t)len, .low = (uint32_t)number};
	size_t need = record_size(len), skip = 0;

	/* Over half of the ring it might not fit behind a skip, even into an empty ring. */
	if (need > r->bytes / 2)
		return -EAGAIN;
	if (UNLIKELY(need > to_end(r, tail)))
		skip = to_end(r, tail);
	if (!has_room(r, tail, skip + need))
		return -EAGAIN;
	if (UNLIKELY(skip > 0)) {
		memcpy(place(r, tail), &(struct ring_head){.len = WRAP}, sizeof(head));
		tail += skip;
	}
	memcpy(place(r, tail), &head, sizeof(head));
	if (len > 0)
		memcpy(place(r, tail) + sizeof(head), record, len);
	store_sc(&r->tail, tail + need);
	return 0;
}

/* The record at *pos, which moves on. */
static struct span
take(const struct spill_ring *r, uint64_t *pos, uint32_t *ret_low)
{
	struct ring_head head = head_at(r, *pos);
	struct span s;

	if (head.len == WRAP) {
		*pos += to_end(r, *pos);
		head = head_at(r, *pos);
	}
	s = (struct span){(const char *)place(r, *pos) + sizeof(head), head.len};
	*pos += record_size(head.len);
	*ret_low = head.low;
	return s;
}

uint64_t
spill_ring_first(const struct spill_ring *r)
{
	return load_acq(&r->head);
}

bool
spill_ring_walk(const struct spill_ring *r, uint64_t *at, struct span *ret, uint32_t *ret_low)
{
	if (*at == load_rlx(&r->tail))
		return false;
	*ret = take(r, at, ret_low);
	return true;
}

bool
spill_ring_ready(struct spill_ring *r)
{
	if (r->read != r->tail_seen)
		return true;
	r->tail_seen = load_sc(&r->tail);
	return r->read != r->tail_seen;
}

struct span
spill_ring_get(struct spill_ring *r, uint32_t *ret_low)
{
	return take(r, &r->read, ret_low);
}

void
spill_ring_release(struct spill_ring *r)
{
	if (load_rlx(&r->head) != r->read)
		store_rel(&r->head, r->read);
}

/* The head first, which never passes the tail. */
size_t
spill_ring_used(const struct spill_ring *r)
{
	uint64_t head = load_acq(&r->head);

	return (size_t)MIN(load_acq(&r->tail) - head, (uint64_t)r->bytes);
}
