/**
 * names: names and paths of entries that are asked for in ascending order, one near the other.
 *
 * A name is found by counting from the nearest start that the segment has written down; the next
 * entry's begins where this one ends. Entries side by side are mostly in one directory, whose path
 * is made once.
 *
 * Ownership: zeroed, then used with one snapshot; path_maker_fini().
 * Threads:   one at a time.
 */
#pragma once

#include "index/snapshot.h"

struct name_reader {
	uint32_t entry;
	struct span name; /* of `entry`; data NULL: none was read */
};

static inline struct span
name_read(struct name_reader *r, const struct tree_cols *c, uint32_t entry)
{
	if (r->name.data && entry == r->entry + 1)
		r->name = span_of(r->name.data + r->name.len + 1); /* the blob ends with a NUL */
	else
		r->name = tree_name(c, entry);
	r->entry = entry;
	return r->name;
}

struct path_maker {
	uint32_t layer, dir;
	bool known;         /* `path` begins with the directory's, dir_len bytes with a slash */
	struct strbuf path; /* of the last entry */
	size_t dir_len;
	struct name_reader names;
};

/** The absolute path of an entry: 0 or -ENOMEM. Valid until the next call. */
int path_make(struct path_maker *p, const struct snapshot *s, uint32_t layer, uint32_t entry,
	struct span *ret);
void path_maker_fini(struct path_maker *p);
