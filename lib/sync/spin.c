#include "sync/spin.h"

#include <sched.h>

#define SPIN_PAUSES 100u
#define LOOKS_MANY 24u
#define LOOKS_FEW 4u
#define VAIN_MANY 8u
#define REST_PAUSES 16u /* a quarter of a microsecond; the longest is four times that */
#define YIELD_EVERY 8u

/* Not thread_cpus(), which reads files: this runs where a lock is waited for. A quota of one CPU
 * still runs two threads at once. A mask too long for cpu_set_t is of a machine with many. */
static uint32_t
measure(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1 ? 0
	                                                                            : SPIN_PAUSES;
}

uint32_t
spin_max(void)
{
	/* The answer + 1, 0 unknown. Relaxed: every thread that asks gets the same answer. */
	static _Atomic uint32_t known;
	uint32_t seen = load_rlx(&known);

	if (UNLIKELY(seen == 0)) {
		seen = measure() + 1;
		store_rlx(&known, seen);
	}
	return seen - 1;
}

unsigned
spin_looks(uint32_t vain)
{
	if (spin_max() == 0)
		return 0;
	return vain < VAIN_MANY || vain % VAIN_MANY == 0 ? LOOKS_MANY : LOOKS_FEW;
}

static void
pauses(unsigned n)
{
	while (n-- > 0)
		cpu_pause();
}

void
spin_rest(unsigned i)
{
	if (i % YIELD_EVERY == YIELD_EVERY - 1)
		(void)sched_yield();
	else
		pauses(REST_PAUSES << MIN(i, 2u));
}

void
spin_rest_long(void)
{
	pauses(8 * REST_PAUSES);
}
