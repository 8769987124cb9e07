#include "sync/once.h"

#include "sync/rank.h"

/* The word: bits 0 to 1 the state, 2 to 15 the number of the attempt, 16 to 31 the errno with which
 * the last one failed. One word, so that who wakes up reads a state and the failure that goes with
 * it. An attempt's number comes again after 16384 failures: a waiter that slept through exactly so
 * many waits for one more. */
enum once_state { ONCE_NEW, ONCE_RUNNING, ONCE_WAITED }; /* then ONCE_DONE */

#define ATTEMPT_ONE (1u << 2)
#define ATTEMPT_MASK (0xffffu & ~ONCE_STATE)
#define FAILURE_SHIFT 16

static uint32_t
state_of(uint32_t word)
{
	return word & ONCE_STATE;
}

static int
attempt(struct once *o, uint32_t word, int (*fn)(void *arg), void *arg)
{
	int r = fn(arg);
	uint32_t next = (word & ATTEMPT_MASK) | ONCE_DONE;

	assert(r >= -0xffff);
	if (r < 0)
		next = ((word + ATTEMPT_ONE) & ATTEMPT_MASK) | ONCE_NEW |
		       (uint32_t)-r << FAILURE_SHIFT;
	/* Only waiters write meanwhile, and only the state. */
	if (state_of(swap_ar(&o->word, next)) == ONCE_WAITED)
		park_wake(&o->word, UINT32_MAX);
	return MIN(r, 0);
}

/* The end of the attempt in `word`: 0 or the failure. */
static int
await(struct once *o, uint32_t word)
{
	uint32_t seen = word;

	lock_assert_none();
	do {
		uint32_t waited = (seen & ~ONCE_STATE) | ONCE_WAITED;

		if (state_of(seen) == ONCE_RUNNING && !cas_ar(&o->word, &seen, waited))
			continue;
		(void)park_wait(&o->word, waited, USEC_NEVER);
		seen = load_acq(&o->word);
	} while ((state_of(seen) == ONCE_RUNNING || state_of(seen) == ONCE_WAITED) &&
		 (seen & ATTEMPT_MASK) == (word & ATTEMPT_MASK));
	return state_of(seen) == ONCE_DONE ? 0 : -(int)(seen >> FAILURE_SHIFT);
}

int
once_run_slow(struct once *o, int (*fn)(void *arg), void *arg)
{
	uint32_t seen = load_acq(&o->word);

	while (state_of(seen) == ONCE_NEW) {
		uint32_t running = (seen & ~ONCE_STATE) | ONCE_RUNNING;

		if (cas_ar(&o->word, &seen, running))
			return attempt(o, running, fn, arg);
	}
	return state_of(seen) == ONCE_DONE ? 0 : await(o, seen);
}
