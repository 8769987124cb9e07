/**
 * tree_range: ranges of entries as a set. Internal to lib/index.
 */
#pragma once

#include "base/vec.h"
#include "index/tree.h"

struct tree_ranges {
	struct tree_range *data;
	size_t len, cap; /* as VEC */
};

/** Bring them into order and join those that overlap or touch: 0 or -ENOMEM. */
int tree_ranges_join(struct tree_ranges *r);
/** Those of two sets that are in order and joined, as such: 0 or -ENOMEM. *ret is empty. */
int tree_ranges_union(
	const struct tree_ranges *a, const struct tree_ranges *b, struct tree_ranges *ret);
