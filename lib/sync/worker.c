#include "sync/worker.h"

#include <sched.h>

#include "sync/join.h"
#include "sync/park.h"

#define UPPER_BEFORE_LOWER 64u  /* of the upper class in a row while the lower one waits */
#define OWN_BEFORE_INJECTED 64u /* looks at the own deque first between two at the injector */

#define DEQUE_ITEMS 64u
/* Deeper recursion runs serially: nobody needs that many halves. */
#define FORKS_MAX_ITEMS 4096u
/* The oldest of a recursion are the largest: what follows the eighth is a 256th of the work. A task
 * may be of any size, so all of those are on offer. */
#define FORKS_PUBLIC 8u
#define SPAWNED_MAX_ITEMS (1u << 30)

_Thread_local struct worker *worker_self;

struct found {
	struct task *task;
	/* Or: of this class, taken from this one. */
	struct fork *fork;
	enum task_class cls;
	const struct worker *victim;
};

int
worker_init(struct worker *w, struct pool *p, unsigned index)
{
	w->pool = p;
	w->index = index;
	w->random = index + 1;
	w->forking = &w->forks[0];
	sleeper_init(&w->sleeper);
	for (unsigned cls = 0; cls < N_TASK_CLASSES; cls++) {
		int r = deque_init(&w->forks[cls], DEQUE_ITEMS, FORKS_MAX_ITEMS, FORKS_PUBLIC);

		if (r == 0)
			r = deque_init(&w->spawned[cls], DEQUE_ITEMS, SPAWNED_MAX_ITEMS, SIZE_MAX);
		if (r < 0)
			return r;
	}
	return 0;
}

void
worker_fini(struct worker *w)
{
	for (unsigned cls = 0; cls < N_TASK_CLASSES; cls++) {
		deque_fini(&w->forks[cls]);
		deque_fini(&w->spawned[cls]);
	}
}

/* G. Marsaglia's xorshift: where a sweep begins, so that thieves spread. */
static unsigned
random_below(struct worker *w, unsigned n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned)((w->random >> 32) * n >> 32);
}

static bool
stole_task(struct worker *w, struct worker *victim, enum task_class cls, struct found *ret)
{
	struct deque *d = &victim->spawned[cls];

	ret->task = deque_steal(d);
	if (!ret->task)
		return false;
	(void)sub_rlx(&w->pool->injector.n_ready[cls], 1);
	worker_count(&w->n_stolen);
	return true;
}

static bool
stole_fork(struct worker *victim, enum task_class cls, struct found *ret)
{
	ret->fork = deque_steal(&victim->forks[cls]);
	ret->cls = cls;
	ret->victim = victim;
	return ret->fork != NULL;
}

static bool
sweep(struct worker *w, enum task_class cls, bool tasks, struct found *ret)
{
	struct pool *p = w->pool;
	unsigned at = random_below(w, p->n_threads);

	for (unsigned n = p->n_threads; n > 0; n--) {
		struct worker *victim = &p->workers[at];

		at = at + 1 == p->n_threads ? 0 : at + 1;
		if (victim == w)
			continue;
		if (stole_fork(victim, cls, ret) || (tasks && stole_task(w, victim, cls, ret)))
			return true;
	}
	return false;
}

static struct task *
pop_spawned(struct worker *w, enum task_class cls)
{
	struct task *t = deque_is_empty(&w->spawned[cls]) ? NULL : deque_pop(&w->spawned[cls]);

	if (t)
		(void)sub_rlx(&w->pool->injector.n_ready[cls], 1);
	return t;
}

/* The own deque first, but for one look in OWN_BEFORE_INJECTED: a task that goes on spawning must
 * not keep those waiting that others submitted. */
static struct task *
take_ready(struct worker *w, enum task_class cls)
{
	bool injected_first = ++w->n_looks % OWN_BEFORE_INJECTED == 0;
	struct injector *in = &w->pool->injector;
	struct task *t = injected_first ? injector_take(in, cls) : NULL;

	if (!t)
		t = pop_spawned(w, cls);
	return t || injected_first ? t : injector_take(in, cls);
}

static bool
find_of(struct worker *w, enum task_class cls, struct found *ret)
{
	bool tasks = injector_has(&w->pool->injector, cls);

	if (tasks) {
		ret->task = take_ready(w, cls);
		if (ret->task)
			return true;
	}
	return sweep(w, cls, tasks, ret);
}

