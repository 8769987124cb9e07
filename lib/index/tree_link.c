#include "index/tree_link.h"

#include "sync/par_sort.h"

#include <errno.h>

static int
cmp_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int
cmp_seed(const void *a, const void *b, void *unused)
{
	const struct link_seed *x = a, *y = b;

	(void)unused;
	if (x->ino != y->ino)
		return cmp_u64(x->ino, y->ino);
	if (x->dev != y->dev)
		return cmp_u64(x->dev, y->dev);
	return cmp_u64(x->entry, y->entry);
}

static int
cmp_link(const void *a, const void *b, void *unused)
{
	const struct tree_link *x = a, *y = b;

	(void)unused;
	return cmp_u64(x->entry, y->entry);
}

static int
cmp_sum(const void *a, const void *b, void *unused)
{
	const struct tree_link_sum *x = a, *y = b;

	(void)unused;
	return cmp_u64(x->dir, y->dir);
}

/* The deepest directory that is above both. `before` < `entry`, but not so their parents. */
static uint32_t
common_dir(const struct link_dirs *dirs, uint32_t a, uint32_t b)
{
	while (!(a <= b && b < dirs->end[a]))
		a = dirs->parent[a];
	return a;
}

static int
add_pair(const struct link_seed *before, const struct link_seed *s, const struct link_dirs *dirs,
	struct tree_links *ret)
{
	struct tree_link pair = {.entry = s->entry, .before = before->entry};
	struct tree_link_sum sum = {
		.dir = common_dir(dirs, before->parent, s->parent),
		.sum = s->sum,
	};

	if (VEC_PUSH(&ret->links, pair) < 0)
		return -ENOMEM;
	return VEC_PUSH(&ret->sums, sum);
}

/* One element a directory, each with the sums of all before it. */
static void
add_up(struct tree_links *l)
{
	struct tree_link_sum *sums = l->sums.data;
	size_t n = 0;

	for (size_t i = 0; i < l->sums.len; i++) {
		struct tree_link_sum *last = n > 0 ? &sums[n - 1] : NULL;
		struct tree_link_sum now = sums[i];

		if (last) {
			now.sum.size += last->sum.size;
			now.sum.blocks += last->sum.blocks;
		}
		n += !last || last->dir != now.dir;
		sums[n - 1] = now;
	}
	l->sums.len = n;
}

int
tree_links_make(struct link_seed *seeds, size_t n, const struct link_dirs *dirs, struct pool *pool,
	struct stop *stop, struct tree_links *ret)
{
	int r = par_sort(pool, TASK_INDEX, seeds, n, sizeof(*seeds), cmp_seed, NULL, stop);

	for (size_t i = 1; i < n && r == 0; i++) {
		if (seeds[i].ino == seeds[i - 1].ino && seeds[i].dev == seeds[i - 1].dev)
			r = add_pair(&seeds[i - 1], &seeds[i], dirs, ret);
	}
	if (r == 0)
		r = par_sort(pool, TASK_INDEX, ret->links.data, ret->links.len,
			sizeof(*ret->links.data), cmp_link, NULL, stop);
	if (r == 0)
		r = par_sort(pool, TASK_INDEX, ret->sums.data, ret->sums.len,
			sizeof(*ret->sums.data), cmp_sum, NULL, stop);
	if (r == 0)
		add_up(ret);
	return r;
}

void
tree_links_fini(struct tree_links *l)
{
	VEC_FINI(&l->links);
	VEC_FINI(&l->sums);
}
