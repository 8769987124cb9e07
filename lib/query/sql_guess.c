#include "query/sql_guess.h"

#define N_BLOCKS 48u /* looked at, of all layers together at least so many */

uint64_t
sql_guess_all(const struct snapshot *s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->n_roots; i++)
		n += s->roots[i].stack ? s->roots[i].stack->n_entries : 0;
	return n;
}

static bool
column_of(enum field f, enum tree_column *ret)
{
	static const struct {
		enum field field;
		enum tree_column column;
	} pairs[] = {
		{FIELD_SIZE, TREE_SIZE},
		{FIELD_BLOCKS, TREE_BLOCKS},
		{FIELD_MTIME, TREE_MTIME},
		{FIELD_CTIME, TREE_CTIME},
		{FIELD_INODE, TREE_INO},
		{FIELD_LINKS, TREE_NLINK},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		if (pairs[i].field == f) {
			*ret = pairs[i].column;
			return true;
		}
	}
	return false;
}

/* Values of the column that are admitted, as doubles: a guess needs no last digit. */
struct wanted {
	double lo, hi;
};

static bool
want(struct sql_subject column, const struct sql_asked *a, struct wanted *ret)
{
	double v = a->value.kind == SQL_REAL ? a->value.real : (double)a->value.integer;
	double unit = column.seconds ? (double)NSEC_PER_SEC : 1;

	if (!a->known || (a->value.kind != SQL_REAL && a->value.kind != SQL_INTEGER))
		return false;
	*ret = (struct wanted){-1e30, 1e30};
	switch (a->op) {
	case SQL_EQ:
		*ret = (struct wanted){v * unit, v * unit + (unit - 1)};
		return true;
	case SQL_LT:
	case SQL_LE:
		ret->hi = v * unit;
		return true;
	case SQL_GT:
	case SQL_GE:
		ret->lo = v * unit;
		return true;
	case SQL_LIKE:
	case SQL_GLOB:
		break;
	}
	return false;
}

static double
number(enum tree_column column, uint64_t bits)
{
	return column == TREE_MTIME || column == TREE_CTIME ? (double)(int64_t)bits : (double)bits;
}

static double
share_of_block(const struct tree_cols *c, enum tree_column column, uint32_t lo, uint32_t n,
	const struct wanted *w)
{
	uint64_t values[TREE_BLOCK], least, most;
	uint32_t hits = 0;

	if (tree_bounds(c, column, lo, n, &least, &most)) {
		if (number(column, least) > w->hi || number(column, most) < w->lo)
			return 0;
		if (number(column, least) >= w->lo && number(column, most) <= w->hi)
			return 1;
	}
	tree_read(c, column, lo, n, values);
	for (uint32_t i = 0; i < n; i++) {
		double v = number(column, values[i]);

		hits += v >= w->lo && v <= w->hi;
	}
	return (double)hits / n;
}

/* Of all layers, each as large as it is. */
static double
share_by_blocks(const struct snapshot *s, enum tree_column column, const struct wanted *w)
{
	double entries = 0, sum = 0;

	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = snapshot_cols(s, i);
		uint32_t n_blocks = (c->n_entries - 1) / TREE_BLOCK + 1, seen = 0;
		double share = 0;

		for (uint32_t k = 0; k < N_BLOCKS; k++) {
			uint32_t block = (uint32_t)((uint64_t)k * n_blocks / N_BLOCKS);
			uint32_t lo = block * TREE_BLOCK;

			if (n_blocks < N_BLOCKS && k >= n_blocks)
				break;
			if (n_blocks < N_BLOCKS)
				lo = k * TREE_BLOCK;
			share += share_of_block(
				c, column, lo, MIN(TREE_BLOCK, c->n_entries - lo), w);
			seen++;
		}
		sum += share / seen * c->n_entries;
		entries += c->n_entries;
	}
	return entries > 0 ? sum / entries : 0;
}

/* By what people ask for: an extension is one of dozens, a name one of thousands. */
static double
share_by_kind(struct sql_subject column, const struct sql_asked *a)
{
	double share = a->op == SQL_EQ ? 0.01 : a->op == SQL_LIKE || a->op == SQL_GLOB ? 0.1 : 0.3;

	if (a->op == SQL_EQ && (column.field == FIELD_TYPE || column.field == FIELD_USER ||
				       column.field == FIELD_GROUP || column.field == FIELD_ROOT))
		share = 0.3;
	else if (a->op == SQL_EQ && column.field == FIELD_NAME)
		share = 1e-4;
	else if (a->op == SQL_EQ && column.field == FIELD_INODE)
		share = 1e-6;
	return a->list ? MIN(share * 4, 1) : share;
}

double
sql_guess_share(const struct snapshot *s, struct sql_subject column, const struct sql_asked *asked)
{
	enum tree_column c;
	struct wanted w;
	double share;

	if (!want(column, asked, &w) || !column_of(column.field, &c))
		return share_by_kind(column, asked);
	share = share_by_blocks(s, c, &w);
	return MAX(share, 1e-7);
}
