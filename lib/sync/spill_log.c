#include "sync/spill_impl.h"

#include <endian.h>
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"

bool
spill_block_fits(const struct spill_block *b, uint64_t number, size_t len)
{
	if (b->n_records == 0)
		return true;
	return spill_block_end(b) == number &&
	       b->payload_bytes + SPILL_LENGTH_BYTES + len <= SPILL_PAYLOAD_BYTES;
}

void
spill_block_add(struct spill_block *b, uint64_t number, const void *record, size_t len)
{
	unsigned char *to = b->bytes + SPILL_BLOCK_HEADER_BYTES + b->payload_bytes;
	uint32_t length = htole32((uint32_t)len);

	if (b->n_records++ == 0)
		b->first = number;
	memcpy(to, &length, sizeof(length));
	if (len > 0)
		memcpy(to + sizeof(length), record, len);
	b->payload_bytes += SPILL_LENGTH_BYTES + (uint32_t)len;
}

static void
empty_block(struct spill_block *b)
{
	b->n_records = b->payload_bytes = 0;
}

static bool
block_is_acked(const struct spill *c, const struct spill_block *b)
{
	return load_acq(&c->acked) >= spill_block_end(b);
}

/* S1, and the states of SPILL-FORMAT.md 5. */
static bool
can_take(const struct spill_segment *s, uint64_t first)
{
	return s && !s->sealed && s->end == first;
}

/* Would a block of `size` with this first number be within our limits? */
static int
check_room_locked(
	const struct spill *c, const struct spill_segment *at, uint64_t first, size_t size)
{
	uint64_t need = size;

	if (!can_take(at, first)) {
		need += SPILL_SECTOR_BYTES;
		if (c->n_segments >= SPILL_MAX_SEGMENTS)
			return -EOVERFLOW;
	}
	if (need > c->opts.max_disk_bytes || c->disk_bytes > c->opts.max_disk_bytes - need)
		return -EOVERFLOW;
	return 0;
}

/* Room is asked for before a record enters the block: what is in it can be written, as far as our
 * own limit goes. 0, -EAGAIN: write the block first, -EOVERFLOW. */
static int
append(struct spill *c, uint64_t number, const void *record, size_t len)
{
	LOCK_SCOPE(&c->log);
	struct spill_block *b = &c->fill;
	int r;

	/* The receiver may have caught up since our look. */
	if (!load_rlx(&c->spilling) && spill_ring_put(&c->ring, number, record, len) == 0)
		return 0;
	if (b->n_records > 0 && block_is_acked(c, b))
		empty_block(b);
	if (!spill_block_fits(b, number, len))
		return -EAGAIN;
	r = check_room_locked(c, c->tail, b->n_records > 0 ? b->first : number,
		spill_block_size(b->payload_bytes + SPILL_LENGTH_BYTES + len));
	if (r < 0)
		return r;
	spill_block_add(b, number, record, len);
	c->filed = number + 1;
	counter_add(&c->n_spilled, 1);
	if (!load_rlx(&c->spilling)) {
		counter_add(&c->n_flips, 1);
		store_sc(&c->spilling, 1);
	}
	return 0;
}

int
spill_log_send(struct spill *c, uint64_t number, const void *record, size_t len)
{
	int r = append(c, number, record, len);

	if (r != -EAGAIN)
		return r;
	r = spill_log_write(c, &c->fill, &c->tail);
	if (r < 0)
		return r;
	return append(c, number, record, len); /* into an empty block */
}

struct write {
	struct spill_segment *segment; /* counted; NULL: a new one is needed */
	struct spill_block_head head;
};

/* 0, 1 nothing to write, -EOVERFLOW. From here on `segment` is not removed, and an acknowledgement
 * is noted in `position` unless it is in head.acked: note: acked. When the one before cannot take
 * the block, it will take none after it: its descriptor goes to *ret_idle. */
