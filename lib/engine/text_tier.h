/**
 * text_tier: which text segments of a root are merged, and when. Internal to lib/engine.
 *
 * A segment weighs the bytes of its file. A question asks each segment, at some ten microseconds
 * apiece, so a few are as good as one; merging writes all bytes again. The rules:
 *
 *   1. A segment weighs TEXT_TIER_FACTOR times what is above it together, or it is merged with
 *      that. So a posting is written again once for each doubling or more of what it is in: some
 *      log2 times, and a root has no more than log3(all / the smallest) segments at rest.
 *   2. Below TEXT_TIER_SMALL bytes a segment is merged with its neighbour whatever it weighs: the
 *      file system's block and the catalog's row cost more than that.
 *   3. A segment of which TEXT_TIER_DROPPED (a third) of the contents are nobody's any more is
 *      written again without them: then a question finds a third of its candidates for nothing.
 *   4. While a pass over many files goes on, segments are only added; at TEXT_TIER_MANY it stops
 *      for merging. That bounds what the set has (TEXT_SET_MAX) at any time.
 *
 * Threads: any; nothing is kept.
 */
#pragma once

#include "index/text_set.h"

#define TEXT_TIER_FACTOR 2u
#define TEXT_TIER_SMALL (64u << 10)
#define TEXT_TIER_DROPPED(n) ((n) / 3)
#define TEXT_TIER_MANY 24u

_Static_assert(TEXT_TIER_MANY < TEXT_SET_MAX / 2, "merging comes long before the set is full");

struct text_weight {
	uint64_t n_bytes;
	uint32_t n_docs, n_dropped; /* that are there; of which nobody has so many */
};

/** Is there something to merge? true: segments [*ret_at, *ret_at + *ret_n). */
bool text_tier_is_due(const struct text_weight *w, uint32_t n, uint32_t *ret_at, uint32_t *ret_n);
