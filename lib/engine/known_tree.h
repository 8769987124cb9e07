/**
 * known_tree: a tree segment as what a rescan knows (walk/known.h). Internal to lib/engine.
 *
 * Ownership: the tree must be referenced as long as *ret is used.
 * Threads:   any.
 */
#pragma once

#include "index/tree.h"
#include "walk/known.h"

/** `began_usec`: when the walk began that made it. */
void known_tree(const struct tree *t, uint64_t began_usec, struct walk_known *ret);
