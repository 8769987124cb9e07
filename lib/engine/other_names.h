/**
 * other_names: where else the files are that an aimed walk found changed. Internal to lib/engine.
 *
 * A file with hard links changes under all its names at once, and the system tells of one of them,
 * or, when a link comes or goes, of none that was there. So whoever walks an aim notes the inodes
 * of links that came, changed or went, and aims at the other names that the index has for them.
 *
 * Costs: nothing while no file with links is among what changed; else to go through the inode
 * numbers of the index, about a millisecond for a million entries.
 *
 * Ownership: the caller's, zeroed; other_names_fini().
 * Threads:   one.
 * Errors:    -ENOMEM.
 */
#pragma once

#include "base/vec.h"
#include "index/tree_stack.h"
#include "walk/aim.h"
#include "walk/walk.h"

struct other_inode {
	uint64_t dev, ino;
};

struct other_names {
	VEC(struct other_inode) of;
};

/** Note what is in a batch of an aimed walk that knows the stack. */
int other_names_note(
	struct other_names *o, const struct tree_stack *s, const struct walk_batch *batch);
/** An aim at all names that the stack has for what was noted, without those that `but` has; *ret is
 *  NULL when there are none. */
int other_names_aim(struct other_names *o, const struct tree_stack *s, const struct walk_aim *but,
	struct walk_aim **ret);
void other_names_fini(struct other_names *o);
