/**
 * tree: the names and metadata of one root, as an immutable segment file mapped into memory.
 *
 * The layout is FORMAT.md. Entries are numbered 0 .. n_entries-1. Entry 0 is the root itself (name
 * empty). All children of a directory are consecutive, in byte order of their names; directories
 * are numbered in depth-first order (0 is the root), and the blocks of children stand in the order
 * of the directories. Hence everything below directory d is one range of entries:
 *
 *     children of d:   [dir_first[d], dir_first[d + 1])
 *     subtree of d:    [dir_first[d], dir_first[dir_end[d]])          d's own entry is not in it
 *
 * tree_open() checks every checksum and every number that an accessor relies on, so the accessors
 * check nothing. A disk error after that shows as zero pages: tree_faulted() is asked before an
 * answer ends.
 *
 * Ownership: tree_open() gives one reference (struct arc inside); tree_ref()/tree_unref(). Columns
 * and spans are valid while a reference is held. Threads:   any number of readers. Errors: -EBADMSG
 * damaged, -EOPNOTSUPP of a newer version, -errno of open and map. err says which.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "sync/arc.h"
#include "text/mapfile.h"

#define TREE_NAME_BLOCK 64u /* entries that share one name_base (FORMAT.md 3.1) */
#define TREE_NAME_MAX_BYTES 1023u
#define TREE_NO_DIR UINT32_MAX

/** What entries share: interned, a few dozen a tree (FORMAT.md 3.3). */
struct tree_class {
	uint64_t dev;
	uint32_t mode; /* with type bits */
	uint32_t uid, gid;
	uint32_t reserved;
};

/** The mapped columns; all of n_entries elements unless said. Little endian, naturally aligned. */
struct tree_cols {
	uint32_t n_entries, n_dirs, n_classes, n_wide;
	uint64_t names_bytes;

	const uint64_t
		*name_base; /* [n_entries / TREE_NAME_BLOCK + 1] offset of the block's first name */
	const uint16_t *name_rel; /* offset from the block's base */
	const char *names;        /* each name followed by one NUL; in entry order */
	const uint32_t
		*parent;     /* directory number of the directory the entry is in; 0 for entry 0 */
	const uint32_t *cls; /* index into classes */
	const uint32_t
		*dir; /* directory number of a directory that was entered, else TREE_NO_DIR */
	const uint64_t *size;
	const uint64_t *blocks; /* of 512 bytes */
	const int64_t *mtime_ns, *ctime_ns;
	const uint64_t *ino;
	const uint32_t *nlink;
	const uint8_t *flags; /* enum tree_flags */
	const uint32_t *wide; /* [n_wide] entries whose name has a byte >= 0x80, ascending */
	const struct tree_class *classes; /* [n_classes] */

	const uint32_t
		*dir_first; /* [n_dirs + 1] first child's entry; the last element is n_entries */
	const uint32_t *dir_end;   /* [n_dirs] one past the last directory of the subtree */
	const uint32_t *dir_entry; /* [n_dirs] the directory's own entry */
};

enum tree_flags {
	TREE_NOT_ENTERED = 1u << 0, /* a directory whose contents were left out or could not be
	                               read; with a directory number: not read to the end */
	TREE_EMPTY_DIR = 1u << 1,   /* a directory that was read and had no entry at all */
};

struct tree;

int tree_open(int dirfd, const char *name, struct tree **ret, struct err *err);
/** The same from an open file, which the caller closes; `name` is for sentences. For tests and
 *  fuzzers. */
int tree_open_fd(int fd, const char *name, struct tree **ret, struct err *err);
struct tree *tree_ref(struct tree *t);
void tree_unref(struct tree *t); /* NULL is legal */
const struct tree_cols *tree_cols(const struct tree *t);
bool tree_faulted(const struct tree *t);
/** Length of the file. */
uint64_t tree_file_bytes(const struct tree *t);

/* One value of an entry. Ask these, not the columns: how a column is kept is the format's business.
 */
static inline uint32_t
tree_parent(const struct tree_cols *c, uint32_t entry)
{
	return c->parent[entry]; /* a directory number; 0 for entry 0 */
}

/** Number of a directory that was entered, else TREE_NO_DIR. */
static inline uint32_t
tree_dir(const struct tree_cols *c, uint32_t entry)
{
	return c->dir[entry];
}

/** Index into classes. */
static inline uint32_t
tree_cls(const struct tree_cols *c, uint32_t entry)
{
	return c->cls[entry];
}

static inline uint64_t
tree_size(const struct tree_cols *c, uint32_t entry)
{
	return c->size[entry];
}

/** Of 512 bytes. */
static inline uint64_t
tree_blocks(const struct tree_cols *c, uint32_t entry)
{
	return c->blocks[entry];
}

