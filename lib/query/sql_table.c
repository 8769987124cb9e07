#include "query/sql_table.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/arena.h"
#include "base/vec.h"
#include "query/halt.h"

#define MAX_PLANS 4096u /* different ones of one table in one statement */

struct registration {
	struct sql_tables *tables;
	const struct sql_source *source;
};

struct table {
	sqlite3_vtab base; /* first: SQLite knows only this */
	struct registration *of;
	VEC(struct sql_plan) plans; /* idxNum is an index */
};

struct pass {
	sqlite3_vtab_cursor base; /* first */
	struct sql_pass *rows;
	struct arena values; /* of a list, from begin on */
	bool ended;
};

static struct table *
table_of(sqlite3_vtab *base)
{
	return CONTAINER_OF(base, struct table, base);
}

static struct pass *
pass_of(sqlite3_vtab_cursor *base)
{
	return CONTAINER_OF(base, struct pass, base);
}

/* What a source returned as SQLite's code; the first failure is kept, since SQLite has no word for
 * most. */
static int
code_of(struct table *t, int r)
{
	if (r >= 0)
		return SQLITE_OK;
	if (t->of->tables->failed == 0)
		t->of->tables->failed = r;
	return r == -ENOMEM                         ? SQLITE_NOMEM
	       : r == -ECANCELED || r == -ETIMEDOUT ? SQLITE_INTERRUPT
	                                            : SQLITE_ERROR;
}

static int
on_connect(sqlite3 *conn, void *arg, int argc, const char *const *argv, sqlite3_vtab **ret,
	char **ret_error)
{
	struct registration *of = arg;
	struct table *t;
	int rc;

	(void)argc;
	(void)argv;
	(void)ret_error;
	of->tables->declaring = true;
	rc = sqlite3_declare_vtab(conn, of->source->declaration);
	of->tables->declaring = false;
	if (rc != SQLITE_OK)
		return rc;
	t = calloc(1, sizeof(*t));
	if (!t)
		return SQLITE_NOMEM;
	t->of = of;
	*ret = &t->base;
	return SQLITE_OK;
}

static int
on_disconnect(sqlite3_vtab *base)
{
	struct table *t = table_of(base);

	VEC_FINI(&t->plans);
	free(t);
	return SQLITE_OK;
}

/* ---- planning ---- */

/* false: a comparison that no source is asked about. */
static bool
op_of(unsigned char op, enum sql_op *ret)
{
	static const struct {
		unsigned char code;
		enum sql_op op;
	} ops[] = {
		{SQLITE_INDEX_CONSTRAINT_EQ, SQL_EQ},
		{SQLITE_INDEX_CONSTRAINT_LT, SQL_LT},
		{SQLITE_INDEX_CONSTRAINT_LE, SQL_LE},
		{SQLITE_INDEX_CONSTRAINT_GT, SQL_GT},
		{SQLITE_INDEX_CONSTRAINT_GE, SQL_GE},
		{SQLITE_INDEX_CONSTRAINT_LIKE, SQL_LIKE},
		{SQLITE_INDEX_CONSTRAINT_GLOB, SQL_GLOB},
	};

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (ops[i].code == op) {
			*ret = ops[i].op;
			return true;
		}
	}
	return false;
}

static struct span
bytes_of(sqlite3_value *v)
{
	const void *data = sqlite3_value_blob(v);
	int len = sqlite3_value_bytes(v);

	return (struct span){data ? data : "", data ? (size_t)len : 0};
}

/* Text that reads as a number is compared with numbers as one, so `kind` says what a column of
 * numbers sees; `bytes` is what a column of texts sees. Out of memory shows as an empty text where
 * the kind is another: such a value is no longer known. */
static void
value_of(sqlite3_value *v, struct sql_value *ret)
{
	int type = sqlite3_value_type(v);

	*ret = (struct sql_value){.kind = SQL_NULL};
	if (type == SQLITE_NULL)
		return;
	if (type == SQLITE_TEXT)
		ret->bytes = bytes_of(v);
	ret->kind = type == SQLITE_BLOB ? SQL_BLOB : SQL_TEXT;
	if (type == SQLITE_INTEGER) {
		ret->kind = SQL_INTEGER;
		ret->integer = sqlite3_value_int64(v);
	} else if (type == SQLITE_FLOAT) {
		ret->kind = SQL_REAL;
		ret->real = sqlite3_value_double(v);
	}
}

