/**
 * daemon: the running whole, its start and stop order, reload, health.
 *
 * Start: pools -> engine (saved index served) -> listeners -> walks -> READY. Stop: STOPPING ->
 * listeners closed, queries cancelled, answers flushed -> walks cancelled -> catalog closed ->
 * pools. The main thread runs the event loop in between.
 *
 * Threads: `struct daemon` belongs to the main thread but for the fields that say otherwise.
 */
#pragma once

#include "base/vec.h"
#include "config.h"
#include "process/signals.h"
#include "server/server.h"
#include "sync/future.h"
#include "sync/thread.h"

/** A stop may take this long; then the process ends anyway, which loses nothing (design of the
 * commit order). */
#define DAEMON_STOP_USEC (4500 * USEC_PER_MSEC)
#define DAEMON_FLUSH_USEC (2 * USEC_PER_SEC)

enum reload_state {
	RELOAD_IDLE,
	RELOAD_RUNNING,
	RELOAD_AGAIN, /* asked for once more while one was running */
};

/** What the reload thread asks of the loop, one at a time: to take a configuration over. The
 *  thread's until it is posted, the loop's until `done` is set, then the thread's. */
struct step {
	const struct config *config;
	struct err err;
	struct future done;
};

/** Who waits for the verdict of a reload. */
struct reload_waiter {
	server_done done;
	void *arg;
};
struct reload_waiters {
	struct reload_waiter *data;
	size_t len, cap;
};

struct daemon {
	/* Fixed from start to stop. */
	const char *config_file; /* NULL: built-in values */
	struct pool *compute, *io;
	struct engine *engine;
	struct server *server;
	struct hash_cache *hashes;
	usec_t started_mono;
	char state_dir[4096];

	/* Main thread (the loop). */
	enum reload_state reload_state;
	struct thread reload_thread;
	/* Written by the reload thread, read by the loop after joining it: what was loaded and
	 * taken over, and whether the loop was told (else it finds out in time). */
	struct config *reload_config;
	struct err reload_err; /* its code is the verdict */
	bool reload_said;
	/* Of the reload that runs, and of the one that comes after it. */
	struct reload_waiters waiters, later;
	struct signals signals;
	bool stopping;
	struct config *config; /* in force; replaced by the loop at the end of a reload */
	usec_t save_after;     /* the hashes are not saved before */

	/* Between the reload thread and the loop. */
	struct step step;
	struct stop loop_ended; /* what was posted and not taken yet never will be */

	/* A beat goes through the compute pool; the watchdog is fed only when the one before came
	 * back. */
	struct task beat;
	struct future beat_back;

	/* The engine's threads tell the server of each snapshot, as long as there is one. */
	struct lock nudge_lock;
	bool nudges; /* guarded by it */

	/* Saves the hashes on the I/O pool, one at a time. */
	struct task save;
	struct future saved;
};

/** Run until a signal ends it. The process's exit status. */
int daemon_run(const char *config_file);

/** Fill the callbacks that the server needs; d outlives the server. */
void api_fill(struct server_ops *ops, struct daemon *d);

/** The hashes that were kept; what cannot be read is logged and not used. */
int hashes_open(struct daemon *d, struct err *err);
/** Save them now and then. Loop only. */
void hashes_tick(struct daemon *d);
/** Save what is new and free them; nobody asks any more. Nothing when they were not opened. */
void hashes_close(struct daemon *d);

/** Begin a reload in a thread of its own; its verdict is logged, and given to done(arg) unless that
 *  is NULL (not when this fails). While one runs, another begins after it. Loop only. */
int reload_begin(struct daemon *d, server_done done, void *arg, struct err *err);
/** End a reload whose thread is done and could not say so. Loop only; called now and then. */
void reload_reap(struct daemon *d);
/** After the loop has ended: wait for a running reload. */
void reload_join(struct daemon *d);
/** The server's and the engine's part of a configuration; pointers into c. */
struct server_config server_config_of(const struct config *c);
struct engine_config engine_config_of(struct daemon *d, const struct config *c);
