/**
 * rows: the rows of the catalog's tables, for catalog and peek only.
 *
 * Threads: the one that owns the connection.
 */
#pragma once

#include "catalog/catalog.h"
#include "catalog/db.h"

/** Every root with its live segments, appended to *ret: 0, -errno. */
int catalog_read_roots(struct db *db, struct catalog_roots *ret, struct err *err);

/** What catalog_commit() and catalog_commit_texts() say, within a transaction of the caller's. */
int rows_replace_root(struct db *db, const struct catalog_root *root, struct err *err);
int rows_replace_texts(
	struct db *db, uint32_t id, const struct catalog_text *texts, uint32_t n, struct err *err);

/** The file of a layer is synced. */
int rows_settle(struct db *db, uint32_t id, const char *file, struct err *err);

int rows_no_memory(struct err *err);
int rows_no_root(uint32_t id, struct err *err);
