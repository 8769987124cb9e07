#include "sync/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "sync/cpus.h"
#include "sync/lock.h"

static void *
thread_main(void *arg)
{
	struct thread *t = arg;

	(void)pthread_setname_np(pthread_self(), t->name);
	t->result = t->fn(t->arg);
	return NULL;
}

/* A fault whose signal is blocked kills the process whatever its handler: those stay open. */
static void
block_signals(sigset_t *ret_old)
{
	static const int faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
	sigset_t all;

	(void)sigfillset(&all);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		(void)sigdelset(&all, faults[i]);
	(void)pthread_sigmask(SIG_SETMASK, &all, ret_old);
}

/* The mask is inherited, so it is set here: a mask set by the new thread itself would come too late
 * for a signal that arrives at once. */
int
thread_start(struct thread *t, const char *name, int (*fn)(void *arg), void *arg)
{
	sigset_t old;
	int r;

	*t = (struct thread){.fn = fn, .arg = arg};
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	block_signals(&old);
	r = pthread_create(&t->id, NULL, thread_main, t);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	t->started = r == 0;
	return -r;
}

int
thread_join(struct thread *t)
{
	int r;

	if (!t->started)
		return 0;
	lock_assert_none();
	r = pthread_join(t->id, NULL);
	assert(r == 0);
	(void)r;
	t->started = false;
	return t->result;
}

/* The kernel refuses a set that is smaller than its own, hence the growing. */
static unsigned
affinity_cpus(void)
{
	for (int n = 1024; n <= 1 << 20; n *= 2) {
		cpu_set_t *set = CPU_ALLOC((size_t)n);
		int count = 0, r;

		if (!set)
			return 1;
		r = sched_getaffinity(0, CPU_ALLOC_SIZE(n), set) < 0 ? -errno : 0;
		if (r == 0)
			count = CPU_COUNT_S(CPU_ALLOC_SIZE(n), set);
		CPU_FREE(set);
		if (r != -EINVAL)
			return (unsigned)MAX(count, 1);
	}
	return 1;
}

unsigned
thread_cpus(void)
{
	unsigned affinity = affinity_cpus(), quota = cpus_quota("");

	return quota > 0 ? MIN(affinity, quota) : affinity;
}
