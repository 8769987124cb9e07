/**
 * sql: one SELECT over the names and metadata of a snapshot, answered by SQLite.
 *
 * Each statement has a connection of its own to an empty ":memory:" database, in which nothing can
 * be read but two virtual tables: `files`, a row an entry, and `dirs`, a row a directory with what
 * is below it (columns: trawl-sql(7)). Comparisons that the index can decide are handed down to it
 * (sql_source.h); SQLite checks every row again, so handing down changes the speed of an answer and
 * never its rows.
 *
 * Not a door to the catalog: no file is opened. An authorizer refuses everything but SELECT over
 * the two tables with functions from a list (sql_allow.h); no module but ours is registered, and no
 * statement that writes is run.
 *
 * Like a cursor it is resumable: it computes when sql_next() asks for a row, may be called from
 * different threads one after the other, and may be left alone; it holds its snapshot.
 *
 * Limits: SQL_MAX_BYTES of text, SQL_MAX_COLUMNS results, SQL_VALUE_BYTES a value,
 * SQL_COMPILE_BYTES of memory to compile it, SQL_MEMORY_BYTES to run it, and SQL_MEMORY_ALL_BYTES
 * all statements of the process (sql_memory.h); the stop token and the deadline are looked at every
 * few thousand steps of SQLite's machine, and while the statement is compiled.
 *
 * Ownership: sql_open()/sql_close(). What sql_get() gives is valid until the next sql_next().
 * Threads:   sql_setup() before any use of SQLite in the process; a statement belongs to one thread
 *            at a time.
 * Errors:    open and next: -EINVAL the statement is wrong or not allowed: err has the sentence,
 *            and err->pos where it is known; -E2BIG a limit above was reached, the sentence says
 *            which; -ECANCELED, -ETIMEDOUT, -ENOMEM, -EIO the segment could not be read.
 */
#pragma once

#include "query/query.h"

#define SQL_MAX_BYTES (16u << 10)
#define SQL_MAX_COLUMNS 100u
#define SQL_VALUE_BYTES (512u << 10)
#define SQL_COMPILE_BYTES (16ull << 20)
#define SQL_MEMORY_BYTES (256ull << 20)
#define SQL_MEMORY_ALL_BYTES (512ull << 20)

enum sql_kind { SQL_NULL, SQL_INTEGER, SQL_REAL, SQL_TEXT, SQL_BLOB };

struct sql_value {
	enum sql_kind kind;
	union {
		int64_t integer;
		double real;
	};
	struct span bytes; /* text, which need not be UTF-8, and blobs */
};

struct sql_opts {
	usec_t deadline;   /* monotonic; USEC_NEVER for none */
	struct stop *stop; /* may be NULL */
	struct pool *compute, *io;
	uint64_t memory_bytes; /* 0: SQL_MEMORY_BYTES */
};

struct sql;

/** Have SQLite take its memory where it can be limited. Once; later calls do nothing. -EBUSY:
 *  SQLite was used before, and no statement can be opened. */
int sql_setup(void);

/** Compile the one statement in `text`. */
int sql_open(struct snapshot *s, struct span text, const struct sql_opts *opts, struct sql **ret,
	struct err *err);
void sql_close(struct sql *q); /* NULL is legal */

uint32_t sql_columns(const struct sql *q);
/** The name of a result; valid until the close. */
const char *sql_column_name(const struct sql *q, uint32_t column);

/** 1 a row, 0 the end, or an error (which every later call repeats, without the sentence). */
int sql_next(struct sql *q, struct err *err);
void sql_get(struct sql *q, uint32_t column, struct sql_value *ret);

struct sql_stats {
	uint64_t n_rows;     /* given by sql_next() */
	uint64_t n_scanned;  /* rows that the tables gave SQLite to look at */
	uint64_t n_scans;    /* how often a table was begun */
	uint64_t most_bytes; /* of memory, at once */
};
void sql_get_stats(const struct sql *q, struct sql_stats *ret);
