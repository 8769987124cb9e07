#include <errno.h>

#include "query/sql_guess.h"
#include "query/sql_place.h"
#include "query/sql_scan.h"

/* What a row costs where it is not given to SQLite, of one that is. */
#define COST_SWEPT 0.02
#define COST_SORTED 0.2
#define COST_BEGIN 30.0
#define COST_LOOKUP 4.0

static const struct {
	const char *name;
	struct sql_subject of;
} columns[] = {
	{"path", {FIELD_PATH, false}},
	{"name", {FIELD_NAME, false}},
	{"dir", {FIELD_DIR, false}},
	{"ext", {FIELD_EXT, false}},
	{"type", {FIELD_TYPE, false}},
	{"size", {FIELD_SIZE, false}},
	{"blocks", {FIELD_BLOCKS, false}},
	{"mtime", {FIELD_MTIME, true}},
	{"ctime", {FIELD_CTIME, true}},
	{"mode", {FIELD_MODE, false}},
	{"user", {FIELD_USER, false}},
	{"group", {FIELD_GROUP, false}},
	{"uid", {FIELD_UID, false}},
	{"gid", {FIELD_GID, false}},
	{"inode", {FIELD_INODE, false}},
	{"links", {FIELD_LINKS, false}},
	{"depth", {FIELD_DEPTH, false}},
	{"root", {FIELD_ROOT, false}},
	{"lang", {FIELD_LANG, false}},
	{"mtime_ns", {FIELD_MTIME, false}},
	{"ctime_ns", {FIELD_CTIME, false}},
	{"below", {N_FIELDS, false}},
};

#define BELOW ((uint8_t)(ARRAY_LEN(columns) - 1))

static const char declaration[] =
	"CREATE TABLE files(path TEXT, name TEXT, dir TEXT, ext TEXT, type TEXT, size INTEGER, "
	"blocks INTEGER, mtime INTEGER, ctime INTEGER, mode INTEGER, user TEXT, \"group\" TEXT, "
	"uid INTEGER, gid INTEGER, inode INTEGER, links INTEGER, depth INTEGER, root TEXT, "
	"lang TEXT, mtime_ns INTEGER, ctime_ns INTEGER, below TEXT HIDDEN)";

struct sql_pass {
	struct sql_scan scan;
	struct strbuf below; /* the table's argument */
	bool has_below;
	struct strbuf text; /* one value */
};

static const char *
files_column_name(uint8_t column)
{
	return columns[column].name;
}

/* ---- planning ---- */

static bool
is_pattern(enum sql_op op)
{
	return op == SQL_LIKE || op == SQL_GLOB;
}

/* Can the query language say something about the comparison? */
static bool
is_term(const struct sql_asked *a)
{
	bool equal = a->op == SQL_EQ;

	switch (columns[a->column].of.field) {
	case FIELD_SIZE:
	case FIELD_LINKS:
	case FIELD_INODE:
	case FIELD_DEPTH:
	case FIELD_MTIME:
	case FIELD_CTIME:
		return !is_pattern(a->op);
	case FIELD_NAME:
		return equal || is_pattern(a->op);
	case FIELD_PATH:
	case FIELD_DIR:
		return is_pattern(a->op);
	case FIELD_EXT:
	case FIELD_UID:
	case FIELD_GID:
	case FIELD_MODE:
		return equal;
	case FIELD_TYPE:
	case FIELD_USER:
	case FIELD_GROUP:
	case FIELD_ROOT:
		return equal && !a->folds;
	case FIELD_BLOCKS:
	case FIELD_LANG:
	case N_FIELDS:
		break;
	}
	return false;
}

static bool
takes_lists(enum field f)
{
	return f != FIELD_MTIME && f != FIELD_CTIME && f != FIELD_MODE && f != FIELD_ROOT;
}

