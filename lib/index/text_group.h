/**
 * text_group: the heads of the lists of a group (FORMAT-TEXT.md 3). Internal to lib/index.
 *
 * One reading serves the check and lookups: every number is bounded by the group's bytes and by
 * P4, so what it returns is safe to follow without a check before.
 *
 * Threads: pure.
 * Errors:  -EBADMSG; none once the segment was checked.
 */
#pragma once

#include "index/text_list.h"

struct text_entry {
	uint32_t gram, n, unit; /* unit: of lists of one */
	bool bitmap;
	uint64_t bytes; /* of the body */
	const char *body;
};

static inline unsigned
text_groups_per_shelf(const struct text_cols *c)
{
	return 1u << (text_shelf_bits(c->n_symbols) - 6);
}

/** Where a group's bytes are: 1, or 0 it has no lists. Positions were checked (P1, P3). */
int text_group_find(
	const struct text_cols *c, uint32_t group, const char **ret, uint64_t *ret_bytes);
/** Its lists, ascending: their number, at most TEXT_GROUP, or -EBADMSG. */
int text_group_read(const struct text_cols *c, uint32_t group, const char *at, uint64_t bytes,
	struct text_entry ret[TEXT_GROUP]);
/** Both; of a segment that was checked. */
unsigned text_group_lists(
	const struct text_cols *c, uint32_t group, struct text_entry ret[TEXT_GROUP]);

/** One list: 1, or 0 no unit has the gram. */
int text_entry_find(const struct text_cols *c, uint32_t gram, struct text_entry *ret);
void text_list_start(const struct text_cols *c, const struct text_entry *e, struct text_list *ret);
