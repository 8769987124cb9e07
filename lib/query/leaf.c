#include "query/eval.h"

#include "query/dupe.h"

/* What the bounds of a block say of its entries. */
enum verdict { BLOCK_NONE, BLOCK_ALL, BLOCK_SOME };

/* One leaf over one chunk. A block is judged by its bounds; only where they leave it open its
 * values are read. */
struct probe {
	const struct eval_at *at;
	const struct bits *want;
	struct bits *out;
	enum verdict (*judge)(const struct probe *p, uint32_t lo, uint32_t n);
	/* Bit i of the result: entry lo + i; n <= TREE_BLOCK. */
	void (*read)(const struct probe *p, uint32_t lo, uint32_t n, uint64_t ret[2]);
	enum tree_column column;
	const struct range_term *range; /* of ranges */
	const bool *ok;                 /* of classes */
	struct leaf_cost *cost;         /* NULL: nobody counts */
};

_Static_assert(TREE_BLOCK == 128, "the answers of a block are two words");

static void
fill_span(const struct eval_at *at, uint32_t lo, uint32_t hi, struct bits *out)
{
	lo = MAX(lo, at->lo);
	hi = MIN(hi, at->lo + at->n);
	if (lo < hi)
		bits_set_range(out, lo - at->lo, hi - at->lo);
}

/* Put n bits (the others are 0) at bit `lo`, where zeros are. */
static void
put_bits(struct bits *out, uint32_t lo, uint32_t n, uint64_t word)
{
	out->word[lo / 64] |= word << (lo % 64);
	if (lo % 64 + n > 64)
		out->word[lo / 64 + 1] |= word >> (64 - lo % 64);
}

static void
read_block(const struct probe *p, uint32_t lo, uint32_t n)
{
	uint64_t word[2] = {0};

	p->read(p, p->at->lo + lo, n, word);
	put_bits(p->out, lo, MIN(n, 64u), word[0]);
	if (n > 64)
		put_bits(p->out, lo + 64, n - 64, word[1]);
}

/* Bounds are those of whole blocks of the tree, so no piece may reach into two. */
static void
probe_blocks(const struct probe *p)
{
	uint32_t n_read = 0, n_skipped = 0, n;

	for (uint32_t i = 0; i < p->at->n; i += n) {
		enum verdict v;

		n = MIN(p->at->n - i, TREE_BLOCK - (p->at->lo + i) % TREE_BLOCK);
		v = bits_any_of(p->want, i, i + n) ? p->judge(p, p->at->lo + i, n) : BLOCK_NONE;
		if (v == BLOCK_ALL)
			bits_set_range(p->out, i, i + n);
		else if (v == BLOCK_SOME)
			read_block(p, i, n);
		n_read += v == BLOCK_SOME;
		n_skipped += v != BLOCK_SOME;
	}
	if (p->cost) {
		p->cost->n_read += n_read;
		p->cost->n_skipped += n_skipped;
	}
}

static void
probe(const struct probe *p)
{
	const struct eval_at *at = p->at;
	enum verdict whole = p->judge(p, at->lo, at->n);

	if (whole == BLOCK_SOME) {
		probe_blocks(p);
		return;
	}
	if (whole == BLOCK_ALL)
		bits_set_range(p->out, 0, at->n);
	if (p->cost)
		p->cost->n_skipped += (at->n - 1) / TREE_BLOCK + 1;
}

/* ret bit i = EXPR for the i-th of n values. The loops have no branch. */
#define ANSWER(ret, n, i, EXPR)                                           \
	do {                                                              \
		for (uint32_t base_ = 0; base_ < (n); base_ += 64) {      \
			uint32_t end_ = MIN((n), base_ + 64);             \
			uint64_t word_ = 0;                               \
                                                                          \
			for (uint32_t i = base_; i < end_; i++)           \
				word_ |= (uint64_t)(EXPR) << (i - base_); \
			(ret)[base_ / 64] = word_;                        \
		}                                                         \
	} while (0)

static bool
column_is_signed(enum tree_column column)
{
	return column == TREE_MTIME || column == TREE_CTIME;
}

static enum verdict
judge_range(const struct probe *p, uint32_t lo, uint32_t n)
{
	/* With the sign turned, signed numbers compare as unsigned ones. */
	uint64_t turn = column_is_signed(p->column) ? 1ull << 63 : 0, min, max;

	if (!tree_bounds(p->at->e->cols, p->column, lo, n, &min, &max))
		return BLOCK_SOME;
	min ^= turn;
	max ^= turn;
	if (max < (p->range->lo ^ turn) || min > (p->range->hi ^ turn))
		return BLOCK_NONE;
	return min >= (p->range->lo ^ turn) && max <= (p->range->hi ^ turn) ? BLOCK_ALL
	                                                                    : BLOCK_SOME;
}

static void
read_range(const struct probe *p, uint32_t lo, uint32_t n, uint64_t ret[2])
{
	/* v - first <= width holds in wrapping arithmetic for signed and unsigned columns alike. */
	uint64_t first = p->range->lo, width = p->range->hi - p->range->lo;
	uint64_t v[TREE_BLOCK];

	tree_read(p->at->e->cols, p->column, lo, n, v);
	for (uint32_t i = 0; i < n; i += 64)
		ret[i / 64] = tree_within(v + i, MIN(n - i, 64u), first, width);
}

