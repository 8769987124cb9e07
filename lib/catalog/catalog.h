/**
 * catalog: what the daemon must remember across restarts, in one SQLite file `catalog.db`.
 *
 * Roots with their numbers, live segments, settings, the clock and the journal. WAL mode. One
 * thread owns the only connection, runs every transaction and every checkpoint (SQLite up to 3.51.2
 * can lose data when one connection checkpoints while another writes); callers hand it requests
 * through a channel and wait. The catalog never holds a row a file.
 *
 * One daemon a state directory: catalog_open() takes an exclusive flock on `lock` in it, held until
 * close. A clean close empties `lock`; a pid found in it means that the last run was cut off, and
 * every page of the database but those of the journal is looked at. The catalog's files are `lock`
 * and `catalog.db` with what SQLite adds to that name (`-wal`, `-journal`): whoever tidies the
 * state directory leaves them alone.
 *
 * note: light. A transaction is durable (synchronous=FULL: its log is synced before it returns) or
 * light (NORMAL: written, not synced). Either survives the end of the process, by kill -9 too. A
 * power cut may take light ones, from the last backwards and never some of the middle, for the log
 * is replayed up to the first frame that is not whole; any durable one, or a checkpoint, syncs the
 * log with all light ones before it. So a power cut leaves the state of some moment not before the
 * last durable commit. A light commit may name segment files that are not synced themselves, and
 * says how many are (n_synced): the open after a power cut leaves the others out.
 *
 * note: power cut. The id of the boot is kept while the catalog is open, or unsettled: another one
 * found there at open means that the system has ended under it. Then the epoch advances, for ticks
 * may have been handed out that are forgotten.
 *
 * Ownership: opened and closed. Rows returned are the caller's to free with their _free function.
 * Threads:   any thread may call; calls wait for the catalog's thread (no ranked lock may be held).
 * Errors:    -EBUSY another daemon has the state directory; -EOPNOTSUPP of a newer version;
 *            -EBADMSG damaged; -EROFS/-EACCES not writable; -ENOTDIR; -ENAMETOOLONG; -ENOSPC; err
 *            carries the sentence.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#define CATALOG_VERSION 4
/** Of one root: a base and its layers (index/FORMAT.md 5). */
#define CATALOG_MAX_SEGMENTS 8u
/** Of one root: text segments. */
#define CATALOG_MAX_TEXTS 64u

struct catalog;

/** `dirfd` is the state directory; `path` only for messages. Creates the file when it is missing.
 */
int catalog_open(int dirfd, const char *path, struct catalog **ret, struct err *err);
void catalog_close(struct catalog *c); /* NULL is legal; checkpoints */

/** The journal keeps what is within all three. */
#define CATALOG_KEEP_USEC (7ull * 24 * 3600 * USEC_PER_SEC)
#define CATALOG_KEEP_RECORDS ((uint64_t)5000000)
#define CATALOG_KEEP_BYTES ((uint64_t)256 << 20)

struct catalog_opts {
	const char *boot_id; /* NULL: the system's */
	/* 0: as above. */
	usec_t keep_usec;
	uint64_t keep_records, keep_bytes;
};
int catalog_open_with(int dirfd, const char *path, const struct catalog_opts *opts,
	struct catalog **ret, struct err *err);

/** The clock as it was found at open. */
struct catalog_clock {
	uint64_t instance; /* random, made when the catalog was */
	/* Counted up when ticks may have been forgotten: after a power cut. From 1. */
	uint64_t epoch;
	uint64_t run;   /* counted up at every open */
	uint64_t tick;  /* of the last batch of changes */
	uint64_t floor; /* clocks of ticks below cannot be answered */
};
const struct catalog_clock *catalog_clock(const struct catalog *c);

/** What the journal has now, as it is on disk. */
struct catalog_journal {
	uint64_t n_records, n_bytes; /* also of what counts no more and is not removed yet */
	uint64_t tick, floor;        /* of the clock */
	uint64_t oldest_tick;        /* whose batch is kept; 0 none */
	usec_t oldest_usec;          /* its time, since 1970 */
};
/** Any thread; waits for no disk. */
void catalog_get_journal(struct catalog *c, struct catalog_journal *ret);

/** The number of the root at `path`; a new one is made when it is not known. Numbers are never
 * reused; of one that no durable commit has followed a power cut leaves nothing (note: light). */
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
	uint32_t n_synced; /* of them, from the base on: files that a power cut leaves (note: light)
	                    */
	uint64_t settings; /* hash of the settings that they were walked under */
	uint64_t n_entries; /* that are live in them */
	uint64_t
		walked_usec; /* when the last walk began, since 1970; 0: nothing is to be trusted */
	uint64_t tick;       /* the clock's tick at its commit */
	char *skipped;       /* the walk's counts by reason, as "word=n word=n" */
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

enum catalog_sync { CATALOG_LIGHT, CATALOG_DURABLE };

/** A row of the journal: what a tick has changed of one root. */
struct catalog_batch {
	uint64_t tick; /* greater than that of any batch before */
	uint32_t root; /* of a commit: not looked at */
	usec_t at;     /* since 1970 */
	uint64_t n_records;
	struct span records; /* bytes that the catalog does not look into. Empty: nobody knows what
	                        has changed, and clocks from before are answered no more */
};

/** One transaction: the segments of root->id are those of `root`, in their order, and no others;
 * the journal has `batch` (NULL: nothing has changed), and the clock its tick. (The path is not
 * looked at.) -ENOENT no such root, -EEXIST a file is another root's, or there twice. */
int catalog_commit(struct catalog *c, const struct catalog_root *root,
	const struct catalog_batch *batch, enum catalog_sync how, struct err *err);
/** These n segments of root `id` have been synced; durable, with every light commit before. Those
 *  that it has no more do not matter. */
int catalog_settle(struct catalog *c, uint32_t id, char *const *files, uint32_t n, struct err *err);
/** Only the batch; durable. */
int catalog_note(struct catalog *c, const struct catalog_batch *batch, struct err *err);

/** Batches, the oldest first. */
struct catalog_batches {
	struct catalog_batch *data;
	size_t len;
	char *bytes; /* what their records point into */
};
/** Those after tick `from`, up to and with `upto`: as many as have max_bytes of records, but one at
 *  least when there is any. -ESTALE: the journal has forgotten some of them. */
int catalog_changes(struct catalog *c, uint64_t from, uint64_t upto, size_t max_bytes,
	struct catalog_batches *ret, struct err *err);
void catalog_batches_free(struct catalog_batches *b);

/** Durable: the text segments of root `id` are the n `texts`, and no others. */
int catalog_commit_texts(struct catalog *c, uint32_t id, const struct catalog_text *texts,
	uint32_t n, struct err *err);

/** Settings: small texts by key. *ret is of malloc, NULL when there is none. */
int catalog_get(struct catalog *c, const char *key, char **ret, struct err *err);
int catalog_set(struct catalog *c, const char *key, const char *value, struct err *err);
