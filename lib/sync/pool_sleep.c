#include "sync/pool_sleep.h"

#include "sync/park.h"

enum token { TOKEN_NONE, TOKEN_WAKE, TOKEN_PARKED };

/*
 * note: pool sleep. No task waits while workers sleep and none is on its way to it. S is the single
 * order of all seq_cst operations.
 *
 * Publisher                              Worker that goes to sleep
 *   N1 n_ready++ (or closed, broadcasts++)      W1 idle list, n_idle++, n_searching--
 *   N2 put the task where it is found      W2 read n_ready, closed, ..: any? then do not park
 *   N3 read n_idle: 0? done                W3 park
 *   N4 read n_searching: > 0? done
 *   N5 wake the first idle one, which is
 *      made a searcher on its behalf
 *
 * Publisher against one worker: if W2 missed N1, it is before N1 in S, hence W1 before N3: n_idle
 * counts this worker, unless another publisher has taken it off the list to wake it.
 *
 * Publisher against searchers: it left the waking to a searcher because N4 read > 0. That
 * searcher's n_searching-- comes later in S than N4, so later than N1. Either it lowers the count
 * at W1: then its W2 sees N1 and it goes on searching. Or it found other work (pool_search_end): if
 * others still search, the duty is theirs, by induction; if it was the last, it reads n_ready
 * afterwards, sees N1 unless the task was taken, and wakes the next one. A worker woken at N5
 * counts as a searcher from then on, not from when it runs, so that a burst of publishers wakes
 * one.
 *
 * Tasks for the injector are put there before N1, under its lock: who sees the count finds them. A
 * spawned task, whose N1 is seen but which is not in the deque yet, is looked for in vain by the
 * searcher, which then does not sleep but yields until it is there.
 *
 * Tokens left over (pool_sleep_end() called without parking, while a waker was on its way) make a
 * later park return at once; every caller of sleeper_park() looks again and loops. Lists and counts
 * change together under the lock, so a worker is taken off once.
 *
 * Forks (join.c) skip N1 and use relaxed reads at N3 and N4: a sleeper may be missed. The forking
 * worker runs the half itself then.
 */

void
pool_sleep_init(struct pool_sleep *ps)
{
	*ps = (struct pool_sleep){0};
	lock_init(&ps->lock, RANK_POOL, "pool sleepers");
	list_init(&ps->idle);
}

void
pool_sleep_fini(struct pool_sleep *ps)
{
	lock_fini(&ps->lock);
}

void
sleeper_init(struct sleeper *s)
{
	*s = (struct sleeper){0};
	list_init(&s->link);
	list_init(&s->watchers);
}

void
sleeper_park(struct sleeper *s)
{
	uint32_t seen = TOKEN_NONE;

	lock_assert_none();
	if (cas_ar(&s->token, &seen, TOKEN_PARKED)) {
		do {
			(void)park_wait(&s->token, TOKEN_PARKED, USEC_NEVER);
		} while (load_acq(&s->token) == TOKEN_PARKED);
	}
	(void)swap_ar(&s->token, TOKEN_NONE);
}

void
sleeper_wake(struct sleeper *s)
{
	if (swap_ar(&s->token, TOKEN_WAKE) == TOKEN_PARKED)
		park_wake(&s->token, 1);
}

void
pool_search_begin(struct pool_sleep *ps)
{
	(void)add_sc(&ps->n_searching, 1);
}

bool
pool_search_end(struct pool_sleep *ps)
{
	return sub_sc(&ps->n_searching, 1) == 1 && load_sc(&ps->n_idle) > 0;
}

void
pool_sleep_begin(struct pool_sleep *ps, struct sleeper *s)
{
	LOCK_SCOPE(&ps->lock);

	assert_slow(!s->listed);
	s->listed = true;
	list_push_front(&ps->idle, &s->link);
	(void)add_sc(&ps->n_idle, 1);
	(void)sub_sc(&ps->n_searching, 1);
}

/* Off the list, and a searcher on its behalf. */
static void
raise_locked(struct pool_sleep *ps, struct sleeper *s)
{
	list_remove(&s->link);
	s->listed = false;
	(void)add_sc(&ps->n_searching, 1);
	(void)sub_sc(&ps->n_idle, 1);
}

void
pool_sleep_end(struct pool_sleep *ps, struct sleeper *s)
{
	LOCK_SCOPE(&ps->lock);

	if (s->listed)
		raise_locked(ps, s);
}

static struct sleeper *
raise_first(struct pool_sleep *ps)
{
	LOCK_SCOPE(&ps->lock);
	struct sleeper *s;

	if (list_empty(&ps->idle) || load_sc(&ps->n_searching) > 0)
		return NULL;
	s = LIST_ITEM(ps->idle.next, struct sleeper, link);
	raise_locked(ps, s);
	return s;
}

void
pool_sleep_notify(struct pool_sleep *ps)
{
	struct sleeper *s;

	if (load_sc(&ps->n_idle) == 0 || load_sc(&ps->n_searching) > 0)
		return;
	s = raise_first(ps);
	if (s)
		sleeper_wake(s);
}

static struct sleeper *
raise_last(struct pool_sleep *ps)
{
	LOCK_SCOPE(&ps->lock);
	struct sleeper *s;

	if (list_empty(&ps->idle))
		return NULL;
	s = LIST_ITEM(ps->idle.prev, struct sleeper, link);
	raise_locked(ps, s);
	return s;
}

/* Without the lock, for which the woken ones ask at once. From the last, as many as there are now:
 * who falls asleep meanwhile, having looked, comes first in the list. */
void
pool_sleep_wake_all(struct pool_sleep *ps)
{
	for (uint32_t n = load_sc(&ps->n_idle); n > 0; n--) {
		struct sleeper *s = raise_last(ps);

		if (s)
			sleeper_wake(s);
	}
}

void
pool_watch_begin(struct pool_sleep *ps, struct sleeper *s, struct sleeper *of)
{
	LOCK_SCOPE(&ps->lock);

	s->listed = true;
	list_push_back(&of->watchers, &s->link);
	(void)add_sc(&of->n_watchers, 1);
}

static void
unwatch_locked(struct sleeper *s, struct sleeper *of)
{
	list_remove(&s->link);
	s->listed = false;
	(void)sub_rlx(&of->n_watchers, 1);
}

void
pool_watch_end(struct pool_sleep *ps, struct sleeper *s, struct sleeper *of)
{
	LOCK_SCOPE(&ps->lock);

	if (s->listed)
		unwatch_locked(s, of);
}

void
pool_watch_wake(struct pool_sleep *ps, struct sleeper *of)
{
	LOCK_SCOPE(&ps->lock);
	struct sleeper *s;

	if (list_empty(&of->watchers))
		return;
	s = LIST_ITEM(of->watchers.next, struct sleeper, link);
	unwatch_locked(s, of);
	sleeper_wake(s);
}