static void
use(const struct sql_question *q, uint32_t at, bool list, struct sql_choice *ret)
{
	uint8_t n = ret->plan.n_tests++;

	ret->asked[n] = (uint8_t)at;
	ret->plan.test[n].column = q->asked[at].column;
	ret->plan.test[n].op = (uint8_t)q->asked[at].op;
	ret->plan.test[n].folds = q->asked[at].folds;
	ret->plan.test[n].list = list;
}

/* The table's arguments: 1 there are some, 0 none, -EAGAIN they are not known in this plan. */
static int
use_below(const struct sql_question *q, struct sql_choice *ret)
{
	for (uint32_t i = 0; i < q->n; i++) {
		if (q->asked[i].column != BELOW || q->asked[i].op != SQL_EQ)
			continue;
		if (!q->asked[i].usable || ret->plan.n_tests == SQL_MAX_TESTS)
			return -EAGAIN;
		use(q, i, false, ret);
	}
	return ret->plan.n_tests > 0;
}

/* path = or dir =: the entries can be looked up. */
static bool
use_place(const struct sql_question *q, enum field f, struct sql_choice *ret)
{
	for (uint32_t i = 0; i < q->n; i++) {
		const struct sql_asked *a = &q->asked[i];

		if (columns[a->column].of.field != f || a->op != SQL_EQ || a->folds || !a->usable)
			continue;
		use(q, i, false, ret);
		return true;
	}
	return false;
}

static double
share_below(const struct snapshot *s, const struct sql_asked *a, uint64_t all)
{
	uint64_t n = 0;
	uint32_t lo, hi;

	if (!a->known || a->value.kind != SQL_TEXT || all == 0)
		return 0.1;
	for (uint32_t i = 0; i < s->n_layers; i++)
		n += sql_place_below(s, i, a->value.bytes, &lo, &hi) == 0
		             ? snapshot_count(s, i, lo, hi)
		             : 0;
	return (double)n / (double)all;
}

static void
use_terms(const struct sql_env *e, const struct sql_question *q, bool sorted, double *share,
	struct sql_choice *ret)
{
	for (uint32_t i = 0; i < q->n && ret->plan.n_tests < SQL_MAX_TESTS; i++) {
		const struct sql_asked *a = &q->asked[i];
		enum field f = columns[a->column].of.field;

		if (!a->usable || !is_term(a))
			continue;
		if (sorted && (f == FIELD_PATH || f == FIELD_DIR))
			continue; /* one order over all roots needs one question */
		use(q, i, a->list && takes_lists(f), ret);
		*share *= sql_guess_share(e->snapshot, columns[a->column].of, a);
	}
}

/* Whole seconds are ordered by nanoseconds only where nothing comes after them. */
static bool
is_key(const struct sql_question *q, uint32_t i)
{
	struct sql_subject of = columns[q->sort[i].column].of;

	switch (of.field) {
	case FIELD_PATH:
	case FIELD_NAME:
	case FIELD_DIR:
	case FIELD_EXT:
	case FIELD_SIZE:
	case FIELD_BLOCKS:
	case FIELD_LINKS:
	case FIELD_DEPTH:
	case FIELD_UID:
	case FIELD_GID:
	case FIELD_MODE:
		return true;
	case FIELD_MTIME:
	case FIELD_CTIME:
		return !of.seconds || i + 1 == q->n_sort;
	case FIELD_TYPE: /* sorted faster by SQLite */
	case FIELD_USER:
	case FIELD_GROUP:
	case FIELD_ROOT:
	case FIELD_LANG:
	case FIELD_INODE: /* may be past 2^63 */
	case N_FIELDS:
		break;
	}
	return false;
}

static bool
use_sort(const struct sql_question *q, struct sql_choice *ret)
{
	for (uint32_t i = 0; i < q->n_sort; i++)
		if (!is_key(q, i))
			return false;
	for (uint32_t i = 0; i < q->n_sort; i++) {
		ret->plan.sort[i].column = q->sort[i].column;
		ret->plan.sort[i].descending = q->sort[i].descending;
	}
	ret->plan.n_sort = (uint8_t)q->n_sort;
	return q->n_sort > 0;
}

