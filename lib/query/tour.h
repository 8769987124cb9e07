/**
 * tour: what is below a path, one after the other as du(1) lists it: children before their
 * directory.
 *
 * Directories, or all entries, down to a depth; a root inside another is entered where it stands,
 * and what is apart (totals_apart()) is passed over. A root whose directory the outer one does not
 * know (its rules leave it out, say) counts in the directories above it and is not listed.
 * Resumable: it holds one place for each level.
 *
 * Ownership: borrows snapshot and totals; tour_init()/tour_fini().
 * Threads:   one at a time.
 * Errors:    -ENOMEM.
 */
#pragma once

#include "base/vec.h"
#include "query/total.h"

struct tour_level {
	struct place at;           /* the directory */
	struct tree_list children; /* those to come */
};

struct tour {
	const struct snapshot *snapshot;
	const struct totals *totals;
	uint64_t max_depth; /* below the path; 0: only itself */
	bool files;         /* entries that are no directories too */
	struct place first; /* while `fresh` it was not come to */
	bool fresh;
	VEC(struct tour_level) levels;
};

void tour_init(struct tour *t, const struct snapshot *s, const struct totals *totals,
	struct place at, uint64_t max_depth, bool files);
void tour_fini(struct tour *t);
/** 1 and a place, 0 the end. */
int tour_next(struct tour *t, struct place *ret);
