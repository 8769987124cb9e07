#include "index/tree_check.h"

static bool
list_ascends(const struct tree_cols *c, const uint32_t *list, uint32_t n)
{
	uint64_t least = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (list[i] < least || list[i] >= c->n_entries)
			return false;
		least = (uint64_t)list[i] + 1;
	}
	return true;
}

enum flaw
check_lists(const struct tree_cols *c)
{
	if (!list_ascends(c, c->unread, c->n_unread))
		return FLAW_UNREAD;
	return list_ascends(c, c->wide, c->n_wide) ? FLAW_NONE : FLAW_WIDE;
}

/* Each name ends before the next begins: frames_unpack() found where. */
static enum flaw
check_run(const struct tree_cols *c, uint32_t lo, uint32_t hi, const uint64_t *parents)
{
	const char *before = NULL;

	if (lo > 1 && parents[0] == tree_parent(c, lo - 1))
		before = tree_name(c, lo - 1).data;
	for (uint32_t e = lo; e < hi; e++) {
		struct span name = tree_name(c, e);

		if (name.len > TREE_NAME_MAX_BYTES || (name.len == 0) != (e == 0))
			return FLAW_LENGTH;
		/* The root is no sibling of its first child. */
		if (e > lo)
			before = e > 1 && parents[e - lo] == parents[e - lo - 1] ? before : NULL;
		if (before && !names_ascend(before, name.data))
			return FLAW_ORDER;
		before = name.data;
	}
	return FLAW_NONE;
}

/* The list ascends. */
static enum flaw
check_wide(const struct tree_cols *c, uint32_t lo, uint32_t hi, bool any)
{
	uint32_t i = tree_list_from(c->wide, c->n_wide, lo);

	for (uint32_t e = lo; any && e < hi; e++) {
		if (!name_is_wide(tree_name(c, e)))
			continue;
		if (i == c->n_wide || c->wide[i] != e)
			return FLAW_WIDE;
		i++;
	}
	return i < c->n_wide && c->wide[i] < hi ? FLAW_WIDE : FLAW_NONE;
}

enum flaw
check_names(const struct tree_cols *c, uint32_t lo, uint32_t hi, const uint64_t *parents)
{
	uint64_t start = tree_name_at(c, lo), end = tree_name_at(c, hi);
	struct name_census s;
	enum flaw f = check_run(c, lo, hi, parents);

	if (f)
		return f;
	s = names_count(c->names + start, end - start);
	return s.n_slash ? FLAW_SLASH : check_wide(c, lo, hi, s.high);
}
