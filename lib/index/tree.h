/**
 * tree: the names and metadata of one root, as an immutable segment file mapped into memory, but
 * for the names, which are packed there and kept unpacked beside.
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
 * damaged, -EOPNOTSUPP of another version, -errno of open and map. err says which.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "index/tree_column.h"
#include "sync/arc.h"
#include "text/mapfile.h"

#define TREE_NAME_MAX_BYTES 1023u
#define TREE_NO_DIR UINT32_MAX
#define TREE_CHUNK \
	4096u /* entries of a frame of names (FORMAT.md 3.1), and of other shares of work */
#define TREE_NAME_GROUP 64u /* entries that a list of grams names together (3.8) */
#define TREE_MAX_LAYERS 8u  /* of a stack (tree_stack.h), the base counted */

/** What entries share: interned, a few dozen a tree (FORMAT.md 3.3). */
struct tree_class {
	uint64_t dev;
	uint32_t mode; /* with type bits */
	uint32_t uid, gid;
	uint32_t reserved;
};

/** Entries [lo, hi). */
struct tree_range {
	uint32_t lo, hi;
};

/** A segment that a layer lies upon (FORMAT.md 5). */
struct tree_below {
	uint64_t header_sum;
	uint32_t n_entries;
	uint32_t n_dead; /* ranges */
};

/** Two entries that are links to one inode (FORMAT.md 3.7). */
struct tree_link {
	uint32_t entry, before;
};
struct tree_link_sum {
	uint32_t dir, reserved;
	struct tree_sum sum;
};

/** Which symbols may follow, in grams (FORMAT.md 3.8). */
struct tree_gram_node {
	uint64_t bits;
	uint32_t rank, reserved;
};

/** The mapped file, and its names unpacked; all of n_entries elements unless said. Little endian,
 *  naturally aligned. Of these only the counts, names, classes, wide and the directories' tables
 * are for others than lib/index. */
struct tree_cols {
	uint32_t n_entries, n_dirs, n_classes, n_wide;
	uint64_t names_bytes;

	const char *names;    /* each name followed by one NUL; in entry order; 128 zeros behind */
	const uint32_t *wide; /* [n_wide] entries whose name has a byte >= 0x80, ascending */
	const struct tree_class *classes; /* [n_classes] */

	const uint32_t
		*dir_first; /* [n_dirs + 1] first child's entry; the last element is n_entries */
	const uint32_t *dir_end;   /* [n_dirs] one past the last directory of the subtree */
	const uint32_t *dir_entry; /* [n_dirs] the directory's own entry */

	struct tree_packed columns[N_TREE_COLUMNS];
	/* Where names start: those of a chunk, and behind that each; not in the file. */
	const uint64_t *frame_at; /* [n_entries / TREE_CHUNK + 1, rounded up] */
	const uint32_t *name_at;  /* [TREE_CHUNK + 1] for each chunk */
	uint32_t n_unread;
	const uint32_t *unread;   /* [n_unread] entries with TREE_NOT_ENTERED, ascending */
	const uint64_t *dir_bits; /* 3.5 */
	const uint32_t *dir_rank;
	const uint32_t *dir_order;
	const struct tree_sum *sums; /* 3.6 */
	uint32_t n_links, n_link_sums;
	const struct tree_link *links; /* 3.7 */
	const struct tree_link_sum *link_sums;
	/* 3.8; gram_nodes is NULL where the tree has no filter. */
	uint32_t n_gram_nodes, n_gram_rows;
	uint64_t gram_bytes; /* of gram_lists */
	const struct tree_gram_node *gram_nodes;
	const uint32_t *gram_rows; /* [n_gram_rows + 1] */
	const uint8_t *gram_lists;
	/* Of a layer; of a base n_below is 0. FORMAT.md 5. */
	uint32_t n_below, n_dead;
	const struct tree_below *below; /* the nearest first */
	const struct tree_range *dead;  /* of the segments of `below`, in their order */
};

enum tree_flags {
	TREE_NOT_ENTERED = 1u << 0, /* a directory whose contents were left out or could not be
	                               read; with a directory number: not read to the end */
	TREE_EMPTY_DIR = 1u << 1,   /* a directory that was read and had no entry at all */
	TREE_LEFT_OUT = 1u << 2,    /* a directory with entries that rules left out of the tree
	                               (walk_list.left_out) */
	TREE_SKELETON = 1u << 3,    /* a directory of a layer that a layer below tells: here for
	                               what is in it, and dead */
};

struct tree;

enum tree_open_flags {
	TREE_OPEN_WRITTEN = 1u << 0, /* by this process just now: its sums are enough */
	TREE_OPEN_DEEP = 1u << 1,    /* also what decides no access, only an answer: L2, L3, G2 */
};

struct tree_open_opts {
	enum tree_open_flags flags;
	struct pool *pool; /* checks on its threads too; may be NULL */
};

int tree_open(int dirfd, const char *name, struct tree **ret, struct err *err);
int tree_open_with(int dirfd, const char *name, const struct tree_open_opts *opts,
	struct tree **ret, struct err *err);
/** The same from an open file, which the caller closes; `name` is for sentences. */
int tree_open_fd(int fd, const char *name, const struct tree_open_opts *opts, struct tree **ret,
	struct err *err);
