/**
 * live_marks: which directories of a root have a mark of their own (WATCH_DIRECTORIES). Internal to
 * lib/engine.
 *
 * A set of inode numbers. A directory that is removed loses its mark, and its number may be given
 * to another; but that it was removed is told before the other can be, so whatever was told of a
 * directory itself takes it out of the set: marking it again does nothing when it has a mark.
 *
 * Ownership: the caller's storage, zeroed; dirmarks_fini().
 * Threads:   the root's.
 */
#pragma once

#include "base/defs.h"

struct dirmarks {
	uint64_t *at;  /* inode + 1; 0 free */
	size_t n, len; /* n: a power of two, or 0; at most half full */
};

void dirmarks_fini(struct dirmarks *m);
bool dirmarks_have(const struct dirmarks *m, uint64_t ino);
/** 0 or -ENOMEM. */
int dirmarks_add(struct dirmarks *m, uint64_t ino);
void dirmarks_remove(struct dirmarks *m, uint64_t ino);
