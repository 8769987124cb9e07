#include "sync/lock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A failing pthread call is a bug of ours: an object that was not initialised, or a stranger's. */
static void
must(int r, const char *call, const char *name)
{
	if (LIKELY(r == 0))
		return;
	(void)dprintf(STDERR_FILENO, "%s on \"%s\": %s\n", call, name, strerror(r));
	abort();
}

/* A small number of our own and not gettid(): no system call, and still right after a fork. */
static int
thread_number(void)
{
	static _Atomic int last;
	static _Thread_local int number;

	if (UNLIKELY(number == 0))
		number = add_rlx(&last, 1) + 1; /* relaxed: only has to be unique */
	return number;
}

#if TRAWL_DEBUG

/* What the calling thread holds, in the order of taking. lock_try() may take out of order, so the
 * ranks in it need not ascend. */
static _Thread_local const struct lock *held[2 * N_LOCK_RANKS];
static _Thread_local unsigned n_held;

static void
die(const char *what, const struct lock *l, const struct lock *other)
{
	(void)dprintf(STDERR_FILENO, "lock \"%s\" (rank %d) %s", l->name, (int)l->rank, what);
	if (other)
		(void)dprintf(STDERR_FILENO, " \"%s\" (rank %d)", other->name, (int)other->rank);
	(void)dprintf(STDERR_FILENO, "\n");
	abort();
}

static void
check_order(const struct lock *l)
{
	for (unsigned i = 0; i < n_held; i++) {
		if (held[i] == l)
			die("is taken twice by one thread", l, NULL);
		if (held[i]->rank >= l->rank)
			die("is taken in the wrong order, while holding", l, held[i]);
	}
}

static void
note_take(const struct lock *l)
{
	if (n_held == ARRAY_LEN(held))
		die("is one lock too many for one thread", l, NULL);
	held[n_held++] = l;
}

static void
note_give(const struct lock *l)
{
	for (unsigned i = n_held; i-- > 0;) {
		if (held[i] != l)
			continue;
		n_held--;
		memmove(&held[i], &held[i + 1], (n_held - i) * sizeof(held[0]));
		return;
	}
	die("is given by a thread that does not hold it", l, NULL);
}

static void
check_only(const struct lock *l)
{
	lock_assert_held(l);
	for (unsigned i = 0; i < n_held; i++) {
		if (held[i] != l)
			die("is held while the thread waits under", held[i], l);
	}
}

void
lock_assert_held(const struct lock *l)
{
	if (load_rlx(&l->owner) != thread_number())
		die("is not held by the calling thread", l, NULL);
}

void
lock_assert_none(void)
{
	if (n_held > 0)
		die("is held by a thread that is about to wait", held[n_held - 1], NULL);
}

#else

static void
check_order(const struct lock *l)
{
	(void)l;
}

static void
note_take(const struct lock *l)
{
	(void)l;
}

static void
note_give(const struct lock *l)
{
	(void)l;
}

static void
check_only(const struct lock *l)
{
	(void)l;
}

void
lock_assert_held(const struct lock *l)
{
	assert(load_rlx(&l->owner) == thread_number());
}

void
lock_assert_none(void)
{
}

#endif

void
lock_init(struct lock *l, enum lock_rank rank, const char *name)
{
	*l = (struct lock){.rank = rank, .name = name};
	must(pthread_mutex_init(&l->mutex, NULL), "pthread_mutex_init", name);
}

void
lock_fini(struct lock *l)
{
	must(pthread_mutex_destroy(&l->mutex), "pthread_mutex_destroy", l->name);
}

struct lock *
lock_take(struct lock *l)
{
	check_order(l);
	must(pthread_mutex_lock(&l->mutex), "pthread_mutex_lock", l->name);
	store_rlx(&l->owner, thread_number());
	note_take(l);
	return l;
}

/* Cannot deadlock, so the rank does not matter. */
bool
lock_try(struct lock *l)
{
	int r = pthread_mutex_trylock(&l->mutex);

	if (r == EBUSY)
		return false;
	must(r, "pthread_mutex_trylock", l->name);
	store_rlx(&l->owner, thread_number());
	note_take(l);
	return true;
}

void
lock_give(struct lock *l)
{
	note_give(l);
	store_rlx(&l->owner, 0);
	must(pthread_mutex_unlock(&l->mutex), "pthread_mutex_unlock", l->name);
}

void
cond_init(struct cond *c)
{
	pthread_condattr_t attr;

	must(pthread_condattr_init(&attr), "pthread_condattr_init", "cond");
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "pthread_condattr_setclock",
		"cond");
	must(pthread_cond_init(&c->cond, &attr), "pthread_cond_init", "cond");
	(void)pthread_condattr_destroy(&attr);
}

void
cond_fini(struct cond *c)
{
	must(pthread_cond_destroy(&c->cond), "pthread_cond_destroy", "cond");
}

void
cond_wait(struct cond *c, struct lock *l)
{
	(void)cond_wait_until(c, l, USEC_NEVER);
}

/* The lock stays on the debug list of the sleeping thread, which can take nothing meanwhile. */
int
cond_wait_until(struct cond *c, struct lock *l, usec_t deadline)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline / USEC_PER_SEC),
		.tv_nsec = (long)(deadline % USEC_PER_SEC) * 1000,
	};
	int r;

	check_only(l);
	store_rlx(&l->owner, 0);
	if (deadline == USEC_NEVER)
		r = pthread_cond_wait(&c->cond, &l->mutex);
	else
		r = pthread_cond_timedwait(&c->cond, &l->mutex, &ts);
	store_rlx(&l->owner, thread_number());
	if (r == ETIMEDOUT)
		return -ETIMEDOUT;
	must(r, "pthread_cond_wait", l->name);
	return 0;
}

void
cond_signal(struct cond *c)
{
	must(pthread_cond_signal(&c->cond), "pthread_cond_signal", "cond");
}

void
cond_broadcast(struct cond *c)
{
	must(pthread_cond_broadcast(&c->cond), "pthread_cond_broadcast", "cond");
}
