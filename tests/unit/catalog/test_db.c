#include "catalog/db.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>

static char *dir;
static char file[512];

static void
make_file(void)
{
	dir = test_dir();
	test_write(dir, "x.db", "");
	(void)snprintf(file, sizeof(file), "%s/x.db", dir);
}

static void
drop_file(void)
{
	test_dir_remove(dir);
}

TestSuite(db, .init = make_file, .fini = drop_file);

static struct db *
must_open(void)
{
	struct db *db = NULL;
	struct err err = {0};

	CHECK_SAY(db_open(file, "x.db", &db, &err) == 0, "%s", err.what);
	CHECK_SAY(db_prepare_writing(db, &err) == 0, "%s", err.what);
	return db;
}

TEST(db, numbers_and_texts_come_back_as_they_went_in)
{
	struct db *db = must_open();
	char *copy;

	CHECK_INT(db_exec(db, "CREATE TABLE t (a, b, c, d)", NULL), 0);
	for (unsigned i = 0; i < 2;
		i++) { /* the second time from the cache, with nothing left over */
		AUTO(db_endp) struct db_query *q = NULL;

		CHECK_INT(db_query(db, "INSERT INTO t VALUES (?1, ?2, ?3, ?4)", &q, NULL), 0);
		db_bind_u64(q, 1, UINT64_MAX - i);
		if (i == 0)
			db_bind_text(q, 2, "text");
		db_bind_blob(q, 3, (struct span){"\0\xff", 2});
		db_bind_text(q, 4, NULL);
		CHECK_INT(db_step(q, NULL), 0);
		CHECK_INT(db_changes(db), 1);
	}
	{
		AUTO(db_endp) struct db_query *q = NULL;

		CHECK_INT(db_query(db, "SELECT * FROM t ORDER BY rowid", &q, NULL), 0);
		CHECK_INT(db_step(q, NULL), 1);
		CHECK(db_u64(q, 0) == UINT64_MAX);
		CHECK_INT(db_copy(q, 1, &copy), 0);
		CHECK_STR(copy, "text");
		free(copy);
		CHECK(span_eq(db_span(q, 2), (struct span){"\0\xff", 2}));
		CHECK_INT(db_copy(q, 3, &copy), 0);
		CHECK(copy == NULL);
		CHECK_INT(db_step(q, NULL), 1);
		CHECK_INT(db_span(q, 1).len, 0);
		CHECK_INT(db_step(q, NULL), 0);
	}
	db_close(db);
}

TEST(db, a_rolled_back_transaction_leaves_nothing)
{
	struct db *db = must_open();
	uint64_t n;

	CHECK_INT(db_exec(db, "CREATE TABLE t (a)", NULL), 0);
	CHECK_INT(db_begin(db, NULL), 0);
	CHECK_INT(db_exec(db, "INSERT INTO t VALUES (1)", NULL), 0);
	db_rollback(db);
	db_rollback(db); /* none is open: nothing happens */
	CHECK_INT(db_number(db, "SELECT count(*) FROM t", &n, NULL), 0);
	CHECK_INT(n, 0);
	db_close(db);
}

TEST(db, settings_are_those_that_durability_needs)
{
	static const struct {
		const char *sql;
		uint64_t expected;
	} settings[] = {
		{"PRAGMA synchronous", 2},
		{"PRAGMA secure_delete", 0},
		{"PRAGMA foreign_keys", 1},
		{"PRAGMA wal_autocheckpoint", 0},
		{"PRAGMA trusted_schema", 0},
		{"PRAGMA journal_size_limit", 1048576},
		{"SELECT locking_mode = 'exclusive' FROM pragma_locking_mode", 1},
		{"SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1},
	};
	struct db *db = must_open();

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		uint64_t got = UINT64_MAX;

		CHECK_INT(db_number(db, settings[i].sql, &got, NULL), 0);
		CHECK_SAY(got == settings[i].expected, "%s: %llu", settings[i].sql,
			(unsigned long long)got);
	}
	db_close(db);
}

TEST(db, a_database_in_use_is_one_sentence)
{
	struct db *first = must_open(), *second = NULL;
	struct err err = {0};
	uint64_t n;
	int r;

	CHECK_INT(db_exec(first, "CREATE TABLE t (a)", NULL), 0);
	r = db_open(file, "x.db", &second, &err);
	if (r == 0)
		r = db_number(second, "SELECT count(*) FROM t", &n, &err);
	CHECK_INT(r, -EBUSY);
	CHECK_STR(err.what, "the catalog \"x.db\" is open in another program");
	db_close(second);
	db_close(first);
}

TEST(db, a_wrong_statement_says_what_sqlite_says)
{
	struct db *db = must_open();
	struct err err = {0};
	struct db_query *q;

	CHECK_INT(db_query(db, "SELECT FROM", &q, &err), -EINVAL);
	CHECK_STR(err.what, "could not use the catalog \"x.db\": near \"FROM\": syntax error");
	CHECK_INT(db_query(db, "SELECT 1", &q, &err), 0);
	db_bind_u64(q, 7, 1); /* there is no such parameter: told by the next step */
	CHECK(db_step(q, &err) < 0);
	db_endp(&q);
	CHECK_INT(db_step(q, &err), 1);
	db_endp(&q);
	db_close(db);
}

TEST(db, a_missing_file_and_a_directory_are_refused)
{
	struct db *db = NULL;
	struct err err = {0};

	CHECK_INT(db_open("/nonexistent/x.db", "x.db", &db, &err), -ENOENT);
	CHECK_STR(err.what, "could not use the catalog \"x.db\": no such file or directory");
	CHECK(db_open(dir, "x.db", &db, &err) < 0);
}