/* Text columns are compared with COLLATE BINARY or NOCASE, or the comparison is SQLite's own. */
static bool
read_collation(sqlite3_index_info *info, int at, bool *ret_folds)
{
	const char *name = sqlite3_vtab_collation(info, at);

	*ret_folds = name && sqlite3_stricmp(name, "NOCASE") == 0;
	return *ret_folds || !name || sqlite3_stricmp(name, "BINARY") == 0;
}

/* Where SQLite keeps its LIMIT and OFFSET, -1 for none; true when that is all it asks. A row that a
 * comparison drops would be missed by who gives only the first few. */
static bool
find_limit(const sqlite3_index_info *info, int *ret_limit, int *ret_offset)
{
	int n = 0;

	*ret_limit = *ret_offset = -1;
	for (int i = 0; i < info->nConstraint; i++) {
		unsigned char op = info->aConstraint[i].op;

		if (!info->aConstraint[i].usable)
			return false;
		if (op == SQLITE_INDEX_CONSTRAINT_LIMIT)
			*ret_limit = i;
		else if (op == SQLITE_INDEX_CONSTRAINT_OFFSET)
			*ret_offset = i;
		else
			return false;
		n++;
	}
	return n > 0 && *ret_limit >= 0;
}

/* The comparisons that a source understands; at[i] is where SQLite keeps the i-th. */
static void
read_question(const struct table *t, sqlite3_index_info *info, struct sql_question *q, int *at)
{
	for (int i = 0; i < info->nConstraint && q->n < SQL_MAX_ASKED; i++) {
		struct sql_asked a = {0};
		sqlite3_value *value = NULL;
		int column = info->aConstraint[i].iColumn;

		if (column < 0 || column >= t->of->source->n_columns ||
			!op_of(info->aConstraint[i].op, &a.op) ||
			!read_collation(info, i, &a.folds))
			continue;
		a.column = (uint8_t)column;
		a.usable = info->aConstraint[i].usable;
		a.list = a.usable && sqlite3_vtab_in(info, i, -1);
		a.known = !a.list && sqlite3_vtab_rhs_value(info, i, &value) == SQLITE_OK && value;
		if (a.known)
			value_of(value, &a.value);
		at[q->n] = i;
		q->asked[q->n++] = a;
	}
	q->limited = find_limit(info, &(int){0}, &(int){0});
	if (info->nOrderBy < 1 || info->nOrderBy > (int)QUERY_MAX_SORT_KEYS)
		return;
	for (int i = 0; i < info->nOrderBy; i++) {
		if (info->aOrderBy[i].iColumn < 0) {
			q->n_sort = 0;
			return;
		}
		q->sort[q->n_sort].column = (uint8_t)info->aOrderBy[i].iColumn;
		q->sort[q->n_sort++].descending = info->aOrderBy[i].desc;
	}
}

/* What EXPLAIN QUERY PLAN shows: "size>? ext in ? order by -mtime". */
static char *
describe(const struct sql_source *source, const struct sql_plan *plan)
{
	static const char *const ops[] = {"=?", "<?", "<=?", ">?", ">=?", " like ?", " glob ?"};
	AUTO(strbuf_fini) struct strbuf text = {0};

	for (uint32_t i = 0; i < plan->n_tests; i++) {
		(void)strbuf_puts(&text, i ? " " : "");
		(void)strbuf_puts(&text, source->column_name(plan->test[i].column));
		(void)strbuf_puts(&text, plan->test[i].list ? " in ?" : ops[plan->test[i].op]);
	}
	for (uint32_t i = 0; i < plan->n_sort; i++) {
		(void)strbuf_puts(&text, i ? "," : text.len ? " order by " : "order by ");
		(void)strbuf_puts(&text, plan->sort[i].descending ? "-" : "");
		(void)strbuf_puts(&text, source->column_name(plan->sort[i].column));
	}
	(void)strbuf_puts(&text, plan->limited ? " limit ?" : "");
	return text.failed ? NULL : sqlite3_mprintf("%s", text.data ? text.data : "");
}

