/**
 * text_shelf: the lists of a shelf as bytes (FORMAT-TEXT.md 3). Internal to lib/index.
 *
 *     text_shelf_begin(&p);
 *     text_shelf_add(&p, gram, units, n);         grams of the shelf, ascending
 *     text_shelf_end(&p);                         p.bytes, p.groups, p.starts
 *
 * Ownership: struct shelf_pack is the caller's; what end() leaves is valid until the next begin().
 * Threads:   one a pack.
 * Errors:    -ENOMEM; -EFBIG a shelf of more than 4 GiB. After one, only fini.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"
#include "index/text_format.h"

struct shelf_pack {
	uint32_t n_units; /* fixed: of the segment */
	struct strbuf bytes;
	uint64_t groups;
	VEC(uint32_t) starts; /* of its groups, from the shelf's beginning */

	/* The group that is being made. */
	unsigned group;
	uint64_t lists;
	struct strbuf heads, bodies;
};

void text_shelf_init(struct shelf_pack *p, uint32_t n_units);
void text_shelf_fini(struct shelf_pack *p);
void text_shelf_begin(struct shelf_pack *p);
/** `gram` counts from the shelf's first; n > 0. */
int text_shelf_add(struct shelf_pack *p, uint32_t gram, const uint32_t *units, uint32_t n);
int text_shelf_end(struct shelf_pack *p);
