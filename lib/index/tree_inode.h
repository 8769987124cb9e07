/**
 * tree_inode: the directories of a root by the number of their inode.
 *
 * The kernel says in which directory something has changed by its inode; the index knows by that
 * what the directory is called, and nothing has to be opened. Directories that were not entered are
 * in it too.
 *
 * A table belongs to one segment and lasts as long as that; the tables of a stack (struct
 * tree_inodes) share those of segments that stayed, as views share maps. File systems are not told
 * apart: an inode number of two of them stands for two directories.
 *
 *     segment   ino    [ 2 | 17 | 17 | 90 | .. ]     ascending
 *               entry  [ 0 |  5 |  9 |  4 | .. ]
 *
 * Ownership: counted (struct arc). Tables hold no segments: they are asked together with a stack
 *            that they were made of.
 * Threads:   immutable; any number of readers.
 * Errors:    -ENOMEM.
 * Units:     12 bytes a directory.
 */
#pragma once

#include "index/tree_stack.h"

struct tree_inode;

struct tree_inodes {
	struct arc arc;
	uint32_t n_layers;
	struct tree_inode *of[TREE_MAX_LAYERS]; /* as the stack's layers */
};

/** `before` (may be NULL): tables of an earlier stack of the root. Costs in proportion to the
 *  directories of the segments that it had not. */
int tree_inodes_create(
	const struct tree_stack *s, const struct tree_inodes *before, struct tree_inodes **ret);
struct tree_inodes *tree_inodes_ref(struct tree_inodes *t);
void tree_inodes_unref(struct tree_inodes *t); /* NULL is legal */

/** Were they made of these segments? */
bool tree_inodes_fit(const struct tree_inodes *t, const struct tree_stack *s);
/** May there be such a directory? No: there is none; yes: there is, or was in a lower layer. */
bool tree_inodes_have(const struct tree_inodes *t, uint64_t ino);

/** How far a search is; begins zeroed. */
struct tree_inode_at {
	uint32_t layer, next; /* next: 0 not looked for yet, else the place after + 1 */
};
/** The live directories with that number, one a call: true and their entry, false at the end. */
bool tree_inodes_next(const struct tree_inodes *t, const struct tree_stack *s, uint64_t ino,
	struct tree_inode_at *at, struct tree_at *ret);
/** Begins zeroed. */
struct tree_inode_walk {
	uint32_t layer, next;
};
/** Every live directory of the segments that `before` (may be NULL) has no table of, one a call:
 * true, its number and its entry; false at the end. */
bool tree_inodes_each(const struct tree_inodes *t, const struct tree_stack *s,
	const struct tree_inodes *before, struct tree_inode_walk *walk, uint64_t *ret_ino,
	struct tree_at *ret);
/** The least number after `ino` that a table has, its directory live or not; false: none. */
bool tree_inodes_after(const struct tree_inodes *t, uint64_t ino, uint64_t *ret_ino);
/** How many directories the tables have, live or not. */
uint64_t tree_inodes_count(const struct tree_inodes *t);
