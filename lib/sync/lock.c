#include "sync/lock.h"

#include <errno.h>

#include "sync/park.h"
#include "sync/spin.h"

enum lock_word {
	LOCK_FREE,
	LOCK_TAKEN,
	LOCK_WAITED, /* taken, somebody may sleep */
	LOCK_OWED,   /* taken, and a sleeper is owed it */
	LOCK_HANDED, /* free for those who have slept; one of them is up */
};

/* note: sleeping. Every sleeper made the word LOCK_WAITED or LOCK_OWED (or found it so) and sleeps
 * only while it is unchanged. Whoever gives the lock in such a state wakes one. That one either
 * takes the lock, leaving LOCK_WAITED or more behind, or finds it taken again and makes it at least
 * LOCK_WAITED: so while others sleep, the giver to come knows of them. One that gives up
 * (lock_take_until) leaves only from park_wait() with -ETIMEDOUT, which is to say that no wake-up
 * was spent on it, and with the word as every sleeper leaves it.
 *
 * note: handing. A newcomer can take a LOCK_FREE lock before the woken thread gets there. After
 * LOCK_PATIENCE such losses a sleeper makes the word LOCK_OWED instead of LOCK_WAITED. A give then
 * leaves LOCK_HANDED, which newcomers cannot take: they go to sleep. Only one that was woken or is
 * owed may, and leaves LOCK_OWED; the owed thread itself leaves LOCK_WAITED.
 * Is there always somebody to take what was handed? The word is LOCK_OWED or LOCK_HANDED only while
 * an owed thread waits: it made it so, and its own taking ends it; another owed thread says so
 * again after its next loss. When the give wakes somebody, that one tries, deadline or not, and
 * fails only if another took the lock. When the give finds nobody asleep, then the owed thread was
 * about to sleep on LOCK_OWED, finds LOCK_HANDED there, comes back, and takes it. Threads without a
 * deadline do not leave otherwise, and those with one are never owed. How long does it take? While
 * the word is LOCK_OWED or LOCK_HANDED, all who come go to the end of the futex's queue, and every
 * give wakes its head. Only threads already awake can be quicker than the head, each of them once.
 */
struct wait {
	usec_t deadline;
	uint32_t n_lost; /* times it slept, or was about to, and did not get the lock */
	bool was_woken;
};

static bool
is_owed(const struct wait *w)
{
	return w->deadline == USEC_NEVER && w->n_lost >= LOCK_PATIENCE;
}

/* One step from the word seen: true when the lock is ours. Else *seen is what the word was made, to
 * sleep on, or what it is now, to try again. */
static bool
try_step(struct lock *l, const struct wait *w, uint32_t *seen, bool *ret_sleep)
{
	uint32_t was = *seen, waited = is_owed(w) ? LOCK_OWED : LOCK_WAITED;

	*ret_sleep = false;
	switch ((enum lock_word)was) {
	case LOCK_FREE:
		return cas_acq(&l->word, seen, LOCK_WAITED);
	case LOCK_HANDED:
		if (w->was_woken || is_owed(w))
			return cas_acq(&l->word, seen, is_owed(w) ? LOCK_WAITED : LOCK_OWED);
		break;
	case LOCK_TAKEN:
	case LOCK_WAITED:
		if (was < waited && !cas_acq(&l->word, seen, waited))
			return false;
		*seen = waited;
		break;
	case LOCK_OWED:
		break;
	}
	*ret_sleep = true;
	return false;
}

static int
take_asleep(struct lock *l, usec_t deadline)
{
	struct wait w = {.deadline = deadline};
	uint32_t seen = load_rlx(&l->word);
	bool sleep;

	while (!try_step(l, &w, &seen, &sleep)) {
		int r;

		if (!sleep)
			continue;
		r = park_wait(&l->word, seen, deadline);
		if (r == -ETIMEDOUT)
			return r;
		w.was_woken |= r == 0;
		w.n_lost++;
		seen = load_rlx(&l->word);
	}
	return 0;
}

