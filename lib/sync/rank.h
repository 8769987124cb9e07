/**
 * rank: the order in which locks are taken, and what each thread holds.
 *
 * A thread may wait for a lock only if its rank is higher than that of every lock it holds, of
 * whichever kind (lock.h, rwlock.h). So there is no cycle of waiting threads, and a thread that
 * could be part of one (ABBA) is told at the first wrong order, not when it happens to hang. Debug
 * builds keep a list of what the thread holds and abort with the names of both locks; release
 * builds keep nothing.
 *
 * Internal to lib/sync but for the ranks and lock_assert_none().
 *
 * Threads: the calling thread's own list only.
 */
#pragma once

#include "sync/atomic.h"

/** Lower ranks are taken first. */
enum lock_rank {
	RANK_ROOTS,   /* the table of roots */
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

/** First member of every lock: its place in the order, fixed at init. Its address is the lock's. */
struct ranked {
	enum lock_rank rank;
	const char *name; /* static; for messages */
};

/** The calling thread's number, from 1. Our own and not gettid(): no system call, and still right
 *  after a fork. */
int thread_number_new(void);
extern _Thread_local int thread_number_mine;

static inline int
thread_number(void)
{
	return LIKELY(thread_number_mine != 0) ? thread_number_mine : thread_number_new();
}

/** Say what is wrong with the lock, and abort. */
_Noreturn void rank_die(const char *what, const struct ranked *l, const struct ranked *other);

#if TRAWL_DEBUG
/** Before waiting for the lock: it is neither held nor out of order. */
void rank_check(const struct ranked *l);
void rank_took(const struct ranked *l);
void rank_gave(const struct ranked *l);
void rank_assert_held(const struct ranked *l);
/** The calling thread holds this lock and no other. */
void rank_assert_only(const struct ranked *l);
/** The calling thread holds no ranked lock at all. */
void lock_assert_none(void);
#else
#	define rank_check(l) ((void)(l))
#	define rank_took(l) ((void)(l))
#	define rank_gave(l) ((void)(l))
#	define rank_assert_held(l) ((void)(l))
#	define rank_assert_only(l) ((void)(l))

static inline void
lock_assert_none(void)
{
}
#endif
