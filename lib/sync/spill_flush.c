#include "sync/spill_impl.h"

#include <errno.h>

#include "base/fd.h"

/* note: flush. Three places may hold what is not in a segment yet: the ring, the block being
 * filled, or both with the ring behind the block (not spilling) or before it (spilling). In the
 * second case the ring gets nothing new, and goes to a segment of its own, whose name sorts before
 * the one that is growing (D1). */

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

/* The records of the ring that no file has, through the block b to *at. */
static int
log_ring(struct spill *c, struct spill_block *b, struct spill_segment **at)
{
	uint64_t pos = spill_ring_first(&c->ring), number;
	struct span record;
	uint32_t low;
	int r;

	while (spill_ring_walk(&c->ring, &pos, &record, &low)) {
		number = full_number(c, low);
		if (number < c->ring_logged)
			continue;
		if (!spill_block_fits(b, number, record.len)) {
			r = spill_log_write(c, b, at);
			if (r < 0)
				return r;
		}
		add(c, b, number, record);
		c->ring_logged = number + 1;
	}
	return 0;
}

static bool
ring_has_unlogged(const struct spill *c)
{
	uint64_t pos = spill_ring_first(&c->ring);
	struct span record;
	uint32_t low;

	while (spill_ring_walk(&c->ring, &pos, &record, &low)) {
		if (full_number(c, low) >= c->ring_logged)
			return true;
	}
	return false;
}

static void
end_side(struct spill *c)
{
	LOCK_SCOPE(&c->log);

	c->side = NULL;
}

static int
log_ring_aside(struct spill *c)
{
	AUTO(freep) unsigned char *bytes = NULL;
	struct spill_block side = {0};
	uint64_t before = c->ring_logged;
	int r;

	if (!ring_has_unlogged(c))
		return 0;
	side.bytes = bytes = malloc(SPILL_BLOCK_BYTES);
	if (!bytes)
		return -ENOMEM;
	r = log_ring(c, &side, &c->side);
	if (r == 0)
		r = spill_log_write(c, &side, &c->side);
	if (r < 0 && side.n_records > 0) /* what did not get out of this block is not logged */
		c->ring_logged = MAX(before, side.first);
	end_side(c);
	return r;
}

static int
write_all(struct spill *c)
{
	LOCK_SCOPE(&c->send);
	int r = load_sc(&c->spilling) ? log_ring_aside(c) : log_ring(c, &c->fill, &c->tail);

	return r < 0 ? r : spill_log_write(c, &c->fill, &c->tail);
}

struct sync {
	struct spill_segment *segment; /* counted */
	uint64_t bytes;                /* its length before the fsync */
	int result;
};

static size_t
pick_unsynced(struct spill *c, struct sync *ret, bool *ret_unnamed)
{
	LOCK_SCOPE(&c->log);
	size_t n = 0;

	*ret_unnamed = false;
	LIST_EACH (&c->segments, it) {
		struct spill_segment *s = LIST_ITEM(it, struct spill_segment, link);

		*ret_unnamed |= !s->named;
		if (s->doubtful || (s->named && s->synced_bytes == s->bytes))
			continue;
		s->refs++;
		ret[n++] = (struct sync){.segment = s, .bytes = s->bytes};
	}
	return n;
}

static void
note_sync(struct spill *c, const struct sync *sync)
{
	LOCK_SCOPE(&c->log);
	struct spill_segment *s = sync->segment;

	if (sync->result == 0) {
		s->synced_bytes = sync->bytes;
		s->named = true;
		return;
	}
	c->n_sync_errors++;
	s->doubtful = s->sealed = true;
	if (c->tail == s)
		c->tail = NULL;
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
	struct sync batch[SPILL_MAX_SEGMENTS];
	bool unnamed;
	size_t n = pick_unsynced(c, batch, &unnamed);
	int named = 0, r = 0;

	for (size_t i = 0; i < n; i++)
		batch[i].result = fd_sync(batch[i].segment->fd);
	if (unnamed)
		named = fd_sync(c->dirfd);
	for (size_t i = 0; i < n; i++) {
		if (named < 0 && !batch[i].segment->named)
			batch[i].result = named;
		r = r < 0 ? r : batch[i].result;
		note_sync(c, &batch[i]);
		spill_segment_put_ref(c, batch[i].segment);
	}
	if (r < 0)
		return r;
	return in_doubt(c) ? -EIO : 0;
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