struct tree *tree_ref(struct tree *t);
void tree_unref(struct tree *t); /* NULL is legal */
const struct tree_cols *tree_cols(const struct tree *t);
bool tree_faulted(const struct tree *t);
/** Length of the file. */
uint64_t tree_file_bytes(const struct tree *t);
/** What others work out from the columns once and use as long as the tree is open: of malloc, kept
 *  and freed with the tree. There is one such thing a tree, so all callers give the same `make`,
 *  which may run on several threads at once: one result is kept. NULL: `make` returned NULL. */
const void *tree_note(struct tree *t, void *(*make)(const struct tree_cols *c));
/** What tells it from other segments: the sum of its header, which holds those of its sections. */
uint64_t tree_header_sum(const struct tree *t);

/* One value of an entry: some ns. What reads many of one column asks tree_read(). */
static inline uint32_t
tree_parent(const struct tree_cols *c, uint32_t entry)
{
	return (uint32_t)tree_packed_get(&c->columns[TREE_PARENT], entry); /* 0 for entry 0 */
}

/** Index into classes. */
static inline uint32_t
tree_cls(const struct tree_cols *c, uint32_t entry)
{
	return (uint32_t)tree_packed_get(&c->columns[TREE_CLS], entry);
}

static inline uint64_t
tree_size(const struct tree_cols *c, uint32_t entry)
{
	return tree_packed_get(&c->columns[TREE_SIZE], entry);
}

/** Of 512 bytes. */
static inline uint64_t
tree_blocks(const struct tree_cols *c, uint32_t entry)
{
	return tree_packed_get(&c->columns[TREE_BLOCKS], entry);
}

static inline int64_t
tree_mtime(const struct tree_cols *c, uint32_t entry)
{
	return (int64_t)tree_packed_get(&c->columns[TREE_MTIME], entry);
}

static inline int64_t
tree_ctime(const struct tree_cols *c, uint32_t entry)
{
	return (int64_t)tree_packed_get(&c->columns[TREE_CTIME], entry);
}

static inline uint64_t
tree_ino(const struct tree_cols *c, uint32_t entry)
{
	return tree_packed_get(&c->columns[TREE_INO], entry);
}

static inline uint32_t
tree_nlink(const struct tree_cols *c, uint32_t entry)
{
	return (uint32_t)tree_packed_get(&c->columns[TREE_NLINK], entry);
}

/** enum tree_flags. */
static inline uint8_t
tree_flags(const struct tree_cols *c, uint32_t entry)
{
	return (uint8_t)tree_packed_get(&c->columns[TREE_FLAGS], entry);
}

/** Was the entry entered: is it a directory with a number? */
static inline bool
tree_entered(const struct tree_cols *c, uint32_t entry)
{
	return c->dir_bits[entry / 64] >> entry % 64 & 1;
}

/** Number of a directory that was entered, else TREE_NO_DIR. */
uint32_t tree_dir(const struct tree_cols *c, uint32_t entry);

/** Where the name starts in the names blob; of n_entries: the blob's length. */
static inline uint64_t
tree_name_at(const struct tree_cols *c, uint32_t entry)
{
	if (entry == c->n_entries)
		return c->names_bytes;
	return c->frame_at[entry / TREE_CHUNK] + c->name_at[entry + entry / TREE_CHUNK];
}

static inline struct span
tree_name(const struct tree_cols *c, uint32_t entry)
{
	const uint32_t *at = c->name_at + entry + entry / TREE_CHUNK;

	return (struct span){c->names + c->frame_at[entry / TREE_CHUNK] + at[0], at[1] - at[0] - 1};
}

/** Starts of the names of entries [lo, lo + n] (n + 1 values, the last is one past the NUL of the
 *  last), counted from the first, whose start in the blob is returned. n <= TREE_STARTS_MAX. */
uint64_t tree_name_starts(const struct tree_cols *c, uint32_t lo, uint32_t n, uint32_t *ret);
#define TREE_STARTS_MAX ((uint32_t)1 << 21)
/** File type as DT_*, from the class's mode. */
uint8_t tree_type(const struct tree_cols *c, uint32_t entry);
/** Append the path relative to the root ("" for entry 0): 0 or -ENOMEM. */
int tree_path(const struct tree_cols *c, uint32_t entry, struct strbuf *out);
/** Number of components below the root: 0 for entry 0, 1 for its children. */
uint32_t tree_depth(const struct tree_cols *c, uint32_t entry);
/** The entry of that name in directory `dir`: 0 or -ENOENT. Binary search. */
int tree_child(const struct tree_cols *c, uint32_t dir, struct span name, uint32_t *ret_entry);
/** The entry at a path relative to the root: 0, -ENOENT, -ENOTDIR. Binary search a component. */
int tree_lookup(const struct tree_cols *c, struct span path, uint32_t *ret_entry);
/** The first of an ascending list's n entries (wide, unread) that is not below `entry`; n: none. */
uint32_t tree_list_from(const uint32_t *list, uint32_t n, uint32_t entry);
/** Entry range of everything below an entered directory. */
void tree_subtree(const struct tree_cols *c, uint32_t dir, uint32_t *ret_lo, uint32_t *ret_hi);