/* A block has few classes, mostly neighbours. */
static enum verdict
judge_class(const struct probe *p, uint32_t lo, uint32_t n)
{
	const struct tree_cols *c = p->at->e->cols;
	uint64_t min, max;

	if (!tree_bounds(c, p->column, lo, n, &min, &max) || max >= c->n_classes)
		return BLOCK_SOME;
	for (uint64_t k = min + 1; k <= max; k++) {
		if (p->ok[k] != p->ok[min])
			return BLOCK_SOME;
	}
	return p->ok[min] ? BLOCK_ALL : BLOCK_NONE;
}

static void
read_class(const struct probe *p, uint32_t lo, uint32_t n, uint64_t ret[2])
{
	uint64_t v[TREE_BLOCK];

	tree_read(p->at->e->cols, TREE_CLS, lo, n, v);
	ANSWER(ret, n, i, p->ok[v[i]]);
}

/* Files without a byte; directories that were read and held nothing. */
static enum verdict
judge_empty(const struct probe *p, uint32_t lo, uint32_t n)
{
	const struct tree_cols *c = p->at->e->cols;
	uint64_t min, max, least, flags;

	if (!tree_bounds(c, TREE_SIZE, lo, n, &least, &max) ||
		!tree_bounds(c, TREE_FLAGS, lo, n, &min, &flags))
		return BLOCK_SOME;
	return least > 0 && flags < TREE_EMPTY_DIR ? BLOCK_NONE : BLOCK_SOME;
}

static void
read_empty(const struct probe *p, uint32_t lo, uint32_t n, uint64_t ret[2])
{
	const struct tree_cols *c = p->at->e->cols;
	uint64_t cls[TREE_BLOCK], size[TREE_BLOCK], flags[TREE_BLOCK];

	tree_read(c, TREE_CLS, lo, n, cls);
	tree_read(c, TREE_SIZE, lo, n, size);
	tree_read(c, TREE_FLAGS, lo, n, flags);
	ANSWER(ret, n, i,
		((uint64_t)p->ok[cls[i]] & (size[i] == 0)) | ((flags[i] & TREE_EMPTY_DIR) != 0));
}

/* The directory `next` comes after `dir`, which is `depth` deep, in depth-first order: how deep is
 * `next`? Its parent is the nearest directory at or above `dir` that reaches so far. */
static uint64_t
depth_after(const struct tree_cols *c, uint32_t dir, uint64_t depth, uint32_t next)
{
	while (depth > 0 && next >= c->dir_end[dir]) {
		dir = tree_parent(c, c->dir_entry[dir]);
		depth--;
	}
	return depth + 1;
}

/* All children of a directory are equally deep, so directories are looked at, not entries; and
 * where children are deep enough already, what is below them is passed over whole. */
static void
fill_depth(const struct eval_at *at, const struct range_term *r, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;
	uint32_t end = at->lo + at->n, dir = tree_parent(c, at->lo), next;
	uint64_t depth = tree_depth(c, c->dir_entry[dir]); /* of dir */

	if (at->lo == 0 && r->lo == 0)
		bits_set(out, 0);
	while (dir < c->n_dirs && c->dir_first[dir] < end) {
		if (depth + 1 >= r->lo && depth + 1 <= r->hi)
			fill_span(at, c->dir_first[dir], c->dir_first[dir + 1], out);
		/* Past `dir` even when a disk error made zeros of dir_end. */
		next = depth + 1 < r->hi ? dir + 1 : MAX(dir + 1, c->dir_end[dir]);
		depth = depth_after(c, dir, depth, next);
		dir = next;
	}
}

static void
fill_range(struct probe *p)
{
	static const enum tree_column columns[] = {
		[COLUMN_SIZE] = TREE_SIZE,
		[COLUMN_MTIME] = TREE_MTIME,
		[COLUMN_CTIME] = TREE_CTIME,
		[COLUMN_LINKS] = TREE_NLINK,
		[COLUMN_INODE] = TREE_INO,
	};

	if (p->range->column == COLUMN_DEPTH) {
		fill_depth(p->at, p->range, p->out);
		return;
	}
	p->column = columns[p->range->column];
	p->judge = judge_range;
	p->read = read_range;
	probe(p);
}

static void
fill_class(struct probe *p, const bool *ok)
{
	p->column = TREE_CLS;
	p->ok = ok;
	p->judge = judge_class;
	p->read = read_class;
	probe(p);
}

static void
fill_empty(struct probe *p)
{
	p->ok = p->at->e->regular;
	p->judge = judge_empty;
	p->read = read_empty;
	probe(p);
}

static void
fill_dupe(const struct eval_at *at, const struct bits *want, struct bits *out)
{
	for (uint32_t i = 0; i < at->n; i++) {
		if (bits_get(want, i) && dupe_has(at->e->dupes, at->e->layer, at->lo + i))
			bits_set(out, i);
	}
}

void
leaf_columns(
	const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct eval_leaf *leaf = &at->e->leaf[n->leaf];
	struct probe p = {.at = at, .want = want, .out = out, .range = &n->range};

	p.cost = at->worker->cost ? &at->worker->cost[n->leaf] : NULL;
	switch (n->term) {
	case TERM_RANGE:
		fill_range(&p);
		break;
	case TERM_TYPE:
	case TERM_USER:
	case TERM_GROUP:
	case TERM_PERM:
		fill_class(&p, leaf->class_ok);
		break;
	case TERM_CONTENT: /* maybe */
		fill_class(&p, at->e->regular);
		break;
	case TERM_EMPTY:
		fill_empty(&p);
		break;
	case TERM_IN:
		fill_span(at, leaf->lo, leaf->hi, out);
		break;
	case TERM_ROOT:
		if (leaf->on)
			fill_span(at, 0, UINT32_MAX, out);
		break;
	case TERM_DUPE:
		fill_dupe(at, want, out);
		break;
	default:
		break;
	}
}
