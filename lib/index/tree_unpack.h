/**
 * tree_unpack: numbers out of the blocks of packed columns, many at once (FORMAT.md 3.2). Internal
 * to lib/index: others ask tree_read() and tree_within().
 *
 * With AVX-512 VBMI eight numbers are one load, one permutation of bytes and one shift; plain C
 * elsewhere.
 *
 * Threads: pure.
 */
#pragma once

#include "index/tree_column.h"

/** Numbers [from, from + n) of a block as values: width is not 0. */
void tree_unpack(const struct tree_packed *p, const struct tree_block *b, uint32_t from, uint32_t n,
	uint64_t *ret);

/** Ways that this processor has, the best one last; and one of them. For tests. */
unsigned tree_unpack_n_levels(void);
void tree_unpack_by(unsigned level, const struct tree_packed *p, const struct tree_block *b,
	uint32_t from, uint32_t n, uint64_t *ret);
uint64_t tree_within_by(
	unsigned level, const uint64_t *value, uint32_t n, uint64_t first, uint64_t width);
