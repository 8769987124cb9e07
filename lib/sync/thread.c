#include "sync/thread.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "sync/cpus.h"
#include "sync/lock.h"
#include "sync/membarrier.h"
#include "sync/park.h"
#include "sync/registry.h"

static _Thread_local struct thread *self;

struct thread *
thread_self(void)
{
	return self;
}

struct err *
thread_err(void)
{
	return self ? &self->err : NULL;
}

void
thread_doing(const char *fmt, ...)
{
	char doing[sizeof(self->doing)];
	va_list ap;

	if (!self)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(doing, sizeof(doing), fmt, ap);
	va_end(ap);
	registry_describe(self, doing);
}

void
thread_set_idle(bool idle)
{
	if (self)
		store_rlx(&self->idle, idle);
}

static void
explain(struct thread *t)
{
	if (t->result < 0 && !t->err.what[0])
		(void)err_set(&t->err, t->result, "thread \"%s\" failed: %s", t->name,
			err_reason(t->result));
	t->err.code = MIN(t->result, 0);
}

static void *
thread_main(void *arg)
{
	struct thread *t = arg;

	self = t;
	(void)pthread_setname_np(pthread_self(), t->name);
	t->result = t->fn(t->arg);
	explain(t);
	registry_leave(t);
	store_rel(&t->ended, 1);
	park_wake(&t->ended, 1); /* the joiner still waits for this thread itself: t is there */
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

static int
set_stack(pthread_attr_t *attr, size_t stack_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (stack_bytes == 0)
		return 0;
	if (stack_bytes > (size_t)SSIZE_MAX)
		return EINVAL;
	return pthread_attr_setstacksize(attr, ALIGN_UP(stack_bytes, page));
}

/* The mask is inherited, so it is set here: a mask set by the new thread itself would come too late
 * for a signal that arrives at once. */
static int
create(struct thread *t, size_t stack_bytes)
{
	pthread_attr_t attr;
	sigset_t old;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	r = set_stack(&attr, stack_bytes);
	if (r == 0) {
		block_signals(&old);
		r = pthread_create(&t->id, &attr, thread_main, t);
		(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	(void)pthread_attr_destroy(&attr);
	return -r;
}

int
thread_start_with(struct thread *t, const char *name, const struct thread_options *o,
	int (*fn)(void *arg), void *arg)
{
	int r;

	*t = (struct thread){.fn = fn, .arg = arg, .since = clock_mono()};
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	(void)snprintf(t->doing, sizeof(t->doing), "%s", o->doing ? o->doing : "");
	membarrier_early();
	registry_enter(t);
	r = create(t, o->stack_bytes);
	if (r < 0)
		registry_leave(t);
	t->started = r == 0;
	return r;
}

int
thread_start(struct thread *t, const char *name, int (*fn)(void *arg), void *arg)
{
	return thread_start_with(t, name, &(struct thread_options){0}, fn, arg);
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

/* pthread_clockjoin_np() would do, were it known to every ThreadSanitizer: so the deadline is for
 * the word, and what is left to join is past everything of ours. */
int
thread_join_until(struct thread *t, usec_t deadline, int *ret_result)
{
	lock_assert_none();
	while (t->started && load_acq(&t->ended) == 0) {
		if (park_wait(&t->ended, 0, deadline) == -ETIMEDOUT && load_acq(&t->ended) == 0)
			return -ETIMEDOUT;
	}
	*ret_result = thread_join(t);
	return 0;
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
