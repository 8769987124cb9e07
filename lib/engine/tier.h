/**
 * tier: which segments of a root are merged, and when. Internal to lib/engine.
 *
 * A segment is weighed by what it makes its readers and the next merge go through: its entries,
 * and of the topmost layer also the ranges that it says are dead. The rules:
 *
 *   1. A layer weighs TIER_FACTOR times what is above it together, or it is merged with that.
 *      So layers are few (a factor of four each: seven reach from 256 changes to four million
 *      entries), and an entry is written again once for each of them at the most, on its way down.
 *   2. All layers together weigh less than a quarter of the base, or there is a new base. So a
 *      query goes through a quarter more than it has to, at worst, and a base that is written again
 *      has been paid for by changes of a quarter of it.
 *   3. A change becomes durable at a cost in proportion to itself: with it only layers are merged
 *      that weigh no more than TIER_FACTOR times the change, or TIER_SMALL, which is written as
 * fast as nothing. The rest waits until nothing else is to be done (merger.h), unless there would
 * be too many layers, or they would outweigh the base: then merging has fallen behind, and the
 *      change pays.
 *
 *   4. Changes wait in memory until their walk is over. When they need as much as TIER_ENTRY_BYTES
 * for each entry that is known, some third of which has changed then, the root is walked as if
 *      nothing were known, which holds no more than that: after a third of a walk at best, and a
 *      whole one at worst, whose directories are in the system's cache then. What subscribers are
 *      told of it is that all may have changed; so a small root that grows at once gets
 *      TIER_LEAST_BYTES, some 40,000 entries, in any case.
 *
 * Threads: any; nothing is kept.
 */
#pragma once

#include "index/tree_stack.h"

#define TIER_FACTOR 4u
#define TIER_SMALL 256u /* entries */
#define TIER_ENTRY_BYTES 64u
#define TIER_LEAST_BYTES (8u << 20)

/** What weighs how much, the base first. */
struct tier_weights {
	uint32_t n;
	uint64_t of[TREE_MAX_LAYERS];
};
struct tier_weights tier_weigh(const struct tree_stack *s);

/** How many bytes of changes are not too many. */
size_t tier_max_bytes(const struct tree_stack *s);
/** How many of the segments stay when n names have changed; the change and the others become the
 *  segment upon them. 0: a new base. */
uint32_t tier_keep(const struct tier_weights *w, uint64_t n);
/** The same of a change that is published before it is durable: a base, which is not, is for few
 *  changes of a small tree left to who merges. */
uint32_t tier_keep_light(const struct tier_weights *w, uint64_t n);
/** Is there something to merge when there is time? *ret_keep as above. */
bool tier_is_due(const struct tier_weights *w, uint32_t *ret_keep);