/* The plan's number; equal plans share one, since SQLite asks many times. */
static int
keep_plan(struct table *t, const struct sql_plan *plan)
{
	for (size_t i = 0; i < t->plans.len; i++)
		if (memcmp(&t->plans.data[i], plan, sizeof(*plan)) == 0)
			return (int)i;
	if (t->plans.len == MAX_PLANS || VEC_PUSH(&t->plans, *plan) < 0)
		return -ENOMEM;
	return (int)t->plans.len - 1;
}

static int
write_choice(struct table *t, sqlite3_index_info *info, const struct sql_choice *c, const int *at)
{
	int number = keep_plan(t, &c->plan), limit, offset;

	if (number < 0)
		return SQLITE_NOMEM;
	for (uint32_t i = 0; i < c->plan.n_tests; i++) {
		int k = at[c->asked[i]];

		info->aConstraintUsage[k].argvIndex = (int)i + 1;
		info->aConstraintUsage[k].omit =
			c->plan.test[i].column == t->of->source->n_columns - 1;
		if (c->plan.test[i].list)
			(void)sqlite3_vtab_in(info, k, 1);
	}
	if (c->plan.limited && find_limit(info, &limit, &offset)) {
		info->aConstraintUsage[limit].argvIndex = c->plan.n_tests + 1;
		if (offset >= 0)
			info->aConstraintUsage[offset].argvIndex = c->plan.n_tests + 2;
	}
	info->idxNum = number;
	info->idxStr = describe(t->of->source, &c->plan);
	info->needToFreeIdxStr = 1;
	info->estimatedCost = c->cost;
	info->estimatedRows = (sqlite3_int64)MIN(c->n_rows, (uint64_t)INT64_MAX);
	info->orderByConsumed = c->plan.n_sort > 0;
	return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

static int
on_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	struct table *t = table_of(base);
	struct sql_question q = {0};
	struct sql_choice choice = {0};
	int at[SQL_MAX_ASKED];
	int r = query_poll(&t->of->tables->env.opts);

	if (r == 0) {
		read_question(t, info, &q, at);
		r = t->of->source->plan(&t->of->tables->env, &q, &choice);
	}
	if (r == -EAGAIN)
		return SQLITE_CONSTRAINT;
	return r < 0 ? code_of(t, r) : write_choice(t, info, &choice, at);
}

/* ---- passes ---- */

static int
on_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct table *t = table_of(base);
	struct pass *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return SQLITE_NOMEM;
	r = t->of->source->open(&t->of->tables->env, &p->rows);
	if (r < 0) {
		free(p);
		return code_of(t, r);
	}
	*ret = &p->base;
	return SQLITE_OK;
}

static int
on_close(sqlite3_vtab_cursor *base)
{
	struct pass *p = pass_of(base);

	table_of(base->pVtab)->of->source->close(p->rows);
	arena_fini(&p->values);
	free(p);
	return SQLITE_OK;
}

static int
on_next(sqlite3_vtab_cursor *base)
{
	struct pass *p = pass_of(base);
	struct table *t = table_of(base->pVtab);
	int r = t->of->source->next(p->rows);

	p->ended = r <= 0;
	t->of->tables->n_scanned += r > 0;
	return code_of(t, r);
}

/* A value of a list is SQLite's only until the next one. */
static int
read_list(struct pass *p, sqlite3_value *list, struct sql_arg *ret)
{
	struct sql_value *items = ARENA_ARRAY(&p->values, struct sql_value, SQL_MAX_ITEMS);
	sqlite3_value *v = NULL;
	int rc = items ? sqlite3_vtab_in_first(list, &v) : SQLITE_NOMEM;

	*ret = (struct sql_arg){.value = items};
	for (; rc == SQLITE_OK && v; rc = sqlite3_vtab_in_next(list, &v)) {
		struct sql_value *item = &items[ret->n];

		if (ret->n == SQL_MAX_ITEMS) {
			ret->too_many = true;
			return 0;
		}
		value_of(v, item);
		item->bytes.data = arena_copy(&p->values, item->bytes.data, item->bytes.len);
		if (!item->bytes.data)
			return -ENOMEM;
		ret->n++;
	}
	return rc == SQLITE_OK || rc == SQLITE_DONE ? 0 : -ENOMEM;
}

