/**
 * reading: one pass over the files of a root whose contents are not known. Internal to lib/engine.
 *
 *     root thread   pending files -> builder -> tasks -> segment -> commit -> the next builder ...
 *     tasks         as many as walks have workers, of the walks' share of the I/O pool: each takes
 *                   runs of neighbouring files, and gives its worker back when a query waits
 *
 * A builder that has used up its part of the memory becomes a segment, and the pass goes on. Roots
 * that read at once share the memory (engine_config.index_bytes) evenly. Files that are too young
 * are tried once more at the end, after their times have settled, then those whose grams were too
 * many for what was left of a builder: what is still too much of such a one becomes one unit, which
 * says of each gram only that it is somewhere in there. What could not be read waits for the next
 * pass.
 *
 * Changes are applied while tasks read. The pass ends early when a walk is wanted, and keeps what
 * it has; when the root is to stop it keeps nothing.
 */
#pragma once

#include "engine/root.h"

/** Runs on the root's thread. 0 all was tried; -EAGAIN there are segments to be merged first;
 *  -ECANCELED something else is to be done; else err says why, and what was committed stays. */
int reading_run(struct root *r, struct read_stats *stats, struct err *err);
