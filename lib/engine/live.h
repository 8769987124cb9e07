/**
 * live: what the kernel says has changed reaches the index. Internal to lib/engine.
 *
 *     watch -> live thread: whose directory? -> hints of each root       (names by inode)
 *                                                   | settled, or a barrier
 *              root's thread: inode -> path -> aim -> indexer_run_aimed() -> published
 *
 * note: names by inode. A change is "this name, in the directory with this inode". It stays so
 * until the root's thread takes up what was gathered, which it does while nothing else changes its
 * tree. Only then inodes become paths, by the tree that the aimed walk will know. So
 *   - a directory of that tree: its name is looked at where the tree has it. If it was moved since,
 *     that was told as well, or will be: its old name is gone, and at its new one it is a new
 *     directory, which is walked whole.
 *   - no directory of that tree: it is in no root, or left out, or it will come with a walk that
 *     begins later than the change was told, and so sees it. Nothing is to be done.
 * While a walk is under way neither is known, for the tree is about to be replaced, by one that may
 * have listed the directory before the change: so whatever is told then is kept. Else what is told
 * of directories that no root has is dropped at once, which matters on a mark of a file system.
 *
 * note: mark first. A file system is watched before it is walked, so what changes while it is
 * walked is told. Directories that have marks of their own (WATCH_DIRECTORIES) are marked once the
 * index knows them, and then looked at once more, they and their names: what happened before the
 * mark is seen by that look, and what happens after is told. New directories that it finds are
 * treated in the same way, until it finds none; so long the root is stale.
 *
 * note: numbers of batches. What is gathered for a root has a number, which grows when it is taken
 * up; `applied` is the last one that is published. A barrier takes the number of each root when its
 * cookie has come back, and ends when all are applied. A walk of everything takes up what is
 * gathered too.
 *
 * note: verification. Some changes are told late or never: writes through a mapping, what a damaged
 * file system or another machine does. So `verify` after the last look at everything the root's
 * thread begins to list its directories anew, in the order of their inodes, for which a number is
 * all that has to be remembered, whatever changes meanwhile. A step is an aim at 64 of them, with
 * what was told by then: changes and barriers wait for no more than that. Steps take a twentieth of
 * the time at most, and none while others are pressed (manners.h).
 *
 * Lost changes make a root stale at once, until a walk that began later is over; the walks wait
 * longer each time (LIVE_HEAL_MAX_USEC), so that a storm of changes is not answered by one of
 * walks.
 *
 * Threads: the live thread receives, and ends barriers; a thread of its own waits for mounts to
 *          come and go; the rest runs on roots' threads. Everything shared is guarded by the
 *          engine's lock.
 */
#pragma once

#include "base/clock.h"
#include "engine/hints.h"
#include "engine/live_marks.h"
#include "index/tree_inode.h"
#include "sync/cond.h"
#include "watch/watch.h"

struct engine;
struct engine_config;
struct engine_watch_status;
struct live;
struct root;

/* Links that came and went, which cost a look through all inodes, wait so long for other changes.
 */
#define LIVE_FILES_USEC USEC_PER_SEC
/* What belongs to one change comes within this. */
#define LIVE_LEAD_USEC (2 * USEC_PER_MSEC)
#define LIVE_HEAL_USEC USEC_PER_SEC
#define LIVE_HEAL_MAX_USEC (60 * USEC_PER_SEC)

/** A file system of a root that is watched. */
struct live_mount {
	uint32_t number; /* as watch_mount() gave it */
	enum watch_kind kind;
	uint64_t id; /* of the mount; 0: the root's own */
	char *path;  /* where, relative to the root; "" its own */
};

struct live_mounts {
	struct live_mount *data; /* a vector; its own first */
	size_t len, cap;
};

/** Of a root. */
struct live_root {
	/* Guarded by the engine's lock. */
	struct hints names;   /* told, and not taken up */
	struct hints files;   /* of files that links came to or went from: by inode alone */
	usec_t first_usec;    /* when the first of them came; 0: none */
	usec_t due_usec;      /* when they are taken up */
	usec_t taken_usec;    /* when the last ones were */
	uint64_t number;      /* of what is gathered now, from 1 */
	uint64_t applied;     /* 0 none */
	bool busy;            /* the tree is about to be replaced (note: names by inode) */
	bool begins;          /* a walk of everything is about to take up what is gathered */
	bool lost;            /* something was missed since the last walk of everything began */
	bool healing;         /* such a walk is under way */
	usec_t heal_at;       /* when one is to begin, 0 not by itself */
	usec_t heal_patience; /* how long after the next loss */
	usec_t healed_at;
	bool mounts_due;    /* mounts have come or gone */
	bool marks_missing; /* WATCH_DIRECTORIES: some could not be made, or not yet */
	/* When a polled root is walked again, 0 not; and how long after that once more. */
	usec_t poll_at, poll_usec;
	usec_t fresh_until;  /* a polled root is not called stale until then */
	usec_t leisure_at;   /* contents and merges wait for quiet until then; 0: nothing waits */
	usec_t leisure_last; /* but not longer */
	usec_t verify_at;    /* the next step (note: verification), 0 none */
	uint64_t verify_ino; /* it goes on after this directory */

