#include <errno.h>

#include "sync/park.h"
#include "sync/worker.h"

/* A function that another thread waits for. On that one's stack. */
struct awaited {
	struct task task;
	int (*fn)(void *arg);
	void *arg;
	int result, r;
	/* The worker's exchange releases the results and is its last touch of this; the waiter
	 * acquires. Waking may come when the word is gone, which is legal (park_wake()). */
	_Atomic uint32_t done;
};

static void
end_awaited(struct awaited *a, int r)
{
	a->r = r;
	(void)swap_rel(&a->done, 1);
	park_wake(&a->done, 1);
}

static void
run_awaited(struct task *t)
{
	struct awaited *a = CONTAINER_OF(t, struct awaited, task);

	a->result = a->fn(a->arg);
	end_awaited(a, 0);
}

bool
pool_run_discarded(struct task *t)
{
	if (t->run != run_awaited)
		return false;
	end_awaited(CONTAINER_OF(t, struct awaited, task), -ECANCELED);
	return true;
}

int
pool_run_elsewhere(struct pool *p, enum task_class cls, int (*fn)(void *arg), void *arg, int *ret)
{
	struct awaited a = {.task.run = run_awaited, .fn = fn, .arg = arg};
	int r;

	lock_assert_none();
	r = pool_submit(p, &a.task, cls);
	if (r < 0)
		return r;
	while (!load_acq(&a.done))
		(void)park_wait(&a.done, 0, USEC_NEVER);
	if (a.r == 0)
		*ret = a.result;
	return a.r;
}

int
pool_run(struct pool *p, enum task_class cls, int (*fn)(void *arg), void *arg)
{
	int result, r;

	if (pool_current() == p)
		return fn(arg);
	r = pool_run_elsewhere(p, cls, fn, arg, &result);
	return r < 0 ? r : result;
}

/* Broadcasts are one at a time. Under the lock that also guards closing, so that every worker hears
 * of this one before it can end. */
static int
begin_broadcast(struct pool *p, struct broadcast *b)
{
	LOCK_SCOPE(&p->injector.lock);

	while (p->broadcast)
		cond_wait(&p->broadcast_ended, &p->injector.lock);
	if (load_rlx(&p->injector.closed))
		return -EPIPE;
	p->broadcast = b;
	(void)add_sc(&p->n_broadcasts, 1);
	return 0;
}

static void
end_broadcast(struct pool *p)
{
	LOCK_SCOPE(&p->injector.lock);

	p->broadcast = NULL;
	cond_broadcast(&p->broadcast_ended); /* all: the first may find the pool closed and leave */
}

void
worker_hear(struct worker *w)
{
	struct broadcast *b = w->pool->broadcast; /* stays until all have run it */

	w->n_heard++;
	b->fn(b->arg, w->index);
	lock_assert_none();
	if (sub_ar(&b->n_left, 1) == 1)
		park_wake(&b->n_left, 1); /* b may be gone */
}

int
pool_broadcast(struct pool *p, void (*fn)(void *arg, unsigned worker), void *arg)
{
	struct broadcast b = {.fn = fn, .arg = arg, .n_left = p->n_threads};
	uint32_t n;
	int r;

	assert(pool_current() != p);
	lock_assert_none();
	r = begin_broadcast(p, &b);
	if (r < 0)
		return r;
	pool_sleep_wake_all(&p->sleep);
	while ((n = load_acq(&b.n_left)) > 0)
		(void)park_wait(&b.n_left, n, USEC_NEVER);
	end_broadcast(p);
	return 0;
}
