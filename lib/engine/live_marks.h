/**
 * live_marks: which directories of a root have a mark of their own (WATCH_DIRECTORIES). Internal to
 * lib/engine.
 *
 * A set of inode numbers, to find what left the root without being removed. It does not say whether
 * a directory has a mark: its number may have been another's, here or on another file system of the
 * root. That only the kernel knows (watch_dir()), and it is asked for each directory of a new
 * layer.
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
/** 0 or -ENOMEM. */
int dirmarks_add(struct dirmarks *m, uint64_t ino);