	/* Guarded, and changed by the root's thread alone. */
	struct tree_inodes *inodes; /* of the stack; NULL: to be made */
	struct live_mounts mounts;
	enum watch_kind kind;
	int why;             /* -errno: it is not watched as wanted */
	uint64_t n_unmarked; /* directories that could have no mark */

	/* The root's thread alone. */
	uint64_t taken;      /* number of what the running walk has taken up */
	bool verify_through; /* its last step has found no more directories */
	struct dirmarks marks;
	struct tree_inodes *marked; /* whose directories all have marks; or NULL */

	/* For the status; guarded. */
	uint64_t n_lost, n_batches, n_names, lag_usec, max_lag_usec;
	usec_t verified_usec; /* when all was looked at last, since 1970; 0 not yet */
	uint64_t n_mended;    /* steps of verification that found what nobody told */
};

/** Nothing to watch with is no error: roots are stale then. */
int live_create(
	struct engine *e, const struct engine_config *cfg, struct live **ret, struct err *err);
int live_start(struct live *l, struct err *err);
/** Nothing is told any more; its threads, which wait for no root's, have ended, and the kernel
 * begins to let go of what was watched. NULL is legal, and so is a second call. */
void live_stop(struct live *l);
/** Roots' threads have ended. NULL is legal. */
void live_destroy(struct live *l);
void live_get_watch(const struct live *l, struct watch_stats *ret);
uint64_t live_n_syncs_locked(const struct live *l);

/* Of roots, on their threads. */

/** A walk of everything begins: watch what is to be watched, and take up what was gathered. */
void live_begin_walk(struct root *r);
/** It is over; `changed`: something was not as it was known. */
void live_end_walk(struct root *r, int result, bool changed);
/** A polled root was walked so long ago that it is stale again. */
void live_age(struct root *r);
bool live_is_polled(const struct root *r);
/** Take up what was gathered, and apply it. */
void live_apply(struct root *r);
/** A step of verification. */
void live_verify(struct root *r);
/** Apply what falls due, and make it durable in time, until *done, which is guarded by the engine's
 * lock and told by root.changed: 0, or -ETIMEDOUT. `done` NULL: until the deadline, or -ECANCELED
 * when something else is to be done. */
int live_serve(struct root *r, const bool *done, usec_t deadline);
/** What is wanted of the tree's inodes, before the thread sleeps. */
void live_index(struct root *r);
/** Nothing of the root is watched any more. Its last act. */
void live_end(struct root *r);
void live_root_fini(struct live_root *l);

/* With the engine's lock. */

/** Are gathered names to be taken up? *ret_at: no later than that it is to be asked again. */
bool live_wanted_locked(const struct root *r, usec_t *ret_at);
/** Is it time for a walk of everything, to heal or to poll? */
bool live_walk_wanted_locked(const struct root *r, usec_t *ret_at);
/** Has a polled root been walked long ago, and not been called stale yet? */
bool live_ages_locked(const struct root *r, usec_t *ret_at);
/** Is it time for contents and merges, after changes? */
bool live_leisure_wanted_locked(const struct root *r, usec_t *ret_at);
/** Is it time for a step of verification? */
bool live_verify_wanted_locked(const struct root *r, usec_t *ret_at);
/** All was looked at, or is to be looked at in another while. */
void live_verify_later_locked(struct root *r);
/** Contents and merges gave way to changes: they go on when it has been quiet for a while. */
void live_leisure_later_locked(struct root *r);
/** A walk of everything is being published. */
void live_walked_locked(struct root *r);
/** May the file system differ from what was published, unless it is told within moments? */
bool live_stale_locked(const struct root *r);
/** A root with other settings takes the place of one. */
void live_inherit_locked(struct root *to, const struct root *from);
/** How the root is to be watched has changed. */
void live_changed_locked(struct root *r);
void live_status_locked(const struct root *r, struct engine_watch_status *ret);
