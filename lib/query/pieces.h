/**
 * pieces: ranges of entries, summed together as du(1) does.
 *
 * Dead entries in them do not count, nor those of another device where a piece names one. An inode
 * counts once, however many of its links are in the pieces, of several layers and roots too: all
 * links in them are looked at. Of one directory of one root running sums tell the same (below.h),
 * and quicker.
 *
 * Ownership: zeroed but for snapshot and halt, which are borrowed; pieces_fini().
 * Threads:   const but for add and join; `halt`'s token as in query.h.
 * Errors:    -ENOMEM; -ECANCELED, -ETIMEDOUT by `halt`.
 */
#pragma once

#include "base/vec.h"
#include "query/total.h"

/** Entries [lo, hi) of a layer, of one device only unless `dev` is 0. */
struct piece {
	uint64_t dev;
	uint32_t layer, lo, hi;
};

struct pieces {
	const struct snapshot *snapshot;
	const struct cursor_opts *halt;
	VEC(struct piece) all;
};

/** Nothing is added where it is empty. */
int pieces_add(struct pieces *p, const struct piece *one);
/** Put them in order, and those that overlap or touch together: before they are summed, unless none
 *  do. */
void pieces_join(struct pieces *p);
void pieces_fini(struct pieces *p);

int pieces_sum(const struct pieces *p, bool every_link, struct total *ret);
/** Directories in them whose contents are not, or not all, in the index. */
uint64_t pieces_unread(const struct pieces *p);

/** Is all that a layer holds on this device? */
bool layer_on_device(const struct tree_cols *c, uint64_t dev);
