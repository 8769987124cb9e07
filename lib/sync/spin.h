/**
 * spin: waiting awake before a sleep. Internal to lib/sync.
 *
 * To fall asleep and be woken takes some 20 us where the processor went idle meanwhile, for both
 * sides; so who waits looks around about as long first (A. Karlin et al., Competitive randomized
 * algorithms for nonuniform problems, 1994: at most twice what the best choice would have cost).
 * Between two looks it leaves the shared lines alone: a peer that is asked after each pause loses
 * its cache lines to the asker, item by item, where it could have prepared a batch.
 *
 * Where long waits are the rule the looks are few, but for every eighth wait: two that only answer
 * each other and both sleep would never find out that they need not.
 */
#pragma once

#include "sync/atomic.h"

/** The most pauses that waiting for a holder's few instructions may take: 100, or 0 where the other
 *  side cannot run meanwhile because there is one CPU. Asked of the kernel once. */
uint32_t spin_max(void);

/** How many looks a wait is worth when the last `vain` ones of its kind were in vain: 24, about
 *  20 us, or 4, about 2; 0 on one CPU. */
unsigned spin_looks(uint32_t vain);
/** What comes before look `i`: pauses, up to a microsecond of them; now and then the CPU is given
 *  to whoever wants it. */
void spin_rest(unsigned i);
/** Two microseconds: in a stream, a batch comes together. */
void spin_rest_long(void);