static int
read_args(struct pass *p, const struct sql_plan *plan, sqlite3_value **argv, struct sql_arg *args)
{
	struct sql_value *values = ARENA_ARRAY(&p->values, struct sql_value, SQL_MAX_TESTS);
	int r = values ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < plan->n_tests && r == 0; i++) {
		if (plan->test[i].list) {
			r = read_list(p, argv[i], &args[i]);
		} else {
			value_of(argv[i], &values[i]);
			args[i] = (struct sql_arg){.value = &values[i], .n = 1};
		}
	}
	return r;
}

/* How many rows LIMIT and OFFSET together ask for; 0: all. */
static uint64_t
rows_wanted(int n, sqlite3_value **argv)
{
	sqlite3_int64 limit = n > 0 ? sqlite3_value_int64(argv[0]) : -1;
	sqlite3_int64 offset = n > 1 ? sqlite3_value_int64(argv[1]) : 0;

	return limit < 0 ? 0 : (uint64_t)limit + (uint64_t)MAX(offset, 0);
}

static int
on_filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv)
{
	struct pass *p = pass_of(base);
	struct table *t = table_of(base->pVtab);
	const struct sql_plan *plan = &t->plans.data[number];
	struct sql_arg args[SQL_MAX_TESTS] = {0};
	int r;

	(void)text;
	assert(argc >= plan->n_tests);
	t->of->tables->n_scans++;
	p->ended = true;
	arena_reset(&p->values);
	r = read_args(p, plan, argv, args);
	if (r == 0)
		r = t->of->source->begin(p->rows, plan, args,
			rows_wanted(argc - plan->n_tests, argv + plan->n_tests));
	return r < 0 ? code_of(t, r) : on_next(base);
}

static int
on_eof(sqlite3_vtab_cursor *base)
{
	return pass_of(base)->ended;
}

static int
on_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column)
{
	struct table *t = table_of(base->pVtab);
	struct sql_value v = {0};
	bool lasting = false;
	int r = t->of->source->column(pass_of(base)->rows, (uint8_t)column, &v, &lasting);

	if (r < 0)
		return code_of(t, r);
	switch (v.kind) {
	case SQL_NULL:
		sqlite3_result_null(ctx);
		break;
	case SQL_INTEGER:
		sqlite3_result_int64(ctx, v.integer);
		break;
	case SQL_REAL:
		sqlite3_result_double(ctx, v.real);
		break;
	case SQL_TEXT:
	case SQL_BLOB:
		sqlite3_result_text64(ctx, v.bytes.data, v.bytes.len,
			lasting ? SQLITE_STATIC : SQLITE_TRANSIENT, SQLITE_UTF8);
		break;
	}
	return SQLITE_OK;
}

static int
on_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)table_of(base->pVtab)->of->source->row(pass_of(base)->rows);
	return SQLITE_OK;
}

/* Without xCreate: the table is there under the module's name, nothing is written to a schema. */
static const sqlite3_module module = {
	.xConnect = on_connect,
	.xBestIndex = on_best_index,
	.xDisconnect = on_disconnect,
	.xOpen = on_open,
	.xClose = on_close,
	.xFilter = on_filter,
	.xNext = on_next,
	.xEof = on_eof,
	.xColumn = on_column,
	.xRowid = on_rowid,
};

int
sql_table_register(struct sqlite3 *conn, struct sql_tables *t, const struct sql_source *source)
{
	struct registration *of = malloc(sizeof(*of));

	if (!of)
		return -ENOMEM;
	*of = (struct registration){t, source};
	/* SQLite calls free() on `of` when it fails, too. */
	return sqlite3_create_module_v2(conn, source->name, &module, of, free) == SQLITE_OK
	               ? 0
	               : -ENOMEM;
}
