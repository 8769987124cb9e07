/**
 * tree_joint: which numbers directories of one path have in the layers of a stack. Internal to
 * lib/index.
 *
 * Only directories that a layer above the base has are written down: a row each, with its number in
 * every layer. A directory of the base that is in no row is in the base alone.
 *
 *     layer 2: row of each of its directories -+
 *     layer 1: row of each of its directories -+-> rows: {number in 0, in 1, in 2}
 *     base:    its directories that have a row, ascending (binary search)
 *
 * Ownership: tree_joint_create()/tree_joint_destroy(); immutable in between.
 * Threads:   any number of readers.
 */
#pragma once

#include "index/tree_stack.h"

struct joint_base {
	uint32_t dir, row;
};

struct tree_joint {
	struct tree_dirs *rows;
	struct joint_base *base; /* [n_base] by dir */
	uint32_t n_rows, n_base;
	uint32_t *row_of[TREE_MAX_LAYERS]; /* of layers from 1 on, by dir */
};

/** Of the stack's trees, two or more: 0 or -ENOMEM. `old` (may be NULL) is of a stack whose first
 *  `keep` layers are the same: only the directories of the others are looked for. */
int tree_joint_create(const struct tree_stack *s, const struct tree_joint *old, uint32_t keep,
	struct tree_joint **ret);
void tree_joint_destroy(struct tree_joint *j); /* NULL is legal */
/** The row of a directory; NULL: it is in the base alone. */
const struct tree_dirs *tree_joint_row(const struct tree_joint *j, uint32_t layer, uint32_t dir);

/** tree_stack_create() of trees of which the first `keep` are those of the stack `old`. */
int tree_stack_make(struct tree *const *trees, uint32_t n, const struct tree_stack *old,
	uint32_t keep, struct tree_stack **ret, struct err *err);
