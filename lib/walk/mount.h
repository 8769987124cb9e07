/**
 * mount: what kind of file system a directory is on.
 *
 * Asked only where the walk meets a mount, so it may be slow. The kernel's mount table names the
 * type without touching the file system; that matters for a dead network mount, on which statfs
 * would hang. Only what the table does not know is asked by fstatfs, after it was opened.
 *
 * The kernel reuses the numbers of mounts, so the table is read again whenever poll() on it says
 * that it changed.
 *
 * Threads: any; the table is behind a lock. Holds one descriptor.
 */
#pragma once

#include "base/vec.h"
#include "sync/lock.h"

struct statx;

struct mount_row {
	uint64_t id; /* as in statx.stx_mnt_id */
	bool pseudo;
};

struct mounts {
	int table_fd; /* -1: /proc is not to be had. Fixed after init. */

	/* Guarded by lock. Reading the table under it never waits for a disk. */
	struct lock lock;
	bool loaded;
	VEC(struct mount_row) rows;
};

enum mount_kind { MOUNT_REAL, MOUNT_PSEUDO, MOUNT_UNKNOWN };

void mounts_init(struct mounts *m);
void mounts_fini(struct mounts *m);

/** By the mount table. */
enum mount_kind mounts_lookup(struct mounts *m, uint64_t id);

/** By fstatfs of an open directory; does not know devtmpfs. */
bool mount_is_pseudo(int fd);

/** Is the directory behind `st` a mount point, seen from a parent that has parent_dev and
 *  parent_mnt? A btrfs subvolume, or a directory of an overlay, has another device without being
 *  one. */
bool mount_is_border(const struct statx *st, uint64_t parent_dev, uint64_t parent_mnt);

uint64_t statx_dev(const struct statx *st);
/** 0 when the kernel does not tell (before 5.8). */
uint64_t statx_mnt(const struct statx *st);
