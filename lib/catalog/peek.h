/**
 * peek: the roots of a catalog, read beside a daemon that may be using it.
 *
 * The catalog's own file is never opened by SQLite here: one process at a time may (catalog.h). Its
 * bytes are copied, with those of its log, into a temporary directory, and the copy is opened. When
 * the file changed meanwhile, it is copied again.
 *
 * Threads: any; each call has a copy of its own.
 * Errors:  -ENOENT there is no catalog; -EAGAIN it changed all the time; as catalog_open().
 */
#pragma once

#include "catalog/catalog.h"

/** `dirfd` is the state directory, `path` its name in sentences. */
int catalog_peek(int dirfd, const char *path, struct catalog_roots *ret, struct err *err);
