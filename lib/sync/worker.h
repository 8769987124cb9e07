/**
 * worker: one thread of a pool: what it looks at, in which order, and when it sleeps. Internal to
 * the pool, with pool_sleep.h, join.h and injector.h.
 */
#pragma once

#include "sync/deque.h"
#include "sync/injector.h"
#include "sync/pool_sleep.h"
#include "sync/thread.h"

struct fork;

struct worker {
	/* Fixed at create. */
	struct pool *pool;
	unsigned index;
	struct thread thread;

	/* The worker's own. */
	enum task_class cls;   /* of what it runs */
	struct deque *forking; /* &forks[cls] */
	unsigned in_row;       /* tasks of the upper class while the lower one waited */
	unsigned n_looks;
	unsigned n_leaps; /* halves that run one within the other in waits for joins */
	uint64_t random;
	uint32_t n_heard; /* pool.n_broadcasts that it has run */

	/* Written by the worker alone; relaxed, for statistics. */
	_Atomic uint64_t n_run[N_TASK_CLASSES], n_stolen, n_sleeps;
	_Atomic bool busy;

	struct sleeper sleeper;

	/* Halves of joins that this worker forked and nobody took; and tasks that it spawned. Two
	 * deques, so that a join's pop finds its own half or nothing (note: join). */
	struct deque forks[N_TASK_CLASSES], spawned[N_TASK_CLASSES];

	/* For those who wait for what this worker runs (note: leapfrog): the innermost stolen half
	 * that it runs; the half that it waits for itself, and who runs that. seq_cst. */
	ON_OWN_LINE _Atomic(struct fork *) serves;
	_Atomic(struct fork *) awaits;
	_Atomic(struct worker *) awaits_from;
};

/* A pool_broadcast() under way. On its caller's stack. */
struct broadcast {
	void (*fn)(void *arg, unsigned worker);
	void *arg;
	/* Workers that have not run it. Release by each, acquire by the caller, who sleeps on it.
	 */
	_Atomic uint32_t n_left;
};

struct pool {
	/* Fixed at create. */
	unsigned n_threads;
	unsigned n_spins; /* looks of a searcher before it sleeps */
	void (*on_start)(void *ctx, unsigned worker);
	void (*on_exit)(void *ctx, unsigned worker);
	void *ctx;
	struct worker *workers;

	struct pool_sleep sleep;
	struct injector injector;

	/* Set before the pool is closed by pool_cancel(): tasks go here. Release, acquired by each
	 * worker between taking a task and running it. */
	_Atomic(void (*)(struct task *)) drop;
	/* Workers that have not ended; the last one wakes pool_wait_until(). Release and acquire.
	 */
	_Atomic uint32_t n_live;

	/* How many broadcasts there were. seq_cst: raised before sleepers are woken and re-read
	 * before sleeping (note: pool sleep); reading it also publishes `broadcast`. */
	_Atomic uint32_t n_broadcasts;
	struct broadcast *broadcast; /* NULL: none. Written under injector.lock */
	struct cond broadcast_ended; /* it is NULL again */
};

/** The calling thread's worker; NULL on threads that are not of a pool. */
extern _Thread_local struct worker *worker_self;

/** thread_start()'s function; `arg` is the worker. */
int worker_main(void *arg);
/** -ENOMEM; worker_fini() takes what is half made. */
int worker_init(struct worker *w, struct pool *p, unsigned index);
void worker_fini(struct worker *w);

/** Run fn(arg) on a worker and wait: 0 and *ret, or -EPIPE, -ECANCELED: it was not run. Not from a
 *  worker of `p`. */
int pool_run_elsewhere(
	struct pool *p, enum task_class cls, int (*fn)(void *arg), void *arg, int *ret);
/** Is it the task of a pool_run_elsewhere()? Then end that with -ECANCELED. */
bool pool_run_discarded(struct task *t);
/** Instead of running a task: to `drop`, or when somebody waits for it, -ECANCELED to that one. */
void pool_drop(struct task *t, void (*drop)(struct task *t));
/** Run the broadcast that the worker has not heard yet. */
void worker_hear(struct worker *w);

static inline void
worker_count(_Atomic uint64_t *n)
{
	store_rlx(n, load_rlx(n) + 1);
}

/** The pause after the nth look for work in vain; false: time to sleep. */
static inline bool
pool_spin(const struct pool *p, unsigned n)
{
	for (unsigned i = 0; n < p->n_spins && i < 1u << MIN(n, 6u); i++)
		cpu_pause();
	return n < p->n_spins;
}
