/**
 * indexer: one walk of one root, from the first listing to the published snapshot. Internal to
 * lib/engine.
 *
 * A first walk makes a base, a rescan a layer of what is not as it was, or again a base when that
 * is much (tier.h); when nothing is, the segments stay as they are.
 *
 * note: humble walk. What makes sure after a start that the index is as the tree is, and what
 * polls, is waited for by nobody in particular: such a rescan runs on threads of the least priority
 * for processor and disk, and rests while others are pressed (manners.h). Changes that are told
 * meanwhile wait for its end, and the root is stale until then, so it is not for ever: after
 * INDEXER_HUMBLE_USEC, or as soon as a barrier or a request to walk needs it (root_urge_locked()),
 * it ends and a walk as all others takes its place. That one repeats what it has done, mostly from
 * what the kernel remembers by then.
 *
 * An aimed run looks only at what an aim says (walk/aim.h), and costs in proportion to that. What
 * is known of the root as a whole, when it was last walked and what was left out, stays as it was,
 * so the next rescan trusts no directory that has changed since. The other names of a file with
 * hard links that has changed are looked at too.
 */
#pragma once

#include "engine/internal.h"
#include "walk/aim.h"

#define INDEXER_HUMBLE_USEC (60 * USEC_PER_SEC)

/** Walk, build, commit, publish. Runs on the root's thread. 0; -ECANCELED when stopped; else err
 * says why. */
int indexer_run(struct root *r, struct err *err);

/** The same of what `aim` says, which stays the caller's: 0, with nothing published when nothing
 * was found changed. A root of which nothing is known under its present settings is walked as by
 *  indexer_run(), and so is one of which too much has changed. After an error part of it may have
 *  been published, and the same aim would not find the rest: all is to be walked. */
int indexer_run_aimed(struct root *r, const struct walk_aim *aim, struct err *err);
