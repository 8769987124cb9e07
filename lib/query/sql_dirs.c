#include <errno.h>

#include "base/vec.h"
#include "query/below.h"
#include "query/field.h"
#include "query/sql_place.h"
#include "query/sql_source.h"

#define COST_LOOKUP 4.0
#define COST_ROW 2.0 /* sums take longer than a value */

enum dirs_column {
	DIRS_PATH,
	DIRS_NAME,
	DIRS_DIR,
	DIRS_DEPTH,
	DIRS_SIZE,
	DIRS_BLOCKS,
	DIRS_N_ENTRIES,
	DIRS_N_DIRS,
	DIRS_N_CHILDREN,
	DIRS_MTIME,
	DIRS_CTIME,
	DIRS_MODE,
	DIRS_USER,
	DIRS_GROUP,
	DIRS_UID,
	DIRS_GID,
	DIRS_INODE,
	DIRS_ROOT,
	DIRS_MTIME_NS,
	DIRS_CTIME_NS,
	DIRS_BELOW,
	N_DIRS_COLUMNS
};

/* Fields of the directory's own entry; N_FIELDS: of what is below it. */
static const struct {
	const char *name;
	enum field field;
} columns[] = {
	[DIRS_PATH] = {"path", FIELD_PATH},
	[DIRS_NAME] = {"name", FIELD_NAME},
	[DIRS_DIR] = {"dir", FIELD_DIR},
	[DIRS_DEPTH] = {"depth", FIELD_DEPTH},
	[DIRS_SIZE] = {"size", N_FIELDS},
	[DIRS_BLOCKS] = {"blocks", N_FIELDS},
	[DIRS_N_ENTRIES] = {"n_entries", N_FIELDS},
	[DIRS_N_DIRS] = {"n_dirs", N_FIELDS},
	[DIRS_N_CHILDREN] = {"n_children", N_FIELDS},
	[DIRS_MTIME] = {"mtime", FIELD_MTIME},
	[DIRS_CTIME] = {"ctime", FIELD_CTIME},
	[DIRS_MODE] = {"mode", FIELD_MODE},
	[DIRS_USER] = {"user", FIELD_USER},
	[DIRS_GROUP] = {"group", FIELD_GROUP},
	[DIRS_UID] = {"uid", FIELD_UID},
	[DIRS_GID] = {"gid", FIELD_GID},
	[DIRS_INODE] = {"inode", FIELD_INODE},
	[DIRS_ROOT] = {"root", FIELD_ROOT},
	[DIRS_MTIME_NS] = {"mtime_ns", FIELD_MTIME},
	[DIRS_CTIME_NS] = {"ctime_ns", FIELD_CTIME},
	[DIRS_BELOW] = {"below", N_FIELDS},
};
_Static_assert(ARRAY_LEN(columns) == N_DIRS_COLUMNS, "each has a name");

static const char declaration[] =
	"CREATE TABLE dirs(path TEXT, name TEXT, dir TEXT, depth INTEGER, size INTEGER, "
	"blocks INTEGER, n_entries INTEGER, n_dirs INTEGER, n_children INTEGER, mtime INTEGER, "
	"ctime INTEGER, mode INTEGER, user TEXT, \"group\" TEXT, uid INTEGER, gid INTEGER, "
	"inode INTEGER, root TEXT, mtime_ns INTEGER, ctime_ns INTEGER, below TEXT HIDDEN)";

/* Directories by number; `siblings`: one after the other of those that share a parent, each past
 * the subtree of the one before. */
struct dirs_range {
	uint32_t layer, lo, hi;
	bool siblings;
};

struct sql_pass {
	const struct sql_env *env;
	VEC(struct dirs_range) ranges;
	size_t at;
	uint32_t layer, dir; /* the row */
	bool begun;          /* it is one of ranges[at] */
	struct strbuf below; /* the table's argument */
	bool has_below;
	struct strbuf text; /* one value */
};

static const char *
dirs_column_name(uint8_t column)
{
	return columns[column].name;
}

static double
count_all(const struct snapshot *s)
{
	double n = 0;

	for (uint32_t i = 0; i < s->n_layers; i++)
		n += snapshot_cols(s, i)->n_dirs;
	return n;
}

static void
use(const struct sql_question *q, uint32_t at, struct sql_choice *ret)
{
	uint8_t n = ret->plan.n_tests++;

	ret->asked[n] = (uint8_t)at;
	ret->plan.test[n].column = q->asked[at].column;
	ret->plan.test[n].op = SQL_EQ;
}

