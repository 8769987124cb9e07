/**
 * internal: the engine's own structure, for the files of lib/engine.
 */
#pragma once

#include "base/vec.h"
#include "engine/ledger.h"
#include "engine/manners.h"
#include "engine/root.h"
#include "sync/rwlock.h"

struct engine {
	/* Fixed at create. */
	char *state_dir;
	int state_fd;   /* the state directory */
	int segment_fd; /* "segments" in it */
	struct catalog *catalog;
	struct pool *io;
	unsigned walk_width;
	struct pool_share walks; /* what all walks together may hold of `io` */
	/* Of the least priority for processor and disk: for humble walks alone (indexer.h). */
	struct pool *humble;
	struct pool_share humble_walks;
	char **own_dirs; /* NULL-terminated, the state directory first */
	void (*on_event)(void *ctx, bool trouble, const char *text);
	void *ctx;
	engine_publish_fn
		on_publish; /* with publish_ctx; set before the first root's thread starts */
	void *publish_ctx;
	struct stop stop;
	struct live *live;

	/* Of struct snapshot; readers take no lock. */
	struct published current;

	/* Guarded by lock (RANK_ENGINE). Walks, the catalog and the disk are never waited for under
	 * it. Poisoned while what is published lacks a change (note: unpublished, engine.c). */
	struct lock lock;
	uint64_t tick;        /* of the newest batch that the catalog has (note: clock, ledger.h) */
	uint64_t n_told;      /* the tick that on_publish was told last */
	bool turn_taken;      /* somebody commits (note: turn, ledger.h) */
	struct cond turn;     /* it is free, or who waits for it need not any more */
	struct ledger ledger; /* has a lock of its own */

	/* In configuration order. Changed with both `lock` and `table` (RANK_ROOTS, for writing)
	 * held, as is what the configuration says of each root; so either will do for reading: the
	 * table for what takes long, for it keeps no walk from its next state. Only
	 * engine_create(), _reload() and _destroy() change it, one at a time; those may read it
	 * without. */
	struct rwlock table;
	VEC(struct root *) roots;

	/* Only engine_reload() and engine_destroy(): roots that were removed, whose threads may
	 * still run. */
	struct list retired; /* struct root.link */

	size_t index_bytes;         /* fixed at create */
	_Atomic uint32_t n_reading; /* roots that share it now; relaxed: a count */
	struct manners manners;     /* has a lock of its own */

	struct counter n_walks, n_commits, n_merges;
	/* Of the channels between walks and builders, added when a walk has ended. */
	struct counter n_batches, n_walk_waits, n_build_waits, most_batch_bytes;
	struct counter next_file; /* makes segment names unique within an epoch */
};

#define ENGINE_MAX_ROOTS 256u
#define ENGINE_BATCHES 64u /* bound of the channel between walk and builder, in batches */
#define ENGINE_BATCH_BYTES (8u << 20) /* and in memory, whatever names cost */

/** Build a snapshot of the roots as they are and publish it, which heals the lock. -ENOMEM leaves
 *  the old one: whoever changed the roots leaves its section undone (note: unpublished). */
int engine_publish_locked(struct engine *e);
/** Publish what could not be published before. */
void engine_heal(struct engine *e);
/** Call the hook when the clock of what is published has moved. Without a lock. */
void engine_tell_published(struct engine *e);
/** Call it because contents became known, which no tick says. Without a lock. */
void engine_tell_contents(struct engine *e);
/** note: turn, ledger.h. Roots have root_begin_commit(). */
void engine_begin_turn(struct engine *e);
void engine_end_turn_locked(struct engine *e);
/** A batch of which nobody knows what it changes, of no root in particular: what is published from
 *  engine_add_anew_locked() on has its tick. Both within one turn; when the first has gone well,
 * the second must come, whatever else fails. */
int engine_note_anew(struct engine *e, struct ledger_batch **ret, struct err *err);
void engine_add_anew_locked(struct engine *e, struct ledger_batch *b);
void engine_event(const struct engine *e, bool trouble, const char *fmt, ...) PRINTF_LIKE(3, 4);

/** Copies of configuration values; the copy of NULL is NULL. */
char **strings_copy(const char *const *strings);
void strings_free(char **strings);
