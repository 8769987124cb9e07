/**
 * tree_rows: what a tree builder remembers, between tree_build, tree_sort and tree_write.
 *
 *     build_dir -> piece -> piece        in the order they came; rows of fixed size, names behind
 *               -> order                 only where that order is not the order of names
 *
 * A row is 64 bytes, one cache line. With its name, and its share of pieces and directories, an
 * entry of a usual tree takes under 90 bytes.
 *
 * Ownership: pieces and names live in the builder's arena.
 * Threads:   one.
 */
#pragma once

#include "base/arena.h"
#include "base/vec.h"
#include "index/tree_format.h"
#include "sync/stop.h"

#define ROW_NO_DIR UINT32_MAX

struct row {
	uint64_t size, blocks, ino;
	int64_t mtime_ns, ctime_ns;
	const char *name; /* followed by a NUL */
	uint32_t nlink, cls;
	uint32_t sub; /* index into build_dirs, ROW_NO_DIR for what was not announced as entered */
	uint16_t name_len;
	uint8_t flags; /* enum tree_flags; final once the directories are numbered */
	bool wide;     /* the name has a byte >= 0x80 */
};
_Static_assert(sizeof(struct row) == 64, "a row is a cache line");

struct piece {
	struct piece *next;
	uint32_t n;
	struct row rows[];
};

struct build_dir {
	struct piece *first, *last;
	struct row **order;   /* of malloc, n rows; NULL: the pieces' order is right */
	uint64_t names_bytes; /* with a NUL for each name */
	uint32_t n, n_wide;   /* entries in all pieces; after dir_sort() without doubles */
	uint32_t number;      /* in the segment, or before: ROW_NO_DIR */
	bool announced;       /* a parent's listing named it */
	bool listed;          /* its own listing came, if only an empty one */
	bool failed;          /* its listing broke off */
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
	struct row **order;
	struct piece *piece;
	uint32_t at, n;
};

static inline struct row_cursor
dir_rows(const struct build_dir *d)
{
	return (struct row_cursor){.order = d->order, .piece = d->first, .n = d->n};
}

/** NULL at the end. */
static inline struct row *
row_next(struct row_cursor *c)
{
	if (c->order)
		return c->at < c->n ? c->order[c->at++] : NULL;
	while (c->piece && c->at == c->piece->n) {
		c->piece = c->piece->next;
		c->at = 0;
	}
	return c->piece ? &c->piece->rows[c->at++] : NULL;
}

/** Byte order, a prefix first. */
static inline int
row_cmp(const struct row *a, const struct row *b)
{
	return span_cmp((struct span){a->name, a->name_len}, (struct span){b->name, b->name_len});
}

/** Bring an unsorted directory's rows into the order of names and drop doubles: of two rows with
 * one name (the directory changed while it was read) the later stays, unless only the earlier is a
 *  directory that was listed. 0 or -ENOMEM. */
int dir_sort(struct build_dir *d, const struct build_dirs *all);

/** Everything that goes into the file, numbered. */
struct tree_plan {
	const struct row *root;
	const struct build_dirs *dirs;
	const uint32_t *sequence; /* [n_dirs] index into dirs, by number */
	const struct tree_class *classes;
	uint32_t *dir_first, *dir_end; /* complete */
	uint32_t *dir_entry;           /* filled while entries are written */
	struct tree_cols counts;       /* n_* and names_bytes only */
};

/** Write the file's bytes, all but the sync: 0, -ECANCELED, -errno of write, -ENOMEM. */
int tree_write(int fd, const struct tree_plan *plan, struct stop *stop, uint64_t *ret_bytes);
