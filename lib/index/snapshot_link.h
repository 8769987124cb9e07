/**
 * snapshot_link: where the link sums of a layer do not tell how an inode counts.
 *
 * Link sums (FORMAT.md 3.7) are of one segment alone and of all its entries. They are wrong of an
 * inode that has a dead link in the segment, or links in several layers of a root. Which inodes
 * have those is not looked up; what is found are the entries by which it may be so: links (not
 * directories) that are dead, and all links of the layers above a base. A range without one of
 * these, in each of the layers, can be summed by link sums.
 *
 * Found when first asked for, in proportion to what is dead and to the layers above the bases, and
 * kept with the snapshot.
 *
 * Ownership: part of a struct snapshot, which makes and frees it.
 * Threads:   any.
 */
#pragma once

#include "index/snapshot.h"
#include "sync/once.h"

struct snap_links {
	struct once found;
	/* Of layer i: entry[first[i]] to entry[first[i + 1] - 1], ascending. */
	size_t *first;
	uint32_t *entry;
};

/** Is there such an entry in [lo, hi) of a layer? True as well when there is no memory to know. */
bool snapshot_links_doubted(const struct snapshot *s, uint32_t layer, uint32_t lo, uint32_t hi);
void snap_links_fini(struct snap_links *l);
