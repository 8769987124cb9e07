#include "sync/spill_impl.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"

/* note: flush. What is not in a segment yet is in the ring, or in the block being filled, or in
 * both. `filed` parts the ring: its records from there on go behind the files, through that block.
 * Those below it (they were there when others overflowed past them, and are not acked) go to
 * segments of their own, which sort before one that exists. Only the last segment may end in a torn
 * block (D4), so those are made aside, under a name that a restart throws away, and get their own
 * when they are whole. The receiver has no need of them: it reads them in the ring, before it turns
 * to files. */

static uint64_t
full_number(const struct spill *c, uint32_t low)
{
	uint64_t next = load_rlx(&c->next);

	return next - (uint32_t)((uint32_t)next - low);
}

static void
add(struct spill *c, struct spill_block *b, uint64_t number, struct span record)
{
	LOCK_SCOPE(&c->log);

	spill_block_add(b, number, record.data, record.len);
}

static int
leave_side(struct spill *c)
{
	LOCK_SCOPE(&c->log);
	struct spill_segment *s = c->side;

	c->side = NULL;
	return spill_segment_rest_locked(c, s);
}

/* One that cannot get its name stays `side`, and the next flush tries again. */
static int
end_side(struct spill *c)
{
	AUTO(closep) int idle = -1;
	int r = c->side ? spill_segment_settle(c, c->side) : 1;

	if (r != 0)
		return MIN(r, 0);
	idle = leave_side(c);
	spill_log_trim(c, NULL); /* the receiver may have passed by */
	return 0;
}

static int
write_aside(struct spill *c, struct spill_block *b)
{
	int r = 0;

	if (c->side && c->side->end != b->first) /* S1 */
		r = end_side(c);
	return r < 0 ? r : spill_log_write(c, b, &c->side);
}

static int
write_ring_block(struct spill *c, struct spill_block *b)
{
	return b == &c->fill ? spill_log_write(c, b, &c->tail) : write_aside(c, b);
}

/* The records of the ring that no file has, but those from `limit` on, through the block b. */
static int
log_ring(struct spill *c, struct spill_block *b, uint64_t limit)
{
	uint64_t pos = spill_ring_first(&c->ring), number;
	struct span record;
	uint32_t low;
	int r;

	while (spill_ring_walk(&c->ring, &pos, &record, &low)) {
		number = full_number(c, low);
		if (number < c->ring_logged)
			continue;
		if (number >= limit)
			break;
		if (!spill_block_fits(b, number, record.len)) {
			r = write_ring_block(c, b);
			if (r < 0)
				return r;
		}
		add(c, b, number, record);
		c->ring_logged = number + 1;
		c->filed = MAX(c->filed, number + 1);
	}
	return 0;
}

static bool
ring_has_unfiled(const struct spill *c)
{
	uint64_t pos = spill_ring_first(&c->ring), number;
	struct span record;
	uint32_t low;

	while (spill_ring_walk(&c->ring, &pos, &record, &low)) {
		number = full_number(c, low);
		if (number >= c->ring_logged)
			return number < c->filed;
	}
	return false;
}

static int
log_ring_aside(struct spill *c)
{
	AUTO(freep) unsigned char *bytes = NULL;
	struct spill_block b = {0};
	int r;

	if (!ring_has_unfiled(c))
		return 0;
	b.bytes = bytes = malloc(SPILL_BLOCK_BYTES);
	if (!bytes)
		return -ENOMEM;
	r = log_ring(c, &b, c->filed);
	if (r == 0)
		r = write_aside(c, &b);
	if (r < 0 && b.n_records > 0) /* what did not get out of this block is not logged */
		c->ring_logged = b.first;
	return r;
}

static int
write_all(struct spill *c)
{
	LOCK_SCOPE(&c->send);
	int r = log_ring_aside(c), ended = end_side(c);

	if (r == 0)
		r = ended;
	if (r == 0)
		r = log_ring(c, &c->fill, UINT64_MAX);
	return r < 0 ? r : spill_log_write(c, &c->fill, &c->tail);
}

