/**
 * ghosts: a snapshot of what is not there any more, so that all of the language can be asked of it.
 *
 * The paths that are gone stand in it with the rows that they had, under roots of the same names
 * and paths; directories above them that are still there, too, as nobody's answers. There are no
 * contents: what a question says of them counts as true (cursor_opts.blind).
 *
 * Ownership: ghosts_fini(). The snapshot is borrowed while it is open; the one within is counted.
 * Threads:   one.
 * Errors:    -ENOMEM, -EFBIG, those of memfd_create() and of writing.
 */
#pragma once

#include "query/changes.h"
#include "query/entry_set.h"

/** Where a change is. */
struct change_place {
	uint32_t layer, entry, change;
};

struct ghosts {
	struct snapshot *snapshot;  /* NULL: nothing is gone */
	struct entry_set set;       /* what is gone; sealed */
	struct change_place *place; /* [n] in order of layer and entry */
	size_t n;
};

/** Of roots that the snapshot has. */
int ghosts_make(const struct changes *c, const struct snapshot *s, struct ghosts *ret);
void ghosts_fini(struct ghosts *g); /* of a zeroed one too */

/** Sort places; find the one of an entry: NULL when there is none. */
void change_places_sort(struct change_place *place, size_t n);
const struct change_place *change_place_find(
	const struct change_place *place, size_t n, uint32_t layer, uint32_t entry);
