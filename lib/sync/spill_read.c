#include "sync/spill_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

int
spill_cursor_init(struct spill_cursor *cur)
{
	*cur = (struct spill_cursor){.fd = -1, .window = malloc(SPILL_BLOCK_BYTES)};
	return cur->window ? 0 : -ENOMEM;
}

void
spill_cursor_fini(struct spill *c)
{
	spill_segment_put_ref(c, c->cursor.segment);
	closep(&c->cursor.fd);
	free(c->cursor.window);
}

/* [offset, offset + need) of the file into the window: 0, -EBADMSG the file is shorter, -errno. */
static int
look(struct spill_cursor *cur, const struct spill_segment *s, uint64_t offset, size_t need,
	uint64_t limit)
{
	uint64_t past = cur->window_at + cur->window_len;
	ssize_t n;

	if (cur->of == s && offset >= cur->window_at && offset + need <= past)
		return 0;
	cur->of = NULL;
	n = fd_pread_full(cur->fd, cur->window,
		(size_t)MIN(limit - offset, (uint64_t)SPILL_BLOCK_BYTES), offset);
	if (n < 0)
		return (int)n;
	cur->of = s;
	cur->window_at = offset;
	cur->window_len = (size_t)n;
	return (size_t)n < need ? -EBADMSG : 0;
}

static const unsigned char *
in_window(const struct spill_cursor *cur, uint64_t offset)
{
	return cur->window + (offset - cur->window_at);
}

/* The block at cur->offset: 1 valid, 0 not, and *ret_skip says how far to the next attempt; the
 * length of a block is believed when its header is valid. */
static int
judge_block(struct spill_cursor *cur, const struct spill_segment *s, uint64_t limit,
	struct spill_block_head *ret, uint64_t *ret_skip)
{
	uint64_t at = cur->offset, left = limit - at;
	size_t size;
	int r = look(cur, s, at, SPILL_BLOCK_HEADER_BYTES, limit);

	*ret_skip = MIN(left, (uint64_t)SPILL_SECTOR_BYTES);
	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	if (spill_block_get(in_window(cur, at), SPILL_BLOCK_HEADER_BYTES, s->head.salt, at, ret) <
		0)
		return 0;
	size = spill_block_size(ret->payload_bytes);
	*ret_skip = MIN(left, (uint64_t)size);
	if (size > left)
		return 0;
	r = look(cur, s, at, size, limit);
	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	cur->at = in_window(cur, at) + SPILL_BLOCK_HEADER_BYTES;
	return spill_payload_check(cur->at, ret, s->head.salt) == 0;
}

/* Damage that fills what the window shows from its begin may be a hole, as long as a damaged length
 * says: it is passed over at once. The number of bytes. */
static uint64_t
hole_at(const struct spill_cursor *cur, uint64_t limit)
{
	uint64_t at = cur->offset;
	off_t data;

	if (at >= limit || at != cur->window_at + SPILL_SECTOR_BYTES)
		return 0;
	data = lseek(cur->fd, (off_t)at, SEEK_DATA);
	if (data < 0)
		return errno == ENXIO ? limit - at : 0;
	return (MIN((uint64_t)data, limit) - at) / SPILL_SECTOR_BYTES * SPILL_SECTOR_BYTES;
}

int
spill_read_block(struct spill_cursor *cur, const struct spill_segment *s, uint64_t limit,
	struct spill_block_head *ret, uint64_t *damaged_bytes)
{
	while (cur->offset + SPILL_BLOCK_HEADER_BYTES <= limit) {
		uint64_t skip;
		int r = judge_block(cur, s, limit, ret, &skip);

		if (r < 0) {
			cur->at = cur->end;
			return r;
		}
		cur->offset += skip;
		if (r > 0) {
			cur->end = cur->at + ret->payload_bytes;
			return 1;
		}
		*damaged_bytes += skip;
		skip = hole_at(cur, limit);
		cur->offset += skip;
		*damaged_bytes += skip;
	}
	if (cur->offset < limit)
		*damaged_bytes += limit - cur->offset;
	cur->offset = MAX(cur->offset, limit);
	cur->at = cur->end;
	return 0;
}

/* Pass over records of the payload that were received, or acked, before. */
static void
skip_to(struct spill_cursor *cur, uint64_t first, uint64_t number)
{
	for (uint64_t n = first; n < number; n++) {
		struct span s = spill_record_at(cur->at);

		cur->at = (const unsigned char *)s.data + s.len;
	}
}

/* Where to go on, chosen under log. */
struct source {
	struct spill_segment *segment; /* NULL: the block being filled, or nothing */
	uint64_t limit, end;           /* of the segment at this moment */
	bool moved;                    /* the cursor was elsewhere: a reference was taken */
};

/* A segment is at its end although numbers are missing: lost if damage was met on the way, else
 * never written (D5). */
static void
pass_gap(struct spill *c, uint64_t end)
{
	if (c->cursor.damaged)
		counter_add(&c->n_lost, end - c->cursor.number);
	c->cursor.number = end;
}

static bool
choose_segment_locked(struct spill *c, struct source *ret)
{
	struct spill_cursor *cur = &c->cursor;

	LIST_EACH (&c->segments, it) {
		struct spill_segment *s = LIST_ITEM(it, struct spill_segment, link);

		if (s->end <= cur->number)
			continue;
		if (s != cur->segment || cur->offset < s->bytes) {
			*ret = (struct source){.segment = s,
				.limit = s->bytes,
				.end = s->end,
				.moved = s != cur->segment};
			s->refs += ret->moved;
			return true;
		}
		pass_gap(c, s->end);
	}
	return false;
}

