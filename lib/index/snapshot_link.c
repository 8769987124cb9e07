#include "index/snapshot_link.h"

#include <dirent.h>
#include <errno.h>

#include "base/bisect.h"
#include "base/vec.h"

#define READ_ENTRIES (2 * TREE_BLOCK)

/* A link, and what it is to. */
struct link {
	uint64_t dev, ino;
	uint32_t layer, entry;
	bool dead;
};

struct links {
	VEC(struct link) all;
};

struct twins {
	VEC(struct snap_twin) all;
	uint32_t n_inodes;
};

/* Takes links of one layer. */
struct gatherer {
	const struct snapshot *snapshot;
	uint32_t layer;
	const struct links
		*only; /* by inode: others are not wanted, nor dead ones; NULL: all are */
	struct links *to;
};

static int
compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int
compare_inodes(const struct link *a, const struct link *b)
{
	int r = compare_u64(a->ino, b->ino);

	return r ? r : compare_u64(a->dev, b->dev);
}

static int
compare_links(const void *va, const void *vb)
{
	const struct link *a = va, *b = vb;
	int r = compare_inodes(a, b);

	if (r == 0)
		r = compare_u64(a->layer, b->layer);
	return r ? r : compare_u64(a->entry, b->entry);
}

static int
compare_twins(const void *va, const void *vb)
{
	const struct snap_twin *a = va, *b = vb;
	int r = compare_u64(a->layer, b->layer);

	return r ? r : compare_u64(a->entry, b->entry);
}

static void
sort_links(struct links *l)
{
	if (l->all.len > 1)
		qsort(l->all.data, l->all.len, sizeof(struct link), compare_links);
}

static bool
has_inode(const struct links *l, const struct link *wanted)
{
	size_t lo = FIRST_NOT(i, l->all.len, compare_inodes(&l->all.data[i], wanted) < 0);

	return lo < l->all.len && compare_inodes(&l->all.data[lo], wanted) == 0;
}

static int
gather_link(const struct gatherer *g, uint32_t entry)
{
	const struct snap_layer *l = &g->snapshot->layers[g->layer];
	const struct tree_cols *c = tree_cols(l->tree);
	struct link link = {
		.dev = c->classes[tree_cls(c, entry)].dev,
		.ino = tree_ino(c, entry),
		.layer = g->layer,
		.entry = entry,
		.dead = tree_is_dead(l->dead, entry),
	};

	if (tree_type(c, entry) == DT_DIR || (g->only && (link.dead || !has_inode(g->only, &link))))
		return 0;
	return VEC_PUSH(&g->to->all, link);
}

/* Of entries [lo, lo + n), n <= READ_ENTRIES. */
static int
gather_block(const struct gatherer *g, const struct tree_cols *c, uint32_t lo, uint32_t n)
{
	uint64_t nlink[READ_ENTRIES], min, max;
	int r = 0;

	if (tree_bounds(c, TREE_NLINK, lo, n, &min, &max) && max < 2)
		return 0;
	tree_read(c, TREE_NLINK, lo, n, nlink);
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = nlink[i] < 2 ? 0 : gather_link(g, lo + i);
	return r;
}

static int
gather_range(const struct gatherer *g, uint32_t lo, uint32_t hi)
{
	const struct tree_cols *c = snapshot_cols(g->snapshot, g->layer);
	int r = 0;

	for (uint32_t n; lo < hi && r == 0; lo += n) {
		n = MIN(hi - lo, READ_ENTRIES - lo % READ_ENTRIES);
		r = gather_block(g, c, lo, n);
	}
	return r;
}

/* All links of a root that may be in the way: those that are dead, and those above the base. */
static int
gather_suspects(const struct snapshot *s, const struct snap_root *root, struct links *ret)
{
	struct gatherer g = {.snapshot = s, .layer = root->first_layer, .to = ret};
	const struct tree_range *dead;
	uint32_t n = tree_dead_ranges(s->layers[g.layer].dead, &dead);
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++)
		r = gather_range(&g, dead[i].lo, dead[i].hi);
	for (uint32_t i = 1; i < root->stack->n_layers && r == 0; i++) {
		g.layer++;
		r = gather_range(&g, 0, snapshot_cols(s, g.layer)->n_entries);
	}
	return r;
}

