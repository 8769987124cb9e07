/**
 * fd: descriptors, whole reads and writes, and safe ways to open what others may be changing.
 *
 * Every descriptor is O_CLOEXEC. Paths of any length work: what is longer than PATH_MAX is opened
 * in pieces, each below the one before.
 */
#pragma once

#include "base/str.h"

/** For AUTO: closes *fd unless it is negative. Keeps errno. */
void closep(const int *fd);

/** Read until `len` bytes or end of file: the number of bytes, or -errno. EINTR is retried. */
ssize_t fd_read_full(int fd, void *buf, size_t len);
ssize_t fd_pread_full(int fd, void *buf, size_t len, uint64_t offset);
/** All of it: 0 or -errno. */
int fd_write_full(int fd, const void *buf, size_t len);

/**
 * Open `path`, relative and slash separated, below the directory `dirfd`. No component may be a
 * symbolic link, "." or ".." and none may leave `dirfd`: -ELOOP (-ENOTDIR for a last one with
 * O_DIRECTORY) or -EXDEV. An empty path is dirfd
 * itself. `flags` as for open(2); O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY are added, and O_NOATIME
 * where permitted. Mounts may be crossed, automounts are not triggered by this call alone.
 * Returns the descriptor or -errno (-ENAMETOOLONG only when one name is too long).
 */
int fd_open_beneath(int dirfd, struct span path, int flags);

/** Of fd_open_beneath() and what follows it: is the file that was there gone, or something else now
 *  (a link, a pipe)? */
bool fd_is_gone(int error);

/** Open an absolute path of any length, following symbolic links as open(2) does. */
int fd_open_long(const char *path, int flags);

/** Open an absolute path of any length of which no component may be a symbolic link: what was
 *  resolved once must not be led elsewhere later. Errors as fd_open_beneath(). */
int fd_open_absolute(struct span path, int flags);

/** A whole file into a buffer, at most `max_bytes`: 0, -EFBIG, -errno. */
int fd_slurp(int dirfd, const char *path, size_t max_bytes, struct strbuf *out);

/**
 * Replace `name` in `dirfd` durably: temporary name, write, fsync, rename, fsync of the directory.
 * After a failure the old file is untouched and the temporary one is gone.
 */
int fd_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode);

/** fsync that reports -errno; a failed fsync is never retried by anyone (the caller discards). */
int fd_sync(int fd);
