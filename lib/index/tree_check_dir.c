#include "index/tree_check.h"

#include <sys/stat.h>

static enum flaw
check_firsts(const struct tree_cols *c)
{
	if (c->dir_first[0] != 1 || c->dir_first[c->n_dirs] != c->n_entries)
		return FLAW_COVER;
	for (uint32_t d = 0; d < c->n_dirs; d++) {
		if (c->dir_first[d] > c->dir_first[d + 1])
			return FLAW_ASCEND;
		if (c->dir_entry[d] >= c->n_entries)
			return FLAW_ENTRY;
	}
	return c->dir_entry[0] == 0 ? FLAW_NONE : FLAW_ROOT;
}

static enum flaw
check_ranks(const struct tree_cols *c)
{
	uint32_t n = (c->n_entries - 1) / 64 + 1;
	uint64_t rank = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (c->dir_rank[i] != rank)
			return FLAW_RANK;
		rank += (uint64_t)__builtin_popcountll(c->dir_bits[i]);
	}
	if (c->n_entries % 64 != 0 && c->dir_bits[n - 1] >> c->n_entries % 64)
		return FLAW_BITS;
	return rank == c->n_dirs ? FLAW_NONE : FLAW_BITS;
}

/* As many entries as there are bits, ascending, each with its bit: so they are the bits. They are
 * different, so the numbers are, and dir_order has each number once. */
enum flaw
check_dir_tables(const struct tree_cols *c)
{
	enum flaw f = check_firsts(c);
	uint64_t least = 0;

	if (!f)
		f = check_ranks(c);
	for (uint32_t i = 0; i < c->n_dirs && !f; i++) {
		uint32_t d = c->dir_order[i], e;

		if (d >= c->n_dirs)
			return FLAW_DIR_ORDER;
		e = c->dir_entry[d];
		if (e < least)
			return FLAW_DIR_ORDER;
		if (!tree_entered(c, e))
			return FLAW_BITS;
		least = (uint64_t)e + 1;
	}
	return f;
}

static enum flaw
check_numbers(const struct tree_cols *c)
{
	uint32_t parent = 0;

	for (uint32_t i = 1; i < c->n_dirs; i++) {
		uint32_t before = parent;

		parent = tree_parent(c, c->dir_entry[c->dir_order[i]]);
		if (i > 1 && parent == before && c->dir_order[i] <= c->dir_order[i - 1])
			return FLAW_NUMBERS;
	}
	return FLAW_NONE;
}

/* `at` is the nearest directory before d whose range holds d. Each step up leaves a range for good,
 * so all steps together are at most n_dirs. */
enum flaw
check_depth_first(const struct tree_cols *c)
{
	enum flaw f = check_numbers(c);
	uint32_t at = 0;

	if (f)
		return f;
	if (c->dir_end[0] != c->n_dirs)
		return FLAW_RANGE_ALL;
	for (uint32_t d = 1; d < c->n_dirs; d++) {
		while (c->dir_end[at] <= d)
			at = tree_parent(c, c->dir_entry[at]);
		if (tree_parent(c, c->dir_entry[d]) != at)
			return FLAW_RANGE;
		if (c->dir_end[d] <= d || c->dir_end[d] > c->dir_end[at])
			return FLAW_NEST;
		at = d;
	}
	return FLAW_NONE;
}

static bool
same_inode(const struct tree_cols *c, uint32_t a, uint32_t b)
{
	const struct tree_class *x = &c->classes[tree_cls(c, a)];
	const struct tree_class *y = &c->classes[tree_cls(c, b)];

	return tree_ino(c, a) == tree_ino(c, b) && x->dev == y->dev && !S_ISDIR(x->mode) &&
	       !S_ISDIR(y->mode) && tree_nlink(c, a) > 1 && tree_nlink(c, b) > 1;
}

enum flaw
check_links(const struct tree_cols *c)
{
	uint64_t least = 0;

	for (uint32_t i = 0; i < c->n_links; i++) {
		const struct tree_link *l = &c->links[i];

		if (l->entry < least || l->entry >= c->n_entries || l->before >= l->entry)
			return FLAW_LINKS;
		if (!same_inode(c, l->entry, l->before))
			return FLAW_PAIR;
		least = (uint64_t)l->entry + 1;
	}
	least = 0;
	for (uint32_t i = 0; i < c->n_link_sums; i++) {
		const struct tree_link_sum *s = &c->link_sums[i];

		if (s->dir < least || s->dir >= c->n_dirs || s->reserved != 0)
			return FLAW_LINK_DIR;
		least = (uint64_t)s->dir + 1;
	}
	return FLAW_NONE;
}
