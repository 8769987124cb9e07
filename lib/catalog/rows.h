/**
 * rows: reading the catalog's tables, for catalog and peek only.
 *
 * Threads: the one that owns the connection.
 */
#pragma once

#include "catalog/catalog.h"
#include "catalog/db.h"

/** Every root with its live segments, appended to *ret: 0, -errno. */
int catalog_read_roots(struct db *db, struct catalog_roots *ret, struct err *err);
