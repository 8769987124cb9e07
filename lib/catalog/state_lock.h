/**
 * state_lock: one daemon a state directory.
 *
 * The file `lock` carries an flock(2) and the holder's pid. A clean end empties it: whoever finds a
 * pid in it and no lock on it knows that the last run was cut off.
 *
 * Ownership: the descriptor holds the lock until it is closed.
 */
#pragma once

#include "base/err.h"

/** The descriptor; *ret_unclean: the last run did not end by state_unlock(). -EBUSY another process
 *  holds it, -ENOTDIR, -EACCES, -EROFS; `path` is for sentences. */
int state_lock(int dirfd, const char *path, bool *ret_unclean, struct err *err);
/** `clean`: the next run may trust what this one left. */
void state_unlock(int fd, bool clean);
