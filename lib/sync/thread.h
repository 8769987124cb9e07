/**
 * thread: named threads with a result and the sentence that explains it.
 *
 * A thread reports by returning: >= 0 success, -errno failure, for which it may fill thread_err().
 * Both reach the one who joins. Nothing unwinds and nothing is thrown: a fault ends the process.
 * For threads that borrow the caller's stack and end with a C scope, see scope.h; for threads
 * without an owner and for the list of who runs, registry.h.
 *
 * Every signal is blocked in a new thread (signals arrive as events in the loop), save those that
 * a fault raises: the guard of mapped files must get its SIGBUS. The name is what the kernel shows
 * (15 bytes), and is there before `fn` is called.
 *
 * Ownership: thread_start() on caller's storage, which must stay where it is until the join; every
 *            started thread is joined exactly once. There is no detach.
 * Threads:   start and join by any thread, one at a time for one struct thread. thread_self() and
 *            what is said to concern the calling thread may be called anywhere; on a thread that is
 *            not ours (main, a library's) they do nothing.
 * Errors:    -EAGAIN, -ENOMEM, -EINVAL (stack size) of pthread_create: then nothing was started and
 *            a join returns 0.
 * Orders:    what the thread wrote is seen after the join. `ended` is stored with release as the
 *            thread's last touch of this storage but for waking the joiner, and acquired by
 *            thread_join_until().
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "sync/atomic.h"
#include <pthread.h>

struct thread {
	/* Fixed by thread_start(). */
	pthread_t id;
	bool started;
	int (*fn)(void *arg);
	void *arg;
	char name[16];
	usec_t since;

	/* The thread's until it has ended, then the joiner's. */
	int result;
	struct err err;

	/* 0 running, 1 past its function and out of the registry. Release, pairs with the acquire
	 * in thread_join_until(). */
	_Atomic uint32_t ended;
	/* Relaxed: a remark for the registry's report, nothing is published by it. */
	_Atomic bool idle;

	/* Guarded by the registry's lock. */
	struct list link;
	char doing[64];
};

struct thread_options {
	size_t stack_bytes; /* 0: the system's default; rounded up to pages */
	const char *doing;  /* what for, until thread_doing(); may be NULL */
};

int thread_start(struct thread *t, const char *name, int (*fn)(void *arg), void *arg);
int thread_start_with(struct thread *t, const char *name, const struct thread_options *o,
	int (*fn)(void *arg), void *arg);
/** Waits for the end; returns what fn returned. A thread that was never started: 0. After it,
 *  t->err explains a negative result, in the thread's own words or in ours. */
int thread_join(struct thread *t);
/** 0: joined, *ret_result is what fn returned. -ETIMEDOUT: it still runs and must be joined. */
int thread_join_until(struct thread *t, usec_t deadline, int *ret_result);

/** The calling thread; NULL when thread_start() did not make it. */
struct thread *thread_self(void);
/** Where the calling thread explains the failure that it is about to return; NULL as above, which
 *  err_set() takes: `return err_set(thread_err(), -EIO, "could not ...")`. */
struct err *thread_err(void);
/** What the calling thread does now, for people: cut to 63 bytes. */
void thread_doing(const char *fmt, ...) PRINTF_LIKE(1, 2);
/** The calling thread waits for work: a report of who holds up a stop leaves it out. */
void thread_set_idle(bool idle);

/** CPUs this process may use: the least of affinity mask and cgroup quota (v2 cpu.max, v1 cfs), at
 *  least 1. */
unsigned thread_cpus(void);
