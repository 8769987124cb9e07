#include "query/total.h"

#include <errno.h>

#include "base/vec.h"
#include "query/below.h"
#include "query/pieces.h"

/* A root that lies at or below an entry of another one. */
struct nested {
	uint32_t outer, inner; /* roots */
	struct place at, top;  /* in the outer one; the inner one itself */
	bool own;         /* `at` is the root's directory, else it is the deepest one known above */
	struct below dir; /* of `at` */
};

/* Entries of one layer that do not count for its root. */
struct hole {
	uint32_t layer, lo, hi;
};

struct totals {
	const struct snapshot *snapshot;
	struct totals_opts opts;
	VEC(struct nested) nested; /* those whose own entry it is first */
	VEC(struct hole) holes;    /* by layer and lo */
	bool *simple; /* [n_roots] no other root in it, nor other devices that matter */
};

static const struct tree_cols *
cols_of(const struct totals *t, uint32_t layer)
{
	return snapshot_cols(t->snapshot, layer);
}

/* `path` without the root's own, or false when it is not strictly below it. */
static bool
path_below(const char *root, const char *path, struct span *ret)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(root, path, len) != 0 || path[len] != '/' || path[len + 1] == '\0')
		return false;
	*ret = span_of(path + len + 1);
	return true;
}

/* The deepest entry on the way to a path below a root; *ret_whole: it is the path's. */
static struct place
deepest_entry(const struct snap_root *r, struct span path, bool *ret_whole)
{
	struct tree_at at = {0};

	*ret_whole = true;
	while (tree_stack_lookup(r->stack, path, &at) < 0 && path.len > 0) {
		const char *slash = memrchr(path.data, '/', path.len);

		path.len = slash ? (size_t)(slash - path.data) : 0;
		*ret_whole = false;
	}
	return (struct place){r->first_layer + at.layer, at.entry};
}

/* The directory of a place; not entered: in no layer. */
static void
find_dir(const struct totals *t, struct place at, struct below *ret)
{
	uint32_t dir = tree_dir(cols_of(t, at.layer), at.entry);

	ret->n = 0;
	if (dir != TREE_NO_DIR)
		below_find(t->snapshot, at.layer, dir, ret);
}

/* The entry of the inner root's directory is told by that root itself. What is below it there is
 * of a time when the inner root was none. */