/* The first segment with a number from `from` on that is not synced as it is now: counted. */
static struct spill_segment *
next_unsynced(struct spill *c, uint64_t from, uint64_t *ret_bytes)
{
	LOCK_SCOPE(&c->log);

	LIST_EACH (&c->segments, it) {
		struct spill_segment *s = LIST_ITEM(it, struct spill_segment, link);

		if (s->head.first < from || s->doubtful || s->synced_bytes == s->bytes)
			continue;
		s->refs++;
		*ret_bytes = s->bytes;
		return s;
	}
	return NULL;
}

static void
doubt_locked(struct spill *c, struct spill_segment *s)
{
	c->n_sync_errors++;
	s->doubtful = s->sealed = true;
	if (c->tail == s)
		c->tail = NULL;
}

static void
note_sync(struct spill *c, struct spill_segment *s, uint64_t bytes, int result)
{
	AUTO(closep) int idle = -1;
	LOCK_SCOPE(&c->log);

	if (result < 0)
		doubt_locked(c, s);
	else
		s->synced_bytes = bytes;
	idle = spill_segment_rest_locked(c, s);
}

static bool
is_acked(struct spill *c, const struct spill_segment *s)
{
	LOCK_SCOPE(&c->log);

	return s->end <= load_acq(&c->acked);
}

/* One that was found at open has no descriptor: its fsync tells of what nobody was told before. */
static int
sync_segment(struct spill *c, struct spill_segment *s, uint64_t bytes)
{
	AUTO(closep) int opened = s->fd < 0 ? spill_segment_reopen(c, s, O_RDONLY) : -1;
	int fd = s->fd < 0 ? opened : s->fd, r;

	if (fd < 0) /* nothing was asked: nothing is in doubt */
		return is_acked(c, s) ? 0 : fd;
	r = fd_sync(fd);
	note_sync(c, s, bytes, r);
	return r;
}

static int
sync_segments(struct spill *c)
{
	struct spill_segment *s;
	uint64_t from = 0, bytes;
	int r = 0;

	while ((s = next_unsynced(c, from, &bytes))) {
		int one = sync_segment(c, s, bytes);

		r = r < 0 ? r : one;
		from = s->head.first + 1;
		spill_segment_put_ref(c, s);
	}
	return r;
}

/* Segments that were synced have a name that may not be: only flushes sync, one at a time. */
static bool
has_unnamed(struct spill *c)
{
	LOCK_SCOPE(&c->log);

	LIST_EACH (&c->segments, it) {
		const struct spill_segment *s = LIST_ITEM(it, struct spill_segment, link);

		if (!s->named && s->synced_bytes > 0 && !s->doubtful)
			return true;
	}
	return false;
}

static void
note_names(struct spill *c, int result)
{
	LOCK_SCOPE(&c->log);

	LIST_EACH (&c->segments, it) {
		struct spill_segment *s = LIST_ITEM(it, struct spill_segment, link);

		if (s->named || s->synced_bytes == 0 || s->doubtful)
			continue;
		s->named = result == 0;
		if (result < 0)
			doubt_locked(c, s);
	}
}

/* Is something that is not acked in a doubtful segment? */
static bool
in_doubt(struct spill *c)
{
	LOCK_SCOPE(&c->log);

	LIST_EACH (&c->segments, it) {
		const struct spill_segment *s = LIST_ITEM(it, struct spill_segment, link);

		if (s->doubtful && s->end > load_acq(&c->acked))
			return true;
	}
	return false;
}

/* The directory after the files: a name must not outlive what it names. When the directory cannot
 * be synced, nothing says that any of the files will be found. */
static int
sync_all(struct spill *c)
{
	int r = sync_segments(c), named = 0;

	if (has_unnamed(c)) {
		named = fd_sync(c->dirfd);
		note_names(c, named);
	}
	if (r == 0)
		r = named;
	return r == 0 && in_doubt(c) ? -EIO : r;
}

int
spill_flush(struct spill *c)
{
	int r;

	lock_assert_none();
	LOCK_SCOPE(&c->flush);
	r = write_all(c);
	if (r == 0 && (c->opts.flags & SPILL_DURABLE))
		r = sync_all(c);
	return r;
}
