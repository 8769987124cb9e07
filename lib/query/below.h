/**
 * below: a directory in all layers of its root, and what is in it.
 *
 * A directory may be entered in several layers (tree_stack.h). What is below it is one range of
 * entries in each, of which the live ones count: numbers and sums come from ranges and from running
 * sums, less what is dead.
 *
 * Ownership: plain structs; the snapshot is borrowed.
 * Threads:   any.
 */
#pragma once

#include "index/snapshot.h"

struct below {
	uint32_t n;
	struct below_part {
		uint32_t layer, dir; /* of the snapshot; number of the directory in it */
	} part[TREE_MAX_LAYERS];
};

/** The directory `dir` of a snapshot layer. */
void below_find(const struct snapshot *s, uint32_t layer, uint32_t dir, struct below *ret);
/** Entries below the directory in the i-th of its layers, dead ones too. */
void below_range(const struct snapshot *s, const struct below *b, uint32_t i, uint32_t *ret_lo,
	uint32_t *ret_hi);
/** Is this entry of a layer in one of the ranges? */
bool below_has(const struct snapshot *s, const struct below *b, uint32_t layer, uint32_t entry);

/** Live entries below it; its live children. */
uint64_t below_entries(const struct snapshot *s, const struct below *b);
uint64_t below_children(const struct snapshot *s, const struct below *b);
/** Directories below it that were entered. */
uint64_t below_dirs(const struct snapshot *s, const struct below *b);
/** The sums of what is below, an inode once or by every link: 0 or -ENOMEM. Some binary searches in
 *  each layer, and the links below of inodes that have links in several layers, or dead ones. */
int below_sum(
	const struct snapshot *s, const struct below *b, bool every_link, struct tree_sum *ret);
