/**
 * commit: new segments take their place among those of a root. Internal to lib/engine.
 *
 * note: commit order. A file is written, synced and renamed by whoever makes it; here it is opened,
 * named by the catalog in one transaction with the segments that it lies upon, and published; then
 * the files that it replaces are unlinked. So after kill -9 at any moment the next start serves the
 * last committed segments, and removes files that the catalog does not name.
 *
 * Threads: the root's thread, which alone changes the root's stack and files.
 * Errors:  -ECANCELED the root is to stop; -EBADMSG, -ENOMEM, those of the catalog; err says which.
 */
#pragma once

#include "engine/root.h"

/** What a walk found out besides entries. */
struct walk_result {
	usec_t began;      /* since 1970 */
	usec_t began_mono; /* the same moment; it lasts until its segments are published */
	uint64_t skipped[N_WALK_SKIPS];
	bool aimed; /* it looked at a part only: what is said above, but when it began, is of no use
	             */
};

/** A name for a new segment file of a kind ("tree", "text"), unique in the state directory; of
 *  malloc, NULL: no memory. */
char *commit_name(struct root *r, const char *kind);

/** The file `name` is the root's top segment, upon the `keep` lowest of those that it has; the
 *  others go. `walk` is NULL when they tell what was known already (a merge). After a failure the
 *  file is removed, and all is as it was. */
int commit_segment(struct root *r, const char *name, uint32_t keep, const struct walk_result *walk,
	struct err *err);
/** A walk found everything as it was: the segments stay, and are known to be right as of then. */
int commit_renewal(struct root *r, const struct walk_result *walk, struct err *err);
