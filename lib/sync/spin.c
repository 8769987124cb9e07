#include "sync/spin.h"

#include <sched.h>

#define SPIN_PAUSES 100u

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
