#include "query/below.h"

#include "base/vec.h"
#include "index/snapshot_link.h"

void
below_find(const struct snapshot *s, uint32_t layer, uint32_t dir, struct below *ret)
{
	const struct snap_root *root = snapshot_root(s, layer);
	struct tree_dirs dirs;

	ret->n = 0;
	if (root->stack->n_layers == 1) {
		ret->part[ret->n++] = (struct below_part){layer, dir};
		return;
	}
	tree_stack_dirs(root->stack, s->layers[layer].layer, dir, &dirs);
	for (uint32_t i = 0; i < root->stack->n_layers; i++) {
		if (dirs.dir[i] != TREE_NO_DIR)
			ret->part[ret->n++] =
				(struct below_part){root->first_layer + i, dirs.dir[i]};
	}
}

void
below_range(const struct snapshot *s, const struct below *b, uint32_t i, uint32_t *ret_lo,
	uint32_t *ret_hi)
{
	tree_subtree(snapshot_cols(s, b->part[i].layer), b->part[i].dir, ret_lo, ret_hi);
}

bool
below_has(const struct snapshot *s, const struct below *b, uint32_t layer, uint32_t entry)
{
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t lo, hi;

		if (b->part[i].layer != layer)
			continue;
		below_range(s, b, i, &lo, &hi);
		return entry >= lo && entry < hi;
	}
	return false;
}

uint64_t
below_entries(const struct snapshot *s, const struct below *b)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t lo, hi;

		below_range(s, b, i, &lo, &hi);
		n += snapshot_count(s, b->part[i].layer, lo, hi);
	}
	return n;
}

uint64_t
below_children(const struct snapshot *s, const struct below *b)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		const uint32_t *first = snapshot_cols(s, b->part[i].layer)->dir_first;
		uint32_t dir = b->part[i].dir;

		n += snapshot_count(s, b->part[i].layer, first[dir], first[dir + 1]);
	}
	return n;
}

/* Directories with a number among the entries before `entry`. */
static uint32_t
dirs_before(const struct tree_cols *c, uint32_t entry)
{
	uint64_t bits;

	if (entry == c->n_entries)
		return c->n_dirs;
	bits = c->dir_bits[entry / 64] & tree_packed_mask(entry % 64);
	return c->dir_rank[entry / 64] + (uint32_t)__builtin_popcountll(bits);
}

/* Of those that are dead, in [lo, hi). Each range costs some ns. */
static uint32_t
dead_dirs(const struct snap_layer *l, uint32_t lo, uint32_t hi)
{
	const struct tree_cols *c = tree_cols(l->tree);
	const struct tree_range *range;
	uint32_t n = tree_dead_ranges(l->dead, &range), at = 0, end = n, sum = 0;

	while (at < end) {
		uint32_t mid = at + (end - at) / 2;

		if (range[mid].hi <= lo)
			at = mid + 1;
		else
			end = mid;
	}
	for (; at < n && range[at].lo < hi; at++)
		sum += dirs_before(c, MIN(range[at].hi, hi)) -
		       dirs_before(c, MAX(range[at].lo, lo));
	return sum;
}

/* A directory that is live has its number in the layer that tells it. */
uint64_t
below_dirs(const struct snapshot *s, const struct below *b)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct snap_layer *l = &s->layers[b->part[i].layer];
		uint32_t dir = b->part[i].dir, lo, hi;

		below_range(s, b, i, &lo, &hi);
		n += tree_cols(l->tree)->dir_end[dir] - dir - 1 - dead_dirs(l, lo, hi);
	}
	return n;
}

static void
add(struct tree_sum *to, const struct tree_sum *s)
{
	to->size += s->size;
	to->blocks += s->blocks;
}

static void
subtract(struct tree_sum *from, const struct tree_sum *s)
{
	from->size -= s->size;
	from->blocks -= s->blocks;
}

static int
compare_twins(const void *va, const void *vb)
{
	const struct snap_twin *a = va, *b = vb;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	if (a->layer != b->layer)
		return a->layer < b->layer ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

/* Links to one inode: what was counted, by the layers' link sums and as dead, and what is to be. */
static void
put_right(const struct snapshot *s, const struct snap_twin *t, size_t n, struct tree_sum *sum)
{
	bool counted = false;

	for (size_t i = 0; i < n; i++) {
		const struct snap_layer *l = &s->layers[t[i].layer];
		const struct tree_cols *c = tree_cols(l->tree);
		struct tree_sum one = {tree_size(c, t[i].entry), tree_blocks(c, t[i].entry)};
		bool dead = tree_is_dead(l->dead, t[i].entry);

		if (i == 0 || t[i].layer != t[i - 1].layer)
			subtract(sum, &one);
		if (dead || !counted)
			add(sum, &one);
		counted = counted || !dead;
	}
}

/* All twins below, inode by inode. */
static void
put_all_right(const struct snapshot *s, struct snap_twin *t, size_t n, struct tree_sum *sum)
{
	qsort(t, n, sizeof(*t), compare_twins);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && t[end].inode == t[i].inode;)
			end++;
		put_right(s, &t[i], end - i, sum);
	}
}

/* Link sums know one layer, and dead links as others. */
static int
correct_links(const struct snapshot *s, const struct below *b, struct tree_sum *sum)
{
	VEC(struct snap_twin) twins = {0};
	int r = 0;

	for (uint32_t i = 0; i < b->n && r == 0; i++) {
		const struct snap_twin *t;
		uint32_t lo, hi;
		size_t n;

		below_range(s, b, i, &lo, &hi);
		r = snapshot_twins(s, b->part[i].layer, lo, hi, &t, &n);
		if (r == 0)
			r = VEC_RESERVE(&twins, n);
		if (r == 0 && n > 0)
			memcpy(twins.data + twins.len, t, n * sizeof(*t));
		twins.len += r == 0 ? n : 0;
	}
	if (r == 0 && twins.len > 0)
		put_all_right(s, twins.data, twins.len, sum);
	VEC_FINI(&twins);
	return r;
}

int
below_sum(const struct snapshot *s, const struct below *b, bool every_link, struct tree_sum *ret)
{
	*ret = (struct tree_sum){0};
	for (uint32_t i = 0; i < b->n; i++) {
		const struct snap_layer *l = &s->layers[b->part[i].layer];
		const struct tree_cols *c = tree_cols(l->tree);
		struct tree_sum part;
		uint32_t lo, hi;

		below_range(s, b, i, &lo, &hi);
		if (every_link)
			tree_sum(c, lo, hi, &part);
		else
			tree_sum_dir(c, b->part[i].dir, &part);
		add(ret, &part);
		if (!l->dead)
			continue;
		(void)tree_dead_sum(l->dead, c, lo, hi, &part);
		subtract(ret, &part);
	}
	if (every_link || snapshot_root(s, b->part[0].layer)->stack->n_layers == 1)
		return 0;
	return correct_links(s, b, ret);
}