/* The first equality of the column that can be used: its index, or -1. */
static int
find_equal(const struct sql_question *q, uint8_t column)
{
	for (uint32_t i = 0; i < q->n; i++)
		if (q->asked[i].column == column && q->asked[i].op == SQL_EQ &&
			q->asked[i].usable && !q->asked[i].folds)
			return (int)i;
	return -1;
}

/* All arguments of the table, or none can be: they are not checked again. */
static int
use_below(const struct sql_question *q, struct sql_choice *ret)
{
	for (uint32_t i = 0; i < q->n; i++) {
		if (q->asked[i].column != DIRS_BELOW || q->asked[i].op != SQL_EQ)
			continue;
		if (!q->asked[i].usable || ret->plan.n_tests == 1)
			return -EAGAIN;
		use(q, i, ret);
	}
	return 0;
}

static int
dirs_plan(const struct sql_env *e, const struct sql_question *q, struct sql_choice *ret)
{
	double all = count_all(e->snapshot);
	int path = find_equal(q, DIRS_PATH), dir = find_equal(q, DIRS_DIR), r = use_below(q, ret);

	if (r < 0)
		return r;
	if (ret->plan.n_tests > 0) {
		all = all / 10 + 1;
	} else if (path >= 0) {
		use(q, (uint32_t)path, ret);
		all = 1;
	} else if (dir >= 0) {
		use(q, (uint32_t)dir, ret);
		all = 5;
	}
	ret->n_rows = (uint64_t)all;
	ret->cost = COST_LOOKUP + all * COST_ROW;
	return 0;
}

static int
dirs_open(const struct sql_env *e, struct sql_pass **ret)
{
	struct sql_pass *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->env = e;
	*ret = p;
	return 0;
}

static void
dirs_close(struct sql_pass *p)
{
	if (!p)
		return;
	VEC_FINI(&p->ranges);
	strbuf_fini(&p->below);
	strbuf_fini(&p->text);
	free(p);
}

static int
add_range(struct sql_pass *p, uint32_t layer, uint32_t lo, uint32_t hi, bool siblings)
{
	return lo < hi ? VEC_PUSH(&p->ranges, (struct dirs_range){layer, lo, hi, siblings}) : 0;
}

/* A root is a directory of the one above it. */
static int
add_children(struct sql_pass *p, uint32_t layer, struct span path)
{
	const struct snapshot *s = p->env->snapshot;
	const struct tree_cols *c = snapshot_cols(s, layer);
	int64_t unused;
	uint32_t dir;
	int r;

	strbuf_reset(&p->text);
	r = field_value(s, layer, 0, FIELD_DIR, &p->text, &unused);
	if (r == 0 && span_eq(strbuf_view(&p->text), path))
		r = add_range(p, layer, 0, 1, false);
	if (r == 0 && sql_place_dir(s, layer, path, &dir) == 0)
		r = add_range(p, layer, dir + 1, c->dir_end[dir], true);
	return r;
}

static int
begin_layer(struct sql_pass *p, uint32_t layer, uint8_t column, struct span path)
{
	const struct snapshot *s = p->env->snapshot;
	uint32_t lo, hi;
	int r;

	switch (column) {
	case DIRS_PATH:
		r = sql_place_dir(s, layer, path, &lo);
		return r == -ENOENT ? 0 : add_range(p, layer, lo, lo + 1, false);
	case DIRS_DIR:
		return add_children(p, layer, path);
	case DIRS_BELOW:
		r = sql_place_dirs_below(s, layer, path, &lo, &hi);
		return r < 0 ? r : add_range(p, layer, lo, hi, false);
	default:
		return add_range(p, layer, 0, snapshot_cols(s, layer)->n_dirs, false);
	}
}

static int
dirs_begin(
	struct sql_pass *p, const struct sql_plan *plan, const struct sql_arg *args, uint64_t limit)
{
	const struct snapshot *s = p->env->snapshot;
	uint8_t column = plan->n_tests ? plan->test[0].column : N_DIRS_COLUMNS;
	const struct sql_value *v = plan->n_tests ? args[0].value : NULL;
	int r = 0;

