#include "catalog/db.h"

#include <errno.h>
#include <sqlite3.h>

#define N_QUERIES 64u /* texts in the layer, with room */

struct db_query {
	struct db *db;
	const char *sql;
	sqlite3_stmt *stmt;
	int bound; /* SQLITE_OK or the first failed bind */
};

struct db {
	sqlite3 *conn;
	char *shown;
	bool light; /* commits do not sync */
	size_t n_queries;
	struct db_query queries[N_QUERIES];
};

/* The system's reason where SQLite knows one. */
static int
system_code(sqlite3 *conn, int fallback)
{
	int code = conn ? sqlite3_system_errno(conn) : 0;

	return code ? -code : fallback;
}

static int
translate(sqlite3 *conn, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		return -EBADMSG;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return system_code(conn, -EIO);
	default:
		return -EINVAL;
	}
}

int
db_damaged(struct db *db, struct err *err)
{
	(void)err_set(err, -EBADMSG, "the catalog \"%s\" is damaged", db->shown);
	(void)err_hint(err, "move it aside and start again: the index is rebuilt by walking");
	return -EBADMSG;
}

/* One clear sentence for any failure. */
static int
db_failed(struct db *db, int rc, struct err *err)
{
	int code = translate(db->conn, rc);

	if (code == -EBADMSG)
		return db_damaged(db, err);
	if (code == -EBUSY) {
		(void)err_set(
			err, code, "the catalog \"%s\" is open in another program", db->shown);
		return code;
	}
	(void)err_set(err, code, "could not use the catalog \"%s\": %s", db->shown,
		code == -EINVAL ? sqlite3_errmsg(db->conn) : err_reason(code));
	if (code == -ENOSPC || code == -EDQUOT)
		(void)err_hint(err, "make room in the state directory");
	return code;
}

