#include "sync/barrier.h"

#include "sync/rank.h"

void
barrier_init(struct barrier *b, uint32_t n)
{
	assert(n > 0);
	*b = (struct barrier){.n = n};
}

/* The round is read before arriving, and cannot end before all have arrived: so it is this one. The
 * leader clears the arrivals before it ends the round: nobody arrives for the next one earlier. */
bool
barrier_wait(struct barrier *b)
{
	uint32_t round = load_rlx(&b->round);

	lock_assert_none();
	if (add_ar(&b->arrived, 1) + 1 == b->n) {
		store_rlx(&b->arrived, 0);
		store_rel(&b->round, round + 1);
		park_wake(&b->round, UINT32_MAX);
		return true;
	}
	while (load_acq(&b->round) == round)
		(void)park_wait(&b->round, round, USEC_NEVER);
	return false;
}
