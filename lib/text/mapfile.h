/**
 * mapfile: a file as read-only bytes, mapped, guarded against being cut short.
 *
 * A mapped page beyond the end of a file that was truncated, or one that the disk cannot give,
 * raises SIGBUS on access. mapfile_setup() installs a handler which, for a fault inside a
 * registered mapping, maps a zero page over the fault and marks the mapping; every other SIGBUS
 * goes to the handler that was there before. No siglongjmp: compiled patterns may be on the stack.
 * So bytes read after a cut are zeros, and who used them asks mapfile_faulted() before believing a
 * result.
 *
 * Ownership: struct mapfile is the caller's; `data` is valid until mapfile_close().
 * Threads:   mapfile_open/close any thread; reading `data` any number of threads.
 * Errors:    -errno of fstat and mmap; -ENODEV not a regular file; -EFBIG over max_bytes.
 * Limits:    N_GUARDED_MAPS mappings at once (-EMFILE beyond): never hold a map per file.
 */
#pragma once

#include "base/str.h"
#include "sync/atomic.h"

#define N_GUARDED_MAPS 1024u

struct mapfile {
	const char *data;
	size_t len;
	unsigned slot; /* in the table of guarded mappings */
};

/** Install the handler, before the first mapping; further calls do nothing. 0 or -errno. */
int mapfile_setup(void);
/** Map the whole of an open file; fd may be closed afterwards. An empty file has len 0. */
int mapfile_open(int fd, uint64_t max_bytes, struct mapfile *ret);
/** Did an access fault since open? */
bool mapfile_faulted(const struct mapfile *m);
/** Bytes [0, end) are done with: their pages no longer count as the process's memory. */
void mapfile_pass(const struct mapfile *m, size_t end);
void mapfile_close(struct mapfile *m);
