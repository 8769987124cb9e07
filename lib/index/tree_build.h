/**
 * tree_build: listings in, a tree segment file out.
 *
 * Listings arrive in any order (parents' lists name their sub-directories before those list
 * themselves). The builder keeps them in compact chunks; tree_builder_write() numbers the
 * directories depth first, packs the columns in parts, each by itself, and writes them, without
 * sorting the whole.
 *
 * Durability: written to "<name>.tmp", renamed, synced, directory synced; a failed fsync discards
 * the file and nothing is retried. Until the catalog names it, a segment does not count.
 *
 * Ownership: the builder copies what it is given.
 * Threads:   one thread, which holds no ranked lock.
 * Errors:    -ENOMEM, -EFBIG more than 2^32-2 entries, -ENOSPC and others of write; err says what
 *            to do. -EINVAL what no walk gives: a listing of a directory that no other named, a
 *            directory named twice, a name that is empty or has '/' or NUL; -ENAMETOOLONG. After an
 *            error only destroy is legal.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "sync/pool.h"

#define TREE_BUILD_NO_DIR UINT64_MAX

struct tree_input {
	struct span name;
	uint32_t mode, uid, gid, nlink;
	uint64_t dev, ino, size, blocks;
	int64_t mtime_ns, ctime_ns;
	uint64_t dir;     /* the walk's number of the directory this is, or TREE_BUILD_NO_DIR */
	bool not_entered; /* a directory that was left out */
};

struct tree_builder;
struct walk_batch;

/** `root` is the root's own entry; its directory number is 0. */
int tree_builder_create(const struct tree_input *root, struct tree_builder **ret);
void tree_builder_destroy(struct tree_builder *b); /* NULL is legal */

/** One piece of the listing of directory `dir`, sorted by name within the piece. Several pieces are
 * merged by sorting that directory; of a name that came twice, one entry stays. A directory that
 * was named but never listed becomes NOT_ENTERED. `failed`: the directory could not be read, or not
 * to the end: its entry becomes NOT_ENTERED, and what came of it stays. Numbers of directories
 * count up from 0: memory is proportional to the greatest. */
int tree_builder_add(
	struct tree_builder *b, uint64_t dir, const struct tree_input *in, size_t n, bool failed);

/** All pieces of a batch as the walk gave it, as by tree_builder_add(). The batch moves to the
 *  builder, also when this fails: entries, names and classes may stay where the walk has put them,
 *  so nothing of this is work per entry. */
int tree_builder_take(struct tree_builder *b, struct walk_batch *batch);

/** Let tree_builder_write() work on the threads of `pool` too, in TASK_INDEX. */
void tree_builder_use_pool(struct tree_builder *b, struct pool *pool);

/** From how many entries on the segment has a filter over its names (tree_gram.h): 262,144 unless
 *  said. */
void tree_builder_grams_from(struct tree_builder *b, uint32_t n_entries);

/** Write the segment; b is spent afterwards (only destroy is legal). */
int tree_builder_write(struct tree_builder *b, int dirfd, const char *name, struct stop *stop,
	uint64_t *ret_bytes, struct err *err);
/** Into an open file (of memfd_create(), say), which is not synced. */
int tree_builder_write_fd(struct tree_builder *b, int fd, struct stop *stop, uint64_t *ret_bytes);
