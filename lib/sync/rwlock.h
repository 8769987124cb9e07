/**
 * rwlock: many readers or one writer, with a rank like lock.h; a waiting writer goes before
 * readers.
 *
 *     RDLOCK_SCOPE(&t->lock);    or WRLOCK_SCOPE; held to the end of the C scope
 *
 * For tables that are read often and for longer than a lock's own cost (configuration, roots):
 * readers write the one shared word, so for short reads on many CPUs a lock does as well, and what
 * must scale is published by snapshot instead.
 *
 * From the moment a writer waits no further reader gets in, so readers cannot starve writers;
 * writers that never pause can starve readers. Hence a thread that reads must not read again inside
 * (a writer may wait in between): debug builds abort, as on any wrong order of ranks.
 *
 * Poisoning as in lock.h, by writers only: a WRLOCK_SECTION left without rwlock_section_done()
 * makes rwlock_enter_read(), rwlock_enter_write() and later sections return -EOWNERDEAD, holding
 * it, until rwlock_heal() under the write lock.
 *
 * Ownership: rwlock_init()/rwlock_fini() on caller's storage. Unlike a lock's, the storage may go
 *            only after the last give has returned.
 * Threads:   any. What a writer did is seen by whoever takes next; what readers did, by writers.
 * Errors:    -ETIMEDOUT from the _until forms (a free lock is taken even past the deadline).
 * Limits:    65535 readers and 32767 waiting writers at once.
 */
#pragma once

#include "base/clock.h"
#include "sync/capability.h"
#include "sync/park.h"
#include "sync/rank.h"

struct CAPABILITY("rwlock") rwlock {
	struct ranked ranked; /* first */
	/* Readers inside, writers waiting, and whether a writer is inside (rwlock.c). Taking
	 * acquires; giving is seq_cst, because the eventcounts ask for it (note: wakeup, park.c),
	 * and releases by that. */
	_Atomic uint32_t word;
	_Atomic int owner; /* the writer's thread number or 0; relaxed, as in struct lock */
	struct eventcount readers, writers;
	bool poisoned; /* guarded by the lock itself */
};

#define RWLOCK_INITIALIZER(rank_, name_)                      \
	{                                                     \
		.ranked = {.rank = (rank_), .name = (name_) } \
	}

void rwlock_init(struct rwlock *l, enum lock_rank rank, const char *name);
void rwlock_fini(struct rwlock *l);

struct rwlock *rwlock_take_read(struct rwlock *l) ACQUIRES_SHARED(l);
MUST_USE int rwlock_take_read_until(struct rwlock *l, usec_t deadline) ACQUIRES_SHARED_IF(0, l);
bool rwlock_try_read(struct rwlock *l) ACQUIRES_SHARED_IF(true, l);
void rwlock_give_read(struct rwlock *l) RELEASES_SHARED(l);

struct rwlock *rwlock_take_write(struct rwlock *l) ACQUIRES(l);
MUST_USE int rwlock_take_write_until(struct rwlock *l, usec_t deadline) ACQUIRES_IF(0, l);
bool rwlock_try_write(struct rwlock *l) ACQUIRES_IF(true, l);
void rwlock_give_write(struct rwlock *l) RELEASES(l);

/** By the calling thread, for writing or at least for reading (the latter: debug builds only). */
void rwlock_assert_write(const struct rwlock *l) ASSERTS(l);
void rwlock_assert_read(const struct rwlock *l) ASSERTS_SHARED(l);

/** 0 or -EOWNERDEAD, taken in both cases. */
MUST_USE int rwlock_enter_read(struct rwlock *l) ACQUIRES_SHARED(l);
MUST_USE int rwlock_enter_write(struct rwlock *l) ACQUIRES(l);
void rwlock_heal(struct rwlock *l) REQUIRES(l);

static inline struct rwlock *
rwlock_read_scoped(struct rwlock *l) ASSERTS_SHARED(l) UNCHECKED
{
	return rwlock_take_read(l);
}

static inline struct rwlock *
rwlock_write_scoped(struct rwlock *l) ASSERTS(l) UNCHECKED
{
	return rwlock_take_write(l);
}

static inline void
rwlock_give_readp(struct rwlock **l) UNCHECKED
{
	if (*l)
		rwlock_give_read(*l);
}

static inline void
rwlock_give_writep(struct rwlock **l) UNCHECKED
{
	if (*l)
		rwlock_give_write(*l);
}

#define RDLOCK_SCOPE(l) \
	AUTO(rwlock_give_readp) struct rwlock *CONCAT(guard_, __LINE__) = rwlock_read_scoped(l)
#define WRLOCK_SCOPE(l) \
	AUTO(rwlock_give_writep) struct rwlock *CONCAT(guard_, __LINE__) = rwlock_write_scoped(l)

struct rwlock_section {
	struct rwlock *lock;
	int found; /* 0 or -EOWNERDEAD */
	bool done;
};

struct rwlock_section rwlock_section_begin(struct rwlock *l) ASSERTS(l);
void rwlock_section_end(struct rwlock_section *s);
static inline void
rwlock_section_done(struct rwlock_section *s)
{
	s->done = true;
}

#define WRLOCK_SECTION(l, section) \
	AUTO(rwlock_section_end) struct rwlock_section section = rwlock_section_begin(l)