/* The block being filled, as much of it as is new. The copy stays valid whatever the writer does.
 */
static bool
take_fill_locked(struct spill *c)
{
	struct spill_cursor *cur = &c->cursor;
	const struct spill_block *b = &c->fill;
	bool go_on = cur->taken_first == b->first && cur->taken_end == cur->number;
	uint32_t from = go_on ? cur->taken_bytes : 0;

	if (b->n_records == 0 || spill_block_end(b) <= cur->number)
		return false;
	memcpy(cur->window, b->bytes + SPILL_BLOCK_HEADER_BYTES + from, b->payload_bytes - from);
	cur->of = NULL;
	cur->at = cur->window;
	cur->end = cur->window + (b->payload_bytes - from);
	cur->number = MAX(cur->number, b->first);
	if (!go_on)
		skip_to(cur, b->first, cur->number);
	cur->taken_first = b->first;
	cur->taken_end = spill_block_end(b);
	cur->taken_bytes = b->payload_bytes;
	return true;
}

/* Everything sent was received: note: sides. */
static bool
choose(struct spill *c, struct source *ret)
{
	LOCK_SCOPE(&c->log);

	if (choose_segment_locked(c, ret))
		return true;
	if (!take_fill_locked(c))
		store_sc(&c->spilling, 0);
	return false;
}

static bool
is_passing(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* Numbers before its first that are missing were never in a file (D5), unless damage came before.
 * When no file can be opened for now, nothing moves. */
static int
move_cursor(struct spill *c, struct spill_segment *to)
{
	struct spill_cursor *cur = &c->cursor;
	int fd = spill_segment_reopen(c, to, O_RDONLY);

	if (is_passing(fd)) {
		spill_segment_put_ref(c, to);
		return fd;
	}
	closep(&cur->fd);
	spill_segment_put_ref(c, cur->segment);
	cur->segment = to;
	cur->fd = MAX(fd, -1);
	cur->offset = SPILL_SECTOR_BYTES;
	cur->of = NULL;
	if (!cur->damaged)
		cur->number = MAX(cur->number, to->head.first);
	return MIN(fd, 0);
}

/* What cannot be read is given up: trying again would keep the receiver for ever. */
static int
give_up(struct spill *c, const struct source *src, int r)
{
	struct spill_cursor *cur = &c->cursor;

	if (cur->offset < src->limit)
		counter_add(&c->damaged_bytes, src->limit - cur->offset);
	counter_add(&c->n_lost, src->end - cur->number);
	cur->offset = src->limit;
	cur->number = src->end;
	cur->damaged = false;
	return r;
}

/* 1 there are records to deliver, 0 look elsewhere, -errno the rest of it is given up. */
static int
read_segment(struct spill *c, const struct source *src)
{
	struct spill_cursor *cur = &c->cursor;
	struct spill_block_head h;
	uint64_t damaged = 0, from;
	int r;

	if (src->segment->headless && src->moved)
		damaged = MIN(src->limit, (uint64_t)SPILL_SECTOR_BYTES);
	cur->damaged |= src->segment->headless;
	r = spill_read_block(cur, src->segment, src->limit, &h, &damaged);

	counter_add(&c->damaged_bytes, damaged);
	cur->damaged |= damaged > 0;
	if (r < 0)
		return give_up(c, src, r);
	if (r == 0)
		return 0;
	if (h.first > cur->number && cur->damaged)
		counter_add(&c->n_lost, h.first - cur->number);
	from = MAX(h.first, MAX(h.acked, cur->number)); /* B3 */
	cur->number = MAX(cur->number, MIN(from, h.first + h.n_records));
	if (from >= h.first + h.n_records) {
		cur->at = cur->end;
		return 0;
	}
	skip_to(cur, h.first, from);
	return 1;
}

int
spill_read_next(struct spill *c)
{
	struct source src;
	int r = 0;

	if (c->opts.flags & SPILL_AUTO_ACK)
		(void)spill_read_ack(c, true);
	while (r == 0 && choose(c, &src)) {
		r = src.moved ? move_cursor(c, src.segment) : 0;
		if (is_passing(r))
			return r;
		r = r < 0 ? give_up(c, &src, r) : read_segment(c, &src);
	}
	if (r >= 0 && c->cursor.damaged) {
		c->cursor.damaged = false;
		return -EBADMSG;
	}
	return MIN(r, 0);
}

static void
set_acked(struct spill *c)
{
	LOCK_SCOPE(&c->log);

	store_rel(&c->acked, c->cursor.number);
}

/* note: acked. What was acked does not come again while the machine lives: a block that was begun
 * to be written before acked was set here is still `writing` or on the list when trim looks, which
 * tells us to note the position; one that is begun later says so itself (B3). */
int
spill_read_ack(struct spill *c, bool persist)
{
	bool partly;

	spill_ring_release(&c->ring);
	if (!persist) {
		store_rel(&c->acked, c->cursor.number);
		return 0;
	}
	set_acked(c);
	spill_log_trim(c, &partly);
	return partly ? spill_position_write(c, c->cursor.number) : 0;
}
