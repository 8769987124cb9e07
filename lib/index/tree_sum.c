#include "index/tree_format.h"

#include "base/bisect.h"

static void
subtract(struct tree_sum *from, const struct tree_sum *s)
{
	from->size -= s->size;
	from->blocks -= s->blocks;
}

/* Of the entries before `entry`. */
static struct tree_sum
sum_before(const struct tree_cols *c, uint32_t entry)
{
	uint32_t first = entry & ~(TREE_BLOCK - 1), n = entry - first;
	struct tree_sum sum = c->sums[entry / TREE_BLOCK];
	uint64_t values[TREE_BLOCK];

	tree_read(c, TREE_SIZE, first, n, values);
	for (uint32_t i = 0; i < n; i++)
		sum.size += values[i];
	tree_read(c, TREE_BLOCKS, first, n, values);
	for (uint32_t i = 0; i < n; i++)
		sum.blocks += values[i];
	return sum;
}

void
tree_sum(const struct tree_cols *c, uint32_t lo, uint32_t hi, struct tree_sum *ret)
{
	struct tree_sum before = sum_before(c, lo);

	*ret = sum_before(c, hi);
	subtract(ret, &before);
}

/* The first link whose entry is not below `entry`. */
static uint32_t
link_from(const struct tree_cols *c, uint32_t entry)
{
	return FIRST_NOT(i, c->n_links, c->links[i].entry < entry);
}

void
tree_sum_once(const struct tree_cols *c, uint32_t lo, uint32_t hi, struct tree_sum *ret)
{
	tree_sum(c, lo, hi, ret);
	for (uint32_t i = link_from(c, lo); i < c->n_links && c->links[i].entry < hi; i++) {
		uint32_t e = c->links[i].entry;

		if (c->links[i].before >= lo)
			subtract(ret, &(struct tree_sum){tree_size(c, e), tree_blocks(c, e)});
	}
}

/* What the pairs subtract whose deepest common directory is before `dir`. */
static struct tree_sum
links_before(const struct tree_cols *c, uint32_t dir)
{
	uint32_t lo = FIRST_NOT(i, c->n_link_sums, c->link_sums[i].dir < dir);

	return lo > 0 ? c->link_sums[lo - 1].sum : (struct tree_sum){0};
}

void
tree_sum_dir(const struct tree_cols *c, uint32_t dir, struct tree_sum *ret)
{
	struct tree_sum twice = links_before(c, c->dir_end[dir]), before = links_before(c, dir);
	uint32_t lo, hi;

	tree_subtree(c, dir, &lo, &hi);
	tree_sum(c, lo, hi, ret);
	subtract(&twice, &before);
	subtract(ret, &twice);
}