int
db_open(const char *file, const char *shown, struct db **ret, struct err *err)
{
	struct db *db = calloc(1, sizeof(*db));
	int rc = SQLITE_NOMEM, r;

	if (!db)
		return err_set(
			err, -ENOMEM, "could not open \"%s\": %s", shown, err_reason(-ENOMEM));
	db->shown = strdup(shown);
	if (db->shown)
		rc = sqlite3_open_v2(file, &db->conn,
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
				SQLITE_OPEN_EXRESCODE,
			NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db->conn, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db->conn, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	r = rc == SQLITE_OK ? 0 : db_failed(db, rc, err);
	/* Exclusive before the first read: the log then needs no shared memory file. */
	if (r == 0)
		r = db_exec(db,
			"PRAGMA locking_mode = EXCLUSIVE;"
			"PRAGMA trusted_schema = OFF;"
			"PRAGMA cell_size_check = ON;"
			"PRAGMA foreign_keys = ON;",
			err);
	if (r < 0) {
		db_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

/* The mode is written to the first page. In an empty file that is all there is, so there is nothing
 * that a journal could bring back: one that is kept in memory spares three syncs. */
static int
spare_first_journal(struct db *db, struct err *err)
{
	uint64_t is_empty;
	int r = db_number(db, "SELECT page_count = 0 FROM pragma_page_count", &is_empty, err);

	if (r < 0 || !is_empty)
		return r;
	return db_exec(db, "PRAGMA journal_mode = MEMORY", err);
}

/* Debian builds SQLite with secure_delete on: it would write each freed page once more. */
int
db_prepare_writing(struct db *db, struct err *err)
{
	uint64_t is_wal = 0;
	int r = spare_first_journal(db, err);

	if (r == 0)
		r = db_exec(db,
			"PRAGMA journal_mode = WAL;"
			"PRAGMA synchronous = FULL;"
			"PRAGMA secure_delete = OFF;"
			"PRAGMA wal_autocheckpoint = 0;"
			"PRAGMA journal_size_limit = 1048576;"
			"PRAGMA temp_store = MEMORY;",
			err);
	/* A mode that cannot be had is no error to SQLite: it stays with the one before. */
	if (r == 0)
		r = db_number(
			db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &is_wal, err);
	if (r < 0 || is_wal)
		return r;
	return err_set(err, -EIO, "could not give the catalog \"%s\" a write-ahead log", db->shown);
}

void
db_close(struct db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < db->n_queries; i++)
		(void)sqlite3_finalize(db->queries[i].stmt);
	(void)sqlite3_close(db->conn);
	free(db->shown);
	free(db);
}

int
db_exec(struct db *db, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(db->conn, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_failed(db, rc, err);
}

int
db_query(struct db *db, const char *sql, struct db_query **ret, struct err *err)
{
	struct db_query *q = db->queries;
	int rc;

	while (q < db->queries + db->n_queries && q->sql != sql)
		q++;
	if (q == db->queries + db->n_queries) {
		assert(db->n_queries < N_QUERIES);
		*q = (struct db_query){.db = db, .sql = sql};
		rc = sqlite3_prepare_v3(
			db->conn, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->stmt, NULL);
		if (rc != SQLITE_OK)
			return db_failed(db, rc, err);
		db->n_queries++;
	}
	*ret = q;
	return 0;
}

void
db_endp(struct db_query **q)
{
	if (!*q)
		return;
	(void)sqlite3_reset((*q)->stmt);
	(void)sqlite3_clear_bindings((*q)->stmt);
	(*q)->bound = SQLITE_OK;
}

static void
note_bind(struct db_query *q, int rc)
{
	if (q->bound == SQLITE_OK)
		q->bound = rc;
}

void
db_bind_u64(struct db_query *q, int param, uint64_t v)
{
	if (q)
		note_bind(q, sqlite3_bind_int64(q->stmt, param, (sqlite3_int64)v));
}

void
db_bind_text(struct db_query *q, int param, const char *text)
{
	if (q)
		note_bind(q, sqlite3_bind_text(q->stmt, param, text, -1, SQLITE_STATIC));
}

void
db_bind_blob(struct db_query *q, int param, struct span s)
{
	if (q)
		note_bind(q, sqlite3_bind_blob64(q->stmt, param, s.data, s.len, SQLITE_STATIC));
}

int
db_step(struct db_query *q, struct err *err)
{
	int rc = q->bound == SQLITE_OK ? sqlite3_step(q->stmt) : q->bound;

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_failed(q->db, rc, err);
}

uint64_t
db_u64(struct db_query *q, int column)
{
	return (uint64_t)sqlite3_column_int64(q->stmt, column);
}

struct span
db_span(struct db_query *q, int column)
{
	const char *data = sqlite3_column_blob(q->stmt, column);
	int len = sqlite3_column_bytes(q->stmt, column);

	return (struct span){data ? data : "", data ? (size_t)len : 0};
}

int
db_copy(struct db_query *q, int column, char **ret)
{
	struct span s = db_span(q, column);
	char *copy;

	if (sqlite3_column_type(q->stmt, column) == SQLITE_NULL) {
		*ret = NULL;
		return 0;
	}
	copy = strndup(s.data, s.len);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

int
db_number(struct db *db, const char *sql, uint64_t *ret, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, sql, &q, err);

	if (r == 0)
		r = db_step(q, err);
	if (r < 0)
		return r;
	if (r == 0)
		return db_damaged(db, err);
	*ret = db_u64(q, 0);
	return 0;
}

int
db_sync(struct db *db, bool full, struct err *err)
{
	int r = 0;

	if (db->light == full)
		r = db_exec(db, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
			err);
	if (r == 0)
		db->light = !full;
	return r;
}

int
db_begin(struct db *db, struct err *err)
{
	return db_exec(db, "BEGIN IMMEDIATE", err);
}

int
db_commit(struct db *db, struct err *err)
{
	return db_exec(db, "COMMIT", err);
}

void
db_rollback(struct db *db)
{
	if (!sqlite3_get_autocommit(db->conn))
		(void)sqlite3_exec(db->conn, "ROLLBACK", NULL, NULL, NULL);
}

unsigned
db_changes(struct db *db)
{
	return (unsigned)sqlite3_changes(db->conn);
}

int
db_checkpoint(struct db *db, bool cut, struct err *err)
{
	int mode = cut ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART;
	int rc = sqlite3_wal_checkpoint_v2(db->conn, NULL, mode, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_failed(db, rc, err);
}

int
db_check(struct db *db, const char *but, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db,
		"SELECT c.quick_check FROM sqlite_schema AS s, pragma_quick_check(s.name) AS c"
		" WHERE s.type = 'table' AND s.name <> ?1",
		&q, err);

	db_bind_text(q, 1, but);
	while (r == 0 && (r = db_step(q, err)) == 1)
		r = span_eq(db_span(q, 0), SPAN_LIT("ok")) ? 0 : db_damaged(db, err);
	return r;
}
