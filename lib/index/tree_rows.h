/**
 * tree_rows: what a tree builder remembers, between tree_build, tree_take, tree_sort and
 * tree_number.
 *
 *     build_dir -> piece -> piece        in the order they came
 *                    |-> rows            as the walk made them, names behind each other
 *               -> order                 only where that order is not the order of names
 *
 * A row is the walk's own entry, a cache line: nothing is copied. Its class counts in the batch it
 * came with; the piece says which of the builder's that is. With its name, and its share of pieces
 * and directories, an entry of a usual tree takes under 90 bytes.
 *
 * Ownership: pieces live in the builder's arena; rows and names in batches, or there too.
 * Threads:   one, until the directories are numbered; then any number of readers.
 */
#pragma once

#include <sys/stat.h>

#include "base/arena.h"
#include "base/vec.h"
#include "index/tree_plan.h"

#define ROW_NO_DIR WALK_NO_DIR

/* `dir` is the index into build_dirs, ROW_NO_DIR for what was not announced as entered. */
struct piece {
	struct piece *next;
	struct walk_entry *rows;
	const uint32_t *classes; /* of the builder, by those of the rows; NULL: they are the same */
	uint32_t n, n_subs;
	uint32_t subs[]; /* the `dir` of the rows that have one, in order */
};

struct build_dir {
	struct piece *first, *last;
	struct walk_entry **order; /* of malloc, n rows; NULL: the pieces' order is right */
	uint32_t n;                /* entries in all pieces; after dir_sort() without doubles */
	uint32_t number;           /* in the segment, or before: ROW_NO_DIR */
	bool announced;            /* a parent's listing named it */
	bool listed;               /* its own listing came, if only an empty one */
	bool failed;               /* its listing broke off */
	bool left_out;             /* rules left out names of it */
	bool unsorted;
};

/** Is there anything to number? A directory that vanished before it was listed has no block. */
static inline bool
dir_entered(const struct build_dir *d)
{
	return d->listed && (!d->failed || d->n > 0);
}

struct build_dirs {
	struct build_dir *data;
	size_t len, cap;
};

/** The rows of a directory in order. */
struct row_cursor {
	struct walk_entry **order;
	const struct piece *piece;
	uint32_t at, n;
};

/** From the row with the index `from` on. */
static inline struct row_cursor
dir_rows(const struct build_dir *d, uint32_t from)
{
	struct row_cursor c = {.order = d->order, .piece = d->first, .at = from, .n = d->n};

	while (!c.order && c.piece && c.at >= c.piece->n) {
		c.at -= c.piece->n;
		c.piece = c.piece->next;
	}
	return c;
}

/** NULL at the end. *ret_cls: the builder's class of it. */
static inline struct walk_entry *
row_next(struct row_cursor *c, uint32_t *ret_cls)
{
	struct walk_entry *row = NULL;

	if (c->order) {
		if (c->at < c->n)
			row = c->order[c->at++];
		*ret_cls = row ? row->cls : 0;
		return row;
	}
	while (c->piece && c->at == c->piece->n) {
		c->piece = c->piece->next;
		c->at = 0;
	}
	if (!c->piece)
		return NULL;
	row = &c->piece->rows[c->at++];
	*ret_cls = c->piece->classes ? c->piece->classes[row->cls] : row->cls;
	return row;
}

/** Byte order, a prefix first. */
static inline int
row_cmp(const struct walk_entry *a, const struct walk_entry *b)
{
	return span_cmp((struct span){a->name, a->name_len}, (struct span){b->name, b->name_len});
}

/** Bring an unsorted directory's rows into the order of names, give them the builder's classes, and
 * drop doubles: of two rows with one name (the directory changed while it was read) the later
 * stays, unless only the earlier is a directory that was listed. 0 or -ENOMEM. */
int dir_sort(struct build_dir *d, const struct build_dirs *all);

/** What stands in the column `flags`; `mode` is that of the row's class. */
static inline uint8_t
row_flags(const struct walk_entry *row, uint32_t mode, const struct build_dirs *dirs)
{
	const struct build_dir *d = row->dir == ROW_NO_DIR ? NULL : &dirs->data[row->dir];
	uint8_t left_out = d && d->left_out ? TREE_LEFT_OUT : 0;

	if (!d)
		return S_ISDIR(mode) ? TREE_NOT_ENTERED : 0;
	if (!dir_entered(d))
		return TREE_NOT_ENTERED;
	if (d->failed)
		return TREE_NOT_ENTERED | left_out;
	return (d->n == 0 ? TREE_EMPTY_DIR : 0) | left_out;
}

/** A builder's plan. */
struct build_plan {
	struct tree_plan plan;
	const struct walk_entry *root;
	const struct build_dirs *dirs;
	uint32_t *sequence; /* [n_dirs] index into dirs, by number; the plan's tables start here */
};

/** Number the directories of `dirs`, whose first is the root: 0, -ENOMEM, -ECANCELED, -EFBIG. The
 *  caller sets root, with_grams, classes and n_classes, and frees with build_plan_fini() whatever
 *  is returned. */
int tree_number(
	struct build_dirs *dirs, struct pool *pool, struct stop *stop, struct build_plan *ret);
void build_plan_fini(struct build_plan *plan);
