/**
 * sql_source: what a table of SQL is made of, without a word about SQLite.
 *
 * sql_table.c turns SQLite's questions about a virtual table into these calls:
 *
 *     plan      which comparisons of the statement the table can use, and what that costs
 *     open      a pass over the table, at no row yet
 *     begin     put it before the first row that the plan's comparisons admit
 *     next      1 a row, 0 the end
 *     column    a value of that row
 *
 * A table may give more rows than a comparison admits: SQLite looks again. Only `below`, the
 * argument of the table (files('/usr')), and an order that the plan promises must be exact.
 *
 * Ownership: tables are constants; a pass is destroyed with close(NULL is legal). Values given are
 *            valid until the next call, those that are `lasting` as long as the snapshot.
 * Threads:   one at a time.
 * Errors:    -errno of query.h; plan: -EAGAIN when the comparisons cannot be used that way.
 */
#pragma once

#include "query/sql.h"

#define SQL_MAX_TESTS 12u /* comparisons that a plan uses; more are left to SQLite */
#define SQL_MAX_ITEMS 64u /* values of an IN that are handed down */
#define SQL_MAX_ASKED 64u /* comparisons that a table is asked about */

enum sql_op { SQL_EQ, SQL_LT, SQL_LE, SQL_GT, SQL_GE, SQL_LIKE, SQL_GLOB };

/** One comparison: column op value. */
struct sql_asked {
	uint8_t column;
	enum sql_op op;
	bool usable; /* the value will be known when the pass begins */
	bool folds;  /* COLLATE NOCASE; other collations but BINARY are not asked about */
	bool list;   /* column IN (...): the values may come all at once */
	bool known;  /* the value is known now: */
	struct sql_value value; /* valid during the call */
};

struct sql_question {
	uint32_t n;
	struct sql_asked asked[SQL_MAX_ASKED];
	bool limited;    /* LIMIT stands for this table's rows, and no comparison beside it */
	uint32_t n_sort; /* the order wished for, 0: any, or one that is not of columns alone */
	struct {
		uint8_t column;
		bool descending;
	} sort[QUERY_MAX_SORT_KEYS];
};

/** Compared as bytes: zero it before it is filled. */
struct sql_plan {
	uint8_t n_tests, n_sort;
	struct {
		uint8_t column, op, folds, list;
	} test[SQL_MAX_TESTS];
	struct {
		uint8_t column, descending;
	} sort[QUERY_MAX_SORT_KEYS]; /* promised */
	uint8_t limited;             /* begin() is told how many rows will be asked for */
};

struct sql_choice {
	struct sql_plan plan;
	uint8_t asked[SQL_MAX_TESTS]; /* test i is question.asked[asked[i]] */
	double cost;                  /* 1: a row given to SQLite */
	uint64_t n_rows;
};

/** The values of test i: one, or those of a list. */
struct sql_arg {
	const struct sql_value *value;
	uint32_t n;
	bool too_many; /* a list longer than SQL_MAX_ITEMS: nothing is known */
};

/** What every pass of a statement shares. */
struct sql_env {
	struct snapshot *snapshot;
	struct cursor_opts opts; /* pools, stop and deadline */
};

struct sql_pass;

struct sql_source {
	const char *name;
	const char *declaration; /* CREATE TABLE ...; the hidden column `below` is the last one */
	uint8_t n_columns;
	int (*plan)(const struct sql_env *e, const struct sql_question *q, struct sql_choice *ret);
	int (*open)(const struct sql_env *e, struct sql_pass **ret);
	/* `limit` rows are asked for at most; 0: all. */
	int (*begin)(struct sql_pass *p, const struct sql_plan *plan, const struct sql_arg *args,
		uint64_t limit);
	int (*next)(struct sql_pass *p);
	int (*column)(struct sql_pass *p, uint8_t column, struct sql_value *ret, bool *ret_lasting);
	uint64_t (*row)(const struct sql_pass *p); /* a number that no other row has */
	void (*close)(struct sql_pass *p);
	const char *(*column_name)(uint8_t column);
};

extern const struct sql_source sql_files, sql_dirs;

/** The second that holds the nanosecond, also before 1970. */
static inline int64_t
sql_seconds(int64_t ns)
{
	return ns / NSEC_PER_SEC - (ns % NSEC_PER_SEC < 0);
}
