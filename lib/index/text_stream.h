/**
 * text_stream: the postings of an adder, unsorted, in two bytes each. Internal to lib/index.
 *
 * One stream for each shelf. An item is delta << low_bits | low: the low bits of a gram, and how
 * many units lie between this item of the stream and the one before. A delta that does not fit is
 * all ones, and two more halves of it follow. Units are numbered by the adder as they come (`seq`).
 *
 *     gram 4: 4,096 streams, 12 bits and 4 of delta; gram 3: 512 streams, 9 and 7
 *
 * Streams are chains of chunks of 512 bytes, aligned, so that the end of one is seen in the
 * pointer; chunks are cut from slabs of 2 MiB, aligned for huge pages: 4,096 places are written in
 * turn.
 *
 * Ownership: the caller's struct. Readers borrow it; nothing is added meanwhile.
 * Threads:   one adds; any number read when it is done.
 * Errors:    -ENOMEM, -EINVAL: part of the unit's items stay, under its seq.
 */
#pragma once

#include <string.h>

#include "base/vec.h"
#include "index/text_format.h"
#include "sync/atomic.h"

#define STREAM_CHUNK_BYTES 512u

struct text_stream {
	uint16_t *at; /* where the next item goes; NULL: nothing yet */
	uint32_t seq; /* of the last item */
};

struct text_streams {
	unsigned n_symbols, low_bits;
	struct text_stream *streams;
	uint16_t **first; /* items, by stream */
	VEC(void *) slabs;
	char *slab, *slab_end; /* what is left of the last one */
	_Atomic size_t *bytes; /* of all adders together; relaxed: a count */
};

int text_streams_init(struct text_streams *s, unsigned n_symbols, _Atomic size_t *bytes);
void text_streams_fini(struct text_streams *s);
/** seq does not descend. -EINVAL: a gram is not below 2^(6 x n_symbols). */
int text_streams_add(struct text_streams *s, uint32_t seq, const uint32_t *grams, size_t n);

/** Reads one stream. */
struct stream_cursor {
	const uint16_t *at, *end;
	uint32_t seq;
	uint32_t low, unit; /* of the item read last */
	unsigned low_bits;
	const uint32_t *unit_of; /* by seq; STREAM_NO_UNIT: what was forgotten */
};
#define STREAM_NO_UNIT UINT32_MAX

void stream_cursor_init(struct stream_cursor *c, const struct text_streams *s, uint32_t stream,
	const uint32_t *unit_of);

/* The chain's next chunk stands in the first bytes of a chunk. Chunks lie anywhere: the one after
 * the one that begins is fetched now. */
static inline void
stream_hop(struct stream_cursor *c)
{
	const char *next;

	memcpy(&c->at, (const char *)c->at - STREAM_CHUNK_BYTES, sizeof(c->at));
	memcpy(&next, (const char *)c->at - sizeof(next), sizeof(next));
	for (unsigned line = 0; line < STREAM_CHUNK_BYTES; line += 64)
		__builtin_prefetch(next + line);
}

static inline uint32_t
stream_take(struct stream_cursor *c)
{
	if (UNLIKELY((uintptr_t)c->at % STREAM_CHUNK_BYTES == 0))
		stream_hop(c);
	return *c->at++;
}

/** Count the items by their low bits. */
void stream_count(struct stream_cursor *c, uint32_t *counts);
/** Of the item read last and those after it that are of units below `limit`: put the units of those
 *  with low bits from `lo` on, `n` of these, to their lists; starts[low] is where the next goes.
 *  True: an item was read that is of a later unit; false: the end. */
bool stream_place(struct stream_cursor *c, uint32_t limit, uint32_t lo, uint32_t n,
	uint32_t *starts, uint32_t *units);

/** The next item whose unit is not forgotten: false at the end. */
static inline bool
stream_next(struct stream_cursor *c)
{
	uint32_t most = UINT16_MAX >> c->low_bits;

	while (c->at != c->end) {
		uint32_t item = stream_take(c), delta = item >> c->low_bits;

		if (UNLIKELY(delta == most)) {
			delta = stream_take(c);
			delta |= stream_take(c) << 16;
		}
		/* Also where delta is 0, which nothing could predict. */
		c->low = item & ((1u << c->low_bits) - 1);
		c->seq += delta;
		c->unit = c->unit_of[c->seq];
		if (LIKELY(c->unit != STREAM_NO_UNIT))
			return true;
	}
	return false;
}
