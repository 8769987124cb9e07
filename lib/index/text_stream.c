#include "index/text_stream.h"

#include <errno.h>
#include <sys/mman.h>

#define SLAB_BYTES ((size_t)2 << 20)
#define FIRST_SLAB_BYTES ((size_t)64 << 10) /* small batches need no more */

int
text_streams_init(struct text_streams *s, unsigned n_symbols, _Atomic size_t *bytes)
{
	uint32_t n = text_n_shelves(n_symbols);

	*s = (struct text_streams){
		.n_symbols = n_symbols, .low_bits = text_shelf_bits(n_symbols), .bytes = bytes};
	s->streams = calloc(n, sizeof(*s->streams));
	s->first = calloc(n, sizeof(*s->first));
	if (!s->streams || !s->first) {
		text_streams_fini(s);
		return -ENOMEM;
	}
	add_rlx(bytes, n * (sizeof(*s->streams) + sizeof(*s->first)));
	return 0;
}

void
text_streams_fini(struct text_streams *s)
{
	VEC_EACH (&s->slabs, p)
		free(*p);
	VEC_FINI(&s->slabs);
	free(s->streams);
	free(s->first);
	*s = (struct text_streams){0};
}

static int
new_slab(struct text_streams *s)
{
	size_t bytes = s->slabs.len == 0 ? FIRST_SLAB_BYTES : SLAB_BYTES;
	void *slab;

	if (VEC_RESERVE(&s->slabs, 1) < 0)
		return -ENOMEM;
	slab = aligned_alloc(bytes == SLAB_BYTES ? SLAB_BYTES : STREAM_CHUNK_BYTES, bytes);
	if (!slab)
		return -ENOMEM;
	if (bytes == SLAB_BYTES)
		(void)madvise(slab, bytes, MADV_HUGEPAGE); /* a wish */
	s->slabs.data[s->slabs.len++] = slab;
	s->slab = slab;
	s->slab_end = s->slab + bytes;
	add_rlx(s->bytes, bytes);
	return 0;
}

/* The stream's last chunk is full, or it has none. */
static int
new_chunk(struct text_streams *s, uint32_t stream)
{
	struct text_stream *t = &s->streams[stream];
	uint16_t *items;

	if (s->slab == s->slab_end && new_slab(s) < 0)
		return -ENOMEM;
	items = (uint16_t *)(void *)(s->slab + sizeof(items));
	memset(s->slab, 0, sizeof(items)); /* no next one yet */
	s->slab += STREAM_CHUNK_BYTES;
	if (t->at)
		memcpy((char *)t->at - STREAM_CHUNK_BYTES, &items, sizeof(items));
	else
		s->first[stream] = items;
	t->at = items;
	return 0;
}

static inline int
put(struct text_streams *s, uint32_t stream, uint32_t item)
{
	struct text_stream *t = &s->streams[stream];

	if (UNLIKELY((uintptr_t)t->at % STREAM_CHUNK_BYTES == 0) && new_chunk(s, stream) < 0)
		return -ENOMEM;
	*t->at++ = (uint16_t)item;
	return 0;
}

static int
put_item(struct text_streams *s, uint32_t stream, uint32_t low, uint32_t delta)
{
	uint16_t *at = s->streams[stream].at;
	uint32_t most = UINT16_MAX >> s->low_bits;

	if (delta < most)
		return put(s, stream, delta << s->low_bits | low);
	if (put(s, stream, most << s->low_bits | low) < 0)
		return -ENOMEM;
	if (put(s, stream, delta & UINT16_MAX) < 0 || put(s, stream, delta >> 16) < 0) {
		/* Not half of it; the chunk that was begun, if any, is lost to this stream. */
		s->streams[stream].at = at;
		return -ENOMEM;
	}
	return 0;
}

int
text_streams_add(struct text_streams *s, uint32_t seq, const uint32_t *grams, size_t n)
{
	struct text_stream *streams = s->streams;
	unsigned low_bits = s->low_bits;
	uint32_t most = UINT16_MAX >> low_bits, mask = (1u << low_bits) - 1;
	uint32_t last = text_n_shelves(s->n_symbols) - 1, any = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t stream = grams[i] >> low_bits & last, low = grams[i] & mask;
		struct text_stream *t = &streams[stream];
		uint32_t delta = seq - t->seq;

		if (LIKELY(delta < most && (uintptr_t)t->at % STREAM_CHUNK_BYTES != 0))
			*t->at++ = (uint16_t)(delta << low_bits | low);
		else if (put_item(s, stream, low, delta) < 0)
			return -ENOMEM;
		t->seq = seq;
		any |= grams[i];
	}
	return any >> (6 * s->n_symbols) ? -EINVAL : 0;
}

void
stream_cursor_init(struct stream_cursor *c, const struct text_streams *s, uint32_t stream,
	const uint32_t *unit_of)
{
	*c = (struct stream_cursor){.at = s->first[stream],
		.end = s->streams[stream].at,
		.low_bits = s->low_bits,
		.unit_of = unit_of};
}

/* Items up to here lie one after the other. */
static const uint16_t *
run_end(const struct stream_cursor *c)
{
	uintptr_t left = STREAM_CHUNK_BYTES - (uintptr_t)c->at % STREAM_CHUNK_BYTES;

	if (left == STREAM_CHUNK_BYTES)
		return c->at; /* a new chunk begins */
	return (uintptr_t)c->end - (uintptr_t)c->at < left ? c->end : c->at + left / sizeof(*c->at);
}

void
stream_count(struct stream_cursor *c, uint32_t *counts)
{
	uint32_t most = UINT16_MAX >> c->low_bits, mask = (1u << c->low_bits) - 1;
	unsigned low_bits = c->low_bits;
	const uint32_t *unit_of = c->unit_of;

	while (stream_next(c)) {
		const uint16_t *at = c->at, *end = run_end(c);
		uint32_t seq = c->seq;

		counts[c->low]++;
		for (; at < end && (uint32_t)*at >> low_bits != most; at++) {
			seq += (uint32_t)*at >> low_bits;
			counts[*at & mask] += unit_of[seq] != STREAM_NO_UNIT;
		}
		c->at = at;
		c->seq = seq;
	}
}

bool
stream_place(struct stream_cursor *c, uint32_t limit, uint32_t lo, uint32_t n, uint32_t *starts,
	uint32_t *units)
{
	uint32_t most = UINT16_MAX >> c->low_bits, mask = (1u << c->low_bits) - 1;
	unsigned low_bits = c->low_bits;
	const uint32_t *unit_of = c->unit_of;

	do {
		const uint16_t *at = c->at, *end = run_end(c);
		uint32_t seq = c->seq;

		if (c->low - lo < n)
			units[starts[c->low]++] = c->unit;
		for (; at < end; at++) {
			uint32_t delta = (uint32_t)*at >> low_bits, low = *at & mask, unit;

			if (UNLIKELY(delta == most))
				break;
			unit = unit_of[seq + delta];
			if (unit >= limit) /* no limit is above what is forgotten */
				break;
			seq += delta;
			if (low - lo < n)
				units[starts[low]++] = unit;
		}
		c->at = at;
		c->seq = seq;
		if (!stream_next(c))
			return false;
	} while (c->unit < limit);
	return true;
}
