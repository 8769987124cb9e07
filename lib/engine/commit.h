/**
 * commit: new segments take their place among those of a root. Internal to lib/engine.
 *
 * note: commit order. A file is written and renamed by whoever makes it; here it is opened, named
 * by the catalog in one transaction with the segments that it lies upon and the journal's row of
 * what it changes, and published; then the files that it replaces are unlinked. So after kill -9 at
 * any moment the next start serves the last committed segments, and removes files that the catalog
 * does not name.
 *
 * note: settling. A durable commit has its file synced before, and syncs the catalog's log. A light
 * one does neither, which takes a hundredth of the time and is as good after kill -9. What it
 * leaves behind is settled some seconds later (commit_settle()) or by the next durable commit: the
 * files are synced, then the catalog says so. Until then the files that a power cut would have us
 * go back to are kept, though nothing names them.
 *
 * Threads: the root's thread, which alone changes the root's stack and files.
 * Errors:  -ECANCELED the root is to stop; -EBADMSG, -ENOMEM, those of the catalog; err says which.
 */
#pragma once

#include "engine/root.h"
#include "index/tree_change.h"

/** What a walk found out besides entries. */
struct walk_result {
	usec_t began;      /* since 1970 */
	usec_t began_mono; /* the same moment; it lasts until its segments are published */
	uint64_t skipped[N_WALK_SKIPS];
	bool aimed; /* it looked at a part only: what is said above, but when it began, is of no use
	             */
};

enum commit_kind {
	COMMIT_SAME,    /* a merge: the segments tell what was known already */
	COMMIT_CHANGES, /* what `change` says of the root's stack as it is */
	COMMIT_ANEW,    /* anything may have changed: clocks from before are answered no more */
};

struct commit {
	enum commit_kind kind;
	bool light;                     /* the file is not synced (tree_merge.h) */
	struct tree_change *change;     /* of COMMIT_CHANGES; borrowed, merged already or not */
	const struct walk_result *walk; /* of the whole root, else NULL */
};

/** A name for a new segment file of a kind ("tree", "text"), unique in the state directory; of
 *  malloc, NULL: no memory. */
char *commit_name(struct root *r, const char *kind);

/** The file `name` is the root's top segment, upon the `keep` lowest of those that it has; the
 *  others go. After a failure the file is removed, and all is as it was. */
int commit_segment(struct root *r, const char *name, uint32_t keep, const struct commit *what,
	struct err *err);
/** A walk found everything as it was: the segments stay, and are known to be right as of then.
 *  Durable. */
int commit_renewal(struct root *r, const struct walk_result *walk, struct err *err);

/** Light commits become durable; nothing to do without any. Not within a commit; also of a root
 * that is to stop. */
int commit_settle(struct root *r, struct err *err);
/** When that is due, monotonic; USEC_NEVER: there is nothing to settle. With the engine's lock. */
usec_t commit_settle_at_locked(const struct root *r);
