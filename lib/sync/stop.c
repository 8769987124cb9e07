#include "sync/stop.h"

#include <errno.h>

void
stop_set_hold(struct stop *s, stop_hold_fn hold, void *ctx)
{
	s->hold = hold;
	s->hold_ctx = ctx;
}

int
stop_pass(struct stop *s)
{
	if (stop_requested(s))
		return -ECANCELED;
	return s && s->hold ? s->hold(s->hold_ctx, s) : 0;
}

/* Under the parent's lock, so that a request either finds the child in its list or the child finds
 * the parent fired. */
void
stop_init(struct stop *s, struct stop *parent)
{
	*s = (struct stop){.parent = parent};
	lock_init(&s->lock, RANK_STOP, "stop");
	cond_init(&s->idle);
	list_init(&s->waiters);
	list_init(&s->children);
	list_init(&s->sibling);
	if (!parent)
		return;
	stop_set_hold(s, parent->hold, parent->hold_ctx);
	LOCK_SCOPE(&parent->lock);
	if (stop_requested(parent))
		store_sc(&s->fired, 1);
	else
		list_push_back(&parent->children, &s->sibling);
}

/* Wait until the request that runs on another thread is past `what`. */
static void
wait_past_locked(struct stop *s, const void *what) REQUIRES(s->lock)
{
	while (s->busy == what)
		cond_wait(&s->idle, &s->lock);
}

static void
leave_parent(struct stop *s)
{
	LOCK_SCOPE(&s->parent->lock);

	wait_past_locked(s->parent, s);
	list_remove(&s->sibling);
}

static void
wait_request(struct stop *s)
{
	LOCK_SCOPE(&s->lock);

	while (s->requesting)
		cond_wait(&s->idle, &s->lock);
}

void
stop_fini(struct stop *s)
{
	if (s->parent)
		leave_parent(s);
	wait_request(s);
	assert(list_empty(&s->waiters) && list_empty(&s->children));
	cond_fini(&s->idle);
	lock_fini(&s->lock);
}

/* note: busy. Waiters and children are woken without the lock, because `wake` may take a lock of a
 * lower rank and a child's lock has our own rank. What is being woken is named in `busy`;
 * stop_remove() and a child's stop_fini() wait until it is not theirs, so it stays alive. */
static void
wake_all_locked(struct stop *s) REQUIRES(s->lock)
{
	struct list *link;

	while ((link = list_pop_front(&s->waiters))) {
		struct stop_waiter *w = LIST_ITEM(link, struct stop_waiter, link);

		s->busy = w;
		lock_give(&s->lock);
		w->wake(w->arg);
		(void)lock_take(&s->lock);
		s->busy = NULL;
		cond_broadcast(&s->idle);
	}
	while ((link = list_pop_front(&s->children))) {
		struct stop *child = LIST_ITEM(link, struct stop, sibling);

		s->busy = child;
		lock_give(&s->lock);
		stop_request(child);
		(void)lock_take(&s->lock);
		s->busy = NULL;
		cond_broadcast(&s->idle);
	}
}

/* Once `fired` is set nothing joins the lists, so both loops end. A second request returns while
 * the first may still be waking others. */
void
stop_request(struct stop *s)
{
	LOCK_SCOPE(&s->lock);

	if (swap_sc(&s->fired, 1))
		return;
	s->requesting = true;
	wake_all_locked(s);
	s->requesting = false;
	cond_broadcast(&s->idle);
}

static bool
add_unless_fired(struct stop *s, struct stop_waiter *w)
{
	LOCK_SCOPE(&s->lock);

	if (stop_requested(s))
		return false;
	list_push_back(&s->waiters, &w->link);
	return true;
}

void
stop_add(struct stop *s, struct stop_waiter *w)
{
	list_init(&w->link);
	if (s && !add_unless_fired(s, w))
		w->wake(w->arg);
}

void
stop_remove(struct stop *s, struct stop_waiter *w)
{
	if (!s)
		return;
	lock_assert_none();
	LOCK_SCOPE(&s->lock);
	wait_past_locked(s, w);
	list_remove(&w->link);
}
