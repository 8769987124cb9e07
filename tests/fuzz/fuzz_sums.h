/**
 * fuzz_sums: put the checksums of a damaged segment right, so that what stands behind them is
 * reached.
 */
#pragma once

#include "fuzz.h"

#include "base/hash.h"
#include "index/tree_format.h"

/* FORMAT.md 2 */
static inline void
put_sums_right(uint8_t *data, size_t size)
{
	uint32_t header_bytes, n_sections;
	uint64_t sum = 0;

	if (size < TREE_HEADER_BYTES)
		return;
	memcpy(&header_bytes, data + 12, 4);
	memcpy(&n_sections, data + 24, 4);
	for (size_t i = 0; i < MIN(n_sections, TREE_MAX_SECTIONS); i++) {
		uint8_t *row = data + TREE_HEADER_BYTES + i * TREE_ROW_BYTES;
		uint64_t offset, length;
		uint32_t id;

		if ((size_t)(row - data) + TREE_ROW_BYTES > size)
			break;
		memcpy(&id, row, 4);
		memcpy(&offset, row + 8, 8);
		memcpy(&length, row + 16, 8);
		if (offset > size || length > size - offset)
			continue;
		sum = hash64(data + offset, length, id);
		memcpy(row + 24, &sum, 8);
	}
	if (header_bytes < TREE_HEADER_BYTES || header_bytes > size)
		return;
	memset(data + TREE_SUM_AT, 0, 8);
	sum = hash64(data, header_bytes, 0);
	memcpy(data + TREE_SUM_AT, &sum, 8);
}
