/**
 * arena: memory with one lifetime (a document, a query, a message).
 *
 * Nothing in an arena is freed singly; arena_reset() empties it and keeps its first chunk.
 *
 * Ownership: the caller's struct; what it hands out is valid until arena_reset() or arena_fini().
 * Threads:   one thread at a time.
 * Errors:    NULL when memory is out; the arena stays usable.
 * Units:     bytes, aligned to 16.
 */
#pragma once

#include "base/str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t chunk_bytes;         /* size of a normal chunk; 0 means 16 KiB */
	size_t total_bytes;         /* held by all chunks */
};

void *arena_alloc(struct arena *a, size_t bytes);
void *arena_zalloc(struct arena *a, size_t bytes);
/** n zeroed elements. */
void *arena_array(struct arena *a, size_t n, size_t elem_bytes);
/** A copy of the bytes, followed by a NUL. */
char *arena_copy(struct arena *a, const void *data, size_t len);
void arena_reset(struct arena *a);
void arena_fini(struct arena *a);

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_array((a), (n), sizeof(type)))
