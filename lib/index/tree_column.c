#include "index/tree.h"

#include <dirent.h>

static uint64_t
value_of(const struct tree_cols *c, enum tree_column col, uint32_t e)
{
	switch (col) {
	case TREE_SIZE:
		return tree_size(c, e);
	case TREE_BLOCKS:
		return tree_blocks(c, e);
	case TREE_MTIME:
		return (uint64_t)tree_mtime(c, e);
	case TREE_CTIME:
		return (uint64_t)tree_ctime(c, e);
	case TREE_INO:
		return tree_ino(c, e);
	case TREE_NLINK:
		return tree_nlink(c, e);
	case TREE_CLS:
		return tree_cls(c, e);
	case TREE_PARENT:
		return tree_parent(c, e);
	case TREE_FLAGS:
		return tree_flags(c, e);
	case N_TREE_COLUMNS:
		break;
	}
	return 0;
}

void
tree_read(const struct tree_cols *c, enum tree_column col, uint32_t lo, uint32_t n, uint64_t *ret)
{
	for (uint32_t i = 0; i < n; i++)
		ret[i] = value_of(c, col, lo + i);
}

bool
tree_bounds(const struct tree_cols *c, enum tree_column col, uint32_t lo, uint32_t n,
	uint64_t *ret_min, uint64_t *ret_max)
{
	(void)c, (void)col, (void)lo, (void)n, (void)ret_min, (void)ret_max;
	return false;
}

void
tree_sum(const struct tree_cols *c, uint32_t lo, uint32_t hi, struct tree_sum *ret)
{
	*ret = (struct tree_sum){0};
	for (uint32_t e = lo; e < hi; e++) {
		ret->size += tree_size(c, e);
		ret->blocks += tree_blocks(c, e);
	}
}

static bool
is_link(const struct tree_cols *c, uint32_t e)
{
	return tree_nlink(c, e) > 1 && tree_type(c, e) != DT_DIR;
}

static bool
has_twin_before(const struct tree_cols *c, uint32_t lo, uint32_t e)
{
	for (uint32_t i = lo; i < e; i++) {
		if (tree_ino(c, i) == tree_ino(c, e) && is_link(c, i) &&
			c->classes[tree_cls(c, i)].dev == c->classes[tree_cls(c, e)].dev)
			return true;
	}
	return false;
}

void
tree_sum_once(const struct tree_cols *c, uint32_t lo, uint32_t hi, struct tree_sum *ret)
{
	tree_sum(c, lo, hi, ret);
	for (uint32_t e = lo; e < hi; e++) {
		if (is_link(c, e) && has_twin_before(c, lo, e)) {
			ret->size -= tree_size(c, e);
			ret->blocks -= tree_blocks(c, e);
		}
	}
}

void
tree_sum_dir(const struct tree_cols *c, uint32_t dir, struct tree_sum *ret)
{
	uint32_t lo, hi;

	tree_subtree(c, dir, &lo, &hi);
	tree_sum_once(c, lo, hi, ret);
}
