#include "index/tree_check.h"

#include "index/tree_gram.h"
#include "index/tree_par.h"

#include <sys/stat.h>

/* What one worker checks at a time; a multiple of the groups of names and of blocks. */
#define CHECK_ENTRIES 4096u

struct checking {
	const struct tree_cols *c;
	/* By worker: columns of the chunk that is being checked. */
	struct chunk_values {
		uint64_t parents[CHECK_ENTRIES];
		uint64_t block[TREE_BLOCK], more[TREE_BLOCK];
	} * values;
};

enum flaw
check_packed(const struct tree_cols *c, enum tree_column col)
{
	const struct tree_packed *p = &c->columns[col];
	uint64_t bias = tree_column_bias(col), limit = tree_column_max(col), at = 0;

	for (uint32_t i = 0; i < tree_n_blocks(c); i++) {
		const struct tree_block *b = &p->blocks[i];
		uint64_t base = b->base ^ bias, top;

		if (b->at != at)
			return FLAW_COLUMN;
		if ((b->width > 57 && b->width != 64) || b->unit >= TREE_N_UNITS ||
			b->reserved != 0)
			return FLAW_HEAD;
		if (__builtin_mul_overflow(tree_units[b->unit], tree_packed_mask(b->width), &top) ||
			base > limit || top > limit - base)
			return FLAW_BOUNDS;
		at += 2 * (uint64_t)b->width;
	}
	return at == p->n_words ? FLAW_NONE : FLAW_COLUMN;
}

static enum flaw
check_parents(const struct tree_cols *c, uint32_t lo, uint32_t hi, const uint64_t *parents)
{
	uint32_t d = 0, end = c->n_dirs;

	if (lo == 0 && parents[0] != 0)
		return FLAW_PARENT;
	/* The last directory whose block starts at or before lo, when there is one. */
	while (end - d > 1) {
		uint32_t mid = d + (end - d) / 2;

		if (c->dir_first[mid] <= lo)
			d = mid;
		else
			end = mid;
	}
	for (uint32_t e = MAX(lo, 1u); e < hi; e++) {
		while (c->dir_first[d + 1] <= e)
			d++;
		if (parents[e - lo] != d)
			return FLAW_PARENT;
	}
	return FLAW_NONE;
}

/* E4 to E6, of an entry with a number. In a layer, an empty block says nothing of other layers. */
static enum flaw
check_dir_flags(const struct tree_cols *c, uint32_t e, uint64_t flags)
{
	uint32_t d = tree_dir(c, e);
	bool layer = c->n_below > 0, empty = c->dir_first[d] == c->dir_first[d + 1];

	if (layer && flags == TREE_SKELETON)
		return FLAW_NONE;
	if (flags & TREE_SKELETON)
		return FLAW_SKELETON;
	flags &= ~(uint64_t)TREE_LEFT_OUT;
	if (flags == TREE_NOT_ENTERED || flags == (empty ? TREE_EMPTY_DIR : 0))
		return FLAW_NONE;
	return layer && flags == 0 ? FLAW_NONE : FLAW_DIR_FLAGS;
}

static enum flaw
check_entry(const struct tree_cols *c, uint32_t e, uint64_t cls, uint64_t flags)
{
	bool entered = tree_entered(c, e);

	if (cls >= c->n_classes)
		return FLAW_CLS;
	if (!S_ISDIR(c->classes[cls].mode)) {
		if (flags != 0)
			return FLAW_FLAGS;
		return entered ? FLAW_NUMBER : FLAW_NONE;
	}
	if (entered)
		return check_dir_flags(c, e, flags);
	return flags == TREE_NOT_ENTERED ? FLAW_NONE : FLAW_DIR_FLAGS;
}

/* E7, of a block's flags. The list ascends. */
static enum flaw
check_unread(const struct tree_cols *c, uint32_t lo, uint32_t n, const uint64_t *flags)
{
	uint32_t i = tree_list_from(c->unread, c->n_unread, lo);

	for (uint32_t k = 0; k < n; k++) {
		if (!(flags[k] & TREE_NOT_ENTERED))
			continue;
		if (i == c->n_unread || c->unread[i++] != lo + k)
			return FLAW_UNREAD;
	}
	return i < c->n_unread && c->unread[i] < lo + n ? FLAW_UNREAD : FLAW_NONE;
}

