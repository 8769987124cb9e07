#include "query/path_order.h"

/* An entry or one above it. */
struct step {
	const struct tree_cols *cols;
	uint32_t entry;
	bool deeper; /* what is compared lies below it */
};

static int
compare_bytes(struct span x, bool x_deeper, struct span y, bool y_deeper)
{
	size_t n = MIN(x.len, y.len);
	int r = n ? memcmp(x.data, y.data, n) : 0;
	int next_x, next_y;

	if (r != 0)
		return r;
	/* The path goes on with a slash after a name that is not its last. */
	next_x = x.len > n ? (unsigned char)x.data[n] : x_deeper ? '/' : -1;
	next_y = y.len > n ? (unsigned char)y.data[n] : y_deeper ? '/' : -1;
	return next_x - next_y;
}

static void
go_up(struct step *s)
{
	s->entry = s->cols->dir_entry[tree_parent(s->cols, s->entry)];
	s->deeper = true;
}

/* Up to the child of a directory that both have above them, or of the root's. In one layer a
 * directory's number is larger than its parent's. */
static void
meet_in_layer(struct step *x, struct step *y)
{
	const struct tree_cols *c = x->cols;

	while (tree_parent(c, x->entry) != tree_parent(c, y->entry))
		go_up(tree_parent(c, x->entry) > tree_parent(c, y->entry) ? x : y);
}

static bool
same_name(const struct step *x, const struct step *y)
{
	return span_eq(tree_name(x->cols, x->entry), tree_name(y->cols, y->entry));
}

/* Between layers names tell: of the levels that both have, the highest at which they differ. */
static void
meet_by_names(struct step *x, struct step *y)
{
	uint32_t a = tree_depth(x->cols, x->entry), b = tree_depth(y->cols, y->entry);
	struct step top_x, top_y;

	for (; a > b; a--)
		go_up(x);
	for (; b > a; b--)
		go_up(y);
	top_x = *x;
	top_y = *y;
	for (struct step i = *x, k = *y; a > 0; a--, go_up(&i), go_up(&k)) {
		if (!same_name(&i, &k)) {
			top_x = i;
			top_y = k;
		}
	}
	*x = top_x;
	*y = top_y;
}

static int
compare(struct step x, struct step y, bool depth_first)
{
	bool one_layer = x.cols == y.cols;

	if (one_layer && (x.entry == y.entry || x.entry == 0 || y.entry == 0))
		return x.entry < y.entry ? -1 : x.entry > y.entry;
	if (one_layer)
		meet_in_layer(&x, &y);
	else
		meet_by_names(&x, &y);
	/* One is above the other, or the same: the shorter is first. */
	if (one_layer ? x.entry == y.entry : same_name(&x, &y))
		return (int)x.deeper - (int)y.deeper;
	if (depth_first)
		return span_cmp(tree_name(x.cols, x.entry), tree_name(y.cols, y.entry));
	return compare_bytes(
		tree_name(x.cols, x.entry), x.deeper, tree_name(y.cols, y.entry), y.deeper);
}

int
path_compare_bytes(const struct tree_cols *xc, uint32_t x, const struct tree_cols *yc, uint32_t y)
{
	return compare((struct step){xc, x, false}, (struct step){yc, y, false}, false);
}

int
path_compare_depth_first(
	const struct tree_cols *xc, uint32_t x, const struct tree_cols *yc, uint32_t y)
{
	return compare((struct step){xc, x, false}, (struct step){yc, y, false}, true);
}
