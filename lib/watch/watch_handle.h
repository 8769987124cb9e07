/**
 * handle: the inode number that a file handle of the kernel holds.
 *
 * Handles are the file system's own business; these are the forms of those that matter, told by
 * type and length. That a file system really means the form is checked where it is first met
 * (handle_check()): what stat(2) says of a directory must come out of its handle.
 *
 *   type  bytes  layout (the machine's byte order)          of
 *   0x01      8  ino:32 gen:32                              ext2-4, f2fs, vfat, xfs with inode32
 *   0x01     12  gen:32 ino low:32 ino high:32              tmpfs
 *   0x81     12  ino:64 gen:32                              xfs
 *   0x4d     20  objectid:64 subvolume:64 gen:32            btrfs
 */
#pragma once

#include "base/str.h"

struct handle_id {
	uint64_t ino;
	uint64_t subvolume; /* btrfs; else 0 */
};

/** 0, or -EOPNOTSUPP: of no form known here. */
int handle_decode(int type, struct span bytes, struct handle_id *ret);

/** The handle of the open directory `fd`, of a file system with the statfs number `magic`: 0 when
 * its inode number is `ino`, else -EOPNOTSUPP; -errno of name_to_handle_at(). */
int handle_check(int fd, uint32_t magic, uint64_t ino, struct handle_id *ret);
