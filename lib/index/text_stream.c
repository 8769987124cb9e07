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
put_far(struct text_streams *s, uint32_t stream, uint32_t low, uint32_t delta)
{
	uint16_t *at = s->streams[stream].at;
	uint32_t most = UINT16_MAX >> s->low_bits;

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
	uint32_t most = UINT16_MAX >> s->low_bits, mask = (1u << s->low_bits) - 1;
	uint32_t streams = text_n_shelves(s->n_symbols) - 1, any = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t stream = grams[i] >> s->low_bits & streams, low = grams[i] & mask;
		uint32_t delta = seq - s->streams[stream].seq;
		int r = LIKELY(delta < most) ? put(s, stream, delta << s->low_bits | low)
		                             : put_far(s, stream, low, delta);

		if (r < 0)
			return r;
		s->streams[stream].seq = seq;
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
