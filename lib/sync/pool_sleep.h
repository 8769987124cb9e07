/**
 * pool_sleep: which workers of a pool sleep, and waking them. Internal to the pool.
 *
 * A worker without work is a searcher until it finds some or sleeps. One searcher is enough: while
 * there is one, nobody is woken; when the last one finds work, it wakes the next.
 */
#pragma once

#include "base/list.h"
#include "sync/lock.h"

/* Where one worker sleeps: a token that wakes it, now or the next time. */
struct sleeper {
	/* enum in pool_sleep.c. Release to wake, acquire on waking; what decides about sleeping is
	 * ordered elsewhere. */
	_Atomic uint32_t token;
	/* How many in `watchers`. Written under the lock. Relaxed read when forking: a miss costs
	 * parallelism until the next fork, for a waiter is woken by the end of its half anyway. */
	_Atomic uint32_t n_watchers;

	/* Guarded by pool_sleep.lock. */
	bool listed;
	struct list link;     /* in pool_sleep.idle or another's watchers */
	struct list watchers; /* who waits in a join for what this worker runs */
};

struct pool_sleep {
	/* Sleepers without work and searchers. Changed with seq_cst (note: pool sleep). */
	_Atomic uint32_t n_idle;
	_Atomic uint32_t n_searching;

	struct lock lock; /* RANK_POOL; never with the injector's */
	struct list idle; /* the last to fall asleep is the first: its cache is warm */
};

void pool_sleep_init(struct pool_sleep *ps);
void pool_sleep_fini(struct pool_sleep *ps);
void sleeper_init(struct sleeper *s);

/** Sleep until the token is there, and take it. */
void sleeper_park(struct sleeper *s);
/** Any thread, while the pool exists. */
void sleeper_wake(struct sleeper *s);

void pool_search_begin(struct pool_sleep *ps);
/** Work was found. true: this was the last searcher, and there are sleepers. */
bool pool_search_end(struct pool_sleep *ps);

/** A searcher announces that it is going to sleep, looks once more at all there is, calls
 *  sleeper_park() if that was nothing, and pool_sleep_end() in any case: then it is a searcher. */
void pool_sleep_begin(struct pool_sleep *ps, struct sleeper *s);
void pool_sleep_end(struct pool_sleep *ps, struct sleeper *s);

/** Something can be taken: wake a sleeper unless somebody searches. After a seq_cst change of what
 *  is looked at between pool_sleep_begin() and sleeper_park(). */
void pool_sleep_notify(struct pool_sleep *ps);
void pool_sleep_wake_all(struct pool_sleep *ps);

/** Between these two `s` is also woken by pool_watch_wake(of). */
void pool_watch_begin(struct pool_sleep *ps, struct sleeper *s, struct sleeper *of);
void pool_watch_end(struct pool_sleep *ps, struct sleeper *s, struct sleeper *of);
void pool_watch_wake(struct pool_sleep *ps, struct sleeper *of);
