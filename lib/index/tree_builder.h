/**
 * tree_builder: the inside of a tree builder, for tree_build and tree_take only.
 *
 * Threads: one.
 */
#pragma once

#include "index/tree_build.h"
#include "index/tree_rows.h"

/** Classes are few: a table of open addressing over their vector, at most half full. */
struct class_table {
	VEC(struct tree_class) classes;
	uint32_t *slots; /* index + 1 into classes, 0 free */
	uint32_t n_slots;
	uint32_t last; /* the class asked for last */
};

/** The index of a class equal to this one, new if need be: 0 or -ENOMEM. */
int class_intern(struct class_table *t, const struct tree_class *c, uint32_t *ret);
void class_table_fini(struct class_table *t);

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
/** Everything but the name: 0, -EINVAL, -ENOMEM. */
int build_input_row(struct tree_builder *b, const struct tree_input *in, struct walk_entry *ret);