static int
files_plan(const struct sql_env *e, const struct sql_question *q, struct sql_choice *ret)
{
	double all = (double)sql_guess_all(e->snapshot), share = 1, rows;
	int below = use_below(q, ret);
	bool sorted;

	if (below < 0)
		return below;
	if (!below && use_place(q, FIELD_PATH, ret)) {
		ret->cost = COST_LOOKUP;
		ret->n_rows = 1;
		return 0;
	}
	if (!below && use_place(q, FIELD_DIR, ret)) {
		ret->n_rows = 20;
		ret->cost = COST_LOOKUP + 20;
		return 0;
	}
	for (uint32_t i = 0; i < ret->plan.n_tests; i++)
		share *= share_below(e->snapshot, &q->asked[ret->asked[i]], (uint64_t)all);
	sorted = use_sort(q, ret);
	use_terms(e, q, sorted, &share, ret);
	rows = MAX(all * share, 1);
	ret->n_rows = (uint64_t)rows;
	ret->cost = COST_BEGIN + all * COST_SWEPT + rows;
	ret->plan.limited = sorted && q->limited && ret->plan.n_tests == 0;
	if (sorted && !ret->plan.limited)
		ret->cost += rows * COST_SORTED;
	return 0;
}

/* ---- a pass ---- */

static int
files_open(const struct sql_env *e, struct sql_pass **ret)
{
	struct sql_pass *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	sql_scan_init(&p->scan, e);
	*ret = p;
	return 0;
}

static void
files_close(struct sql_pass *p)
{
	if (!p)
		return;
	sql_scan_fini(&p->scan);
	strbuf_fini(&p->below);
	strbuf_fini(&p->text);
	free(p);
}

static int
look_up_path(struct sql_pass *p, struct span path)
{
	const struct snapshot *s = p->scan.env->snapshot;
	uint32_t entry;
	int r = 0;

	for (uint32_t i = 0; i < s->n_layers && r == 0; i++)
		if (sql_place_entry(s, i, path, &entry) == 0)
			r = sql_scan_add(&p->scan, i, entry, entry + 1);
	return r;
}

/* A root is an entry of the directory above it. */
static int
add_root_of(struct sql_pass *p, uint32_t layer, struct span dir)
{
	int64_t unused;
	int r;

	strbuf_reset(&p->text);
	r = field_value(p->scan.env->snapshot, layer, 0, FIELD_DIR, &p->text, &unused);
	return r == 0 && span_eq(strbuf_view(&p->text), dir) ? sql_scan_add(&p->scan, layer, 0, 1)
	                                                     : r;
}

static int
look_up_dir(struct sql_pass *p, struct span path)
{
	const struct snapshot *s = p->scan.env->snapshot;
	uint32_t dir;
	int r = 0;

	for (uint32_t i = 0; i < s->n_layers && r == 0; i++) {
		const struct tree_cols *c = snapshot_cols(s, i);

		r = add_root_of(p, i, path);
		if (r == 0 && sql_place_dir(s, i, path, &dir) == 0)
			r = sql_scan_add(&p->scan, i, c->dir_first[dir], c->dir_first[dir + 1]);
	}
	return r;
}

static int
keep_below(struct sql_pass *p, const struct sql_arg *arg)
{
	if (arg->value->kind != SQL_TEXT) {
		p->scan.terms.none = true;
		return 0;
	}
	strbuf_reset(&p->below);
	p->has_below = true;
	if (strbuf_span(&p->below, arg->value->bytes) < 0)
		return -ENOMEM;
	return sql_scan_below(&p->scan, arg->value->bytes);
}

static bool
is_place(const struct sql_plan *plan, uint32_t i)
{
	enum field f = columns[plan->test[i].column].of.field;

	return plan->test[i].op == SQL_EQ && (f == FIELD_PATH || f == FIELD_DIR);
}

