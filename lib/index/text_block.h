/**
 * text_block: up to 128 ascending units as bits (FORMAT-TEXT.md 3.1). Internal to lib/index.
 *
 * The last unit of a block is known beforehand, and the form and the length follow from it and from
 * the number of units: blocks have no heads.
 *
 * Measured on the postings of a source tree of 78,576 files (gram 4, 174 million): packed gaps with
 * exceptions alone 141.8 MB, halves alone 138.3, halves and bitmaps 136.1, all three 133.1. The 2 %
 * are not worth a third code.
 *
 * Threads: pure.
 * Limits:  reads and writes up to TEXT_BLOCK_SLACK bytes past the block (zeros or what was there).
 */
#pragma once

#include "index/text_format.h"

#define TEXT_BLOCK_SLACK 16u
/** No block is longer. */
#define TEXT_BLOCK_MAX_BYTES 640u

/** Bytes of a block of `m` (1 to 128) units in [from, last]. */
size_t text_block_bytes(uint32_t m, uint32_t from, uint32_t last);
/** Write m ascending units from `from` on: the bytes written. */
size_t text_block_put(const uint32_t *units, uint32_t m, uint32_t from, char *out);
/** Read them: all are in [from, last] whatever the bytes are, the last one is `last`, and they
 * ascend unless the bytes are damaged. Returns the bytes of the block. */
size_t text_block_get(const char *in, uint32_t m, uint32_t from, uint32_t last, uint32_t *ret);
/** Are these the bytes that text_block_put() makes of what text_block_get() gives, and does that
 *  ascend (P6)? */
bool text_block_exact(const char *in, uint32_t m, uint32_t from, uint32_t last);

/** Bytes of the last units of the blocks of a list of n units, and one of them. */
static inline uint64_t
text_lasts_bytes(uint32_t n_units, uint32_t n)
{
	return ((uint64_t)text_unit_bits(n_units) * ((n - 1) / TEXT_BLOCK + 1) + 7) / 8;
}

uint32_t text_lasts_get(const char *lasts, uint32_t n_units, uint32_t block);
void text_lasts_put(const uint32_t *units, uint32_t n, uint32_t n_units, char *out);
