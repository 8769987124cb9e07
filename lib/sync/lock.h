/**
 * lock: mutual exclusion with a rank and an owner; cond: waiting for a condition under it.
 *
 * The rank is the lock order: a thread may take a lock only if its rank is higher than that of
 * every lock it holds. Debug builds abort on a wrong order, on taking a lock twice, on releasing a
 * lock of another thread, and on lock_assert_held() by a stranger; the message names both locks. No
 * lock is held across I/O, SQLite, or a wait on a channel (lock_assert_none() in the waiting
 * functions).
 *
 *     LOCK_SCOPE(&c->lock);      held to the end of the C scope
 *
 * Ownership: lock_init()/lock_fini() on caller's storage; static locks use LOCK_INITIALIZER.
 * Threads:   any. Not recursive. A failing pthread call here is a bug and aborts.
 */
#pragma once

#include "base/clock.h"
#include "sync/atomic.h"
#include <pthread.h>

/** Lower ranks are taken first. */
enum lock_rank {
	RANK_DAEMON,  /* reload */
	RANK_ENGINE,  /* roots and their states */
	RANK_SERVER,  /* requests shared between loop and workers */
	RANK_CURSOR,  /* one running query */
	RANK_WALK,    /* directory queue of one walk */
	RANK_CATALOG, /* one catalog request */
	RANK_POOL,    /* task queues */
	RANK_CHAN,    /* channel slow paths */
	RANK_STOP,    /* stop token's list */
	RANK_MAP,     /* table of guarded mappings */
	RANK_LEAF,    /* takes nothing below */
	N_LOCK_RANKS
};

struct lock {
	pthread_mutex_t mutex;
	enum lock_rank rank;
	const char *name; /* static; for messages */
	/* Id of the owning thread, 0 when free. Relaxed: only the owner's own value is ever
	 * decisive, and a thread always sees its own writes. */
	_Atomic int owner;
};

#define LOCK_INITIALIZER(rank_, name_)                                               \
	{                                                                            \
		.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (rank_), .name = (name_) \
	}

void lock_init(struct lock *l, enum lock_rank rank, const char *name);
void lock_fini(struct lock *l);
/** Returns l, so that a guard can be declared from it. */
struct lock *lock_take(struct lock *l);
/** true when taken. */
bool lock_try(struct lock *l);
void lock_give(struct lock *l);
void lock_assert_held(const struct lock *l);
/** The calling thread holds no ranked lock at all (debug builds). */
void lock_assert_none(void);

static inline void
lock_givep(struct lock **l)
{
	if (*l)
		lock_give(*l);
}

#define LOCK_SCOPE(l) AUTO(lock_givep) struct lock *CONCAT(guard_, __LINE__) = lock_take(l)

struct cond {
	pthread_cond_t cond; /* on the monotonic clock */
};

void cond_init(struct cond *c);
void cond_fini(struct cond *c);
/** The lock is held before and after; only this lock may be held. Wakes may be spurious: loop. */
void cond_wait(struct cond *c, struct lock *l);
/** 0 or -ETIMEDOUT. */
int cond_wait_until(struct cond *c, struct lock *l, usec_t deadline);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);
