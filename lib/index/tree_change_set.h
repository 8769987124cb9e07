/**
 * tree_change_set: the inside of a change set, for tree_change, tree_change_seal and tree_merge_*.
 *
 *     dirs: 0 the root -> item of its own name -> row, where one was put
 *            |-> order[first .. first + n): its items, in order of names        once sealed
 *
 * Sealing settles what counts in the end: which directories are there (`alive`), of which rows, and
 * which entries of the stack are dead by that. Nothing of it depends on what is merged with it.
 */
#pragma once

#include "base/arena.h"
#include "index/tree_change.h"
#include "index/tree_class.h"
#include "index/tree_range.h"
#include "index/tree_slots.h"
#include "walk/walk.h"

#define CHANGE_NONE UINT32_MAX

/** What is said of one name of a directory. */
struct change_item {
	const char *name;       /* followed by a NUL */
	struct walk_entry *row; /* that was put, or NULL; cls is of the set, dir WALK_NO_DIR for
	                           what is not entered */
	uint32_t at;            /* directory; CHANGE_NONE: it is the root */
	uint32_t dir;           /* number of the directory that it is in the set, or CHANGE_NONE */
	uint16_t name_len;
	bool killed;
	/* Once sealed, of an item of a directory that is alive. */
	uint8_t flags;      /* of the row */
	struct tree_at was; /* what the stack has of it; layer CHANGE_NONE: nothing that counts */
};

struct change_dir {
	struct tree_dirs dirs; /* in the stack, by its path */
	uint32_t item;
	uint32_t first, n; /* items in `order`; sealed */
	uint8_t flags;     /* of tree_change_read() */
	bool read;
	/* Sealed. */
	bool alive; /* it is there in the end, and entered */
	bool fresh; /* nothing of what the stack has below it counts */
};

struct tree_change {
	struct arena arena;
	struct tree_stack *stack;
	VEC(struct change_item) items;
	VEC(struct change_dir) dirs;
	struct class_table classes;
	uint64_t seed;         /* of hashes of names */
	struct slots by_name;  /* items, by directory and name */
	struct slots by_place; /* dirs, by what tree_stack_canon() says */
	uint64_t n_told;
	/* Sealed. */
	bool sealed;
	int error;       /* of sealing */
	uint32_t *order; /* items by directory and name */
	struct tree_ranges kills[TREE_MAX_LAYERS];
};

static inline struct span
change_name(const struct change_item *i)
{
	return (struct span){i->name, i->name_len};
}

/** The row of an entry of a segment, but for its class and number. `name` is its name. */
struct walk_entry tree_row(const struct tree_cols *c, uint32_t entry, struct span name);

/** Settle what counts; nothing may be added afterwards. Again: nothing to do. 0, -ENOMEM,
 *  -EBADMSG the stack has no root (Y4). */
int tree_change_seal(struct tree_change *c);
