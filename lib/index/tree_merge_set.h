/**
 * tree_merge_set: the inside of a merge, between tree_merge, tree_merge_dirs, tree_merge_cursor and
 * tree_merge_rows.
 *
 *     layers that go in, changes -> dirs, each with where its rows come from -> kept ones, numbered
 *                                                                           -> rows, part by part
 *
 * A directory is *told* when its own entry goes in: it is live in a layer that does, or was put.
 * Otherwise a layer below tells it, and it is kept as a skeleton when something is in it.
 *
 * Threads: one makes it; then any number gather rows.
 */
#pragma once

#include "index/tree_change_set.h"
#include "index/tree_merge.h"
#include "index/tree_plan.h"

/* Where a directory is entered, or its own entry is: a layer, or one of these. */
#define MERGE_MANY 0xfeu   /* of several layers; an index into `many` */
#define MERGE_CHANGE 0xffu /* of no layer; of an own entry: the item with its row */

struct merge_dir {
	uint32_t parent; /* index; parents come first */
	uint32_t change; /* directory of the change set, or CHANGE_NONE */
	uint32_t in;     /* number in layer `in_layer` */
	uint32_t own;    /* entry of layer `own_layer` */
	uint32_t n;      /* rows in it */
	uint32_t number; /* of the new segment; TREE_NO_DIR: not kept */
	uint8_t in_layer, own_layer;
	uint8_t flags;
	bool told;
};

struct merge {
	/* Must come first: gather() gets the plan. */
	struct tree_plan plan;
	const struct tree_merge *m;
	const struct tree_stack *stack;
	struct tree_change *change; /* sealed; may be NULL */
	uint32_t from, n_layers;

	/* Of the layers that go in: what is dead once the changes are made. */
	struct tree_dead *dead[TREE_MAX_LAYERS];
	/* Of those below: what will be. */
	struct tree_below below[TREE_MAX_LAYERS];
	struct tree_ranges said; /* nearest layer first */

	VEC(struct merge_dir) dirs;
	VEC(struct tree_dirs) many;
	uint32_t *sequence; /* [n_dirs] index into dirs, by number; the plan's tables start here */

	struct class_table classes;
	uint32_t *class_map[TREE_MAX_LAYERS + 1]; /* by class of a layer; the last of the changes */
	struct merge_cursor *starts; /* [n_parts] where parts begin that are deep in a directory */
};

/** Find the directories, count what is in them and number those that are kept: 0, -ENOMEM,
 *  -ECANCELED, -EFBIG, -EBADMSG. */
int merge_find_dirs(struct merge *g);
int merge_number_dirs(struct merge *g);

/** The rows of one directory, in order of names. */
struct merge_cursor {
	const struct merge *g; /* NULL: unused */
	uint32_t dir;          /* number */
	uint32_t done;         /* rows that were handed out */
	uint32_t n_runs;
	struct merge_run {
		uint32_t layer, at, end;
		uint32_t n_dead; /* ranges that end past `at` */
		const struct tree_range *dead;
		struct span name; /* of `at`; data NULL: not looked up */
	} run[TREE_MAX_LAYERS];
	uint32_t item, item_end; /* the next that has a row: index into the set's order */
	uint32_t kid, kid_end;   /* the next sub-directory that is kept: number */
	bool bone;               /* which is a skeleton */
};

struct merge_row {
	uint32_t layer; /* MERGE_CHANGE: an item */
	uint32_t entry; /* or item */
	uint32_t number;
	struct span name;
};

void merge_cursor_open(struct merge_cursor *c, const struct merge *g, uint32_t number);
/** False: there is none, which is no surprise only to who has not counted. */
bool merge_cursor_next(struct merge_cursor *c, struct merge_row *ret);

/** Classes that the rows need: 0 or -ENOMEM. After the directories are numbered. */
int merge_map_classes(struct merge *g);
/** Prepare for gather(): 0, -ENOMEM, -ECANCELED. */
int merge_find_starts(struct merge *g);
int merge_gather(const struct tree_plan *plan, uint32_t first, uint32_t n, struct plan_rows *ret);
