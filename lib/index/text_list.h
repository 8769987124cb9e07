/**
 * text_list: the units of a text segment that hold a gram, one after the other or by leaps.
 *
 *     if (text_list_find(c, gram, &l) > 0)
 *             for (int r = text_list_next(&l, &u); r > 0; r = text_list_next(&l, &u)) ...
 *
 * A list knows its length before it is read. A leap looks at the last units of blocks alone and
 * decodes the one block where it lands.
 *
 * Ownership: struct text_list is the caller's and holds nothing; the segment must live.
 * Threads:   one a list.
 * Errors:    none: what was checked at open keeps every access inside. Of a segment whose bytes
 *            were altered under right sums, units may come out of order, never out of range.
 */
#pragma once

#include "index/text_segment.h"

/** The caller reads n and nothing else. */
struct text_list {
	uint32_t n; /* units of the whole list */

	/* Units that were decoded; of a bitmap `at` is the next bit instead. */
	uint32_t units[TEXT_BLOCK], at, m;
	/* The next block: its index, its first possible unit, its bytes. Of a bitmap n_blocks is 0.
	 */
	uint32_t n_blocks, block, from;
	const char *body;
	size_t bytes;      /* of the body, when it is one block */
	const char *skips; /* when there are several */
	uint32_t n_units;  /* of the segment */
	bool bitmap;
};

/** 1 and the list, or 0: no unit has the gram. */
int text_list_find(const struct text_cols *c, uint32_t gram, struct text_list *ret);
/** How many units the lists of the grams [first, last] have together, without reading them. */
uint64_t text_list_count(const struct text_cols *c, uint32_t first, uint32_t last);

/** 1 and the next unit, or 0 at the end. */
int text_list_next(struct text_list *l, uint32_t *ret);
/** 1 and the next unit that is `unit` or above, or 0: none is left. */
int text_list_leap(struct text_list *l, uint32_t unit, uint32_t *ret);
/** What is left: at most `cap` units; fewer only at the end. */
uint32_t text_list_read(struct text_list *l, uint32_t *ret, uint32_t cap);
/** Set the bits of all units that are left. */
void text_list_mark(struct text_list *l, uint64_t *bits);
