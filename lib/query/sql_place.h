/**
 * sql_place: where absolute paths are in a snapshot, layer by layer.
 *
 * Roots may be nested: a path can be an entry of several. What is found need not be live.
 *
 * Errors: -ENOMEM; -ENOENT where something is looked up.
 */
#pragma once

#include "index/snapshot.h"

/** The entry of a snapshot layer whose path is exactly `path`: 0, -ENOENT. */
int sql_place_entry(
	const struct snapshot *s, uint32_t layer, struct span path, uint32_t *ret_entry);
/** The directory of a layer whose path is exactly `path`, and that was read. */
int sql_place_dir(const struct snapshot *s, uint32_t layer, struct span path, uint32_t *ret_dir);
/** Entries below `where` (as in:): [lo, hi), maybe empty. */
int sql_place_below(const struct snapshot *s, uint32_t layer, struct span where, uint32_t *ret_lo,
	uint32_t *ret_hi);
/** Directories below `where`, not itself: [lo, hi) by number, maybe empty. */
int sql_place_dirs_below(const struct snapshot *s, uint32_t layer, struct span where,
	uint32_t *ret_lo, uint32_t *ret_hi);