/* The one test of a plan that looks entries up; only a text can be equal to a path. */
static int
look_up(struct sql_pass *p, const struct sql_plan *plan, const struct sql_value *v)
{
	if (v->kind != SQL_TEXT)
		return 0;
	return columns[plan->test[0].column].of.field == FIELD_PATH ? look_up_path(p, v->bytes)
	                                                            : look_up_dir(p, v->bytes);
}

static int
files_begin(
	struct sql_pass *p, const struct sql_plan *plan, const struct sql_arg *args, uint64_t limit)
{
	struct query_sort sort[QUERY_MAX_SORT_KEYS];
	int r = 0;

	sql_scan_reset(&p->scan);
	p->has_below = false;
	if (plan->n_tests == 1 && is_place(plan, 0))
		return look_up(p, plan, args[0].value);
	for (uint32_t i = 0; i < plan->n_sort; i++)
		sort[i] = (struct query_sort){
			columns[plan->sort[i].column].of.field, plan->sort[i].descending};
	for (uint32_t i = 0; i < plan->n_tests && r == 0; i++)
		r = plan->test[i].column == BELOW
		            ? keep_below(p, &args[i])
		            : sql_terms_add(&p->scan.terms, p->scan.env->snapshot,
				      columns[plan->test[i].column].of,
				      (enum sql_op)plan->test[i].op, plan->test[i].folds, &args[i]);
	return r < 0 ? r : sql_scan_ask(&p->scan, sort, plan->n_sort, limit);
}

static int
files_next(struct sql_pass *p)
{
	return sql_scan_next(&p->scan);
}

static void
set_text(struct sql_value *ret, bool *ret_lasting, struct span text, bool lasting)
{
	ret->kind = SQL_TEXT;
	ret->bytes = text;
	*ret_lasting = lasting;
}

/* Texts that stay where they are as long as the statement's snapshot: they need no copy. */
static bool
lasting_text(
	const struct snapshot *s, uint32_t layer, uint32_t entry, enum field f, struct span *ret)
{
	const struct tree_cols *c = snapshot_cols(s, layer);

	if (f == FIELD_NAME)
		*ret = field_name(s, layer, entry);
	else if (f == FIELD_EXT)
		*ret = field_ext(c, entry);
	else if (f == FIELD_TYPE)
		*ret = span_of(field_type_word(tree_type(c, entry)));
	else if (f == FIELD_ROOT)
		*ret = span_of(snapshot_root(s, layer)->name);
	else
		return false;
	return true;
}

static int
files_column(struct sql_pass *p, uint8_t column, struct sql_value *ret, bool *ret_lasting)
{
	const struct snapshot *s = p->scan.env->snapshot;
	uint32_t layer = p->scan.layer, entry = p->scan.entry;
	struct sql_subject of = columns[column].of;
	struct span text;
	int64_t number = 0;
	int r;

	if (column == BELOW) {
		if (p->has_below)
			set_text(ret, ret_lasting, strbuf_view(&p->below), false);
		return 0;
	}
	if (lasting_text(s, layer, entry, of.field, &text)) {
		set_text(ret, ret_lasting, text, true);
		return 0;
	}
	strbuf_reset(&p->text);
	r = field_value(s, layer, entry, of.field, &p->text, &number);
	if (field_kind(of.field) == FIELD_TEXT) {
		set_text(ret, ret_lasting, strbuf_view(&p->text), false);
		return r;
	}
	ret->kind = SQL_INTEGER;
	ret->integer = of.seconds ? sql_seconds(number) : number;
	return r;
}

static uint64_t
files_row(const struct sql_pass *p)
{
	return (uint64_t)p->scan.layer << 32 | p->scan.entry;
}

const struct sql_source sql_files = {
	.name = "files",
	.declaration = declaration,
	.n_columns = ARRAY_LEN(columns),
	.plan = files_plan,
	.open = files_open,
	.begin = files_begin,
	.next = files_next,
	.column = files_column,
	.row = files_row,
	.close = files_close,
	.column_name = files_column_name,
};