	(void)limit; /* never taken: there is no order here */
	p->ranges.len = p->at = 0;
	p->begun = false;
	p->has_below = false;
	if (v && v->kind != SQL_TEXT)
		return 0; /* nothing else is equal to a path */
	if (column == DIRS_BELOW) {
		p->has_below = true;
		strbuf_reset(&p->below);
		r = strbuf_span(&p->below, v->bytes);
	}
	for (uint32_t i = 0; i < s->n_layers && r == 0; i++)
		r = begin_layer(p, i, column, v ? v->bytes : SPAN_LIT(""));
	return r;
}

/* A directory may be entered in several layers; the one that tells it gives the row. */
static bool
is_told(const struct snapshot *s, uint32_t layer, uint32_t dir)
{
	const struct snap_layer *l = &s->layers[layer];

	return !l->dead || !tree_is_dead(l->dead, tree_cols(l->tree)->dir_entry[dir]);
}

static bool
next_of_range(struct sql_pass *p, const struct dirs_range *range)
{
	const struct tree_cols *c = snapshot_cols(p->env->snapshot, range->layer);

	p->dir = !p->begun ? range->lo : range->siblings ? c->dir_end[p->dir] : p->dir + 1;
	p->begun = true;
	return p->dir < range->hi;
}

static int
dirs_next(struct sql_pass *p)
{
	for (; p->at < p->ranges.len; p->at++, p->begun = false) {
		const struct dirs_range *range = &p->ranges.data[p->at];

		p->layer = range->layer;
		while (next_of_range(p, range)) {
			if (is_told(p->env->snapshot, p->layer, p->dir))
				return 1;
		}
	}
	return 0;
}

/* Of the directory and everything below it, as du: an inode with several links counts once. */
static int
sum_below(const struct sql_pass *p, const struct below *dir, enum dirs_column column, int64_t *ret)
{
	const struct tree_cols *c = snapshot_cols(p->env->snapshot, p->layer);
	uint32_t own = c->dir_entry[p->dir];
	struct tree_sum sum;
	int r = below_sum(p->env->snapshot, dir, false, &sum);

	if (r == 0)
		*ret = (int64_t)(column == DIRS_SIZE ? sum.size + tree_size(c, own)
						     : sum.blocks + tree_blocks(c, own));
	return r;
}

static int
number_below(const struct sql_pass *p, enum dirs_column column, int64_t *ret)
{
	const struct snapshot *s = p->env->snapshot;
	struct below dir;

	below_find(s, p->layer, p->dir, &dir);
	switch (column) {
	case DIRS_N_ENTRIES:
		*ret = (int64_t)below_entries(s, &dir);
		return 0;
	case DIRS_N_DIRS:
		*ret = (int64_t)below_dirs(s, &dir);
		return 0;
	case DIRS_N_CHILDREN:
		*ret = (int64_t)below_children(s, &dir);
		return 0;
	default:
		return sum_below(p, &dir, column, ret);
	}
}

static int
dirs_column(struct sql_pass *p, uint8_t column, struct sql_value *ret, bool *ret_lasting)
{
	const struct snapshot *s = p->env->snapshot;
	const struct tree_cols *c = snapshot_cols(s, p->layer);
	enum field f = columns[column].field;
	int r = 0;

	*ret_lasting = false;
	if (column == DIRS_BELOW) {
		ret->kind = p->has_below ? SQL_TEXT : SQL_NULL;
		ret->bytes = strbuf_view(&p->below);
		return 0;
	}
	ret->kind = SQL_INTEGER;
	if (f == N_FIELDS)
		return number_below(p, (enum dirs_column)column, &ret->integer);
	strbuf_reset(&p->text);
	r = field_value(s, p->layer, c->dir_entry[p->dir], f, &p->text, &ret->integer);
	if (column == DIRS_MTIME || column == DIRS_CTIME)
		ret->integer = sql_seconds(ret->integer);
	if (field_kind(f) == FIELD_TEXT) {
		ret->kind = SQL_TEXT;
		ret->bytes = strbuf_view(&p->text);
	}
	return r;
}

static uint64_t
dirs_row(const struct sql_pass *p)
{
	return (uint64_t)p->layer << 32 | p->dir;
}

const struct sql_source sql_dirs = {
	.name = "dirs",
	.declaration = declaration,
	.n_columns = N_DIRS_COLUMNS,
	.plan = dirs_plan,
	.open = dirs_open,
	.begin = dirs_begin,
	.next = dirs_next,
	.column = dirs_column,
	.row = dirs_row,
	.close = dirs_close,
	.column_name = dirs_column_name,
};
