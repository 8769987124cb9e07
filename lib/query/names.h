/**
 * names: paths of entries that are asked for in ascending order, one near the other.
 *
 * Entries side by side are mostly in one directory, whose path is made once.
 *
 * Ownership: zeroed, then used with one snapshot; path_maker_fini().
 * Threads:   one at a time.
 */
#pragma once

#include "index/snapshot.h"

struct path_maker {
	uint32_t layer, dir;
	bool known;         /* `path` begins with the directory's, dir_len bytes with a slash */
	struct strbuf path; /* of the last entry */
	size_t dir_len;
};

/** The absolute path of an entry: 0 or -ENOMEM. Valid until the next call. */
int path_make(struct path_maker *p, const struct snapshot *s, uint32_t layer, uint32_t entry,
	struct span *ret);
void path_maker_fini(struct path_maker *p);
