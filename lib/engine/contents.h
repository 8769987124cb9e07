/**
 * contents: the root's thread keeps what is known of the contents of its files. Internal to
 * lib/engine.
 *
 * After each walk, and again some time after a failure: the segments of an earlier run are opened,
 * those that the configuration does not want any more are dropped, then all files that are pending
 * are read (reading.h), then segments are merged (text_merger.h). All of it gives way to a walk.
 *
 * When reading or committing fails (the disk is full, say) that is a state of the root, which
 * `status` shows; what was committed is served, and it is tried again after CONTENTS_RETRY_USEC,
 * and after twice that when it fails again, up to CONTENTS_RETRY_MAX_USEC.
 */
#pragma once

#include "engine/root.h"

#define CONTENTS_RETRY_USEC USEC_PER_SEC
/* So many that came by themselves are read without calling it reading. */
#define CONTENTS_FEW_FILES 1000u
#define CONTENTS_RETRY_MAX_USEC (300 * USEC_PER_SEC)

/** The segments that the catalog names, before the root's thread runs: they are opened by it. */
int contents_adopt(struct root *r, const struct catalog_root *known);
/** Open what contents_adopt() left. The root's thread, first of all. */
void contents_open(struct root *r);
/** Do what is to be done. Runs on the root's thread. */
void contents_run(struct root *r);
/** What a walk's end means for contents: its commit is being published. Of an aimed one nothing,
 * while few files wait: questions read these. With the engine's lock. */
void contents_walked_locked(struct root *r, bool aimed);
/** Is there something to do, or when? *ret_at is 0 or a moment, monotonic. With the engine's lock.
 */
bool contents_wanted_locked(const struct root *r, usec_t *ret_at);
/** The configuration of a root that goes on has changed. *ret_view is no longer valid: the caller
 *  lets it go without the lock. */
void contents_changed_locked(struct root *r, struct text_view **ret_view);
/** A root takes over what one with another configuration of the same path has. */
void contents_inherit_locked(struct root *to, const struct root *from);
void contents_fini(struct contents_state *c);
