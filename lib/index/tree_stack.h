/**
 * tree_stack: the segments of one root, each upon the ones before: what is known of it now.
 *
 * Layer 0 is the base, a segment that tells everything. A layer above tells what has changed since:
 * entries that are new or different, with SKELETON directories on the way to them, and which
 * entries of the layers below no longer count (FORMAT.md 5). Most stacks have one layer; then every
 * entry counts.
 *
 * A path that is there is live in exactly one layer. A directory may be *entered* in several: its
 * children are then those that are live, of all of them. Directories of several layers with one
 * path are the same directory, whichever layer tells its own entry.
 *
 *     layer 2 (top)   /   lib/ (skeleton)   lib/new.c
 *     layer 1         /   lib/              lib/b.c               b.c of the base is dead
 *     layer 0 (base)  /   lib/  src/        lib/a.c  lib/b.c  src/x.c
 *
 * Ownership: counted (struct arc); a stack holds its trees. Immutable.
 * Threads:   any number of readers.
 * Errors:    -ENOMEM; of open also those of tree_open(), -EBADMSG where layers do not belong upon
 *            each other.
 */
#pragma once

#include "index/tree_dead.h"

struct tree_layer {
	struct tree *tree;
	struct tree_dead *dead; /* NULL: all entries count */
};

/** One entry of a stack. */
struct tree_at {
	uint32_t layer, entry;
};

/** The numbers of one directory in the layers; TREE_NO_DIR where it is not entered there. */
struct tree_dirs {
	uint32_t dir[TREE_MAX_LAYERS];
};
#define TREE_NOWHERE                                                 \
	{                                                            \
		.dir = { [0 ... TREE_MAX_LAYERS - 1] = TREE_NO_DIR } \
	}

struct tree_stack {
	struct arc arc;
	uint32_t n_layers;
	uint64_t n_entries; /* that are live, with the root */
	struct tree_layer layer[TREE_MAX_LAYERS];
	struct tree_joint *joint; /* how directories belong together; NULL with one layer */
};

/** The layers, base first, at most TREE_MAX_LAYERS. The stack holds references of its own to the
 *  trees. `err` may be NULL. Of several layers it costs in proportion to the directories of all but
 *  the base, and to what is dead. */
int tree_stack_create(
	struct tree *const *trees, uint32_t n, struct tree_stack **ret, struct err *err);
struct tree_stack *tree_stack_ref(struct tree_stack *s);
void tree_stack_unref(struct tree_stack *s); /* NULL is legal */

static inline const struct tree_cols *
tree_stack_cols(const struct tree_stack *s, uint32_t layer)
{
	return tree_cols(s->layer[layer].tree);
}

/** What decides no access, only whether answers are right: Y4 to Y6. 0, -EBADMSG, -ENOMEM. Goes
 *  through all directories. */
int tree_stack_check(const struct tree_stack *s, struct err *err);
/** Could the disk not give what was asked for, in any layer? */
bool tree_stack_faulted(const struct tree_stack *s);

/** The directory `dir` of `layer` in all layers. */
void tree_stack_dirs(
	const struct tree_stack *s, uint32_t layer, uint32_t dir, struct tree_dirs *ret);
/** The lowest layer that has the directory, and its number there: one name for one directory,
 *  whichever layer it was met in. */
struct tree_at tree_stack_canon(const struct tree_stack *s, uint32_t layer, uint32_t dir);
/** The entry that is live at a path relative to the root: 0, -ENOENT, -ENOTDIR. */
int tree_stack_lookup(const struct tree_stack *s, struct span path, struct tree_at *ret);
/** The live entry of that name in a directory: 0 or -ENOENT. */
int tree_stack_child(const struct tree_stack *s, const struct tree_dirs *dirs, struct span name,
	struct tree_at *ret);
/** The same, and the numbers of the directory that has this name, in all layers that have entered
 *  one, whether anything of the name is live or not. */
int tree_stack_enter(const struct tree_stack *s, const struct tree_dirs *dirs, struct span name,
	struct tree_at *ret, struct tree_dirs *ret_dirs);
/** The live entry of a directory itself; -ENOENT when it is gone. */
int tree_stack_own(const struct tree_stack *s, const struct tree_dirs *dirs, struct tree_at *ret);

/** The live children of a directory, of all layers, in order of names. */
struct tree_list {
	const struct tree_stack *stack;
	/* Of each layer that has children left: the next one, and its name where there are
	 * several. */
	uint32_t n;
	struct tree_run {
		uint32_t layer, at, end;
		struct span name;
	} run[TREE_MAX_LAYERS];
};
void tree_list_open(struct tree_list *l, const struct tree_stack *s, const struct tree_dirs *dirs);
bool tree_list_next(struct tree_list *l, struct tree_at *ret);
