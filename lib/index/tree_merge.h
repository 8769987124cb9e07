/**
 * tree_merge: layers of a stack, and changes, made into one segment.
 *
 *     from = n_layers   the changes as a new layer upon all
 *     from = top        a new topmost layer: what the old one says, and the changes
 *     from = k          one layer in the place of those from k to the top
 *     from = 0          a new base, without what is dead and without skeletons
 *
 * The layers below `from` stay, and the new segment says what of them is dead. So the work is in
 * proportion to the layers that go in and to the changes, never to those below. The file system is
 * not looked at.
 *
 * Memory: some 40 bytes for each entry of the new segment while it is written, and what the changes
 * hold.
 *
 * Ownership: everything is borrowed; the change set is spent: afterwards it may be merged again
 *            (with other layers of the same stack) or destroyed, but no longer be added to.
 * Threads:   one, which holds no ranked lock; the stack may have readers.
 * Errors:    as tree_builder_write(); -EBADMSG the layers contradict each other (Y5), -EIO the disk
 *            could not give what is in them.
 */
#pragma once

#include "index/tree_change.h"

struct tree_merge {
	const struct tree_stack *stack;
	struct tree_change *change; /* of this stack; NULL: none */
	uint32_t from;              /* at most n_layers, and less than TREE_MAX_LAYERS */
	struct pool *pool;          /* works on its threads too, in TASK_INDEX; may be NULL */
	struct stop *stop;          /* may be NULL */
	bool light; /* tree_merge_write() does not sync: a power cut leaves the file for
	               certain after tree_sync() */
};

/** Durably, as tree_builder_write() does, unless it is light. */
int tree_merge_write(const struct tree_merge *m, int dirfd, const char *name, uint64_t *ret_bytes,
	struct err *err);
/** Make n files of light merges durable: 0 or -errno. */
int tree_sync(int dirfd, char *const *names, uint32_t n);
/** Into an open file (of memfd_create(), say), which is not synced. */
int tree_merge_fd(const struct tree_merge *m, int fd, uint64_t *ret_bytes, struct err *err);

/** The first `keep` layers of a stack with `top` upon them: the stack after a merge. Errors as
 *  tree_stack_create(). */
int tree_merge_stack(const struct tree_stack *s, uint32_t keep, struct tree *top,
	struct tree_stack **ret, struct err *err);
