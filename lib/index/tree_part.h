/**
 * tree_part: TREE_CHUNK entries of a segment under construction, packed.
 *
 * Parts are made independently of each other, by many threads; whatever depends on what comes
 * before (where blocks and names start, sums, ranks) counts from the part's own start, and
 * tree_write adds what is before. Internal to lib/index.
 *
 *     rows -> scratch (a worker's own, in its cache) -> struct tree_part, of one piece of memory
 *
 * Ownership: tree_part_make() fills a part, tree_part_fini() frees it; rows are borrowed.
 * Threads:   one a part and a scratch; plan->dir_entry is written at different elements.
 */
#pragma once

#include "index/tree_frame.h"
#include "index/tree_gram_build.h"
#include "index/tree_link.h"
#include "index/tree_pack.h"
#include "index/tree_plan.h"

#define PART_BLOCKS (TREE_CHUNK / TREE_BLOCK)

struct part_column {
	struct tree_block heads[PART_BLOCKS];
	const char *words;
	size_t bytes; /* of words */
};

struct tree_part {
	uint32_t first, n; /* entries */
	uint32_t n_blocks, n_subs, n_unread, n_wide, n_links;
	struct part_column columns[N_TREE_COLUMNS];
	struct tree_sum sums[PART_BLOCKS]; /* of the entries before each block */
	struct tree_sum sum;
	uint64_t dir_bits[TREE_CHUNK / 64];
	uint32_t dir_rank[TREE_CHUNK / 64];
	char *memory; /* all below but `wide` lie in it */
	size_t names_bytes;
	struct span packed;        /* names, as a frame */
	const uint32_t *dir_order; /* [n_subs] numbers, in the order of entries */
	const uint32_t *unread;    /* [n_unread] entries */
	const struct link_seed *links;
	struct gram_chunk grams;
	uint32_t *wide; /* of malloc; NULL: none */
};

/** What a worker packs in. */
struct part_scratch;
struct part_scratch *part_scratch_create(void);    /* NULL: out of memory */
void part_scratch_destroy(struct part_scratch *s); /* NULL is legal */

/** The entries from `first` on, a multiple of TREE_CHUNK: 0, -ENOMEM, -EINVAL a name that
 *  no walk gives, what the plan's `gather` returned. */
int tree_part_make(const struct tree_plan *plan, uint32_t first, struct part_scratch *s,
	struct tree_part *ret);
void tree_part_fini(struct tree_part *part); /* zeroed is legal */
