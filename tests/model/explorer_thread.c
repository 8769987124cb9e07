/* Threads of models in the place of sync/thread.c. */
#include "explorer.h"

#include <stdio.h>

#include "sync/rank.h"
#include "sync/thread.h"

/* Starting is no point of choice: until its first step the new thread does nothing that others
 * could see. */
int
thread_start_with(struct thread *t, const char *name, const struct thread_options *o,
	int (*fn)(void *arg), void *arg)
{
	(void)o;
	*t = (struct thread){.fn = fn, .arg = arg, .started = true};
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	t->id = sched_add(name, fn, arg);
	run_tell("start %s", name);
	return 0;
}

int
thread_start(struct thread *t, const char *name, int (*fn)(void *arg), void *arg)
{
	return thread_start_with(t, name, NULL, fn, arg);
}

int
thread_join_until(struct thread *t, usec_t deadline, int *ret_result)
{
	int r;

	*ret_result = 0;
	if (!t->started)
		return 0;
	r = sched_join((unsigned)t->id, deadline, ret_result);
	if (r == 0)
		t->started = false;
	return r;
}

int
thread_join(struct thread *t)
{
	int result;

	(void)thread_join_until(t, USEC_NEVER, &result);
	return result;
}

struct thread *
thread_self(void)
{
	return NULL;
}

struct err *
thread_err(void)
{
	return NULL;
}

void
thread_doing(const char *fmt, ...)
{
	(void)fmt;
}

void
thread_set_idle(bool idle)
{
	(void)idle;
}

/* One key, of which each thread has a value. */
static void (*at_exit_of)(void *value);

int __wrap_pthread_key_create(pthread_key_t *ret, void (*fn)(void *value));
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

int
__wrap_pthread_key_create(pthread_key_t *ret, void (*fn)(void *value))
{
	*ret = 0;
	at_exit_of = fn;
	return 0;
}

int
__wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	(void)key;
	*sched_own() = (void *)(uintptr_t)value;
	return 0;
}

void
thread_ends(void)
{
	void *value = *sched_own();

	*sched_own() = NULL;
	if (value)
		at_exit_of(value);
}

unsigned
thread_cpus(void)
{
	return run.model->n_cpus ? run.model->n_cpus : 1;
}
