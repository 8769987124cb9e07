/**
 * db: the door to SQLite. db.c alone includes sqlite3.h.
 *
 *     AUTO(db_endp) struct db_query *q = NULL;
 *     int r = db_query(db, "SELECT id FROM root WHERE path = ?1", &q, err);
 *     db_bind_blob(q, 1, path);
 *     while (r == 0 && (r = db_step(q, err)) == 1) use(db_u64(q, 0));
 *
 * Statements are prepared once and kept, found again by the address of their text: pass literals.
 * The bind functions remember a failure, which the next db_step() returns.
 *
 * Ownership: opened and closed. Spans of a row are valid until the next step.
 * Threads:   one at a time; the catalog's thread once it runs.
 * Errors:    SQLite's codes as -errno (-EBADMSG damaged or no database, -ENOSPC full, -EROFS,
 *            -EACCES, -EBUSY another program has it, -EIO, -ENOMEM), the sentence in err.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct db;
struct db_query;

/** An existing file, perhaps empty. It is locked for this process. `shown` is its name in
 * sentences. Nothing is written before db_prepare_writing(). */
int db_open(const char *file, const char *shown, struct db **ret, struct err *err);
/** Write-ahead log, full durability unless db_sync() says otherwise, and no checkpoint but
 *  db_checkpoint(). */
int db_prepare_writing(struct db *db, struct err *err);
void db_close(struct db *db); /* without a checkpoint; NULL is legal */

/** Statements without parameters and results. */
int db_exec(struct db *db, const char *sql, struct err *err);
/** The one number of a one-row query. */
int db_number(struct db *db, const char *sql, uint64_t *ret, struct err *err);

int db_query(struct db *db, const char *sql, struct db_query **ret, struct err *err);
void db_endp(struct db_query **q); /* for AUTO: ready for its next use; *q may be NULL */

/* Parameters count from 1. 64-bit numbers keep their bits in SQLite's signed ones. */
void db_bind_u64(struct db_query *q, int param, uint64_t v);
void db_bind_text(struct db_query *q, int param, const char *text); /* NULL: null */
void db_bind_blob(struct db_query *q, int param, struct span s);    /* borrowed until db_endp() */

/** 1 a row, 0 the end. */
int db_step(struct db_query *q, struct err *err);

/* Columns count from 0; null is 0 or empty. */
uint64_t db_u64(struct db_query *q, int column);
struct span db_span(struct db_query *q, int column);
/** A C string of malloc; *ret is NULL when the column is null. 0 or -ENOMEM. */
int db_copy(struct db_query *q, int column, char **ret);

/** Does a commit sync the log? Between transactions. A checkpoint syncs it in any case. */
int db_sync(struct db *db, bool full, struct err *err);
int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
/** After a failure; does nothing when SQLite rolled back by itself. */
void db_rollback(struct db *db);
/** Rows changed by the last statement. */
unsigned db_changes(struct db *db);

/** Move the log into the file, and cut it; else its room is written again, which is durable sooner
 *  than new room. */
int db_checkpoint(struct db *db, bool cut, struct err *err);
/** Look at every page of all tables but one: 0 or -EBADMSG. */
int db_check(struct db *db, const char *but, struct err *err);
/** The sentence for a database that cannot be trusted; returns -EBADMSG. */
int db_damaged(struct db *db, struct err *err);
