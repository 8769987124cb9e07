/**
 * par_verdict: how a parallel loop ended early; internal to par_*.
 *
 * The lowest position that stopped decides, and nothing above it needs to run. Positions are those
 * of pieces: whoever runs pieces asks verdict_beyond() before each, so a piece is left out only
 * when one below it stopped.
 *
 * Threads: any; verdict_value() after all have ended.
 */
#pragma once

#include "sync/atomic.h"
#include "sync/stop.h"

struct verdict {
	/* Relaxed: a hint until the end, then read after the threads were joined. Written under a
	 * lock that all verdicts share, for stops are rare. */
	_Atomic size_t at; /* SIZE_MAX: none */
	int value;         /* of `at`; under that lock */
	_Atomic bool canceled;
};

#define VERDICT_NONE                       \
	{                                  \
		.at = SIZE_MAX, .value = 0 \
	}

/** The piece at `at` returned value, which is not 0. */
void verdict_stop(struct verdict *v, size_t at, int value);
/** The value of the lowest, else -ECANCELED, else 0. */
int verdict_value(const struct verdict *v);

static inline bool
verdict_beyond(const struct verdict *v, size_t at)
{
	return at > load_rlx(&v->at);
}

/** Has the token fired? Then the loop was canceled. */
static inline bool
verdict_canceled(struct verdict *v, const struct stop *stop)
{
	if (LIKELY(!stop_requested(stop)))
		return false;
	store_rlx(&v->canceled, true);
	return true;
}
