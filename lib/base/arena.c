#include "base/arena.h"

#define ARENA_ALIGN 16u
#define ARENA_CHUNK_BYTES 16384u

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size; /* of data[] */
	_Alignas(ARENA_ALIGN) char data[];
};

static struct arena_chunk *
chunk_add(struct arena *a, size_t bytes)
{
	size_t normal = a->chunk_bytes ? a->chunk_bytes : ARENA_CHUNK_BYTES;
	size_t size = MAX(bytes, normal);
	struct arena_chunk *c;

	if (size > SIZE_MAX / 2)
		return NULL;
	c = malloc(sizeof(*c) + size);
	if (!c)
		return NULL;
	*c = (struct arena_chunk){.next = a->chunks, .size = size};
	a->chunks = c;
	a->total_bytes += size;
	return c;
}

void *
arena_alloc(struct arena *a, size_t bytes)
{
	struct arena_chunk *c = a->chunks;
	void *p;

	if (bytes > SIZE_MAX / 4)
		return NULL;
	bytes = ALIGN_UP(MAX(bytes, (size_t)1), ARENA_ALIGN);
	if (!c || c->size - c->used < bytes) {
		c = chunk_add(a, bytes);
		if (!c)
			return NULL;
	}
	p = c->data + c->used;
	c->used += bytes;
	return p;
}

void *
arena_zalloc(struct arena *a, size_t bytes)
{
	void *p = arena_alloc(a, bytes);

	if (p)
		memset(p, 0, bytes);
	return p;
}

void *
arena_array(struct arena *a, size_t n, size_t elem_bytes)
{
	size_t bytes;

	return __builtin_mul_overflow(n, elem_bytes, &bytes) ? NULL : arena_zalloc(a, bytes);
}

char *
arena_copy(struct arena *a, const void *data, size_t len)
{
	char *p = len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL;

	if (!p)
		return NULL;
	if (len > 0)
		memcpy(p, data, len);
	p[len] = '\0';
	return p;
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk *c = a->chunks;

	while (c && c->next) {
		struct arena_chunk *next = c->next;

		a->total_bytes -= c->size;
		free(c);
		c = next;
	}
	a->chunks = c;
	if (c)
		c->used = 0;
}

void
arena_fini(struct arena *a)
{
	arena_reset(a);
	free(a->chunks);
	a->chunks = NULL;
	a->total_bytes = 0;
}
