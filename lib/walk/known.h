/**
 * known: what an earlier walk found, for a rescan that lists only what may have changed.
 *
 * A directory whose times are what they were, and lay back far enough when it was read, has the
 * names that it had: it is trusted, that is, not listed. Its entries are looked at all the same,
 * for a file changes without its directory. Far enough is: more than the granularity of the file
 * system's clock before the earlier walk began; what is changed twice within one tick shows one
 * time. Trusted are only file systems of this machine whose directories are known to say so when
 * an entry comes or goes (ext2 to 4, xfs, btrfs, tmpfs, f2fs).
 *
 * Where .gitignore files are obeyed, a change of one, also above, ends the trust in all that it
 * may hide or show. A directory of which entries were left out is always listed, to count them.
 *
 * Ownership: the caller's, as long as the walk. Entries' names are valid as long as ctx.
 * Threads:   the functions are called from all workers at once; a struct known_dir is read by
 *            several.
 */
#pragma once

#include "walk/walk.h"

/* Entries read at once, at most. */
#define KNOWN_STEP 128u

struct known_entry {
	struct walk_entry entry; /* without cls and dir */
	struct walk_class cls;
	uint64_t dir;    /* id of the directory this is, WALK_NOT_KNOWN for what was not entered */
	bool broken_off; /* a directory that was not read to the end */
	bool left_out;   /* rules left out entries of it */
};

/** The known children of a directory, counted from 0 in order of names. */
struct known_dir {
	uint32_t n;
	/* Of who knows. */
	uint64_t first;
	void *list; /* of malloc, or NULL */
};

/** The earlier walk's entries. Ids are whatever who knows likes, but for WALK_NOT_KNOWN. */
struct walk_known {
	const void *ctx;
	int64_t began_ns; /* the walk that read all of it; by the clock of the file systems */
	void (*root)(const void *ctx, struct known_entry *ret);
	/* 0 or -ENOMEM; ended with known_close(). */
	int (*open)(const void *ctx, uint64_t dir, struct known_dir *ret);
	struct span (*name)(const void *ctx, const struct known_dir *d, uint32_t i);
	uint64_t (*id)(const void *ctx, const struct known_dir *d, uint32_t i);
	/* n <= KNOWN_STEP */
	void (*read)(const void *ctx, const struct known_dir *d, uint32_t lo, uint32_t n,
		struct known_entry *ret);
	/* The entry of that name in a directory, which need not be open: true, and its id. */
	bool (*find)(const void *ctx, uint64_t dir, struct span name, struct known_entry *ret,
		uint64_t *ret_id);
};

void known_close(struct known_dir *d);
/** The entry called `name`, beginning the search at *at: true, and *at is its place. */
bool known_find(
	const struct walk_known *w, const struct known_dir *d, struct span name, uint32_t *at);
/** Is everything as it was, but for what is in a directory? */
bool known_same(
	const struct known_entry *was, const struct walk_entry *e, const struct walk_class *cls);
/** It has not changed since the earlier walk unless its times say so. */
bool known_settled(const struct walk_known *w, const struct walk_entry *was);
/** A directory that is the same, and so are its names. */
bool known_trusted(const struct walk_known *w, const struct known_entry *was);
/** How long after a time of a file, in ns, what changes has another time for certain. */
int64_t known_granularity(int64_t time_ns);
/** Do directories of this file system say when an entry comes or goes? */
bool known_fs(int fd);
