/**
 * text_merger: merges the text segments of a root when there is time for it (text_tier.h). Internal
 * to lib/engine.
 *
 * Contents that no live file has are dropped there, and the rows of files that are gone. No file of
 * the root is read. As merges of trees (merger.h): on a thread of the lowest priority, ended at
 * once when something else is to be done.
 */
#pragma once

#include "engine/root.h"

/** Merge until nothing is due, or something else is to be done. Runs on the root's thread.
 *  0; -ECANCELED; else err says why. */
int text_merger_run(struct root *r, struct err *err);
