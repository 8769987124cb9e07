/**
 * tree_change_tell: what a set of changes does to the stack it is of, entry by entry.
 *
 * Told is each path whose entry is another one afterwards, and each that only may be: a row that
 * was put and is what was there is told, too. Of a directory that goes, everything below is told;
 * of one that is replaced, each name below once, with what was there and what is. In the order of
 * names, a directory before what is in it; each path once.
 *
 * Ownership: what is told is valid during the call alone.
 * Threads:   one. Nothing else uses the set meanwhile.
 * Errors:    -ENOMEM; those of tree_change_seal(), which is called when that was not done; and
 *            what `fn` returns, when it is not 0: then that is the end.
 */
#pragma once

#include "index/tree_change.h"
#include "walk/walk.h"

struct tree_told {
	struct span path;             /* relative to the root; of the root itself empty */
	const struct tree_at *was;    /* in the stack; NULL: it was not there */
	const struct walk_entry *is;  /* NULL: it is there no more */
	const struct tree_class *cls; /* of `is` */
};
typedef int (*tree_told_fn)(void *ctx, const struct tree_told *t);

int tree_change_tell(struct tree_change *c, tree_told_fn fn, void *ctx);
