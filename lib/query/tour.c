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

/* Come to a place at the depth of levels.len: 1 it is to be given at once, 0 what is below it comes
 * first, or there is nothing to give. */
static int
arrive(struct tour *t, struct place at, struct place *ret)
{
	struct tour_level level = {.at = at};
	const struct tree_cols *c;
	uint32_t dir;

	if (totals_inner(t->totals, at, &level.at))
		at = level.at;
	c = snapshot_cols(t->snapshot, at.layer);
	dir = tree_dir(c, at.entry);
	*ret = at;
	if (t->fresh)
		t->first = at;
	else if (totals_apart(t->totals, t->first, at))
		return 0;
	if (dir == TREE_NO_DIR || t->levels.len >= t->max_depth)
		return t->fresh || t->files || tree_type(c, at.entry) == DT_DIR;
	level.next = c->dir_first[dir];
	level.end = c->dir_first[dir + 1];
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
		struct place child = {top->at.layer, top->next};

		if (top->next == top->end) {
			*ret = VEC_POP(&t->levels).at;
			return 1;
		}
		top->next++;
		r = arrive(t, child, ret);
	}
	return r;
}