/* E1 to E7 and S1, of a block. */
static enum flaw
check_block(const struct tree_cols *c, uint32_t lo, uint32_t n, struct chunk_values *v)
{
	struct tree_sum sum = c->sums[lo / TREE_BLOCK];
	const struct tree_sum *next = &c->sums[lo / TREE_BLOCK + 1];
	enum flaw f = FLAW_NONE;

	tree_read(c, TREE_CLS, lo, n, v->block);
	tree_read(c, TREE_FLAGS, lo, n, v->more);
	for (uint32_t i = 0; i < n && !f; i++)
		f = check_entry(c, lo + i, v->block[i], v->more[i]);
	if (!f)
		f = check_unread(c, lo, n, v->more);
	if (f || n < TREE_BLOCK)
		return f; /* no sum stands behind a short block */
	tree_read(c, TREE_SIZE, lo, n, v->block);
	tree_read(c, TREE_BLOCKS, lo, n, v->more);
	for (uint32_t i = 0; i < n; i++) {
		sum.size += v->block[i];
		sum.blocks += v->more[i];
	}
	return sum.size == next->size && sum.blocks == next->blocks ? FLAW_NONE : FLAW_SUMS;
}

static int
check_chunk(const struct tree_cols *c, uint32_t lo, struct chunk_values *v)
{
	uint32_t hi = MIN(c->n_entries - lo, CHECK_ENTRIES) + lo;
	enum flaw f;

	tree_read(c, TREE_PARENT, lo, hi - lo, v->parents);
	f = check_parents(c, lo, hi, v->parents);
	if (!f)
		f = check_names(c, lo, hi, v->parents);
	for (; lo < hi && !f; lo += TREE_BLOCK)
		f = check_block(c, lo, MIN(hi - lo, TREE_BLOCK), v);
	return (int)f;
}

static int
check_chunks(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct checking *k = ctx;
	int r = 0;

	for (; lo < hi && r == 0; lo++)
		r = check_chunk(k->c, (uint32_t)lo * CHECK_ENTRIES, &k->values[worker]);
	return r;
}

static int
check_entries(const struct tree_cols *c, struct pool *pool)
{
	AUTO(freep)
	struct chunk_values *values = malloc(tree_par_width(pool) * sizeof(*values));
	struct checking k = {c, values};

	if (!values)
		return -ENOMEM;
	return tree_par(
		pool, TASK_QUERY, (c->n_entries - 1) / CHECK_ENTRIES + 1, check_chunks, &k, NULL);
}

/* Tables that checks of entries go by. */
static enum flaw
check_tables(const struct tree_cols *c, enum tree_column *ret_col)
{
	enum flaw f = FLAW_NONE;

	for (unsigned col = 0; col < N_TREE_COLUMNS && !f; col++) {
		*ret_col = (enum tree_column)col;
		f = check_packed(c, *ret_col);
	}
	if (!f)
		f = check_lists(c);
	if (!f)
		f = check_dir_tables(c);
	for (uint32_t i = 0; i < c->n_classes && !f; i++)
		f = c->classes[i].reserved ? FLAW_CLASS : FLAW_NONE;
	if (!f && (c->sums[0].size || c->sums[0].blocks))
		f = FLAW_SUMS;
	return f;
}

#define ROWS_AT_ONCE 512u

static int
check_rows(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const struct tree_cols *c = ctx;

	(void)worker;
	return (int)check_gram_rows(
		c, (uint32_t)lo * ROWS_AT_ONCE, MIN((uint32_t)hi * ROWS_AT_ONCE, c->n_gram_rows));
}

static int
check_grams(const struct tree_cols *c, struct pool *pool)
{
	struct tree_cols own = *c; /* the loop's context is not const */
	enum flaw f;

	if (!c->gram_nodes)
		return 0;
	f = check_gram_nodes(c);
	if (f)
		return (int)f;
	return tree_par(pool, TASK_QUERY, (c->n_gram_rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE,
		check_rows, &own, NULL);
}

static int
check_all(const struct tree_cols *c, bool deep, struct pool *pool, enum tree_column *ret_col)
{
	int r = (int)check_tables(c, ret_col);

	if (r == 0)
		r = check_entries(c, pool);
	if (r == 0)
		r = (int)check_depth_first(c);
	if (r == 0)
		r = (int)check_links(c);
	if (r == 0)
		r = check_grams(c, pool);
	if (r == 0)
		r = (int)check_layer(c);
	if (r == 0 && deep)
		r = check_links_deep(c, pool);
	if (r == 0 && deep)
		r = check_grams_deep(c, pool);
	return r;
}

int
tree_check(const struct tree_cols *c, bool deep, struct pool *pool, struct tree_flaw *ret)
{
#define FLAW_ROW(name, section, rule) [name] = {section, rule},
	static const struct {
		unsigned section; /* 0: that of the column */
		const char *rule;
	} flaws[] = {TREE_FLAWS(FLAW_ROW)};
#undef FLAW_ROW
	enum tree_column col;
	int r = check_all(c, deep, pool, &col);

	if (r <= 0)
		return r;
	ret->section = (enum tree_section)flaws[r].section;
	if (!ret->section)
		ret->section = tree_column_section(col);
	ret->rule = flaws[r].rule;
	return -EBADMSG;
}