/* And the links to the same inodes that are live in the base. */
static int
gather_base(const struct snapshot *s, const struct snap_root *root, struct links *l)
{
	struct links more = {0};
	struct gatherer g = {.snapshot = s, .layer = root->first_layer, .only = l, .to = &more};
	int r;

	sort_links(l);
	r = l->all.len ? gather_range(&g, 0, snapshot_cols(s, g.layer)->n_entries) : 0;
	if (r == 0)
		r = VEC_RESERVE(&l->all, more.all.len);
	for (size_t i = 0; r == 0 && i < more.all.len; i++)
		l->all.data[l->all.len++] = more.all.data[i];
	VEC_FINI(&more.all);
	return r;
}

/* Links to one inode: are they dead, or in several layers? */
static bool
is_troubled(const struct link *l, size_t n)
{
	bool dead = false;

	for (size_t i = 0; i < n; i++)
		dead = dead || l[i].dead;
	return dead || l[0].layer != l[n - 1].layer;
}

static int
keep_troubled(const struct links *l, struct twins *to)
{
	const struct link *a = l->all.data;

	for (size_t i = 0, end; i < l->all.len; i = end) {
		for (end = i + 1; end < l->all.len && compare_inodes(&a[i], &a[end]) == 0;)
			end++;
		if (!is_troubled(&a[i], end - i))
			continue;
		for (size_t k = i; k < end; k++) {
			if (VEC_PUSH(&to->all,
				    (struct snap_twin){to->n_inodes, a[k].layer, a[k].entry}) < 0)
				return -ENOMEM;
		}
		to->n_inodes++;
	}
	return 0;
}

static int
find_in_root(const struct snapshot *s, const struct snap_root *root, struct twins *to)
{
	struct links links = {0};
	int r = gather_suspects(s, root, &links);

	if (r == 0)
		r = gather_base(s, root, &links);
	sort_links(&links);
	if (r == 0)
		r = keep_troubled(&links, to);
	VEC_FINI(&links.all);
	return r;
}

static int
find_twins(void *arg)
{
	const struct snapshot *s = arg;
	size_t *first = calloc(s->n_layers + 1, sizeof(*first));
	struct twins twins = {0};
	int r = first ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < s->n_roots && r == 0; i++) {
		if (s->roots[i].stack && s->roots[i].stack->n_layers > 1)
			r = find_in_root(s, &s->roots[i], &twins);
	}
	if (r < 0) {
		free(first);
		VEC_FINI(&twins.all);
		return r;
	}
	if (twins.all.len > 1)
		qsort(twins.all.data, twins.all.len, sizeof(struct snap_twin), compare_twins);
	VEC_EACH (&twins.all, t)
		first[t->layer + 1]++;
	for (uint32_t i = 0; i < s->n_layers; i++)
		first[i + 1] += first[i];
	s->links->first = first;
	s->links->twin = twins.all.data;
	return 0;
}

/* The first of those of the layer that is not below `entry`. */
static size_t
twin_from(const struct snap_links *l, uint32_t layer, uint32_t entry)
{
	size_t lo = l->first[layer], hi = l->first[layer + 1];

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->twin[mid].entry < entry)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
snapshot_twins(const struct snapshot *s, uint32_t layer, uint32_t lo, uint32_t hi,
	const struct snap_twin **ret, size_t *ret_n)
{
	struct snap_links *l = s->links;
	size_t at;
	int r;

	*ret = NULL;
	*ret_n = 0;
	if (snapshot_root(s, layer)->stack->n_layers == 1)
		return 0;
	r = once_run(&l->found, find_twins, (void *)(uintptr_t)s);
	if (r < 0)
		return r;
	at = twin_from(l, layer, lo);
	*ret_n = twin_from(l, layer, hi) - at;
	if (*ret_n > 0)
		*ret = &l->twin[at];
	return 0;
}

void
snap_links_fini(struct snap_links *l)
{
	free(l->first);
	free(l->twin);
}
