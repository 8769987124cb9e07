/**
 * engine: keeps the index: roots -> walk -> tree builder -> segment file -> catalog -> snapshot;
 * and, after each walk, files -> text builder -> text segment -> catalog -> snapshot (contents.h).
 *
 * One thread a running walk feeds from a bounded channel of batches; commits go through the
 * catalog's thread; every change of what queries see is one publish of a new snapshot. The order
 * is: file synced and renamed -> catalog commit, with the journal's row -> publish -> the replaced
 * files are unlinked. So after kill -9 at any moment the next start serves the last committed
 * segments, and removes files that the catalog does not name. What is found live is synced later
 * (commit.h, note: settling).
 *
 * Start order: state directory, lock and catalog, segments of known roots opened and published,
 * then walks. Stop order: walks cancelled, walkers joined, catalog closed. engine_destroy() does
 * both ends.
 *
 * Ownership: engine_create()/engine_destroy(). Snapshots are counted and outlive the engine.
 * Threads:   engine_snapshot() any thread, no lock; the others any thread, one of them at a time
 * inside (lock RANK_ENGINE; never held while a walk runs). Errors:    engine_create(): whatever
 * makes serving impossible, with a sentence in err. A root that fails later is a state of that
 * root, logged by the daemon through `on_event`.
 */
#pragma once

#include "base/err.h"
#include "index/snapshot.h"
#include "sync/pool.h"
#include "walk/walk.h"
#include "watch/watch.h"

/** Where in the state directory the segments are. */
#define ENGINE_SEGMENT_DIR "segments"

/** How a root is to learn what changes. */
enum engine_watch {
	ENGINE_WATCH_NO,          /* not at all: it is as of its last walk, and always stale */
	ENGINE_WATCH_AUTO,        /* as well as can be, but never by polling */
	ENGINE_WATCH_DIRECTORIES, /* a mark for each directory */
	ENGINE_WATCH_POLL,        /* it is walked now and then */
};

#define ENGINE_SETTLE_USEC (20 * USEC_PER_MSEC)
#define ENGINE_POLL_MIN_USEC (10 * USEC_PER_SEC)
#define ENGINE_POLL_MAX_USEC (600 * USEC_PER_SEC)
#define ENGINE_VERIFY_USEC (86400 * USEC_PER_SEC)

struct engine_root {
	char *name, *path; /* path: absolute; resolved by the configuration */
	char **exclude;    /* NULL-terminated words; may be NULL */
	bool gitignore, exclude_caches, one_file_system;
	enum snap_content content;
	unsigned n_symbols;         /* of a gram of contents: 3, 4, or 0 for the default */
	uint64_t content_max_bytes; /* contents of larger files are not searched; 0: no limit */
	enum engine_watch watch;
	/* Changes are applied once in so long; the first one after quiet almost at once. */
	usec_t settle_usec;
	/* With ENGINE_WATCH_POLL, between the end of a walk and the next one: sooner where much
	 * changes, but never so often that it walks for more than a twentieth of the time. */
	usec_t poll_min_usec, poll_max_usec;
	/* So long after the last look at everything all is looked at again, a bit at a time: what
	 * the kernel does not tell of is found. 0: never. */
	usec_t verify_usec;
};

struct engine_config {
	const char *state_dir;
	const char *const
		*own_dirs; /* further directories never indexed, NULL-terminated; may be NULL */
	const struct engine_root *roots;
	size_t n_roots;
	struct pool *io;     /* outlives the engine */
	unsigned walk_width; /* 0: number of CPUs */
	size_t index_bytes;  /* memory of what is read and not yet written, of all roots; 0: default
	                      */
	/* Reading contents and merges rest while others are pressed for more than so many percent
	 * of the time (manners.h); 0: never. */
	unsigned pressure_percent;
	const char *pressure_dir;   /* for tests: in the place of /proc/pressure; NULL: that */
	uint32_t watch_max_dirs;    /* marks of directories; 0: half of what the kernel allows */
	bool watch_no_file_systems; /* for tests: as a process without privileges */
	const char *boot_id; /* for tests: as after a boot of this id (catalog_opts); NULL: the
	                        system's */
	/* Something the administrator should read. Called from engine threads. May be NULL. */
	void (*on_event)(void *ctx, bool trouble, const char *text);
	void *ctx;
};

