/**
 * chaos: delays at random before atomic operations, in builds with TRAWL_CHAOS.
 *
 * sync/atomic.h calls chaos_point() at each of its operations: mostly nothing happens, sometimes a
 * few pauses, seldom a yield, very seldom a short sleep. So interleavings come up that are a few
 * instructions wide. TRAWL_CHAOS_SEED seeds it; a program that finds none draws one and prints it.
 * The same seed gives the same delays in each thread, but not the same schedule.
 *
 * Threads: any.
 */
#pragma once

void chaos_point(void);
