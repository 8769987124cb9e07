/**
 * snapshot_link: the inodes of which link sums do not tell how they count.
 *
 * Link sums (FORMAT.md 3.7) are of one segment alone and of all its entries: they are wrong of an
 * inode that has a dead link, or links in several layers of a root. Those are looked up here, all
 * their links with them, so that who sums a directory can put right what it has below it.
 *
 *     of the directory's part in a layer, link sums have counted       the first link, dead or not
 *     of them all together is to be counted                            the first that is live
 *
 * Found when first asked for, and kept with the snapshot: in proportion to what is dead and to the
 * layers above the bases, and, only where there are links among these, a pass over the numbers of
 * links in the base (2 ms a million entries).
 *
 * Ownership: part of a struct snapshot, which makes and frees it.
 * Threads:   any.
 */
#pragma once

#include "index/snapshot.h"
#include "sync/once.h"

/** A link to such an inode. */
struct snap_twin {
	uint32_t inode; /* a number that all links to it have, in whichever layer */
	uint32_t layer, entry;
};

struct snap_links {
	struct once found;
	/* By layer and entry: those of layer i begin at twin[first[i]]. */
	size_t *first;
	struct snap_twin *twin;
};

/** Those among the entries [lo, hi) of a layer, dead ones too, ascending: valid as long as the
 *  snapshot. 0 or -ENOMEM. */
int snapshot_twins(const struct snapshot *s, uint32_t layer, uint32_t lo, uint32_t hi,
	const struct snap_twin **ret, size_t *ret_n);
void snap_links_fini(struct snap_links *l);
