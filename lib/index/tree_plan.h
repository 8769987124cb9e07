/**
 * tree_plan: what a segment will hold, numbered, and where its rows come from. Internal to
 * lib/index.
 *
 *     tree_number   rows of a builder  -+
 *     tree_merge    rows of layers     -+-> tree_plan -> tree_part, many at once -> tree_write
 *
 * Ownership: tables are of who made the plan.
 * Threads:   immutable while it is written, but for dir_entry.
 */
#pragma once

#include "index/tree_format.h"
#include "index/tree_gram.h"
#include "sync/par.h"
#include "walk/walk.h"

/** The rows of a part, in order. */
struct plan_rows {
	const struct walk_entry *rows[TREE_CHUNK]; /* names, values; neither class nor number */
	uint32_t parents[TREE_CHUNK];              /* numbers of directories */
	uint32_t classes[TREE_CHUNK];              /* of the plan */
	uint32_t numbers[TREE_CHUNK];       /* of the directories that they are, else TREE_NO_DIR */
	uint8_t flags[TREE_CHUNK];          /* enum tree_flags */
	struct walk_entry made[TREE_CHUNK]; /* for rows that are nowhere yet */
};

struct tree_plan {
	struct tree_cols counts; /* n_entries, n_dirs, n_classes; of a layer n_below, below,
	                            n_dead, dead */
	const struct tree_class *classes;
	uint32_t *parent;              /* [n_dirs] number */
	uint32_t *dir_first;           /* [n_dirs + 1] */
	uint32_t *dir_end, *dir_entry; /* [n_dirs]; dir_entry is filled by tree_part_make() */
	bool with_grams;               /* a filter over the names */
	/* Rows [first, first + n), n <= TREE_CHUNK; on many threads at once: 0 or -errno. */
	int (*gather)(
		const struct tree_plan *plan, uint32_t first, uint32_t n, struct plan_rows *ret);
};

/** Fill dir_end from parent. */
void tree_plan_ranges(struct tree_plan *plan, uint32_t n_dirs);
/** The directory whose block holds the entry, which is not 0. */
uint32_t tree_plan_dir(const struct tree_plan *plan, uint32_t entry);

/** Write the file's bytes, all but the sync: 0, -ECANCELED, -errno of write, -ENOMEM; -EBADMSG: the
 *  plan and its rows disagree. */
int tree_write(int fd, const struct tree_plan *plan, struct pool *pool, struct stop *stop,
	uint64_t *ret_bytes);