struct engine;

int engine_create(const struct engine_config *cfg, struct engine **ret, struct err *err);
/** Begin walking every root. Separate from create, so that listeners are open before. */
int engine_start(struct engine *e, struct err *err);
/** No new work, cancel walks; returns at once. */
void engine_stop(struct engine *e);
/** engine_stop() and wait. NULL is legal. */
void engine_destroy(struct engine *e);

/** All or nothing: roots added are walked, removed ones leave with the next snapshot, changed ones
 * are walked again, the others are left alone. cfg's pools and state_dir must be those of create.
 */
int engine_reload(struct engine *e, const struct engine_config *cfg, struct err *err);

/** The current snapshot with a reference for the caller. Never NULL. */
struct snapshot *engine_snapshot(struct engine *e);

/** The pool of humble walks (indexer.h), for its figures. The engine's own: until engine_destroy().
 */
const struct pool *engine_humble(const struct engine *e);

/** A clock as its holder has it: c:<instance>:<epoch>:<tick>. */
struct engine_clock {
	uint64_t instance, epoch, tick;
};

/** What one tick has changed of one root. */
struct engine_batch {
	uint64_t tick;
	uint32_t root; /* snap_root.id; perhaps of none that is there any more */
	usec_t at;     /* since 1970 */
	uint64_t n_records;
	struct span records; /* record_open() (index/record.h); borrowed for the call */
};
/** Stops the telling by what it returns, unless it is 0. */
typedef int (*engine_batch_fn)(void *ctx, const struct engine_batch *b);

/** What has changed after the clock `since`, up to and with tick `upto` (the tick of a snapshot
 * that the caller holds), told batch by batch, the oldest first. note: clock (ledger.h).
 *
 *  0 all was told, which may be nothing; -ESTALE it cannot be told ("fresh"): the clock is of
 *  another instance or epoch, before what is kept, later than `upto`, or something changed after
 *  it that has no records: a root was walked for the first time or from anew, or removed. Then what
 *  was told before counts for nothing, for retention may overtake who reads. Others: of the
 *  catalog, or of `fn`.
 *
 *  Threads: any, which holds no ranked lock: it may wait for the catalog's disk. */
int engine_changes(struct engine *e, const struct engine_clock *since, uint64_t upto,
	engine_batch_fn fn, void *ctx, struct err *err);

/** Have `fn` called after each publish that moved the clock, or made contents known under the tick
 *  that there was, with the tick of the snapshot, which
 *  engine_snapshot() gives by then, or a later one: from engine threads, which hold no lock,
 * perhaps several at once. It must not wait: all commits do meanwhile. One hook, set before
 * engine_start().
 */
typedef void (*engine_publish_fn)(void *ctx, uint64_t tick);
void engine_on_publish(struct engine *e, engine_publish_fn fn, void *ctx);

/** Walk the root called `name` again (NULL: all): 0, -ENOENT. A root being walked is walked once
 * more after. */
int engine_rescan(struct engine *e, const char *name, struct err *err);

/**
 * The barrier: once it is over, engine_snapshot() has everything that was done to watched roots
 * before the call. Windows that gather changes close at once; polled roots are walked.
 *
 * `done` is called exactly once, from any thread, perhaps before the call returns, and may not wait
 * for anything. `tick` is that of the snapshot by then. result:
 *     0           every root is as it was at the call, or later
 *     -ESTALE     but for some, which the snapshot calls stale: they are not watched, or could not
 *                 be walked
 *     -ETIMEDOUT  the deadline (monotonic) has passed
 *     -ECANCELED  the engine is stopping
 *
 * Errors: -ENOMEM, -ECANCELED; then `done` is not called.
 */
typedef void engine_synced_fn(void *ctx, int result, uint64_t tick);
int engine_sync(struct engine *e, usec_t deadline, engine_synced_fn *done, void *ctx);

