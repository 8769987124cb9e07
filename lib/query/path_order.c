#include "query/path_order.h"

/* Two siblings on the way to what is compared, which lies below them or not. */
static int
compare_siblings(struct span x, bool x_deeper, struct span y, bool y_deeper)
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

/* Climb until both are children of one directory. A directory's number is larger than its
 * parent's. */
static int
compare_in_layer(const struct tree_cols *c, uint32_t a, uint32_t b)
{
	uint32_t x = a, y = b; /* ancestors-or-self of a and b */

	if (a == b || a == 0 || b == 0)
		return a < b ? -1 : a > b;
	while (tree_parent(c, x) != tree_parent(c, y)) {
		if (tree_parent(c, x) > tree_parent(c, y))
			x = c->dir_entry[tree_parent(c, x)];
		else
			y = c->dir_entry[tree_parent(c, y)];
	}
	if (x == y) /* one is above the other, and shorter */
		return x == a ? -1 : 1;
	return compare_siblings(tree_name(c, x), x != a, tree_name(c, y), y != b);
}

/* An entry or one above it. */
struct step {
	const struct tree_cols *cols;
	uint32_t entry;
	bool deeper; /* what is compared lies below it */
};

static void
go_up(struct step *s)
{
	s->entry = s->cols->dir_entry[tree_parent(s->cols, s->entry)];
	s->deeper = true;
}

static struct span
name_of(const struct step *s)
{
	return tree_name(s->cols, s->entry);
}

/* Between layers only names tell: go to the highest level at which they differ, of those that both
 * have, or to the lowest. */
static void
go_apart(struct step *x, struct step *y)
{
	uint32_t a = tree_depth(x->cols, x->entry), b = tree_depth(y->cols, y->entry);
	struct step i, k;

	for (; a > b; a--)
		go_up(x);
	for (; b > a; b--)
		go_up(y);
	i = *x;
	k = *y;
	for (; a > 0; a--, go_up(&i), go_up(&k)) {
		if (!span_eq(name_of(&i), name_of(&k))) {
			*x = i;
			*y = k;
		}
	}
}

int
path_compare_bytes(const struct tree_cols *xc, uint32_t x, const struct tree_cols *yc, uint32_t y)
{
	struct step a = {xc, x, false}, b = {yc, y, false};

	if (xc == yc)
		return compare_in_layer(xc, x, y);
	go_apart(&a, &b);
	return compare_siblings(name_of(&a), a.deeper, name_of(&b), b.deeper);
}

int
path_compare_depth_first(
	const struct tree_cols *xc, uint32_t x, const struct tree_cols *yc, uint32_t y)
{
	struct step a = {xc, x, false}, b = {yc, y, false};
	int r;

	go_apart(&a, &b);
	r = span_cmp(name_of(&a), name_of(&b));
	/* Of one that is above the other, or the same, the higher is first. */
	return r ? r : (int)a.deeper - (int)b.deeper;
}
