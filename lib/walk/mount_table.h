/**
 * mount_table: the lines of /proc/self/mountinfo (proc(5)).
 *
 *     while (mount_table_next(&text, &row)) ...
 *
 * Ownership: spans are of the text. Threads: any. Errors: a line that is none is passed over.
 */
#pragma once

#include "base/str.h"

struct mount_line {
	uint64_t id;       /* as in statx.stx_mnt_id; used again by the kernel */
	struct span where; /* escaped */
	struct span type;
};

/** The next line of *text, which loses it; false at the end. */
bool mount_table_next(struct span *text, struct mount_line *ret);
/** `where` as a path, of malloc; NULL: out of memory. */
char *mount_table_path(struct span where);
