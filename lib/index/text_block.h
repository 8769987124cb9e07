/**
 * text_block: up to 128 ascending units as bits (FORMAT-TEXT.md 3.1). Internal to lib/index.
 *
 * Measured on the postings of a source tree of 78,576 files (gram 4, 174 million), a code alone:
 * packed gaps with exceptions 141.8 MB, halves of Elias and Fano 138.3, the least of these and of
 * bitmaps 133.1; gaps by their widths, as here, 120.4, and 119.6 with all the others to choose
 * from. Files of a folder share words, so gaps are small in most places and large in some.
 *
 * Threads: pure.
 * Limits:  reads and writes up to TEXT_BLOCK_SLACK bytes past the block (zeros or what was there).
 */
#pragma once

#include "index/text_format.h"

#define TEXT_BLOCK_SLACK 16u
/** No block is longer, and its bytes fit TEXT_BLOCK_BITS. */
#define TEXT_BLOCK_MAX_BYTES 1023u

/** Write n (0 to 128) ascending units from `from` on: the bytes written. */
size_t text_block_put(const uint32_t *units, uint32_t n, uint32_t from, char *out);
/** The same by one of the ways that this processor has, the best one last. For tests. */
unsigned text_block_n_levels(void);
size_t text_block_put_by(
	unsigned level, const uint32_t *units, uint32_t n, uint32_t from, char *out);
/** Read them. All are in [from, limit] whatever the bytes are, and ascend unless these are damaged.
 */
void text_block_get(
	const char *in, size_t bytes, uint32_t n, uint32_t from, uint32_t limit, uint32_t *ret);
/** Are these the bytes that text_block_put() makes of what text_block_get() gives, and does that
 *  ascend and stay below `limit` + 1 (P6)? */
bool text_block_exact(const char *in, size_t bytes, uint32_t n, uint32_t from, uint32_t limit);

/** Of a list of several blocks, what stands before them: of each block its last unit and its bytes.
 */
struct text_skip {
	uint32_t last, bytes;
};
#define TEXT_BLOCK_BITS 10u

static inline uint64_t
text_skips_bytes(uint32_t n_units, uint32_t n)
{
	return ((uint64_t)(text_unit_bits(n_units) + TEXT_BLOCK_BITS) * ((n - 1) / TEXT_BLOCK + 1) +
		       7) /
	       8;
}

struct text_skip text_skip_get(const char *skips, uint32_t n_units, uint32_t block);
/** Blocks ascend; `skips` is zeros before the first. */
void text_skip_put(char *skips, uint32_t n_units, uint32_t block, struct text_skip s);
