/**
 * schema: the catalog's tables and how an older catalog becomes one of this version.
 *
 * PRAGMA user_version is the number of steps that were taken. A step never changes once it was
 * released.
 *
 * Threads: the one that owns the connection.
 */
#pragma once

#include "catalog/db.h"

/** `state_dir` is for sentences. -EOPNOTSUPP of a newer version (the file is left as it was),
 *  -EBADMSG not a catalog. */
int schema_check(struct db *db, const char *state_dir, uint64_t *ret_version, struct err *err);
/** Take the steps that are missing since `version`, in a transaction of the caller: all of them are
 * there in the end or none, and a new catalog is synced once for all of them. */
int schema_upgrade(struct db *db, uint64_t version, struct err *err);