static int
add_holes(struct totals *t, const struct nested *n)
{
	struct hole own = {n->at.layer, n->at.entry, n->at.entry + 1};

	if (VEC_PUSH(&t->holes, own) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n->dir.n; i++) {
		struct hole below = {.layer = n->dir.part[i].layer};

		below_range(t->snapshot, &n->dir, i, &below.lo, &below.hi);
		if (VEC_PUSH(&t->holes, below) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int
add_nested(struct totals *t, uint32_t outer, uint32_t inner)
{
	const struct snap_root *roots = t->snapshot->roots;
	struct nested n = {.outer = outer, .inner = inner};
	struct span path;
	bool whole;

	if (!roots[outer].stack || !roots[inner].stack ||
		!path_below(roots[outer].path, roots[inner].path, &path))
		return 0;
	n.at = deepest_entry(&roots[outer], path, &n.own);
	n.top = deepest_entry(&roots[inner], SPAN_LIT(""), &whole);
	find_dir(t, n.at, &n.dir);
	t->simple[outer] = false;
	if (VEC_PUSH(&t->nested, n) < 0)
		return -ENOMEM;
	return n.own ? add_holes(t, &n) : 0;
}

static int
compare_holes(const void *va, const void *vb)
{
	const struct hole *a = va, *b = vb;

	if (a->layer != b->layer)
		return a->layer < b->layer ? -1 : 1;
	return a->lo < b->lo ? -1 : a->lo > b->lo;
}

static int
compare_nested(const void *va, const void *vb)
{
	const struct nested *a = va, *b = vb;

	return (int)b->own - (int)a->own;
}

/* Is everything in the root on one device? */
static bool
on_one_device(const struct totals *t, const struct snap_root *r)
{
	uint64_t dev = cols_of(t, r->first_layer)->classes[0].dev;

	for (uint32_t k = 0; k < r->stack->n_layers; k++) {
		if (!layer_on_device(cols_of(t, r->first_layer + k), dev))
			return false;
	}
	return true;
}

static int
compare_paths(const void *va, const void *vb, void *ctx)
{
	const struct snapshot *s = ctx;

	return strcmp(s->roots[*(const uint32_t *)va].path, s->roots[*(const uint32_t *)vb].path);
}

/* Sorted, the paths that begin as another does follow it. */
static int
find_nested(struct totals *t)
{
	const struct snapshot *s = t->snapshot;
	AUTO(freep) uint32_t *order = malloc((s->n_roots + 1) * sizeof(*order));
	int r = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_roots; i++)
		order[i] = i;
	qsort_r(order, s->n_roots, sizeof(*order), compare_paths, (void *)(uintptr_t)s);
	for (uint32_t i = 0; i < s->n_roots; i++) {
		struct span outer = span_of(s->roots[order[i]].path);

		for (uint32_t k = i + 1; r == 0 && k < s->n_roots; k++) {
			if (!span_starts(span_of(s->roots[order[k]].path), outer))
				break;
			r = add_nested(t, order[i], order[k]);
		}
	}
	return r;
}

static int
look_at_roots(struct totals *t)
{
	const struct snapshot *s = t->snapshot;
	int r;

	for (uint32_t i = 0; i < s->n_roots; i++)
		t->simple[i] = s->roots[i].stack &&
		               (!t->opts.one_device || on_one_device(t, &s->roots[i]));
	r = find_nested(t);
	if (t->nested.len > 0)
		qsort(t->nested.data, t->nested.len, sizeof(struct nested), compare_nested);
	if (t->holes.len > 0)
		qsort(t->holes.data, t->holes.len, sizeof(struct hole), compare_holes);
	return r;
}

int
totals_open(const struct snapshot *s, const struct totals_opts *opts, struct totals **ret)
{
	struct totals *t = calloc(1, sizeof(*t));
	int r = -ENOMEM;

	if (!t)
		return r;
	t->snapshot = s;
	t->opts = *opts;
	t->simple = calloc(s->n_roots + 1, sizeof(bool));
	if (t->simple)
		r = look_at_roots(t);
	if (r < 0)
		totals_close(t);
	else
		*ret = t;
	return r;
}

void
totals_close(struct totals *t)
{
	if (!t)
		return;
	VEC_FINI(&t->nested);
	VEC_FINI(&t->holes);
	free(t->simple);
	free(t);
}

bool
totals_door(const struct totals *t, size_t i, struct place *ret_outer, struct place *ret_inner)
{
	const struct nested *n;

	if (i >= t->nested.len || !t->nested.data[i].own)
		return false;
	n = &t->nested.data[i];
	*ret_outer = n->at;
	*ret_inner = n->top;
	return true;
}

bool
totals_inner(const struct totals *t, struct place at, struct place *ret)
{
	struct place outer, inner;

	for (size_t i = 0; totals_door(t, i, &outer, &inner); i++) {
		if (outer.layer == at.layer && outer.entry == at.entry) {
			*ret = inner;
			return true;
		}
	}
	return false;
}

bool
totals_is_root(const struct totals *t, uint32_t layer, uint32_t dir)
{
	VEC_EACH (&t->nested, n) {
		for (uint32_t i = 0; n->own && i < n->dir.n; i++) {
			if (n->dir.part[i].layer == layer && n->dir.part[i].dir == dir)
				return true;
		}
	}
	return false;
}

static uint64_t
device_of(const struct totals *t, struct place at)
{
	const struct tree_cols *c = cols_of(t, at.layer);

	return c->classes[tree_cls(c, at.entry)].dev;
}

bool
totals_apart(const struct totals *t, struct place top, struct place at)
{
	return t->opts.one_device && device_of(t, top) != device_of(t, at);
}

/* A piece without the holes. */
static int
add_range(const struct totals *t, struct pieces *p, struct piece range)
{
	VEC_EACH (&t->holes, h) {
		struct piece left = range;

		if (h->layer != range.layer || h->hi <= range.lo || h->lo >= range.hi)
			continue;
		left.hi = h->lo;
		if (pieces_add(p, &left) < 0)
			return -ENOMEM;
		range.lo = MAX(range.lo, h->hi);
	}
	return pieces_add(p, &range);
}

/* All of a root but the roots in it. */
static int
add_root(const struct totals *t, struct pieces *p, const struct snap_root *root, uint64_t dev)
{
	int r = 0;

	for (uint32_t k = 0; r == 0 && k < root->stack->n_layers; k++) {
		struct piece whole = {.layer = root->first_layer + k, .dev = dev};

		whole.hi = cols_of(t, whole.layer)->n_entries;
		r = add_range(t, p, whole);
	}
	return r;
}

/* Roots at or below a place. */
static int
add_inner(const struct totals *t, struct pieces *p, struct place at, const struct below *dir,
	uint64_t dev)
{
	int r = 0;

	VEC_EACH (&t->nested, n) {
		bool same = n->at.layer == at.layer && n->at.entry == at.entry;

		if (r == 0 && (same || below_has(t->snapshot, dir, n->at.layer, n->at.entry)))
			r = add_root(t, p, &t->snapshot->roots[n->inner], dev);
	}
	return r;
}

/* What is at and below a path. */
static int
add_place(const struct totals *t, struct pieces *p, struct place at)
{
	uint64_t dev;
	struct below dir;
	int r;

	(void)totals_inner(t, at, &at);
	dev = t->opts.one_device ? device_of(t, at) : 0;
	find_dir(t, at, &dir);
	r = add_range(t, p, (struct piece){dev, at.layer, at.entry, at.entry + 1});
	for (uint32_t i = 0; r == 0 && i < dir.n; i++) {
		struct piece below = {.dev = dev, .layer = dir.part[i].layer};

		below_range(t->snapshot, &dir, i, &below.lo, &below.hi);
		r = add_range(t, p, below);
	}
	return r < 0 ? r : add_inner(t, p, at, &dir, dev);
}

/* Of several places, as far as it went on failure; pieces_fini() either way. */
static int
find_pieces(const struct totals *t, const struct place *at, size_t n, struct pieces *ret)
{
	int r = 0;

	*ret = (struct pieces){.snapshot = t->snapshot, .halt = t->opts.halt};
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_place(t, ret, at[i]);
	pieces_join(ret);
	return r;
}

int
totals_union(const struct totals *t, const struct place *at, size_t n, struct total *ret)
{
	AUTO(pieces_fini) struct pieces p;
	int r = find_pieces(t, at, n, &p);

	return r < 0 ? r : pieces_sum(&p, t->opts.every_link, ret);
}

int
totals_unread(const struct totals *t, const struct place *at, size_t n, uint64_t *ret)
{
	AUTO(pieces_fini) struct pieces p;
	int r = find_pieces(t, at, n, &p);

	*ret = r < 0 ? 0 : pieces_unread(&p);
	return r;
}

/* From running sums alone. */
static int
sum_simple(const struct totals *t, struct place at, struct total *ret)
{
	const struct tree_cols *c = cols_of(t, at.layer);
	struct tree_sum sum;
	struct below dir;
	int r;

	*ret = (struct total){tree_size(c, at.entry), tree_blocks(c, at.entry), 1};
	find_dir(t, at, &dir);
	if (dir.n == 0)
		return 0;
	r = below_sum(t->snapshot, &dir, t->opts.every_link, &sum);
	if (r < 0)
		return r;
	ret->size += sum.size;
	ret->blocks += sum.blocks;
	ret->n_entries += below_entries(t->snapshot, &dir);
	return 0;
}

int
totals_of(const struct totals *t, struct place at, struct total *ret)
{
	uint32_t root = t->snapshot->layers[at.layer].root;

	return t->simple[root] ? sum_simple(t, at, ret) : totals_union(t, &at, 1, ret);
}
