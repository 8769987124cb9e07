/**
 * tree_dead: the entries of a segment that do not count where it stands.
 *
 * Another segment above it tells of them anew, or tells that they are gone; or they are SKELETON,
 * there for the sake of what is below them only (FORMAT.md 5). Such an entry still has a name, a
 * place and children: it is left out of answers and sums, never of paths.
 *
 * Kept as ranges with running sums: what is to be subtracted from the sums of a range of entries is
 * two binary searches, and nothing is in proportion to the segment.
 *
 * Ownership: tree_dead_create()/tree_dead_destroy(); immutable in between.
 * Threads:   any number of readers.
 * NULL stands for a segment all of whose entries count, everywhere here.
 */
#pragma once

#include "index/tree.h"

struct tree_dead;

/** `said` are n ranges, ascending, none empty, none touching the next; the segment's own skeletons
 *  come to them. `old` (may be NULL) is what was said of the same segment before: sums of ranges
 *  that are the same come from there. *ret is NULL when nothing is dead. 0 or -ENOMEM. */
int tree_dead_create(const struct tree_cols *c, const struct tree_range *said, uint32_t n,
	const struct tree_dead *old, struct tree_dead **ret);
void tree_dead_destroy(struct tree_dead *d);

bool tree_is_dead(const struct tree_dead *d, uint32_t entry);
/** The first entry from `entry` on that is not dead; it may be n_entries. */
uint32_t tree_dead_skip(const struct tree_dead *d, uint32_t entry);
/** The ranges, ascending, none touching: their number. */
uint32_t tree_dead_ranges(const struct tree_dead *d, const struct tree_range **ret);
/** Those of them that end past `entry`. */
uint32_t tree_dead_from(const struct tree_dead *d, uint32_t entry, const struct tree_range **ret);
/** Clear the bits of what is dead: bit i of `words` is entry lo + i, i < n. */
void tree_dead_clear(const struct tree_dead *d, uint32_t lo, uint32_t n, uint64_t *words);
/** How many of [lo, hi) are dead, and their sums, every link. `ret` may be NULL. */
uint32_t tree_dead_sum(const struct tree_dead *d, const struct tree_cols *c, uint32_t lo,
	uint32_t hi, struct tree_sum *ret);