static inline int64_t
tree_mtime(const struct tree_cols *c, uint32_t entry)
{
	return c->mtime_ns[entry];
}

static inline int64_t
tree_ctime(const struct tree_cols *c, uint32_t entry)
{
	return c->ctime_ns[entry];
}

static inline uint64_t
tree_ino(const struct tree_cols *c, uint32_t entry)
{
	return c->ino[entry];
}

static inline uint32_t
tree_nlink(const struct tree_cols *c, uint32_t entry)
{
	return c->nlink[entry];
}

/** enum tree_flags. */
static inline uint8_t
tree_flags(const struct tree_cols *c, uint32_t entry)
{
	return c->flags[entry];
}

/** Columns by number, for what reads many values of one. */
enum tree_column {
	TREE_SIZE,
	TREE_BLOCKS,
	TREE_MTIME,
	TREE_CTIME,
	TREE_INO,
	TREE_NLINK,
	TREE_CLS,
	TREE_PARENT,
	TREE_FLAGS,
	N_TREE_COLUMNS
};

/** Entries that share bounds: what skips by tree_bounds() asks in multiples of this. */
#define TREE_BLOCK 128u

/** The values of entries [lo, lo + n); times as the bit patterns of int64_t. Some ns for the call
 *  and under 1 ns a value: a few hundred values at a time, into a buffer that stays in the cache.
 */
void tree_read(
	const struct tree_cols *c, enum tree_column col, uint32_t lo, uint32_t n, uint64_t *ret);
/** Bounds of the values of entries [lo, lo + n), n > 0: no value is outside, but the bounds
 *  themselves may not occur, and are those of whole blocks. Times: bit patterns, and bounds in
 *  signed order. Costs some ns a block. False: not known, nothing is returned. */
bool tree_bounds(const struct tree_cols *c, enum tree_column col, uint32_t lo, uint32_t n,
	uint64_t *ret_min, uint64_t *ret_max);

/** Sums modulo 2^64. */
struct tree_sum {
	uint64_t size, blocks; /* bytes; 512 bytes */
};
/** Every entry of [lo, hi), a directory's own size too. Constant time. */
void tree_sum(const struct tree_cols *c, uint32_t lo, uint32_t hi, struct tree_sum *ret);
/** The same, but of the entries that are links to one inode (not directories; device and inode
 *  number equal) only the first in the range counts, as du does. Time grows with the number of such
 *  links in the range. */
void tree_sum_once(const struct tree_cols *c, uint32_t lo, uint32_t hi, struct tree_sum *ret);
/** tree_sum_once() of the subtree of directory `dir` (its own entry is not in it), without
 *  that growth: a binary search. */
void tree_sum_dir(const struct tree_cols *c, uint32_t dir, struct tree_sum *ret);

/** Where the name starts in the names blob; of n_entries: the blob's length. */
static inline uint64_t
tree_name_at(const struct tree_cols *c, uint32_t entry)
{
	if (entry == c->n_entries)
		return c->names_bytes;
	return c->name_base[entry / TREE_NAME_BLOCK] + c->name_rel[entry];
}

struct span tree_name(const struct tree_cols *c, uint32_t entry);
/** Starts of the names of entries [lo, lo + n] (n + 1 values, the last is one past the NUL of the
 *  last), counted from the first, whose start in the blob is returned. n <= TREE_STARTS_MAX. The
 *  cheap way to go through the names of a range: tree_name_at() may have to look for its name. */
uint64_t tree_name_starts(const struct tree_cols *c, uint32_t lo, uint32_t n, uint32_t *ret);
#define TREE_STARTS_MAX ((uint32_t)1 << 21)
/** File type as DT_*, from the class's mode. */
uint8_t tree_type(const struct tree_cols *c, uint32_t entry);
/** Append the path relative to the root ("" for entry 0): 0 or -ENOMEM. */
int tree_path(const struct tree_cols *c, uint32_t entry, struct strbuf *out);
/** Number of components below the root: 0 for entry 0, 1 for its children. */
uint32_t tree_depth(const struct tree_cols *c, uint32_t entry);
/** The entry at a path relative to the root: 0, -ENOENT, -ENOTDIR. Binary search a component. */
int tree_lookup(const struct tree_cols *c, struct span path, uint32_t *ret_entry);
/** Entry range of everything below an entered directory. */
void tree_subtree(const struct tree_cols *c, uint32_t dir, uint32_t *ret_lo, uint32_t *ret_hi);
/** The entry whose name covers offset `at` of the names blob (binary search). */
uint32_t tree_entry_at(const struct tree_cols *c, uint64_t at);
