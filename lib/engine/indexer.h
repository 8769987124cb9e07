/**
 * indexer: one walk of one root, from the first listing to the published snapshot. Internal to
 * lib/engine.
 *
 * A first walk makes a base, a rescan a layer of what is not as it was, or again a base when that
 * is much (tier.h); when nothing is, the segments stay as they are.
 */
#pragma once

#include "engine/internal.h"

/** Walk, build, commit, publish. Runs on the root's thread. 0; -ECANCELED when stopped; else err
 * says why. */
int indexer_run(struct root *r, struct err *err);
