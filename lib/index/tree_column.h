/**
 * tree_column: what a tree says of its entries, a column a field, each packed in blocks.
 *
 * A block holds TREE_BLOCK entries as numbers of equal width in bits (FORMAT.md 3.2): one value is
 * one unaligned load, and the block's head has bounds of its values. Ask one value with the
 * accessors of tree.h, many with tree_read(), and leave out what cannot match with tree_bounds().
 *
 * Threads: pure functions over immutable columns.
 */
#pragma once

#include <string.h>

#include "base/defs.h"

struct tree_cols;

enum tree_column {
	TREE_SIZE,
	TREE_BLOCKS, /* of 512 bytes */
	TREE_MTIME,  /* ns since 1970, as the bit pattern of int64_t */
	TREE_CTIME,
	TREE_INO,
	TREE_NLINK,
	TREE_CLS,    /* index into classes */
	TREE_PARENT, /* directory number */
	TREE_FLAGS,  /* enum tree_flags */
	N_TREE_COLUMNS
};

/** Entries of a block: what skips by tree_bounds() asks in multiples of this. */
#define TREE_BLOCK 128u

/** FORMAT.md 3.2. */
struct tree_block {
	uint64_t base;
	uint32_t at; /* in words of 8 bytes */
	uint8_t width, unit;
	uint16_t reserved;
};

struct tree_packed {
	const struct tree_block *blocks;
	const char *words;
	uint64_t n_words; /* without the one behind the last block */
};

#define TREE_N_UNITS 7u
extern const uint64_t tree_units[TREE_N_UNITS + 1]; /* and one that no file has */

static inline uint64_t
tree_packed_mask(unsigned width)
{
	return width < 64 ? ~(~(uint64_t)0 << width) : ~(uint64_t)0;
}

static inline uint64_t
tree_packed_get(const struct tree_packed *p, uint32_t entry)
{
	const struct tree_block *b = &p->blocks[entry / TREE_BLOCK];
	uint32_t bit = entry % TREE_BLOCK * b->width;
	uint64_t v;

	memcpy(&v, p->words + 8 * (uint64_t)b->at + bit / 8, sizeof(v));
	return b->base + tree_units[b->unit] * (v >> bit % 8 & tree_packed_mask(b->width));
}

/** The values of entries [lo, lo + n). Some ns for the call and under 1 ns a value: a few hundred
 *  values at a time, into a buffer that stays in the cache. */
void tree_read(
	const struct tree_cols *c, enum tree_column col, uint32_t lo, uint32_t n, uint64_t *ret);
/** Bit i: value[i] - first <= width, in wrapping arithmetic; n is 64 at most. */
uint64_t tree_within(const uint64_t *value, uint32_t n, uint64_t first, uint64_t width);
/** Bounds of the values of entries [lo, lo + n), n > 0: no value is outside, but the bounds
 *  themselves may not occur, and are those of whole blocks. Those of times are in signed order.
 *  Costs some ns a block. False: not known, nothing is returned. */
bool tree_bounds(const struct tree_cols *c, enum tree_column col, uint32_t lo, uint32_t n,
	uint64_t *ret_min, uint64_t *ret_max);

/** Sums modulo 2^64. */
struct tree_sum {
	uint64_t size, blocks; /* bytes; 512 bytes */
};
/** Every entry of [lo, hi), a directory's own size too. Constant time. */
void tree_sum(const struct tree_cols *c, uint32_t lo, uint32_t hi, struct tree_sum *ret);
/** The same, but of the entries that are links to one inode (not directories; device and inode
 *  number equal) only the first in the range counts, as du does. Time grows with the number of such
 *  links in the range. */
void tree_sum_once(const struct tree_cols *c, uint32_t lo, uint32_t hi, struct tree_sum *ret);
/** tree_sum_once() of the subtree of directory `dir` (its own entry is not in it), without that
 *  growth: a binary search. */
void tree_sum_dir(const struct tree_cols *c, uint32_t dir, struct tree_sum *ret);