/* Spins for up to twice what it took lately, so that what is held for long is soon slept for. */
static bool
take_awake(struct lock *l)
{
	uint32_t sum = load_rlx(&l->spins), max = MIN(sum / 4 + 10, spin_max());

	for (uint32_t n = 0; n < max; n++) {
		uint32_t seen = load_rlx(&l->word);

		if (seen == LOCK_FREE && cas_acq(&l->word, &seen, LOCK_TAKEN)) {
			store_rlx(&l->spins, sum - sum / 8 + n);
			return true;
		}
		if (seen >= LOCK_OWED)
			break;
		cpu_pause();
	}
	store_rlx(&l->spins, sum - sum / 8);
	return false;
}

static __attribute__((noinline)) int
take_slowly(struct lock *l, usec_t deadline)
{
	return take_awake(l) ? 0 : take_asleep(l, deadline);
}

static inline bool
take_at_once(struct lock *l)
{
	uint32_t seen = LOCK_FREE;

	return LIKELY(cas_acq(&l->word, &seen, LOCK_TAKEN));
}

static __attribute__((noinline)) void
give_slowly(struct lock *l, uint32_t seen)
{
	uint32_t next;

	do {
		assert(seen != LOCK_FREE && seen != LOCK_HANDED);
		next = seen == LOCK_OWED ? LOCK_HANDED : LOCK_FREE;
	} while (!cas_rel(&l->word, &seen, next));
	/* The lock may be gone by now: park_wake() uses its address only. */
	if (seen != LOCK_TAKEN)
		park_wake(&l->word, 1);
}

static inline void
release(struct lock *l)
{
	uint32_t seen = LOCK_TAKEN;

	store_rlx(&l->owner, 0);
	if (UNLIKELY(!cas_rel(&l->word, &seen, LOCK_FREE)))
		give_slowly(l, seen);
}

void
lock_init(struct lock *l, enum lock_rank rank, const char *name)
{
	*l = (struct lock)LOCK_INITIALIZER(rank, name);
}

void
lock_fini(struct lock *l)
{
	if (load_rlx(&l->word) != LOCK_FREE)
		rank_die("is destroyed while it is held", &l->ranked, NULL);
}

struct lock *
lock_take(struct lock *l) UNCHECKED
{
	rank_check(&l->ranked);
	if (!take_at_once(l))
		(void)take_slowly(l, USEC_NEVER);
	store_rlx(&l->owner, thread_number());
	rank_took(&l->ranked);
	return l;
}

int
lock_take_until(struct lock *l, usec_t deadline)
{
	int r = 0;

	rank_check(&l->ranked);
	if (!take_at_once(l))
		r = take_slowly(l, deadline);
	if (r < 0)
		return r;
	store_rlx(&l->owner, thread_number());
	rank_took(&l->ranked);
	return 0;
}

bool
lock_try(struct lock *l)
{
	if (!take_at_once(l))
		return false;
	store_rlx(&l->owner, thread_number());
	rank_took(&l->ranked);
	return true;
}

void
lock_give(struct lock *l) UNCHECKED
{
	rank_gave(&l->ranked);
	release(l);
}

/* Whether built for debugging or not. */
void
lock_assert_held(const struct lock *l)
{
	if (UNLIKELY(load_rlx(&l->owner) != thread_number()))
		rank_die("is not held by the calling thread", &l->ranked, NULL);
}

int
lock_enter(struct lock *l)
{
	(void)lock_take(l);
	return l->poisoned ? -EOWNERDEAD : 0;
}

void
lock_heal(struct lock *l)
{
	lock_assert_held(l);
	l->poisoned = false;
}

struct lock_section
lock_section_begin(struct lock *l) UNCHECKED
{
	int found = lock_enter(l);

	return (struct lock_section){.lock = l, .found = found};
}

void
lock_section_end(struct lock_section *s) UNCHECKED
{
	if (!s->done)
		s->lock->poisoned = true;
	lock_give(s->lock);
}

void
lock_sleep(struct lock *l)
{
	rank_assert_only(&l->ranked);
	release(l);
}

void
lock_resume(struct lock *l)
{
	if (!take_at_once(l))
		(void)take_slowly(l, USEC_NEVER);
	store_rlx(&l->owner, thread_number());
}
