/**
 * changes: what has become of each path over any number of batches, in one.
 *
 * Batches of records (index/record.h) are added in the order of their ticks; what counts is how it
 * was before the first and how it is after the last:
 *
 *     a path that came             ADD      that went and came       MODIFY
 *     a path that is another one   MODIFY   moved from a over b      MOVE from a;
 *     a path that went             DELETE   to c                     DELETE b
 *     a path that came from one             moved to and fro         MODIFY
 *     that was there before        MOVE     that came and went       DELETE
 *
 * What is gone is told even if it was not there at first: who was told of a part of this before may
 * know of it. The path that a MOVE came from counts as gone, unless something came there since.
 *
 * Memory: some 100 bytes a path and the path; who adds says how many paths are too many.
 *
 * Ownership: the caller's struct; texts are valid until changes_fini().
 * Threads:   one.
 * Errors:    -EBADMSG damaged records; -E2BIG too many paths; -ENOMEM. After an error only
 *            changes_fini() is legal.
 */
#pragma once

#include "base/arena.h"
#include "base/vec.h"
#include "index/record.h"

/** OTHER is the word of delta.h for what does not match. */
enum change_kind { CHANGE_ADD, CHANGE_MODIFY, CHANGE_MOVE, CHANGE_DELETE, CHANGE_OTHER };

#define NO_CHANGE UINT32_MAX

struct change {
	uint32_t root;       /* snap_root.id */
	uint32_t origin;     /* the change whose path this file had before; NO_CHANGE: none */
	struct span path;    /* relative to the root */
	struct record *gone; /* of a path that is not there: what it was last; else not used */
	bool was, now;       /* there before the first batch; there after the last */
	bool unsure;         /* `was`, or not: the first that is known is a move to it */
	bool fresh;          /* what is there now came as an addition */
};

struct change_list {
	struct change *data;
	size_t len, cap;
};

struct changes {
	struct arena arena;
	struct change_list list;
	uint32_t *slot; /* [n_slots] index in list + 1, by hash of root and path; 0: free */
	size_t n_slots; /* a power of 2, or 0 */
	uint64_t max;   /* paths; set by the owner */
};

void changes_fini(struct changes *c); /* of a zeroed one too */
/** A batch of the root with the id `root`. */
int changes_add(struct changes *c, uint32_t root, struct span packed);
enum change_kind change_kind(const struct changes *c, size_t i);
