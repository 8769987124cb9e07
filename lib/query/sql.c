#include "query/sql.h"

#include <errno.h>
#include <sqlite3.h>

#include "query/halt.h"
#include "query/sql_allow.h"
#include "query/sql_memory.h"
#include "query/sql_table.h"

#define POLL_STEPS 2000 /* of SQLite's machine; some 50 us */

struct sql {
	struct snapshot *snapshot; /* a reference */
	struct sql_memory memory;
	int64_t max_bytes; /* when it runs */
	struct sql_allow allow;
	struct sql_tables tables;
	sqlite3 *conn;
	sqlite3_stmt *stmt;
	bool ended;
	int result; /* once ended */
	uint64_t n_rows;
};

static const struct {
	int id, value;
} limits[] = {
	{SQLITE_LIMIT_LENGTH, SQL_VALUE_BYTES}, /* also of what one function can chew on unpolled */
	{SQLITE_LIMIT_SQL_LENGTH, SQL_MAX_BYTES},
	{SQLITE_LIMIT_COLUMN, SQL_MAX_COLUMNS},
	{SQLITE_LIMIT_EXPR_DEPTH, 200},
	{SQLITE_LIMIT_COMPOUND_SELECT, 50},
	{SQLITE_LIMIT_VDBE_OP, 50000},
	{SQLITE_LIMIT_FUNCTION_ARG, 100},
	{SQLITE_LIMIT_ATTACHED, 0},
	{SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
	{SQLITE_LIMIT_VARIABLE_NUMBER, 1},
	{SQLITE_LIMIT_TRIGGER_DEPTH, 1},
	{SQLITE_LIMIT_WORKER_THREADS, 0},
};

int
sql_setup(void)
{
	return sql_memory_setup();
}

static int
halted(void *ctx)
{
	const struct sql *q = ctx;

	return query_poll(&q->tables.env.opts) != 0;
}

/* A string in double quotes that names no column is refused, not taken for a text: a misspelt
 * column would be one. Ephemeral tables stay in memory, where they are counted. */
static int
configure(struct sql *q)
{
	const char *modules[] = {"files", "dirs", NULL};
	const struct sql_source *const sources[] = {&sql_files, &sql_dirs};
	bool ok =
		sqlite3_db_config(q->conn, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
		sqlite3_db_config(q->conn, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
		sqlite3_db_config(q->conn, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL) ==
			SQLITE_OK &&
		sqlite3_db_config(q->conn, SQLITE_DBCONFIG_DQS_DML, 0, NULL) == SQLITE_OK &&
		sqlite3_exec(q->conn, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL) == SQLITE_OK;

	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		(void)sqlite3_limit(q->conn, limits[i].id, limits[i].value);
	for (size_t i = 0; i < ARRAY_LEN(sources) && ok; i++)
		ok = sql_table_register(q->conn, &q->tables, sources[i]) == 0;
	if (!ok || sqlite3_drop_modules(q->conn, modules) != SQLITE_OK)
		return -ENOMEM;
	sqlite3_progress_handler(q->conn, POLL_STEPS, halted, q);
	return sql_allow_install(q->conn, &q->allow);
}

static int
connect_empty(struct sql *q)
{
	int rc = sqlite3_open_v2(":memory:", &q->conn,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY |
			SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
		NULL);

	return rc == SQLITE_OK ? configure(q) : -ENOMEM;
}

static int
out_of_memory(const struct sql *q, struct err *err)
{
	if (q->memory.refused == SQL_MEMORY_FINE)
		return err_set(err, -ENOMEM, "out of memory");
	if (q->memory.refused == SQL_MEMORY_FULL) {
		(void)err_set(err, -E2BIG, "the statement needs more than %llu MiB of memory",
			(unsigned long long)q->memory.max_bytes >> 20);
		(void)err_hint(err, "narrow it with WHERE, or sort and group fewer rows");
	} else {
		(void)err_set(err, -E2BIG, "all statements together need more than %llu MiB",
			SQL_MEMORY_ALL_BYTES >> 20);
		(void)err_hint(err, "ask again when others have ended, or narrow the statement");
	}
	return -E2BIG;
}

/* SQLite's own sentence, and where in the text it is about. */
static int
refused(const struct sql *q, struct err *err)
{
	const char *text = sqlite3_errmsg(q->conn);
	int at = sqlite3_error_offset(q->conn);

	(void)err_set(err, -EINVAL, "%s", text);
	if (strncmp(text, "no such column", 14) == 0)
		(void)err_hint(
			err, "trawl-sql(7) lists the columns; texts stand in 'single quotes'");
	else if (strncmp(text, "no such table", 13) == 0)
		(void)err_hint(err, "the tables are files and dirs");
	if (err && at >= 0)
		err->pos = (uint32_t)at + 1;
	return -EINVAL;
}

static int
translate(struct sql *q, int rc, struct err *err)
{
	int halt = query_poll(&q->tables.env.opts);

	if (halt < 0)
		return err_set(err, halt, "%s", err_reason(halt));
	if ((rc & 0xff) == SQLITE_NOMEM)
		return out_of_memory(q, err);
	if (q->tables.failed)
		return err_set(err, q->tables.failed, "%s", err_reason(q->tables.failed));
	if (q->allow.err.code) {
		if (err)
			*err = q->allow.err;
		return q->allow.err.code;
	}
	if ((rc & 0xff) == SQLITE_TOOBIG) {
		(void)err_set(err, -E2BIG, "a value or a row is longer than %u KiB",
			SQL_VALUE_BYTES >> 10);
		(void)err_hint(err, "cut it with substr(), or collect less of it");
		return -E2BIG;
	}
	return refused(q, err);
}

/* Is nothing left after the first statement but blanks, comments and semicolons? SQLite compiles
 * those to nothing. */
static bool
ends_here(struct sql *q, const char *tail)
{
	sqlite3_stmt *second = NULL;

	while (*tail) {
		if (sqlite3_prepare_v3(q->conn, tail, -1, 0, &second, &tail) != SQLITE_OK)
			return false;
		if (second) {
			(void)sqlite3_finalize(second);
			return false;
		}
	}
	return true;
}

static int
complain_at(struct err *err, const char *what, const char *hint, size_t at)
{
	(void)err_set(err, -EINVAL, "%s", what);
	(void)err_hint(err, "%s", hint);
	if (err)
		err->pos = (uint32_t)at;
	return -EINVAL;
}

static int
compile(struct sql *q, const char *text, struct err *err)
{
	const char *tail = text;
	int rc = sqlite3_prepare_v3(q->conn, text, -1, 0, &q->stmt, &tail);

	if (rc != SQLITE_OK)
		return translate(q, rc, err);
	if (!q->stmt)
		return complain_at(err, "there is no statement",
			"write one, such as: select count(*) from files", 0);
	if (!sqlite3_stmt_readonly(q->stmt) || sqlite3_column_count(q->stmt) == 0)
		return complain_at(err,
			"only questions are answered: nothing can be changed or set",
			"ask with SELECT, WITH or VALUES over the tables files and dirs", 0);
	if (sqlite3_bind_parameter_count(q->stmt) > 0)
		return complain_at(
			err, "a parameter (?) has no value", "write the value in its place", 0);
	if (!ends_here(q, tail))
		return complain_at(err, "more than one statement", "ask one after the other",
			(size_t)(tail - text) + 1);
	return 0;
}

static struct sql *
create(struct snapshot *s, const struct sql_opts *opts)
{
	struct sql *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->snapshot = snapshot_ref(s);
	q->memory = (struct sql_memory){.halted = halted, .ctx = q};
	q->max_bytes = (int64_t)(opts->memory_bytes ? opts->memory_bytes : SQL_MEMORY_BYTES);
	q->allow =
		(struct sql_allow){.halted = halted, .ctx = q, .declaring = &q->tables.declaring};
	q->tables.env.snapshot = s;
	q->tables.env.opts = (struct cursor_opts){.deadline = opts->deadline,
		.stop = opts->stop,
		.compute = opts->compute,
		.io = opts->io};
	return q;
}

static int
start(struct sql *q, const char *text, struct err *err)
{
	AUTO(sql_memory_leavep) struct sql_memory *counted = &q->memory;
	int r;

	sql_memory_enter(counted);
	counted->max_bytes = MIN(q->max_bytes, (int64_t)SQL_COMPILE_BYTES);
	r = connect_empty(q);
	if (r == 0)
		r = compile(q, text, err);
	else
		r = translate(q, SQLITE_NOMEM, err);
	counted->max_bytes = q->max_bytes;
	return r;
}

int
sql_open(struct snapshot *s, struct span text, const struct sql_opts *opts, struct sql **ret,
	struct err *err)
{
	AUTO(strbuf_fini) struct strbuf copy = {0};
	struct sql *q;
	int r = sql_setup();

	if (r < 0)
		return err_set(err, r, "SQLite runs without a limit of its memory");
	if (text.len > SQL_MAX_BYTES)
		return err_set(
			err, -E2BIG, "the statement is longer than %u KiB", SQL_MAX_BYTES >> 10);
	if (text.len > 0 && memchr(text.data, '\0', text.len))
		return err_set(err, -EINVAL, "the statement holds a NUL byte");
	if (strbuf_puts(&copy, "") < 0 || strbuf_span(&copy, text) < 0 || !(q = create(s, opts)))
		return err_set(err, -ENOMEM, "out of memory");
	r = start(q, copy.data, err);
	if (r < 0) {
		sql_close(q);
		return r;
	}
	*ret = q;
	return 0;
}

void
sql_close(struct sql *q)
{
	if (!q)
		return;
	sql_memory_enter(&q->memory);
	(void)sqlite3_finalize(q->stmt);
	(void)sqlite3_close(q->conn);
	sql_memory_leave(&q->memory);
	sql_memory_fini(&q->memory);
	snapshot_unref(q->snapshot);
	free(q);
}

uint32_t
sql_columns(const struct sql *q)
{
	return (uint32_t)sqlite3_column_count(q->stmt);
}

const char *
sql_column_name(const struct sql *q, uint32_t column)
{
	const char *name = sqlite3_column_name(q->stmt, (int)column);

	return name ? name : "";
}

/* Pages that the disk could not give were zeros. */
static int
check_trees(const struct sql *q, struct err *err)
{
	if (snapshot_faulted(q->snapshot))
		return err_set(err, -EIO, "could not read the index: %s", err_reason(-EIO));
	return 0;
}

static int
step(struct sql *q, struct err *err)
{
	AUTO(sql_memory_leavep) struct sql_memory *counted = &q->memory;
	int rc;

	sql_memory_enter(counted);
	rc = sqlite3_step(q->stmt);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? check_trees(q, err) : translate(q, rc, err);
}

int
sql_next(struct sql *q, struct err *err)
{
	int r;

	if (q->ended)
		return q->result;
	r = step(q, err);
	if (r == 1) {
		q->n_rows++;
		return 1;
	}
	q->ended = true;
	q->result = r;
	return r;
}

/* Counted, since zeroblob() gets its bytes only here. */
void
sql_get(struct sql *q, uint32_t column, struct sql_value *ret)
{
	AUTO(sql_memory_leavep) struct sql_memory *counted = &q->memory;
	int c = (int)column;
	const void *data;

	sql_memory_enter(counted);
	*ret = (struct sql_value){.kind = SQL_NULL};
	switch (sqlite3_column_type(q->stmt, c)) {
	case SQLITE_INTEGER:
		ret->kind = SQL_INTEGER;
		ret->integer = sqlite3_column_int64(q->stmt, c);
		break;
	case SQLITE_FLOAT:
		ret->kind = SQL_REAL;
		ret->real = sqlite3_column_double(q->stmt, c);
		break;
	case SQLITE_TEXT:
	case SQLITE_BLOB:
		ret->kind = sqlite3_column_type(q->stmt, c) == SQLITE_TEXT ? SQL_TEXT : SQL_BLOB;
		data = sqlite3_column_blob(q->stmt, c);
		ret->bytes = (struct span){data ? data : "", 0};
		if (data)
			ret->bytes.len = (size_t)sqlite3_column_bytes(q->stmt, c);
		break;
	default:
		break;
	}
}

void
sql_get_stats(const struct sql *q, struct sql_stats *ret)
{
	*ret = (struct sql_stats){.n_rows = q->n_rows,
		.n_scanned = q->tables.n_scanned,
		.n_scans = q->tables.n_scans,
		.most_bytes = (uint64_t)q->memory.most_bytes};
}
