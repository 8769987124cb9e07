/**
 * total: what is at and below a path: bytes, disk blocks, entries. `du` from running sums.
 *
 * What du(1) counts: the entry itself and everything below it, directories with their own size,
 * an inode with several links once however many of them are below (also in different directories).
 * What the index left out is not counted; totals_unread() tells of it.
 *
 * A root inside another (a directory belongs to its deepest root) counts as part of the outer one's
 * directory. Inodes with links in both are then looked for by going through the links of both.
 *
 * Cost: a file some ns; a directory some binary searches; more only where it must be so: links
 * between several layers, dead links; between several roots or paths, or with entries of other file
 * systems and `one_device`, all links are looked at.
 *
 * Ownership: totals_open()/totals_close(); borrows the snapshot and `halt`.
 * Threads:   const after open, but for `halt`'s token: any number of readers.
 * Errors:    -ENOMEM; -ECANCELED, -ETIMEDOUT by `halt`.
 * Units:     bytes; blocks of 512 bytes.
 */
#pragma once

#include "query/query.h"

struct place {
	uint32_t layer, entry; /* of the snapshot: snapshot.h */
};

struct total {
	uint64_t size, blocks;
	uint64_t n_entries; /* itself and all below, every link */
};

struct totals_opts {
	bool every_link; /* count an inode as often as it has links here (du -l) */
	bool one_device; /* leave out what is on another file system than the path (du -x) */
	const struct cursor_opts *halt; /* when to stop, and the pool */
};

struct totals;

int totals_open(const struct snapshot *s, const struct totals_opts *opts, struct totals **ret);
void totals_close(struct totals *t); /* NULL is legal */

int totals_of(const struct totals *t, struct place at, struct total *ret);
/** Of several paths together: what is below more than one of them counts once, links too. */
int totals_union(const struct totals *t, const struct place *at, size_t n, struct total *ret);

/** Directories at or below the paths whose contents are not, or not all, in the index. From
 *  the list of all such: some ns each. */
int totals_unread(const struct totals *t, const struct place *at, size_t n, uint64_t *ret);

/** With one_device: is `at` on another file system than `top`, so that it does not count there? */
bool totals_apart(const struct totals *t, struct place top, struct place at);

/** The root that begins where this entry of another root stands: true, and its own entry. */
bool totals_inner(const struct totals *t, struct place at, struct place *ret);
/** Does another root begin where this directory of a layer stands? */
bool totals_is_root(const struct totals *t, uint32_t layer, uint32_t dir);
/** The i-th such place and root; false: there are no more. */
bool totals_door(
	const struct totals *t, size_t i, struct place *ret_outer, struct place *ret_inner);
