/**
 * segment_write: the durable way of a segment file (FORMAT.md 1 and 2). Internal to lib/index.
 *
 *     r = segment_create(dirfd, name, &fd);               NAME.tmp
 *     ...                                                 sections, anywhere behind the table
 *     r = segment_write_header(fd, &kind, sub_kind, own, rows, n);
 *     r = segment_commit(dirfd, name, fd);                or segment_discard()
 *
 * Durability: commit renames the file, syncs it, syncs the directory; until then it may be anything
 * after a power cut, so only what knows that commit has returned names it (the catalog). After a
 * failure nothing is left under either name, and nothing is tried twice.
 *
 * Threads: one.
 * Errors:  -errno of the calls; -ENAMETOOLONG.
 */
#pragma once

#include "index/segment_file.h"

int segment_create(int dirfd, const char *name, int *ret_fd);
/** Does not close fd. */
int segment_commit(int dirfd, const char *name, int fd);
/** Not durable: renamed, and no more, until it is synced (tree_sync()). */
int segment_commit_light(int dirfd, const char *name);
void segment_discard(int dirfd, const char *name);

/** The header; `own` are SEGMENT_OWN_BYTES. The file's length is what the last row says. */
int segment_write_header(int fd, const struct segment_kind *kind, uint32_t sub_kind,
	const void *own, const struct segment_section *rows, uint32_t n_rows);
/** All of it at an offset. */
int segment_pwrite(int fd, const void *data, size_t len, uint64_t offset);
/** Where the table of n rows ends. */
static inline uint64_t
segment_table_end(uint32_t n_rows)
{
	return SEGMENT_HEADER_BYTES + (uint64_t)n_rows * SEGMENT_ROW_BYTES;
}
/** A sentence in err for a segment that could not be written; returns r. */
int segment_write_failed(struct err *err, int r, const struct segment_kind *kind, const char *name);