static int
begin_locked(struct spill *c, struct spill_block *b, struct spill_segment **at, struct write *ret,
	int *ret_idle)
{
	struct spill_segment *s = *at;
	int r;

	if (b->n_records > 0 && block_is_acked(c, b))
		empty_block(b);
	if (b->n_records == 0)
		return 1;
	r = check_room_locked(c, *at, b->first, spill_block_size(b->payload_bytes));
	if (r < 0)
		return r;
	*ret = (struct write){.head = {.first = b->first,
				      .acked = load_acq(&c->acked),
				      .n_records = b->n_records,
				      .payload_bytes = b->payload_bytes}};
	if (can_take(s, b->first)) {
		ret->segment = s;
		s->refs++;
	} else if (s) {
		*at = NULL;
		*ret_idle = spill_segment_rest_locked(c, s);
	}
	c->busy = ret->segment;
	c->writing = true;
	return 0;
}

static int
begin(struct spill *c, struct spill_block *b, struct spill_segment **at, struct write *ret)
{
	AUTO(closep) int idle = -1;
	LOCK_SCOPE(&c->log);

	return begin_locked(c, b, at, ret, &idle);
}

/* `size` 0: nothing was written. Else *at has the segment, unless it is sealed. */
static void
end(struct spill *c, struct spill_block *b, struct spill_segment **at, struct write *w, size_t size)
{
	AUTO(closep) int idle = -1;
	LOCK_SCOPE(&c->log);
	struct spill_segment *s = w->segment;

	c->writing = false;
	c->busy = NULL;
	if (size == 0)
		return;
	if (list_empty(&s->link)) {
		spill_segment_list_locked(c, s);
		s->refs++;
	}
	s->bytes += size;
	s->end = spill_block_end(b);
	c->disk_bytes += size;
	if (s->bytes >= c->opts.segment_bytes && !s->aside) /* the flush ends that one */
		s->sealed = true;
	*at = s->sealed ? NULL : s;
	idle = spill_segment_rest_locked(c, s);
	empty_block(b);
}

int
spill_log_write(struct spill *c, struct spill_block *b, struct spill_segment **at)
{
	struct write w;
	int r = begin(c, b, at, &w);
	bool made = false;
	size_t size = 0;

	if (r != 0)
		return r < 0 ? r : 0;
	if (!w.segment) {
		r = spill_segment_make(c, b->first, at == &c->side, &w.segment);
		made = r == 0;
	}
	if (r == 0) {
		size = spill_block_seal(b->bytes, w.head, w.segment->head.salt, w.segment->bytes);
		r = spill_segment_write(w.segment, b->bytes, size);
	}
	end(c, b, at, &w, r < 0 ? 0 : size);
	if (r < 0 && made)
		spill_segment_unlink(c, w.segment); /* D2 */
	spill_segment_put_ref(c, w.segment);
	spill_log_trim(c, NULL); /* the receiver may have passed by what was busy */
	return r;
}

/* Out of the list, but still counted, for their files are still there. */
static void
pick_acked_locked(struct spill *c, struct list *dead)
{
	LIST_EACH (&c->segments, it) {
		struct spill_segment *s = LIST_ITEM(it, struct spill_segment, link);

		if (s->end > load_acq(&c->acked) || s == c->busy || s == c->side)
			return;
		if (s == c->tail)
			c->tail = NULL;
		list_remove(&s->link);
		list_push_back(dead, &s->link);
	}
}

static bool
partly_acked_locked(const struct spill *c)
{
	const struct spill_segment *s;

	if (c->writing)
		return true;
	if (list_empty(&c->segments))
		return false;
	s = LIST_ITEM(c->segments.next, struct spill_segment, link);
	return s->head.first < load_acq(&c->acked);
}

static void
uncount(struct spill *c, const struct spill_segment *s)
{
	LOCK_SCOPE(&c->log);

	c->n_segments--;
	c->disk_bytes -= s->bytes;
}

static void
pick_acked(struct spill *c, struct list *dead, bool *ret_partly)
{
	LOCK_SCOPE(&c->log);

	pick_acked_locked(c, dead);
	*ret_partly = partly_acked_locked(c);
}

void
spill_log_trim(struct spill *c, bool *ret_partly)
{
	struct list dead = LIST_INIT(dead), *link;
	bool partly;

	pick_acked(c, &dead, &partly);
	while ((link = list_pop_front(&dead))) {
		struct spill_segment *s = LIST_ITEM(link, struct spill_segment, link);

		spill_segment_unlink(c, s);
		uncount(c, s);
		spill_segment_put_ref(c, s);
	}
	if (ret_partly)
		*ret_partly = partly;
}
