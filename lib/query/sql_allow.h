/**
 * sql_allow: what a statement may do: SELECT over tables of ours, with functions from a list.
 *
 * Refused with a sentence of our own, the first one counts. Everything that is not known to be
 * harmless is refused, what later versions of SQLite bring with it.
 */
#pragma once

#include "base/err.h"

struct sqlite3;

struct sql_allow {
	struct err err;           /* why not; code 0: nothing was refused */
	int (*halted)(void *ctx); /* != 0: give up compiling */
	void *ctx;
	const bool *declaring; /* SQLite reads what the columns of our own tables are */
};

/** The connection asks `a`, which outlives it, from now on. 0 or -ENOMEM. */
int sql_allow_install(struct sqlite3 *conn, struct sql_allow *a);
