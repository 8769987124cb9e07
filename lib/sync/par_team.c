#include "sync/par_team.h"

#include "sync/park.h"
#include "sync/spin.h"

/* Set in team.door once the caller lets no further helper in. */
#define DOOR_CLOSED (1u << 31)

struct team_helper {
	struct task task;
	struct team *team;
	unsigned worker;
	/* Taken by who invites (acquire), given back by the helper when fn has returned (release):
	 * the next to use this `worker` sees what the last one wrote to its scratch. After the
	 * latter the helper may be under way again: it is not touched any more. */
	_Atomic bool asked;
};

struct team {
	_Atomic uint32_t refs; /* caller and helpers that were asked; orders as in arc.c */
	_Atomic uint32_t door; /* DOOR_CLOSED | helpers inside; futex of the caller once closed */
	/* Helpers that are not asked. Relaxed: saves looking when there is none. */
	_Atomic uint32_t n_idle;

	/* Fixed at create. */
	struct pool *pool;
	enum task_class cls;
	team_fn fn;
	void *arg;
	unsigned n_helpers;

	struct team_helper helpers[];
};

static void
team_put(struct team *t)
{
	if (sub_rel(&t->refs, 1) > 1)
		return;
	(void)load_acq(&t->refs);
	free(t);
}

/* Acquire keeps the work after the door; what was written before the invitation is seen through
 * the pool's queue. */
static bool
door_enter(struct team *t)
{
	uint32_t s = load_acq(&t->door);

	while (!(s & DOOR_CLOSED)) {
		if (cas_ar(&t->door, &s, s + 1))
			return true;
	}
	return false;
}

/* Release: the caller that reads the new state sees what the helper wrote. The team's memory is
 * held by the helper's reference until after the wake. */
static void
door_leave(struct team *t)
{
	if (sub_ar(&t->door, 1) == (DOOR_CLOSED | 1))
		park_wake(&t->door, 1);
}

static void
helper_run(struct task *task)
{
	struct team_helper *h = CONTAINER_OF(task, struct team_helper, task);
	struct team *t = h->team;

	if (door_enter(t)) {
		t->fn(t->arg, h->worker);
		(void)add_rlx(&t->n_idle, 1);
		store_rel(&h->asked, false);
		door_leave(t);
	}
	team_put(t);
}

struct team *
team_create(struct pool *p, enum task_class cls, size_t max_helpers, team_fn fn, void *arg)
{
	unsigned n = p ? (unsigned)MIN(max_helpers, (size_t)pool_threads(p)) : 0;
	struct team *t = n > 0 ? malloc(sizeof(*t) + n * sizeof(t->helpers[0])) : NULL;

	if (!t)
		return NULL;
	*t = (struct team){.refs = 1,
		.n_idle = n,
		.pool = p,
		.cls = cls,
		.fn = fn,
		.arg = arg,
		.n_helpers = n};
	for (unsigned i = 0; i < n; i++)
		t->helpers[i] =
			(struct team_helper){.task.run = helper_run, .team = t, .worker = i + 1};
	return t;
}

static struct team_helper *
take_idle(struct team *t)
{
	if (load_rlx(&t->n_idle) == 0)
		return NULL;
	for (unsigned i = 0; i < t->n_helpers; i++) {
		bool asked = false;

		if (!load_rlx(&t->helpers[i].asked) &&
			cas_acq(&t->helpers[i].asked, &asked, true)) {
			(void)sub_rlx(&t->n_idle, 1);
			return &t->helpers[i];
		}
	}
	return NULL;
}

/* The pool is closed for good when it refuses: the helper stays taken, so that it is not tried
 * again and again. */
bool
team_invite(struct team *t)
{
	struct team_helper *h = take_idle(t);

	if (!h)
		return false;
	(void)add_rlx(&t->refs, 1); /* relaxed: the inviter is protected by a reference itself */
	if (pool_submit(t->pool, &h->task, t->cls) == 0)
		return true;
	team_put(t);
	return false;
}

/* Pieces are short, so mostly those inside leave before a sleep would begin. */
static uint32_t
await_door(struct team *t, uint32_t s)
{
	unsigned n = spin_looks(0);

	for (unsigned i = 0; i < n && s != DOOR_CLOSED; i++) {
		spin_rest(i);
		s = load_acq(&t->door); /* pairs with door_leave() */
	}
	return s;
}

void
team_close(struct team *t)
{
	uint32_t s;

	if (!t)
		return;
	s = await_door(t, or_ar(&t->door, DOOR_CLOSED) | DOOR_CLOSED);
	while (s != DOOR_CLOSED) {
		(void)park_wait(&t->door, s, USEC_NEVER);
		s = load_acq(&t->door); /* pairs with door_leave() */
	}
	team_put(t);
}
