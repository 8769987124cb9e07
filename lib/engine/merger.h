/**
 * merger: merges the segments of a root when there is time for it. Internal to lib/engine.
 *
 * What changed lies in layers upon the base (tier.h). A merge writes some of them anew as one
 * segment, from themselves: the file system is not looked at, and what queries see stays the same.
 * It runs on a thread of its own, of the lowest priority for processor and disk and without the
 * pools, and ends at once when the root is to be walked or stopped, or changes are to be applied;
 * it is begun anew after that, when it has been quiet for a while. While others are pressed it
 * rests (manners.h), also once it has begun.
 */
#pragma once

#include "engine/root.h"
#include "sync/scope.h"

/** Merge until nothing is due any more, or something else is to be done. Runs on the root's thread.
 *  0; -ECANCELED; else err says why, and it is tried again after the next change. */
int merger_run(struct root *r, struct err *err);
/** Run `fn`, which writes a segment, in a thread of that kind, from the root's thread: its result,
 *  or -ECANCELED. Changes end it, or with `serves` are applied meanwhile: then the root's tree may
 *  be another one afterwards. */
int merger_write(struct root *r, scope_fn fn, void *arg, bool serves, struct err *err);
