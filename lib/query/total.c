#include "query/total.h"

#include <dirent.h>
#include <errno.h>

#include "base/vec.h"
#include "query/halt.h"

#define READ_ENTRIES 256u       /* values read at a time: two blocks of bounds */
#define SKIP_ENTRIES (1u << 14) /* passed over at a time */

/* A root that lies at or below an entry of another one. */
struct nested {
	uint32_t outer, inner; /* roots */
	struct place at, top;  /* in the outer one; entry 0 of the inner one */
	bool own; /* `at` is the root's directory, else it is the deepest one known above */
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

/* Entries [lo, hi) of a layer, of one device only unless `dev` is 0. */
struct piece {
	uint64_t dev;
	uint32_t layer, lo, hi;
};

struct pieces {
	VEC(struct piece) all;
};

struct link {
	uint64_t dev, ino, size, blocks;
};

struct links {
	VEC(struct link) all;
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

/* The entry of the inner root's directory is told by that root itself. What is below it there is
 * of a time when the inner root was none. */
static int
add_hole(struct totals *t, struct place at)
{
	const struct tree_cols *c = cols_of(t, at.layer);
	struct hole below = {.layer = at.layer};

	if (VEC_PUSH(&t->holes, (struct hole){at.layer, at.entry, at.entry + 1}) < 0)
		return -ENOMEM;
	if (tree_dir(c, at.entry) == TREE_NO_DIR)
		return 0;
	tree_subtree(c, tree_dir(c, at.entry), &below.lo, &below.hi);
	return VEC_PUSH(&t->holes, below);
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
	t->simple[outer] = false;
	if (VEC_PUSH(&t->nested, n) < 0)
		return -ENOMEM;
	return n.own ? add_hole(t, n.at) : 0;
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

static bool
on_device(const struct tree_cols *c, uint64_t dev)
{
	for (uint32_t k = 0; k < c->n_classes; k++) {
		if (c->classes[k].dev != dev)
			return false;
	}
	return true;
}

/* Is everything in the root on one device? */
static bool
on_one_device(const struct totals *t, const struct snap_root *r)
{
	uint64_t dev = cols_of(t, r->first_layer)->classes[0].dev;

	for (uint32_t k = 0; k < r->stack->n_layers; k++) {
		if (!on_device(cols_of(t, r->first_layer + k), dev))
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

/* Entries [lo, hi) without the holes. */
static int
add_range(const struct totals *t, struct pieces *p, struct piece range)
{
	VEC_EACH (&t->holes, h) {
		struct piece left = range;

		if (h->layer != range.layer || h->hi <= range.lo || h->lo >= range.hi)
			continue;
		left.hi = h->lo;
		if (left.lo < left.hi && VEC_PUSH(&p->all, left) < 0)
			return -ENOMEM;
		range.lo = MAX(range.lo, h->hi);
	}
	return range.lo < range.hi ? VEC_PUSH(&p->all, range) : 0;
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

static int
add_inner(const struct totals *t, struct pieces *p, struct piece own, struct piece below)
{
	int r = 0;

	VEC_EACH (&t->nested, n) {
		uint32_t e = n->at.entry;

		if (n->at.layer != own.layer || (e != own.lo && (e < below.lo || e >= below.hi)))
			continue;
		if (r == 0)
			r = add_root(t, p, &t->snapshot->roots[n->inner], own.dev);
	}
	return r;
}

/* What is at and below a path. */
static int
add_place(const struct totals *t, struct pieces *p, struct place at)
{
	const struct tree_cols *c;
	struct piece own, below;
	struct place inner = at;
	int r;

	if (totals_inner(t, at, &inner))
		at = inner;
	c = cols_of(t, at.layer);
	own = (struct piece){.layer = at.layer, .lo = at.entry, .hi = at.entry + 1};
	if (t->opts.one_device)
		own.dev = device_of(t, at);
	below = own;
	below.lo = below.hi = 0;
	if (tree_dir(c, at.entry) != TREE_NO_DIR)
		tree_subtree(c, tree_dir(c, at.entry), &below.lo, &below.hi);
	r = add_range(t, p, own);
	if (r == 0)
		r = add_range(t, p, below);
	return r < 0 ? r : add_inner(t, p, own, below);
}

static int
compare_pieces(const void *va, const void *vb)
{
	const struct piece *a = va, *b = vb;

	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	if (a->layer != b->layer)
		return a->layer < b->layer ? -1 : 1;
	return a->lo < b->lo ? -1 : a->lo > b->lo;
}

/* Pieces that overlap or touch become one. */
static void
join_pieces(struct pieces *p)
{
	struct piece *a = p->all.data;
	size_t n = 0;

	if (p->all.len > 1)
		qsort(a, p->all.len, sizeof(*a), compare_pieces);
	for (size_t i = 0; i < p->all.len; i++) {
		struct piece *last = n > 0 ? &a[n - 1] : NULL;

		if (last && last->dev == a[i].dev && last->layer == a[i].layer &&
			a[i].lo <= last->hi)
			last->hi = MAX(last->hi, a[i].hi);
		else
			a[n++] = a[i];
	}
	p->all.len = n;
}

static int
add_places(const struct totals *t, struct pieces *p, const struct place *at, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_place(t, p, at[i]);
	join_pieces(p);
	return r;
}

/* Some values of the piece, among which one is at least what is looked for. */
typedef int (*block_fn)(const struct tree_cols *c, uint32_t lo, const uint64_t *value, uint32_t n,
	uint64_t dev, void *ctx);

static bool
reaches(const struct tree_cols *c, enum tree_column col, uint32_t lo, uint32_t n, uint64_t least)
{
	uint64_t min, max;

	return !tree_bounds(c, col, lo, n, &min, &max) || max >= least;
}

static int
each_block(const struct tree_cols *c, const struct piece *p, enum tree_column col, uint64_t least,
	block_fn fn, void *ctx)
{
	uint64_t value[READ_ENTRIES];
	int r = 0;

	for (uint32_t lo = p->lo, n; r == 0 && lo < p->hi; lo += n) {
		n = MIN(p->hi - lo, READ_ENTRIES - lo % READ_ENTRIES);
		if (!reaches(c, col, lo, n, least))
			continue;
		tree_read(c, col, lo, n, value);
		r = fn(c, lo, value, n, p->dev, ctx);
	}
	return r;
}

/* Call fn for all blocks of the piece in which a value of the column may be at least `least`. */
static int
each_value(const struct totals *t, const struct piece *p, enum tree_column col, uint64_t least,
	block_fn fn, void *ctx)
{
	const struct tree_cols *c = cols_of(t, p->layer);
	int r = 0;

	for (struct piece part = *p; r == 0 && part.lo < p->hi; part.lo = part.hi) {
		part.hi = part.lo + MIN(p->hi - part.lo, SKIP_ENTRIES - part.lo % SKIP_ENTRIES);
		if (reaches(c, col, part.lo, part.hi - part.lo, least))
			r = each_block(c, &part, col, least, fn, ctx);
		if (r == 0)
			r = query_poll(t->opts.halt);
	}
	return r;
}

static bool
is_foreign(const struct tree_cols *c, uint32_t cls, uint64_t dev)
{
	return dev != 0 && c->classes[cls].dev != dev;
}

static int
gather_links(const struct tree_cols *c, uint32_t lo, const uint64_t *nlink, uint32_t n,
	uint64_t dev, void *ctx)
{
	struct links *links = ctx;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t e = lo + i;

		if (nlink[i] < 2 || tree_type(c, e) == DT_DIR || is_foreign(c, tree_cls(c, e), dev))
			continue;
		if (VEC_PUSH(&links->all,
			    (struct link){c->classes[tree_cls(c, e)].dev, tree_ino(c, e),
				    tree_size(c, e), tree_blocks(c, e)}) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int
compare_links(const void *va, const void *vb, void *ctx)
{
	const struct link *a = va, *b = vb;

	(void)ctx;
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

/* Take off what an inode counts for more than once. */
static int
count_once(const struct totals *t, const struct pieces *p, struct total *sum)
{
	struct links links = {0};
	struct link *l;
	int r = 0;

	VEC_EACH (&p->all, piece) {
		if (r == 0)
			r = each_value(t, piece, TREE_NLINK, 2, gather_links, &links);
	}
	l = links.all.data;
	if (r == 0) /* stable: which of its links counts hangs on nothing else */
		r = query_sort_array(
			t->opts.halt, l, links.all.len, sizeof(*l), compare_links, NULL);
	for (size_t i = 1; r == 0 && i < links.all.len; i++) {
		if (l[i - 1].dev == l[i].dev && l[i - 1].ino == l[i].ino) {
			sum->size -= l[i].size;
			sum->blocks -= l[i].blocks;
		}
	}
	VEC_FINI(&links.all);
	return r;
}

static int
take_foreign(const struct tree_cols *c, uint32_t lo, const uint64_t *cls, uint32_t n, uint64_t dev,
	void *ctx)
{
	struct total *sum = ctx;

	for (uint32_t i = 0; i < n; i++) {
		if (is_foreign(c, (uint32_t)cls[i], dev)) {
			sum->size -= tree_size(c, lo + i);
			sum->blocks -= tree_blocks(c, lo + i);
			sum->n_entries--;
		}
	}
	return 0;
}

static int
sum_pieces(const struct totals *t, const struct pieces *p, struct total *ret)
{
	struct total sum = {0};
	int r = 0;

	VEC_EACH (&p->all, piece) {
		const struct tree_cols *c = cols_of(t, piece->layer);
		struct tree_sum all;

		tree_sum(c, piece->lo, piece->hi, &all);
		sum.size += all.size;
		sum.blocks += all.blocks;
		sum.n_entries += piece->hi - piece->lo;
		if (r == 0 && piece->dev != 0 && !on_device(c, piece->dev))
			r = each_value(t, piece, TREE_CLS, 0, take_foreign, &sum);
	}
	if (r == 0 && !t->opts.every_link)
		r = count_once(t, p, &sum);
	*ret = sum;
	return r;
}

int
totals_union(const struct totals *t, const struct place *at, size_t n, struct total *ret)
{
	struct pieces p = {0};
	int r = add_places(t, &p, at, n);

	if (r == 0)
		r = sum_pieces(t, &p, ret);
	VEC_FINI(&p.all);
	return r;
}

/* From running sums alone. */
static void
sum_simple(const struct totals *t, const struct tree_cols *c, uint32_t entry, struct total *ret)
{
	uint32_t dir = tree_dir(c, entry), lo, hi;
	struct tree_sum below;

	*ret = (struct total){tree_size(c, entry), tree_blocks(c, entry), 1};
	if (dir == TREE_NO_DIR)
		return;
	tree_subtree(c, dir, &lo, &hi);
	if (t->opts.every_link)
		tree_sum(c, lo, hi, &below);
	else
		tree_sum_dir(c, dir, &below);
	ret->size += below.size;
	ret->blocks += below.blocks;
	ret->n_entries += hi - lo;
}

int
totals_of(const struct totals *t, struct place at, struct total *ret)
{
	if (!t->simple[t->snapshot->layers[at.layer].root])
		return totals_union(t, &at, 1, ret);
	sum_simple(t, cols_of(t, at.layer), at.entry, ret);
	return 0;
}

static int
count_unread(const struct tree_cols *c, uint32_t lo, const uint64_t *flags, uint32_t n,
	uint64_t dev, void *ctx)
{
	for (uint32_t i = 0; i < n; i++)
		*(uint64_t *)ctx += (flags[i] & TREE_NOT_ENTERED) != 0 &&
		                    !is_foreign(c, dev ? tree_cls(c, lo + i) : 0, dev);
	return 0;
}

int
totals_unread(const struct totals *t, const struct place *at, size_t n, uint64_t *ret)
{
	struct pieces p = {0};
	int r = add_places(t, &p, at, n);

	*ret = 0;
	VEC_EACH (&p.all, piece) {
		if (r == 0)
			r = each_value(t, piece, TREE_FLAGS, TREE_NOT_ENTERED, count_unread, ret);
	}
	VEC_FINI(&p.all);
	return r;
}
