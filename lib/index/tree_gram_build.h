/**
 * tree_gram_build: making the filter of tree_gram.h. Internal to lib/index.
 *
 *     names of a chunk -> gram_seen -> the chunk's grams, ascending, each with the chunk's groups
 *     all chunks' grams -> gram_index_make() -> for each gram its groups (FORMAT.md 3.8)
 *
 * Threads: one a gram_seen; gram_index_make() uses the pool.
 */
#pragma once

#include "index/tree_gram.h"
#include "sync/pool.h"

/** The different grams of the names of a chunk. 2 MiB, of which a cache needs what is in use. */
struct gram_seen;
struct gram_seen *gram_seen_create(void); /* NULL: out of memory */
void gram_seen_destroy(struct gram_seen *s);
/** `group` is that of the name within the chunk, below 64. */
void gram_seen_add(struct gram_seen *s, struct span name, uint32_t group);
uint32_t gram_seen_count(const struct gram_seen *s);
/** Write the grams in ascending order with their groups, and forget them. */
void gram_seen_take(struct gram_seen *s, uint32_t *ret_grams, uint64_t *ret_groups);

/** The grams of one chunk, ascending; bit i of groups[k] is group i of it, in which grams[k] is. */
struct gram_chunk {
	const uint32_t *grams;
	const uint64_t *groups;
	uint32_t n;
};

struct gram_index {
	uint32_t *index; /* [TREE_N_GRAM_ROWS + 1] */
	uint8_t *lists;
	size_t len; /* of lists */
};

/** 0, -ENOMEM, -ECANCELED, -EFBIG (more than 4 GiB of lists); fini whatever is returned. */
int gram_index_make(const struct gram_chunk *chunks, uint32_t n_groups, struct pool *pool,
	struct stop *stop, struct gram_index *ret);
void gram_index_fini(struct gram_index *x);
