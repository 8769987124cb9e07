/**
 * tree_gram_build: making the filter of tree_gram.h. Internal to lib/index.
 *
 *     names of a chunk -> gram_seen -> the chunk's grams, ascending, each with its groups
 *     all chunks' grams -> gram_index_make() -> for each gram its groups (FORMAT.md 3.8)
 *
 * Threads: one a gram_seen; gram_index_make() uses the pool.
 */
#pragma once

#include "index/tree_gram.h"
#include "sync/pool.h"

/** The different grams of the groups of a chunk: ascending pairs, 64 x gram + group of the chunk.
 */
struct gram_chunk {
	const uint32_t *pairs;
	uint32_t n;
};

/** Makes them of the chunk's names. Some hundred KiB, more where names are long. */
struct gram_seen;
struct gram_seen *gram_seen_create(void);    /* NULL: out of memory */
void gram_seen_destroy(struct gram_seen *s); /* NULL is legal */
/** `group` is that of the name within the chunk, below 64, and not below the one before: 0 or
 *  -ENOMEM. */
int gram_seen_add(struct gram_seen *s, struct span name, uint32_t group);
/** What was added since the last time, valid until the next add: 0 or -ENOMEM. */
int gram_seen_take(struct gram_seen *s, struct gram_chunk *ret);

#define GRAM_INDEX_PARTS 64u

struct gram_index {
	struct tree_gram_node *nodes; /* [n_nodes] */
	uint32_t *rows;               /* [n_rows + 1] */
	uint32_t n_nodes, n_rows;
	struct {
		uint8_t *data;
		size_t len, cap;
	} lists[GRAM_INDEX_PARTS]; /* one after the other */
	size_t len;                /* of all lists */
};

/** 0, -ENOMEM, -ECANCELED, -EFBIG (more than 4 GiB of lists); fini whatever is returned. */
int gram_index_make(const struct gram_chunk *chunks, uint32_t n_groups, struct pool *pool,
	struct stop *stop, struct gram_index *ret);
void gram_index_fini(struct gram_index *x);
