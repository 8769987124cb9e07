/**
 * pool: worker threads that run tasks and steal from each other.
 *
 * Each worker has a deque (deque.h) for every class of task; what comes from outside goes through
 * an injector. A worker looks, class by class, at its own deque, the injector, and the deques of
 * the others from a random one on; it sleeps when nothing is found, and an idle pool uses no CPU.
 * Two classes: a query's tasks overtake those of indexing, but each worker takes one of the lower
 * class after 64 of the upper while some wait.
 *
 * Three ways in:
 *   pool_submit()  a detached task; those of a class start in the order of submission
 *   pool_spawn()   a detached task that continues the caller's work: last in, first out on its own
 *                  worker, first in, first out for thieves (a walk descending a tree)
 *   pool_join()    two functions, perhaps at once, both ended at return (divide and conquer); no
 *                  allocation, the second one's job lies on the caller's stack
 *
 * A thread that waits in pool_join() for a half that was stolen runs only what the thief forks
 * meanwhile ("leapfrog"): never an unrelated task, which might take a lock that the waiting one
 * holds or nest without bound. No ranked lock may be held in pool_join().
 *
 * The daemon has two pools: the compute pool (one worker a CPU) and the I/O pool (walk, open,
 * read). A task that may block belongs to the I/O pool; those of one mount share a `struct
 * pool_share`, so that a dead mount holds its own share of the workers and no more.
 *
 * Ownership: struct task is the submitter's and must live until `run` was called; `run` may free or
 *            submit it again. No allocation per task.
 * Threads:   any, tasks included, unless said. pool_destroy() from outside the pool.
 * Errors:    pool_submit(), pool_spawn(): -EPIPE after pool_close(); then `run` is not called.
 *            Creation: -ENOMEM, -EAGAIN; nothing is left behind.
 */
#pragma once

#include "base/list.h"
#include "sync/lock.h"
#include "sync/stop.h"

enum task_class { TASK_QUERY, TASK_INDEX, N_TASK_CLASSES };

struct pool;
struct pool_share;

struct task {
	struct list link; /* in an injector or a share's queue while it waits */
	void (*run)(struct task *t);
	/* The pool's, from submit to run. */
	struct pool_share *share;
	enum task_class cls;
};

struct pool_opts {
	const char *name;   /* threads are called "name/0".. */
	unsigned n_threads; /* 0: thread_cpus() */
	size_t stack_bytes; /* 0: the system's default */
	/* On each worker, before its first task and after its last; may be NULL. */
	void (*on_start)(void *ctx, unsigned worker);
	void (*on_exit)(void *ctx, unsigned worker);
	void *ctx;
};

int pool_create_with(const struct pool_opts *opts, struct pool **ret);
int pool_create(const char *name, unsigned n_threads, struct pool **ret);
/** Close, run what was submitted, join. NULL is legal. */
void pool_destroy(struct pool *p);
/** No further submits; what waits still runs. Idempotent. */
void pool_close(struct pool *p);
/** Close, and hand every task that has not begun to `drop` (may be NULL), here or on a worker,
 * instead of running it. Each is run or dropped once, at the latest when pool_destroy() returns.
 * Whoever waits in pool_run() for a task that was dropped gets -ECANCELED. */
void pool_cancel(struct pool *p, void (*drop)(struct task *t));
/** After pool_close() or pool_cancel(): 0 when every worker has ended by the deadline, or
 * -ETIMEDOUT (then pool_destroy() would wait). */
int pool_wait_until(struct pool *p, usec_t deadline);

int pool_submit(struct pool *p, struct task *t, enum task_class cls);
/** From a thread that is not a worker of `p` this is pool_submit(). */
int pool_spawn(struct pool *p, struct task *t, enum task_class cls);

/** At most `max` tasks of a share run at once; the others wait in order, and hold no worker. */
struct pool_share {
	unsigned max; /* fixed */
	/* Slots taken: by tasks that run or could. Changed under the pool's lock; release, acquired
	 * by pool_share_fini(), which sleeps on it. */
	_Atomic uint32_t n_running;
	/* Guarded by the pool's lock. */
	struct list waiting; /* struct task.link */
	struct list link;    /* in the pool's list while tasks wait */
};

void pool_share_init(struct pool_share *s, unsigned max); /* >= 1 */
/** Its tasks have been run or dropped; waits until the last one's slot is given back. */
void pool_share_fini(struct pool_share *s);
/** pool_submit() under a share of this pool (may be NULL). */
int pool_submit_share(
	struct pool *p, struct task *t, enum task_class cls, struct pool_share *share);

/**
 * One half of a pool_join(). `stolen`: it runs on another thread than the one that forked it (what
 * adaptive splitting goes by). Returns 0 or anything else; pool_join() passes the first half's
 * value on, or when that is 0 the second's.
 */
typedef int (*join_fn)(void *arg, bool stolen);
/** Both run and have ended at return, whatever they return. In the class of the running task; from
 * a thread that is not a worker of `p` the whole runs on one, and the caller sleeps (TASK_QUERY);
 *  on a pool that is closed both run on that thread, one after the other. */
int pool_join(struct pool *p, join_fn a, void *arg_a, join_fn b, void *arg_b);
/** Run fn(arg) on a worker of `p` and wait for its result; at once when the caller is one. -EPIPE
 *  on a closed pool, -ECANCELED by pool_cancel(). A worker of another pool is blocked meanwhile. */
int pool_run(struct pool *p, enum task_class cls, int (*fn)(void *arg), void *arg);
/** fn(arg, worker) once on every worker, in any order, between two tasks; waits for all. Not from a
 *  task of `p`. -EPIPE on a closed pool. */
int pool_broadcast(struct pool *p, void (*fn)(void *arg, unsigned worker), void *arg);

/** The pool whose worker calls, NULL on other threads; and the worker's index in it. */
struct pool *pool_current(void);
unsigned pool_worker(void);
/** The process's default pool, made at first use with one worker a CPU; NULL: it could not be made.
 *  pool_default_destroy() ends it (tests, leak checks). */
struct pool *pool_default(void);
void pool_default_destroy(void);

unsigned pool_threads(const struct pool *p);
/** Tasks of the class that could run and have not begun; a moment's value, never too low. */
uint64_t pool_n_waiting(const struct pool *p, enum task_class cls);
/** Is a task of a more urgent class than `cls` waiting? Long tasks ask about every millisecond and
 *  submit themselves again when it is. */
bool pool_should_yield(const struct pool *p, enum task_class cls);

struct pool_stats {
	uint64_t n_run[N_TASK_CLASSES]; /* tasks; not the halves of joins */
	uint64_t n_stolen;              /* tasks and halves taken from another worker's deque */
	uint64_t n_sleeps;              /* how often a worker went to sleep */
	uint64_t n_waiting; /* tasks that could run; not those waiting for their share */
	unsigned n_threads, n_busy;
	unsigned n_asleep; /* or about to be; searching ones are neither */
};
void pool_get_stats(const struct pool *p, struct pool_stats *ret);
