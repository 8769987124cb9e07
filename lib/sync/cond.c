#include "sync/cond.h"

void
cond_init(struct cond *c)
{
	*c = (struct cond){0};
}

void
cond_fini(struct cond *c)
{
	assert(load_rlx(&c->sleepers.waiters) == 0);
}

void
cond_wait(struct cond *c, struct lock *l)
{
	(void)cond_wait_until(c, l, USEC_NEVER);
}

/* The waiter announces itself before it gives the lock, hence before anyone can change what it
 * waits for: the signal that follows the change sees it (note: wakeup, park.c, whose re-check of
 * the condition is the one made under the lock). */
int
cond_wait_until(struct cond *c, struct lock *l, usec_t deadline)
{
	uint32_t key;
	int r;

	eventcount_prepare(&c->sleepers, &key);
	lock_sleep(l);
	r = eventcount_wait(&c->sleepers, key, deadline);
	lock_resume(l);
	return r;
}

/* Not eventcount_notify_one(): there a second signal may be left to the first one's waiter to pass
 * on, which nobody who waits under a cond does. */
void
cond_signal(struct cond *c)
{
	eventcount_notify(&c->sleepers, 1);
}

void
cond_broadcast(struct cond *c)
{
	eventcount_notify(&c->sleepers, UINT32_MAX);
}
