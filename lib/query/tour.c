#include "query/tour.h"

#include <dirent.h>
#include <errno.h>

void
tour_init(struct tour *t, const struct snapshot *s, const struct totals *totals, struct place at,
	uint64_t max_depth, bool files)
{
	*t = (struct tour){.snapshot = s,
		.totals = totals,
		.max_depth = max_depth,
		.files = files,
		.first = at,
		.fresh = true};
}

void
tour_fini(struct tour *t)
{
	VEC_FINI(&t->levels);
}

static void
open_children(const struct tour *t, struct place at, uint32_t dir, struct tree_list *ret)
{
	const struct tree_stack *stack = snapshot_root(t->snapshot, at.layer)->stack;
	struct tree_dirs dirs;

	tree_stack_dirs(stack, t->snapshot->layers[at.layer].layer, dir, &dirs);
	tree_list_open(ret, stack, &dirs);
}

/* Come to a place at the depth of levels.len: 1 it is to be given at once, 0 what is below it comes
 * first, or there is nothing to give. */
static int
arrive(struct tour *t, struct place at, struct place *ret)
{
	struct tour_level level;
	const struct tree_cols *c;
	uint32_t dir;

	(void)totals_inner(t->totals, at, &at);
	c = snapshot_cols(t->snapshot, at.layer);
	dir = tree_dir(c, at.entry);
	*ret = at;
	if (t->fresh)
		t->first = at;
	else if (totals_apart(t->totals, t->first, at))
		return 0;
	if (dir == TREE_NO_DIR || t->levels.len >= t->max_depth)
		return t->fresh || t->files || tree_type(c, at.entry) == DT_DIR;
	level.at = at;
	open_children(t, at, dir, &level.children);
	return VEC_PUSH(&t->levels, level);
}

int
tour_next(struct tour *t, struct place *ret)
{
	int r = 0;

	if (t->fresh) {
		r = arrive(t, t->first, ret);
		t->fresh = false;
	}
	while (r == 0 && t->levels.len > 0) {
		struct tour_level *top = &t->levels.data[t->levels.len - 1];
		uint32_t first = snapshot_root(t->snapshot, top->at.layer)->first_layer;
		struct tree_at child;

		if (!tree_list_next(&top->children, &child)) {
			*ret = VEC_POP(&t->levels).at;
			return 1;
		}
		r = arrive(t, (struct place){first + child.layer, child.entry}, ret);
	}
	return r;
}
