#include "index/tree_range.h"

#include <errno.h>

#include "sync/par_sort.h"

static int
cmp_range(const void *a, const void *b, void *unused)
{
	const struct tree_range *x = a, *y = b;

	(void)unused;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Starts ascend; there is room. */
static void
add(struct tree_ranges *to, struct tree_range r)
{
	struct tree_range *last = to->len > 0 ? &to->data[to->len - 1] : NULL;

	if (last && r.lo <= last->hi)
		last->hi = MAX(last->hi, r.hi);
	else
		to->data[to->len++] = r;
}

int
tree_ranges_join(struct tree_ranges *r)
{
	struct tree_ranges joined = {.data = r->data};
	int error = par_sort(
		NULL, TASK_INDEX, r->data, r->len, sizeof(*r->data), cmp_range, NULL, NULL);

	if (error < 0)
		return error;
	for (size_t i = 0; i < r->len; i++)
		add(&joined, r->data[i]);
	r->len = joined.len;
	return 0;
}

int
tree_ranges_union(const struct tree_ranges *a, const struct tree_ranges *b, struct tree_ranges *ret)
{
	size_t i = 0, k = 0;

	if (VEC_RESERVE(ret, a->len + b->len) < 0)
		return -ENOMEM;
	while (i < a->len || k < b->len) {
		if (k == b->len || (i < a->len && a->data[i].lo <= b->data[k].lo))
			add(ret, a->data[i++]);
		else
			add(ret, b->data[k++]);
	}
	return 0;
}
