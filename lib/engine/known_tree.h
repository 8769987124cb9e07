/**
 * known_tree: the segments of a root as what a rescan knows (walk/known.h). Internal to lib/engine.
 *
 * Ids are places in the stack: the layer in the upper half, the number of the entry, or of the
 * directory, in the lower.
 *
 * Ownership: the stack must be referenced as long as *ret is used.
 * Threads:   any.
 */
#pragma once

#include "index/tree_stack.h"
#include "walk/known.h"

/** `began_usec`: when the last walk began that it tells of. */
void known_tree(const struct tree_stack *s, uint64_t began_usec, struct walk_known *ret);

static inline struct tree_at
known_at(uint64_t id)
{
	return (struct tree_at){.layer = (uint32_t)(id >> 32), .entry = (uint32_t)id};
}
