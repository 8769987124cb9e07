/**
 * live_impl: the inside of live: its thread, barriers, mounts. For the files live*.c.
 */
#pragma once

#include "engine/live.h"
#include "engine/root.h"

struct live {
	/* Fixed at create. */
	struct engine *engine;
	struct watch *watch; /* NULL: nothing can be watched */
	struct stop stop;    /* child of the engine's */

	struct thread thread;
	struct stop_waiter waker; /* of a live thread that has no watch to wait for */
	bool started;

	/* The thread that waits for mounts to come and go. */
	struct thread mounts_thread;
	struct stop_waiter mounts_waker;
	int table_fd, wake_fd;

	/* Guarded by the engine's lock. */
	struct list syncs;   /* struct sync.link: barriers, oldest first */
	struct cond changed; /* a barrier was added, or all is to stop */
	uint64_t n_syncs;
	bool deaf;  /* the watch has ended */
	bool ended; /* the live thread has: nobody would end a barrier */
};

/** Publish once more: something that answers say has changed. */
void live_publish(struct engine *e);
/** Something was missed: the root is stale until it was walked. */
void live_lose_locked(struct root *r);
/** There is something to be taken up, `settle` from now at the latest. */
void live_due_locked(struct root *r, usec_t settle);
/** What was taken up may end barriers. */
void live_applied(struct root *r);

/* Barriers. A finished one is on a list until sync_finish() tells of it, without the lock. */
void sync_begin_locked(struct live *l, uint64_t cookie);
void sync_collect_locked(struct live *l, struct list *done);
void sync_finish(struct list *done);
usec_t sync_deadline_locked(const struct live *l);
/** All that are left, -ECANCELED. */
void sync_end(struct live *l);

/** The directories of the next step, at least one unless verify_through. */
int verify_add(struct root *r, struct walk_aim *aim, uint64_t *ret_n);
/** live_apply() with them. */
void verify_apply(struct root *r);

/* Mounts. */
int mounts_watch_start(struct live *l, struct err *err);
void mounts_watch_end(struct live *l);
/** Watch the root's own file system, and those mounted below it that it enters. What was mounted or
 *  unmounted below it since the last time comes into `aim` (may be NULL). */
int mounts_watch(struct root *r, struct walk_aim *aim);
/** Nothing of it is watched any more. */
void mounts_unwatch(struct root *r);

/** With marks of directories: mark those that the index knows and that have none. How many were
 *  marked now; their paths come into `aim`. */
uint64_t marks_make(struct root *r, struct walk_aim *aim);