static bool
find(struct worker *w, struct found *ret)
{
	bool lower_waits = injector_has(&w->pool->injector, TASK_INDEX);

	*ret = (struct found){0};
	if (lower_waits && w->in_row >= UPPER_BEFORE_LOWER && find_of(w, TASK_INDEX, ret)) {
		w->in_row = 0;
		return true;
	}
	if (find_of(w, TASK_QUERY, ret)) {
		w->in_row = lower_waits ? w->in_row + 1 : 0;
		return true;
	}
	w->in_row = 0;
	return find_of(w, TASK_INDEX, ret);
}

static void
set_class(struct worker *w, enum task_class cls)
{
	w->cls = cls;
	w->forking = &w->forks[cls];
}

static void
run_task(struct worker *w, struct task *t)
{
	struct pool *p = w->pool;
	struct pool_share *share = t->share;
	void (*drop)(struct task *) = load_acq(&p->drop);

	set_class(w, t->cls);
	if (UNLIKELY(drop != NULL)) {
		pool_drop(t, drop);
	} else {
		worker_count(&w->n_run[t->cls]);
		t->run(t);
	}
	lock_assert_none(); /* t may be gone */
	if (share && injector_leave_share(&p->injector, share))
		pool_sleep_notify(&p->sleep);
}

static void
run(struct worker *w, const struct found *found)
{
	store_rlx(&w->busy, true);
	if (found->task) {
		run_task(w, found->task);
	} else {
		set_class(w, found->cls);
		fork_run(w, found->fork);
	}
	store_rlx(&w->busy, false);
}

static bool
any_ready(const struct pool *p)
{
	return injector_has(&p->injector, TASK_QUERY) || injector_has(&p->injector, TASK_INDEX);
}

static bool
any_fork(const struct pool *p)
{
	for (unsigned i = 0; i < p->n_threads; i++) {
		for (unsigned cls = 0; cls < N_TASK_CLASSES; cls++) {
			if (deque_len(&p->workers[i].forks[cls]) > 0)
				return true;
		}
	}
	return false;
}

static bool
is_called(const struct worker *w)
{
	return load_sc(&w->pool->n_broadcasts) != w->n_heard;
}

/* note: pool sleep. The last searcher passes the duty on if there is more than it takes. */
static void
end_search(struct worker *w, const struct found *found)
{
	struct pool *p = w->pool;

	if (!pool_search_end(&p->sleep))
		return;
	if (any_ready(p) || (found->fork && deque_len(&found->victim->forks[found->cls]) > 0))
		pool_sleep_notify(&p->sleep);
}

static void
nap(struct worker *w)
{
	struct pool *p = w->pool;

	pool_sleep_begin(&p->sleep, &w->sleeper);
	if (!any_ready(p) && !load_sc(&p->injector.closed) && !is_called(w) && !any_fork(p)) {
		worker_count(&w->n_sleeps);
		thread_set_idle(true);
		sleeper_park(&w->sleeper);
		thread_set_idle(false);
	} else {
		(void)sched_yield(); /* to who is about to put there what was announced */
	}
	pool_sleep_end(&p->sleep, &w->sleeper);
}

/* false: closed and drained. What others still have they run themselves: a worker empties its own
 * deques and takes what it hands on in a share, and nothing else comes in (injector.h). */
static bool
search(struct worker *w, struct found *ret)
{
	struct pool *p = w->pool;
	unsigned n_looks = 0;

	pool_search_begin(&p->sleep);
	for (;;) {
		bool closed = load_acq(&p->injector.closed);

		if (find(w, ret) || is_called(w)) {
			end_search(w, ret);
			return true;
		}
		if (closed) {
			(void)pool_search_end(&p->sleep);
			return false;
		}
		if (!pool_spin(p, n_looks++)) {
			nap(w);
			n_looks = 0;
		}
	}
}

/* One look without being a searcher: while there is work nobody else is to be kept from waking. */
static bool
step(struct worker *w)
{
	struct found found;

	if (is_called(w))
		worker_hear(w);
	if (!find(w, &found) && !search(w, &found))
		return false;
	if (found.task || found.fork)
		run(w, &found);
	return true;
}

int
worker_main(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;

	worker_self = w;
	if (p->on_start)
		p->on_start(p->ctx, w->index);
	while (step(w))
		;
	if (p->on_exit)
		p->on_exit(p->ctx, w->index);
	if (sub_ar(&p->n_live, 1) == 1)
		park_wake(&p->n_live, UINT32_MAX);
	return 0;
}
