#include "sync/injector.h"

#include <errno.h>

#include "sync/park.h"

void
injector_init(struct injector *in)
{
	*in = (struct injector){0};
	lock_init(&in->lock, RANK_POOL, "injector");
	list_init(&in->shares);
	for (unsigned cls = 0; cls < N_TASK_CLASSES; cls++)
		list_init(&in->tasks[cls]);
}

void
injector_fini(struct injector *in)
{
	lock_fini(&in->lock);
}

void
injector_close(struct injector *in)
{
	LOCK_SCOPE(&in->lock);

	store_sc(&in->closed, true); /* N1 of note: pool sleep (pool_sleep.c) */
}

static void
list_locked(struct injector *in, struct task *t)
{
	list_push_back(&in->tasks[t->cls], &t->link);
	(void)add_rlx(&in->n_listed[t->cls], 1);
}

/* true: the share has a slot for one more, which is taken. */
static bool
enter_locked(struct injector *in, struct pool_share *s, struct task *t)
{
	if (load_rlx(&s->n_running) < s->max) {
		(void)add_rlx(&s->n_running, 1);
		return true;
	}
	if (list_empty(&s->waiting))
		list_push_back(&in->shares, &s->link);
	list_push_back(&s->waiting, &t->link);
	return false;
}

int
injector_put(struct injector *in, struct task *t, enum task_class cls, struct pool_share *share)
{
	LOCK_SCOPE(&in->lock);

	if (load_rlx(&in->closed))
		return -EPIPE;
	t->cls = cls;
	t->share = share;
	if (share && !enter_locked(in, share, t))
		return 0;
	list_locked(in, t);
	(void)add_sc(&in->n_ready[cls], 1);
	return 1;
}

void
injector_put_back(struct injector *in, struct task *t)
{
	LOCK_SCOPE(&in->lock);

	list_locked(in, t);
}

struct task *
injector_take(struct injector *in, enum task_class cls)
{
	struct list *link;

	if (load_rlx(&in->n_listed[cls]) == 0)
		return NULL;
	LOCK_SCOPE(&in->lock);
	link = list_pop_front(&in->tasks[cls]);
	if (!link)
		return NULL;
	(void)sub_rlx(&in->n_listed[cls], 1);
	(void)sub_rlx(&in->n_ready[cls], 1);
	return LIST_ITEM(link, struct task, link);
}

static struct task *
pop_waiting_locked(struct pool_share *s)
{
	struct list *link = list_pop_front(&s->waiting);

	if (link && list_empty(&s->waiting))
		list_remove(&s->link);
	return link ? LIST_ITEM(link, struct task, link) : NULL;
}

struct task *
injector_take_waiting(struct injector *in)
{
	LOCK_SCOPE(&in->lock);
	struct task *t;

	if (list_empty(&in->shares))
		return NULL;
	t = pop_waiting_locked(LIST_ITEM(in->shares.next, struct pool_share, link));
	t->share = NULL;
	return t;
}

/* Giving the slot back is the last touch of the share: pool_share_fini() may be waiting for it, and
 * its memory may be gone when park_wake() is called, which is legal. Release, pairs with the
 * acquire there. */
bool
injector_leave_share(struct injector *in, struct pool_share *share)
{
	LOCK_SCOPE(&in->lock);
	struct task *next = pop_waiting_locked(share);

	if (next) {
		list_locked(in, next);
		(void)add_sc(&in->n_ready[next->cls], 1);
		return true;
	}
	if (sub_rel(&share->n_running, 1) == 1)
		park_wake(&share->n_running, 1);
	return false;
}

void
pool_share_init(struct pool_share *s, unsigned max)
{
	assert(max >= 1);
	*s = (struct pool_share){.max = max};
	list_init(&s->waiting);
	list_init(&s->link);
}

void
pool_share_fini(struct pool_share *s)
{
	uint32_t n;

	lock_assert_none();
	assert(list_empty(&s->waiting));
	while ((n = load_acq(&s->n_running)) > 0)
		(void)park_wait(&s->n_running, n, USEC_NEVER);
}
