#include "sync/waitgroup.h"

#include <errno.h>

#include "sync/rank.h"

/* The word: bit 0 somebody may sleep, bits 1 to 20 the count, 21 to 31 the round, which the last
 * done advances. One word, so that the last done is one step, after which the group may be gone. A
 * waiter that slept through exactly 2048 rounds waits for one more. */
#define SLEEPER 1u
#define ONE (1u << 1)
#define COUNT_MASK (WAITGROUP_MAX << 1)
#define ROUND_ONE (1u << 21)
#define ROUND_MASK (~(ROUND_ONE - 1))

void
waitgroup_add(struct waitgroup *g, uint32_t n)
{
	uint32_t old;

	assert(n <= WAITGROUP_MAX);
	old = add_rlx(&g->word, n * ONE);
	assert((old & COUNT_MASK) / ONE + n <= WAITGROUP_MAX);
	(void)old;
}

void
waitgroup_done(struct waitgroup *g)
{
	uint32_t seen = load_rlx(&g->word), next;

	do {
		assert((seen & COUNT_MASK) != 0);
		next = seen - ONE;
		if ((next & COUNT_MASK) == 0)
			next = (next & ROUND_MASK) + ROUND_ONE;
	} while (!cas_rel(&g->word, &seen, next));
	/* The group may be gone: only its address is used. */
	if ((next & COUNT_MASK) == 0 && (seen & SLEEPER))
		park_wake(&g->word, UINT32_MAX);
}

void
waitgroup_wait(struct waitgroup *g)
{
	(void)waitgroup_wait_until(g, USEC_NEVER);
}

/* Every done changes the word, and keeps one who is about to sleep awake; who sleeps is woken by
 * the last only. */
int
waitgroup_wait_until(struct waitgroup *g, usec_t deadline)
{
	uint32_t seen = load_acq(&g->word), round = seen & ROUND_MASK;

	lock_assert_none();
	while ((seen & COUNT_MASK) != 0 && (seen & ROUND_MASK) == round) {
		if (!(seen & SLEEPER) && !cas_ar(&g->word, &seen, seen | SLEEPER))
			continue;
		if (park_wait(&g->word, seen | SLEEPER, deadline) == -ETIMEDOUT)
			return -ETIMEDOUT;
		seen = load_acq(&g->word);
	}
	return 0;
}
