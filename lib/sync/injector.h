/**
 * injector: the tasks that wait in a pool for a worker, in the order of submission. Internal to the
 * pool.
 *
 * One list a class, and the shares of which tasks wait for a slot. Also counts what waits in the
 * workers' own deques, so that one number a class tells whether there is anything to run.
 *
 * Threads: any.
 */
#pragma once

#include "sync/pool.h"

struct injector {
	/* Tasks of the class that a worker could take, here or in a worker's deque. Raised with
	 * seq_cst, here under the lock, for a deque before the push: it is never too low. Read with
	 * seq_cst before a worker sleeps (note: pool sleep). Lowered relaxed, after the task was
	 * taken: too high a value costs one more look. */
	_Atomic uint64_t n_ready[N_TASK_CLASSES];
	/* Set once under the lock; who acquires it and then finds the lists empty knows that
	 * nothing will be submitted any more. seq_cst, because sleepers look at it once more. */
	_Atomic bool closed;
	/* Length of the list. Written under the lock; relaxed: a look that spares taking it. */
	_Atomic uint64_t n_listed[N_TASK_CLASSES];

	struct lock lock; /* RANK_POOL; guards the rest, and the shares' content */
	struct list tasks[N_TASK_CLASSES];
	struct list shares; /* struct pool_share.link: those of which tasks wait */
};

void injector_init(struct injector *in);
void injector_fini(struct injector *in);
void injector_close(struct injector *in);

/** 1: a worker can take it now; 0: it waits for a slot of its share; -EPIPE closed. Afterwards the
 *  task may have been run already. */
int injector_put(
	struct injector *in, struct task *t, enum task_class cls, struct pool_share *share);
/** For a task that a worker's deque had no room for; n_ready counts it already. */
void injector_put_back(struct injector *in, struct task *t);
/** NULL: none. */
struct task *injector_take(struct injector *in, enum task_class cls);
/** A task that waits for a slot of its share, without one: out of the share. NULL: none. */
struct task *injector_take_waiting(struct injector *in);
/** A task of the share has ended: true when another got its slot and can be taken. The share is not
 *  touched any more. */
bool injector_leave_share(struct injector *in, struct pool_share *share);

static inline bool
injector_has(const struct injector *in, enum task_class cls)
{
	return load_sc(&in->n_ready[cls]) > 0;
}
