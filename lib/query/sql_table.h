/**
 * sql_table: a struct sql_source as a virtual table of SQLite.
 */
#pragma once

#include "query/sql_source.h"

struct sqlite3;

/** What the tables of one connection share; outlives it. */
struct sql_tables {
	struct sql_env env;
	bool declaring; /* within sqlite3_declare_vtab() */
	int failed;     /* -errno of the first source that failed */
	uint64_t n_scanned, n_scans;
};

/** Register one: 0 or -ENOMEM. */
int sql_table_register(struct sqlite3 *conn, struct sql_tables *t, const struct sql_source *source);
