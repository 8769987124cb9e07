/**
 * tree_file: a segment file, made durable (FORMAT.md 1). Internal to lib/index.
 */
#pragma once

#include "base/err.h"

/** Writes the bytes of the file, all but the sync: 0 or -errno. */
typedef int (*tree_file_fn)(void *ctx, int fd, uint64_t *ret_bytes);

/** "<name>.tmp", written, renamed, synced, the directory synced; after a failure neither is there.
 *  0 or -errno, with a sentence. */
int tree_file_write(int dirfd, const char *name, tree_file_fn fn, void *ctx, uint64_t *ret_bytes,
	struct err *err);
/** The same without the syncs. */
int tree_file_write_light(int dirfd, const char *name, tree_file_fn fn, void *ctx,
	uint64_t *ret_bytes, struct err *err);
/** The sentence for a failure: returns r. */
int tree_file_failed(struct err *err, int r, const char *name);
