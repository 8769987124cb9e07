/**
 * text_sums: put the checksums of a damaged text segment right, so that what stands behind them is
 * reached.
 */
#pragma once

#include <string.h>

#include "base/hash.h"
#include "index/text_format.h"

/* P2: as far as the shelves' positions make sense. */
static inline void
text_sums_shelves(uint8_t *shelves, uint64_t n, const uint8_t *postings, uint64_t length)
{
	for (uint64_t i = 0; i + 1 < n; i++) {
		struct text_shelf s[2];

		memcpy(s, shelves + i * sizeof(*s), sizeof(s));
		if (s[0].at > s[1].at || s[1].at > length)
			continue;
		s[0].sum = hash64(postings + s[0].at, s[1].at - s[0].at, i);
		memcpy(shelves + i * sizeof(*s), s, sizeof(*s));
	}
}

/* FORMAT.md 2. */
static inline void
text_sums_put_right(uint8_t *data, size_t size)
{
	struct segment_section rows[SEGMENT_MAX_SECTIONS];
	uint8_t *of[TEXT_SECTION_LAST + 1] = {0};
	uint64_t length[TEXT_SECTION_LAST + 1] = {0}, sum = 0;
	uint32_t header_bytes, n;

	if (size < SEGMENT_HEADER_BYTES)
		return;
	memcpy(&header_bytes, data + 12, 4);
	memcpy(&n, data + 24, 4);
	n = MIN(n, SEGMENT_MAX_SECTIONS);
	n = MIN(n, (uint32_t)((size - SEGMENT_HEADER_BYTES) / SEGMENT_ROW_BYTES));
	memcpy(rows, data + SEGMENT_HEADER_BYTES, n * sizeof(*rows));
	for (uint32_t i = 0; i < n; i++) {
		if (rows[i].offset > size || rows[i].length > size - rows[i].offset)
			rows[i].length = rows[i].offset = 0;
		if (rows[i].id <= TEXT_SECTION_LAST) {
			of[rows[i].id] = data + rows[i].offset;
			length[rows[i].id] = rows[i].length;
		}
	}
	if (of[TEXT_SECTION_SHELVES] && of[TEXT_SECTION_POSTINGS])
		text_sums_shelves(of[TEXT_SECTION_SHELVES],
			length[TEXT_SECTION_SHELVES] / sizeof(struct text_shelf),
			of[TEXT_SECTION_POSTINGS], length[TEXT_SECTION_POSTINGS]);
	for (uint32_t i = 0; i < n; i++) {
		if (!(rows[i].flags & SEGMENT_PARTS_SUMMED))
			sum = hash64(data + rows[i].offset, rows[i].length, rows[i].id);
		else
			sum = 0;
		memcpy(data + SEGMENT_HEADER_BYTES + i * SEGMENT_ROW_BYTES + 24, &sum, 8);
	}
	if (header_bytes < SEGMENT_HEADER_BYTES || header_bytes > size)
		return;
	memset(data + SEGMENT_SUM_AT, 0, 8);
	sum = hash64(data, header_bytes, 0);
	memcpy(data + SEGMENT_SUM_AT, &sum, 8);
}
