/**
 * tree_builder: the inside of a tree builder, for tree_build and tree_take; what it asks
 * of rows, for tree_change too.
 *
 * Threads: one.
 */
#pragma once

#include "index/tree_build.h"
#include "index/tree_class.h"
#include "index/tree_rows.h"

struct tree_builder {
	struct arena arena;
	struct walk_batch *batches; /* taken over */
	struct build_dirs dirs;     /* by the walk's number */
	struct class_table classes;
	struct walk_entry root;
	uint64_t n_entries;
	struct pool *pool; /* may be NULL */
	uint32_t grams_from;
	bool spent;
};

/** A directory was named: 0, -EFBIG, -EINVAL named before, -ENOMEM. */
int build_announce(struct tree_builder *b, uint64_t dir);
/** Is it what a walk gives? 0, -EINVAL, -ENAMETOOLONG. */
int build_check_input(const struct tree_input *in);
/** Everything but the name: 0 or -ENOMEM. */
int build_input_row(struct class_table *t, const struct tree_input *in, struct walk_entry *ret);
