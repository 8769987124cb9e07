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
	case COLUMN_DEPTH: {
		const uint32_t *depth = at->e->depth;

		FILL(at, out, e, (e ? depth[tree_parent(c, e)] + 1ull : 0) - lo <= width);
		break;
	}
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

static void
fill_span(const struct eval_at *at, uint32_t lo, uint32_t hi, struct bits *out)
{
	lo = MAX(lo, at->lo);
	hi = MIN(hi, at->lo + at->n);
	if (lo < hi)
		bits_set_range(out, lo - at->lo, hi - at->lo);
}

void
leaf_columns(const struct eval_at *at, const struct node *n, struct bits *out)
{
	const struct eval_leaf *leaf = &at->e->leaf[n->leaf];

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
