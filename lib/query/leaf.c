#include "query/eval.h"

#include <dirent.h>
#include <sys/stat.h>

#include "query/dupe.h"

/* out bit i = EXPR for the entry e = lo + i. A word at a time, so that the loop has no branch. */
#define FILL(at, out, e, EXPR)                                           \
	do {                                                             \
		for (uint32_t base_ = 0; base_ < (at)->n; base_ += 64) { \
			uint32_t n_ = MIN(64u, (at)->n - base_);         \
			uint64_t word_ = 0;                              \
                                                                         \
			for (uint32_t i_ = 0; i_ < n_; i_++) {           \
				uint32_t e = (at)->lo + base_ + i_;      \
                                                                         \
				word_ |= (uint64_t)(EXPR) << i_;         \
			}                                                \
			(out)->word[base_ / 64] = word_;                 \
		}                                                        \
	} while (0)

static void
fill_span(const struct eval_at *at, uint32_t lo, uint32_t hi, struct bits *out)
{
	lo = MAX(lo, at->lo);
	hi = MIN(hi, at->lo + at->n);
	if (lo < hi)
		bits_set_range(out, lo - at->lo, hi - at->lo);
}

/* The directory `next` comes after `dir`, whose depth is *depth, in depth-first order: the depth of
 * `next`. Its parent is the nearest directory at or above `dir` that reaches so far. */
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
fill_range(const struct eval_at *at, const struct range_term *r, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;
	/* v - lo <= hi - lo holds in wrapping arithmetic for signed and unsigned columns alike. */
	uint64_t lo = r->lo, width = r->hi - r->lo;

	switch (r->column) {
	case COLUMN_SIZE:
		FILL(at, out, e, tree_size(c, e) - lo <= width);
		break;
	case COLUMN_MTIME:
		FILL(at, out, e, (uint64_t)tree_mtime(c, e) - lo <= width);
		break;
	case COLUMN_CTIME:
		FILL(at, out, e, (uint64_t)tree_ctime(c, e) - lo <= width);
		break;
	case COLUMN_LINKS:
		FILL(at, out, e, tree_nlink(c, e) - lo <= width);
		break;
	case COLUMN_INODE:
		FILL(at, out, e, tree_ino(c, e) - lo <= width);
		break;
	case COLUMN_DEPTH:
		fill_depth(at, r, out);
		break;
	}
}

static void
fill_class(const struct eval_at *at, const bool *ok, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;

	FILL(at, out, e, ok[tree_cls(c, e)]);
}

/* Files without a byte; directories that were read and held nothing. */
static void
fill_empty(const struct eval_at *at, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;
	const bool *regular = at->e->regular;

	FILL(at, out, e,
		(regular[tree_cls(c, e)] && tree_size(c, e) == 0) ||
			(tree_flags(c, e) & TREE_EMPTY_DIR) != 0);
}

void
leaf_columns(
	const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct eval_leaf *leaf = &at->e->leaf[n->leaf];

	(void)want;
	switch (n->term) {
	case TERM_RANGE:
		fill_range(at, &n->range, out);
		break;
	case TERM_TYPE:
	case TERM_USER:
	case TERM_GROUP:
	case TERM_PERM:
		fill_class(at, leaf->class_ok, out);
		break;
	case TERM_CONTENT: /* maybe */
		fill_class(at, at->e->regular, out);
		break;
	case TERM_EMPTY:
		fill_empty(at, out);
		break;
	case TERM_IN:
		fill_span(at, leaf->lo, leaf->hi, out);
		break;
	case TERM_ROOT:
		if (leaf->on)
			fill_span(at, 0, UINT32_MAX, out);
		break;
	case TERM_DUPE:
		FILL(at, out, e, dupe_has(at->e->dupes, at->e->root, e));
		break;
	default:
		break;
	}
}
