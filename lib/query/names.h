/**
 * names: paths of entries that are asked for in ascending order, one near the other.
 *
 * Entries side by side are mostly in one directory, whose path is made once, and directories one
 * after the other have most of those above them in common.
 *
 * Ownership: zeroed, then used with one snapshot; path_maker_fini().
 * Threads:   one at a time.
 */
#pragma once

#include "base/vec.h"
#include "index/snapshot.h"

/** A directory, and how much of the path is its own, with a slash at the end. */
struct path_above {
	uint32_t dir;
	bool odd; /* a part of its path is */
	size_t len;
};

/** Appends a part of a path in another writing: 0, or 1, the part is odd, whatever that is to the
 *  caller, or -ENOMEM. */
typedef int (*path_put)(struct strbuf *out, struct span part);

struct path_maker {
	path_put put; /* directories are written so; NULL: as they are */
	uint32_t layer, dir;
	bool known;         /* `path` begins with the directory's, dir_len bytes with a slash */
	struct strbuf path; /* of the last entry */
	size_t dir_len;
	size_t kept_len;              /* at least so much of it was the path before, too */
	VEC(struct path_above) above; /* of the directory, from the root down to itself */
};

/** The absolute path of an entry: 0 or -ENOMEM. Valid until the next call. */
int path_make(struct path_maker *p, const struct snapshot *s, uint32_t layer, uint32_t entry,
	struct span *ret);
/** The path of a directory with a slash at its end: 0, 1 when a part of it is odd, or -ENOMEM. Not
 * to be mixed with path_make(). */
int path_make_dir(struct path_maker *p, const struct snapshot *s, uint32_t layer, uint32_t dir,
	struct span *ret);
void path_maker_fini(struct path_maker *p);
