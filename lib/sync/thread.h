/**
 * thread: named threads with a result.
 *
 * Every signal is blocked in a new thread (signals arrive as events in the loop), save those that
 * a fault raises: the guard of mapped files must get its SIGBUS. The name is what the kernel shows
 * (15 bytes).
 *
 * Ownership: thread_start() on caller's storage; every started thread is joined exactly once. There
 * is no detach. Errors:    -EAGAIN, -ENOMEM of pthread_create; the thread's own result comes from
 * thread_join().
 */
#pragma once

#include "base/defs.h"
#include <pthread.h>

struct thread {
	pthread_t id;
	bool started;
	int result;
	int (*fn)(void *arg);
	void *arg;
	char name[16];
};

int thread_start(struct thread *t, const char *name, int (*fn)(void *arg), void *arg);
/** Waits for the end; returns what fn returned. A thread that was never started: 0. */
int thread_join(struct thread *t);

/** CPUs this process may use: the least of affinity mask and cgroup quota (v2 cpu.max, v1 cfs), at
 *  least 1. */
unsigned thread_cpus(void);
