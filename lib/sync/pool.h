/**
 * pool: worker threads that run tasks.
 *
 * The daemon has two: the compute pool (one worker a CPU) and the I/O pool (walk, open, read). A
 * task that may block belongs to the I/O pool. Two classes: a query's tasks overtake those of
 * indexing. Within a class tasks start in the order of submission; an indexing task is not starved
 * for ever: each worker takes the oldest of the lower class after 64 of the upper.
 *
 * This implementation keeps its tasks in two lists under one lock; the interface is that of the
 * work-stealing pool which replaces its inside.
 *
 * Ownership: struct task is the submitter's and must live until `run` was called; `run` may free or
 *            submit it again. No allocation per task.
 * Threads:   pool_submit() from anywhere, tasks included. pool_destroy() from outside the pool.
 * Errors:    pool_submit() -EPIPE after pool_close(); then `run` is not called.
 */
#pragma once

#include "base/list.h"
#include "sync/lock.h"
#include "sync/stop.h"

enum task_class { TASK_QUERY, TASK_INDEX, N_TASK_CLASSES };

struct task {
	struct list link; /* in the pool's queue while it waits */
	void (*run)(struct task *t);
};

struct pool;

/** `n_threads` 0: thread_cpus(). Threads are called "name/0".. . */
int pool_create(const char *name, unsigned n_threads, struct pool **ret);
/** Close, run what was submitted, join. NULL is legal. */
void pool_destroy(struct pool *p);
/** No further submits; what waits still runs. */
void pool_close(struct pool *p);
int pool_submit(struct pool *p, struct task *t, enum task_class cls);
unsigned pool_threads(const struct pool *p);
/** Is a task of a more urgent class than `cls` waiting? Long tasks ask about every millisecond and
 *  submit themselves again when it is. */
bool pool_should_yield(const struct pool *p, enum task_class cls);

struct pool_stats {
	uint64_t n_run[N_TASK_CLASSES];
	uint64_t n_waiting;
	unsigned n_threads, n_busy;
};
void pool_get_stats(const struct pool *p, struct pool_stats *ret);
