/**
 * tree_class: classes of entries under construction, each once. Internal to lib/index.
 *
 * Ownership: the caller's, zeroed; class_table_fini().
 */
#pragma once

#include "base/vec.h"
#include "index/tree.h"

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