enum contents_phase {
	CONTENTS_OFF,     /* the configuration does not want them indexed */
	CONTENTS_READING, /* or about to: a walk is over, and files wait */
	CONTENTS_DONE,    /* every file was tried since the last walk */
	CONTENTS_FAILED,  /* reading or writing has failed, and will be tried again */
};

/** Of the contents of a root's files. Links to one file count one by one. */
struct engine_contents_status {
	enum snap_content mode;
	unsigned n_symbols; /* of a gram */
	enum contents_phase phase;
	uint64_t n_files, n_bytes;       /* regular files that are not too large; their sizes */
	uint64_t done_files, done_bytes; /* of them; while reading also what could not be read */
	uint64_t n_too_large, n_binary;
	uint64_t n_unreadable; /* when they were last tried: refused, gone, changing, too much */
	uint32_t n_segments;
	uint64_t segment_bytes;
	/* While a pass runs: bytes a second since it began, and how long it will take at that; 0
	 * not known. */
	uint64_t bytes_per_sec, left_usec;
	char error[256]; /* the last failure, until it has gone well */
};

/** How a root learns what changes. */
struct engine_watch_status {
	enum engine_watch wanted;
	enum watch_kind kind; /* of its own file system */
	uint32_t n_mounts;    /* file systems of it that are watched */
	bool stale;           /* as answers say */
	bool lost;            /* something was missed; a walk will mend it */
	uint64_t n_lost;      /* how often, since the start */
	uint64_t n_pending;   /* names that wait to be looked at */
	uint64_t n_batches;   /* of changes that were applied */
	uint64_t n_names;     /* in them */
	uint64_t lag_usec;    /* from the first change of the last batch to its snapshot */
	uint64_t max_lag_usec;
	usec_t verified_usec; /* when all of it was looked at last, since 1970; 0 not yet */
	uint64_t n_mended;    /* steps of verification that found what nobody told */
	uint64_t poll_usec;   /* polled: until it is walked again, at the latest */
	char why[128];        /* why it is not watched as wanted; empty: it is */
};

struct engine_root_status {
	uint32_t id;
	char *name, *path;
	enum root_state state;
	uint64_t n_entries, segment_bytes; /* of the live segments */
	uint32_t n_layers;                 /* live segments: a base, and layers upon it */
	usec_t walked_usec;                /* when it was walked, since 1970; 0 never */
	uint64_t walk_took_usec;           /* of the last finished walk */
	uint64_t walk_entries;             /* so far in the running walk */
	uint64_t expect_entries;           /* of the last walk: for a progress bar; 0 not known */
	uint64_t skipped[N_WALK_SKIPS];    /* by the last finished walk */
	char error[256];                   /* of the last walk when state is ROOT_FAILED */
	const char *paused; /* contents or merges rest for pressure of this ("io"), or NULL */
	struct engine_contents_status contents;
	struct engine_watch_status watch;
};

/** What has changed, as far as it is known (catalog_get_journal()). */
struct engine_journal_status {
	uint64_t n_records, n_bytes, tick, floor, oldest_tick, oldest_usec;
	uint64_t memory_bytes; /* of the newest batches, which are read from memory */
};

struct engine_status {
	size_t n_roots;
	struct engine_root_status *roots;      /* in configuration order */
	uint64_t n_walks, n_commits, n_merges; /* n_commits: of what walks have found */
	/* Of the walks that have ended: batches from walk to builder, how often a worker of a walk
	 * waited for the builder and the other way round, most bytes ever under way. */
	uint64_t n_batches, n_walk_waits, n_build_waits, most_batch_bytes;
	struct engine_journal_status journal;
	struct watch_stats watch; /* zeroes when nothing can be watched */
	uint64_t n_syncs;         /* barriers that were asked for */
};
int engine_status(struct engine *e, struct engine_status *ret);
void engine_status_fini(struct engine_status *s);

/** Why is (or is not) the absolute `path` in the index? -ENOENT below no root. */
struct engine_why {
	struct walk_verdict verdict;
	char *root_name, *root_path; /* of malloc */
	bool indexed;                /* the current snapshot has it */
	const char *content;         /* "searched", or why contents are not: static text */
};
int engine_why(struct engine *e, struct span path, struct engine_why *ret, struct err *err);
void engine_why_fini(struct engine_why *w);
