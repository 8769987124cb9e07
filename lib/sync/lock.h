/**
 * lock: mutual exclusion with a rank and an owner; cond.h: waiting for a condition under it.
 *
 * The rank is the lock order (rank.h): a thread may take a lock only if its rank is higher than
 * that of every lock it holds. Debug builds abort on a wrong order, on taking a lock twice, on
 * releasing a lock of another thread, and on lock_assert_held() by a stranger; the message names
 * both locks. No lock is held across I/O, SQLite, or a wait on a channel (lock_assert_none() in the
 * waiting functions).
 *
 *     LOCK_SCOPE(&c->lock);      held to the end of the C scope
 *
 * One futex word, no system call while nobody waits; who finds it taken spins for as long as it was
 * worth lately (at most 100 pauses; never on one CPU), then sleeps. Fair within bounds: a sleeper
 * that lost the lock to newcomers LOCK_PATIENCE times is owed it, and from then on it is handed to
 * those who sleep until that one has it (note: handing, lock.c). lock_take_until() is owed nothing.
 *
 * Poisoning. When a section can fail half-way and leave what the lock guards inconsistent, begin it
 * with LOCK_SECTION. Left on any path without lock_section_done(), it leaves the lock poisoned:
 * every later section or lock_enter() is told -EOWNERDEAD, while holding the lock, until one of
 * them has put things right and calls lock_heal(). Not for sections that only read, nor for those
 * whose every failure leaves things as they were: plain lock_take() neither asks nor tells.
 *
 *     LOCK_SECTION(&t->lock, section);
 *     int r = section.found;                   0 or -EOWNERDEAD
 *     if (r < 0)
 *             return r;                        or: rebuild, lock_heal(&t->lock), go on
 *     r = table_move_locked(t);
 *     if (r < 0)
 *             return r;                        half moved: the next one is told
 *     lock_section_done(&section);
 *     return 0;
 *
 * Ownership: lock_init()/lock_fini() on caller's storage; static locks use LOCK_INITIALIZER. The
 *            storage may go as soon as the last holder has it: a give touches nothing afterwards.
 * Threads:   any. Not recursive. Order: what was done before a give is seen after the next take.
 */
#pragma once

#include "base/clock.h"
#include "sync/capability.h"
#include "sync/rank.h"

struct CAPABILITY("lock") lock {
	struct ranked ranked; /* first */
	/* enum lock_word. Taking acquires, giving releases: a pair orders two holders. */
	_Atomic uint32_t word;
	/* Number of the owning thread, 0 when free. Relaxed: only the owner's own value is ever
	 * decisive, and a thread always sees its own writes. */
	_Atomic int owner;
	/* Eight times the pauses that a wait took lately. Relaxed: a guess, a lost update is fine.
	 */
	_Atomic uint32_t spins;
	bool poisoned; /* guarded by the lock itself */
};

/* Lost wake-ups after which a sleeper is owed the lock; the explorer cannot wait that long. */
#ifdef TRAWL_MODEL
#	define LOCK_PATIENCE 1u
#else
#	define LOCK_PATIENCE 16u
#endif

#define LOCK_INITIALIZER(rank_, name_)                        \
	{                                                     \
		.ranked = {.rank = (rank_), .name = (name_) } \
	}

void lock_init(struct lock *l, enum lock_rank rank, const char *name);
/** Nobody holds it or waits for it. */
void lock_fini(struct lock *l);
/** Returns l. */
struct lock *lock_take(struct lock *l) ACQUIRES(l);
/** 0, or -ETIMEDOUT and not taken; a free lock is taken even past the deadline. */
MUST_USE int lock_take_until(struct lock *l, usec_t deadline) ACQUIRES_IF(0, l);
/** true when taken. Never waits, so any order of ranks will do. */
bool lock_try(struct lock *l) ACQUIRES_IF(true, l);
void lock_give(struct lock *l) RELEASES(l);
void lock_assert_held(const struct lock *l) ASSERTS(l);

/** lock_take() that is told: 0, or -EOWNERDEAD (taken all the same). */
MUST_USE int lock_enter(struct lock *l) ACQUIRES(l);
/** What the lock guards is consistent again. */
void lock_heal(struct lock *l) REQUIRES(l);

static inline struct lock *
lock_take_scoped(struct lock *l) ASSERTS(l) UNCHECKED
{
	return lock_take(l);
}

static inline void
lock_givep(struct lock **l) UNCHECKED
{
	if (*l)
		lock_give(*l);
}

#define LOCK_SCOPE(l) AUTO(lock_givep) struct lock *CONCAT(guard_, __LINE__) = lock_take_scoped(l)

struct lock_section {
	struct lock *lock;
	int found; /* 0 or -EOWNERDEAD: as the section before left it */
	bool done;
};

struct lock_section lock_section_begin(struct lock *l) ASSERTS(l);
void lock_section_end(struct lock_section *s);
/** From here on the section may be left without harm. */
static inline void
lock_section_done(struct lock_section *s)
{
	s->done = true;
}

#define LOCK_SECTION(l, section) \
	AUTO(lock_section_end) struct lock_section section = lock_section_begin(l)

/** For cond only: give the lock for a sleep and take it again; it stays on the thread's list. */
void lock_sleep(struct lock *l) REQUIRES(l);
void lock_resume(struct lock *l) REQUIRES(l);

#include "sync/cond.h"
