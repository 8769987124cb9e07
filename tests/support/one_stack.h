/**
 * one_stack: a stack of one segment, for tests that make snapshots by hand.
 */
#pragma once

#include "index/tree_stack.h"

/** Takes the tree over. NULL: out of memory. */
static inline __attribute__((unused)) struct tree_stack *
one_stack(struct tree *t)
{
	struct tree_stack *s = NULL;

	(void)tree_stack_create(&t, 1, &s, NULL);
	tree_unref(t);
	return s;
}
