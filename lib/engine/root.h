/**
 * root: one indexed tree of the engine and the thread that walks it. Internal to lib/engine.
 *
 * The thread lives as long as the root and sleeps while nothing is wanted. A walk is: listings from
 * walk_run() (in a second thread, of a scope, on the I/O pool) through a channel that is bounded in
 * items and bytes, until a segment comes of them (indexer.h), which is committed (commit.h).
 * Between walks the thread reads contents (contents.h) and merges segments (merger.h).
 *
 * Life of a root: root_create -> root_adopt (its segments of an earlier run) -> root_start -> any
 * number of root_request -> root_stop -> root_destroy. A removed root whose walk hangs in the
 * kernel stays in the engine's list of retired roots until its thread ends.
 */
#pragma once

#include "catalog/catalog.h"
#include "engine/contents_state.h"
#include "engine/engine.h"
#include "engine/files.h"
#include "engine/live.h"
#include "sync/thread.h"

struct root {
	/* Fixed at create. */
	struct engine *engine;
	uint32_t id;
	char *path;
	/* What the walk needs, made of the settings; replaced only while no thread runs. */
	struct engine_root cfg;
	struct rules *rules;
	char **other_roots; /* all but this one; NULL-terminated */
	uint64_t settings;  /* hash of all that decides what a walk finds */

	/* Guarded by the engine's lock. */
	enum root_state state;
	bool wanted; /* a walk was asked for and has not begun */
	bool urgent; /* somebody waits for a walk that is wanted, or runs */
	bool stopping;
	bool held;       /* by a reload: no commit begins */
	bool committing; /* the catalog may name new segments before `files` does */
	bool walked;     /* by this process, successfully, under these settings */
	/* Also changed by the root's thread alone, once that runs. */
	struct tree_stack *stack;
	struct files files;  /* of its layers */
	uint32_t n_synced;   /* of them, from the base on: durable (note: settling, commit.h) */
	struct files doomed; /* no longer named, but for a power cut */
	usec_t settle_at;    /* monotonic; 0: nothing is light */
	unsigned n_light;    /* light commits since settle_at was set */
	unsigned n_resting;  /* threads: what nobody waits for rests (manners.h) */
	bool same_settings;  /* it was walked under the settings that are */
	uint64_t n_entries, walked_usec, walk_took_usec;
	uint64_t skipped[N_WALK_SKIPS];
	char error[256];
	/* Of a walk that failed for want of room, monotonic: when it is tried again, 0 not; and how
	 * long after that once more. */
	usec_t retry_at, patience;
	struct walk_stats *stats; /* of the running walk, NULL when none runs */
	struct stop *leisure;     /* of what gives way to a walk, NULL when nothing runs */
	struct stop *hurry;       /* of a humble walk (indexer.h), NULL when none runs */
	bool leisure_serves;      /* and it does not give way to changes, but lets them through */
	struct contents_state contents;
	struct live_root live;
	struct cond changed; /* one of the flags above */

	/* Owner: who creates and destroys the root. */
	struct thread thread;
	struct stop stop; /* child of the engine's */
	bool forget;      /* retired, and not yet forgotten by the catalog */
	struct list link; /* on engine.retired or unlinked */
};

/** `all` is the whole configuration: roots below this one are left to themselves. */
int root_create(struct engine *e, const struct engine_config *all, size_t which, struct root **ret,
	struct err *err);
void root_destroy(struct root *r); /* joins; NULL is legal */

/** Serve the segments that the catalog names, until a walk replaces them. When one is damaged, that
 * is reported and all are left. */
void root_adopt(struct root *r, const struct catalog_root *known);
/** Start the root's thread; it sleeps until root_request_locked(). */
int root_start(struct root *r, struct err *err);
void root_request_locked(struct root *r);
/** Somebody waits for the walk that is wanted, or runs: it is not humble, or not any more. */
void root_urge_locked(struct root *r);
/** Returns at once. */
void root_stop(struct root *r);
void root_stop_locked(struct root *r);
/** root_stop() and wait for its thread. */
void root_join(struct root *r);
/** Has its thread ended? Never waits for one that hangs in the kernel. */
bool root_ended(struct root *r);
/** What gives way to a walk, on the root's thread, with the token that ends it: reading, a merge.
 *  `serves`: it lets changes be applied while it runs (live_serve()), else it gives way to them
 * too. -ECANCELED: something else is to be done already. */
int root_begin_leisure(struct root *r, struct stop *stop, bool serves);
void root_end_leisure(struct root *r);
/** Something else is to be done. Any thread, with the engine's lock. */
void root_end_leisure_locked(struct root *r);
/** Make light commits durable; a failure is told, and it is tried again. The root's thread. */
void root_settle(struct root *r);
/** There are changes to be applied. Any thread, with the engine's lock. */
void root_hurry_locked(struct root *r);
/** Nothing of a root is committed outside of these two, which take the engine's turn. -ECANCELED
 * once it is to stop. */
int root_begin_commit(struct root *r);
void root_end_commit(struct root *r);

/** The same tree would come out of a walk under both settings. */
bool root_same_settings(const struct root *a, const struct root *b);

/** Options of a walk; pointers into r and the engine, valid until r is destroyed. */
struct walk_opts root_walk_opts(const struct root *r);
