/**
 * catalog: what the daemon must remember across restarts, in one SQLite file `catalog.db`.
 *
 * Roots with their numbers, live segments, settings. WAL mode, synchronous=FULL. One thread owns
 * the only connection, runs every transaction and every checkpoint (SQLite up to 3.51.2 can lose
 * data when one connection checkpoints while another writes); callers hand it requests through a
 * channel and wait. The catalog never holds a row a file.
 *
 * One daemon a state directory: catalog_open() takes an exclusive flock on `lock` in it, held until
 * close. A clean close empties `lock`; a pid found in it means that the last run was cut off, and
 * every page of the database is looked at. The catalog's files are `lock` and `catalog.db` with
 * what SQLite adds to that name (`-wal`, `-journal`): whoever tidies the state directory leaves
 * them alone.
 *
 * Ownership: opened and closed. Rows returned are the caller's to free with their _free function.
 * Threads:   any thread may call; calls wait for the catalog's thread (no ranked lock may be held).
 * Errors:    -EBUSY another daemon has the state directory; -EOPNOTSUPP of a newer version;
 *            -EBADMSG damaged; -EROFS/-EACCES not writable; -ENOTDIR; -ENAMETOOLONG; -ENOSPC; err
 *            carries the sentence.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define CATALOG_VERSION 3
/** Of one root: a base and its layers (index/FORMAT.md 5). */
#define CATALOG_MAX_SEGMENTS 8u
/** Of one root: text segments. */
#define CATALOG_MAX_TEXTS 64u

struct catalog;

/** `dirfd` is the state directory; `path` only for messages. Creates the file when it is missing.
 */
int catalog_open(int dirfd, const char *path, struct catalog **ret, struct err *err);
void catalog_close(struct catalog *c); /* NULL is legal; checkpoints */

/** The instance number: random, made when the catalog was; the first part of the clock. */
uint64_t catalog_instance(const struct catalog *c);
/** The clock's epoch: counted up at every open. */
uint64_t catalog_epoch(const struct catalog *c);

/** The number of the root at `path`; a new one is made when it is not known. Numbers are never
 * reused. */
int catalog_root(struct catalog *c, const char *path, uint32_t *ret_id, struct err *err);
/** Forget a root and its segments (their files are the caller's to unlink, after this returned 0).
 *  -ENOENT there is no such root. */
int catalog_forget_root(struct catalog *c, uint32_t id, struct err *err);

/** A text segment: what its grams are made of decides whether it can be asked. */
struct catalog_text {
	char *file;
	uint32_t n_symbols; /* of a gram */
	uint64_t symbols;   /* the sum of the table of symbols (gram/symbol.h) */
};

struct catalog_root {
	uint32_t id;
	char *path;
	/* File names of the live tree segments, the base first; none before the first walk. */
	char *segments[CATALOG_MAX_SEGMENTS];
	uint32_t n_segments;
	uint64_t settings;    /* hash of the settings that they were walked under */
	uint64_t n_entries;   /* that are live in them */
	uint64_t walked_usec; /* when the last walk began, since 1970 */
	uint64_t tick;        /* the clock's tick at its commit */
	char *skipped;        /* the walk's counts by reason, as "word=n word=n" */
	/* Live text segments, in their order; of malloc. Not of the walk: catalog_commit() leaves
	 * them as they are. */
	struct catalog_text *texts;
	uint32_t n_texts;
};
struct catalog_roots {
	struct catalog_root *data;
	size_t len;
};
int catalog_roots(struct catalog *c, struct catalog_roots *ret, struct err *err);
void catalog_roots_free(struct catalog_roots *r);

/** Is `file` a live segment of the root, of either kind? */
bool catalog_names(const struct catalog_root *r, const char *file);

/** One transaction, durable when it returns 0: the segments of root->id are those of `root`, in
 *  their order, and no others. (The path is not looked at.) -ENOENT no such root, -EEXIST a file is
 *  another root's, or there twice. */
int catalog_commit(struct catalog *c, const struct catalog_root *root, struct err *err);

/** The same for text segments: those of root `id` are the n `texts`, and no others. */
int catalog_commit_texts(struct catalog *c, uint32_t id, const struct catalog_text *texts,
	uint32_t n, struct err *err);

/** Settings: small texts by key. *ret is of malloc, NULL when there is none. */
int catalog_get(struct catalog *c, const char *key, char **ret, struct err *err);
int catalog_set(struct catalog *c, const char *key, const char *value, struct err *err);
