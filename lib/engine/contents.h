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

#define CONTENTS_RETRY_USEC (2 * USEC_PER_SEC)
#define CONTENTS_RETRY_MAX_USEC (300 * USEC_PER_SEC)

enum contents_state {
	CONTENTS_OFF,     /* the configuration does not want them indexed */
	CONTENTS_READING, /* or about to: a walk is over, and files wait */
	CONTENTS_DONE,    /* every file was tried since the last walk */
	CONTENTS_FAILED,  /* it will be tried again */
};

/** The segments that the catalog names, before the root's thread runs: they are opened by it. */
int contents_adopt(struct root *r, const struct catalog_root *known);
/** Open what contents_adopt() left. The root's thread, first of all. */
void contents_open(struct root *r);
/** Do what is to be done. Runs on the root's thread. */
void contents_run(struct root *r);
