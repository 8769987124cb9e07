/**
 * tree_gram_build: making the filter of tree_gram.h. Internal to lib/index.
 *
 *     names of a chunk -> gram_seen (a bit a gram) -> the chunk's grams, ascending
 *     all chunks' grams -> gram_index_make() -> for each gram its chunks (FORMAT.md 3.8)
 *
 * Threads: one a gram_seen; gram_index_make() uses the pool.
 */
#pragma once

#include "index/tree_gram.h"
#include "sync/pool.h"

/** The different grams of some names. */
struct gram_seen;
struct gram_seen *gram_seen_create(void); /* NULL: out of memory */
void gram_seen_destroy(struct gram_seen *s);
void gram_seen_add(struct gram_seen *s, struct span name);
uint32_t gram_seen_count(const struct gram_seen *s);
/** Write the grams in ascending order and forget them. */
void gram_seen_take(struct gram_seen *s, uint32_t *ret);

/** The grams of one chunk, ascending. */
struct gram_chunk {
	const uint32_t *grams;
	uint32_t n;
};

struct gram_index {
	uint32_t *index; /* [TREE_N_GRAMS / TREE_GRAM_GROUP + 1] */
	uint8_t *lists;
	size_t len; /* of lists */
};

/** 0, -ENOMEM, -ECANCELED, -EFBIG (more than 4 GiB of lists); fini whatever is returned. */
int gram_index_make(const struct gram_chunk *chunks, uint32_t n_chunks, struct pool *pool,
	struct stop *stop, struct gram_index *ret);
void gram_index_fini(struct gram_index *x);
