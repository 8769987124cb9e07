/**
 * differ: what a rescan hands on, as a set of changes of the stack that it knew. Internal to
 * lib/engine.
 *
 * Ownership: differ_init()/differ_fini(), of the caller's storage; the set holds the stack.
 * Threads:   one.
 * Errors:    -ENOMEM, and -EINVAL for what no walk gives.
 */
#pragma once

#include "base/vec.h"
#include "index/tree_change.h"
#include "walk/walk.h"

/* Directories that are new have two numbers: the walk's, by which their lists name them, and that
 * of the set. */
struct differ_dir {
	uint32_t walk, change;
};

struct differ {
	struct tree_change *change;
	const struct tree_stack *stack; /* held by `change` */
	/* By the walk's number; a table of open addressing, at most half full. */
	struct differ_dir *dirs;
	size_t n_dirs, n_slots;
};

int differ_init(struct differ *d, struct tree_stack *s);
void differ_fini(struct differ *d);

/** All that is in a batch, which stays the caller's. */
int differ_take(struct differ *d, const struct walk_batch *batch);
/** The row of the root itself. */
int differ_root(struct differ *d, const struct walk_root *root);
