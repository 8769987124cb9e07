#include "index/tree_merge_set.h"

#include <errno.h>

/* Directories are found depth first, in order of names, with a stack of those yet to be visited:
 * depth costs no C stack. One that only one layer has is copied with all below it as it is. */

typedef VEC(struct merge_dir) dir_vec;

/* The sub-directories that one layer has in a directory; `name` is that of `at`. */
struct sub_run {
	uint32_t layer, at, end;
	struct span name;
};

/* The sub-directories of a directory, of all its sources. */
struct subs {
	struct merge *g;
	uint32_t parent; /* index */
	uint32_t n_runs;
	struct sub_run run[TREE_MAX_LAYERS];
	uint32_t item, item_end; /* the next that is a directory in the end */
};

static const struct change_item *
item_at(const struct merge *g, uint32_t at)
{
	return &g->change->items.data[g->change->order[at]];
}

static void
run_name(const struct merge *g, struct sub_run *r)
{
	const struct tree_cols *c = tree_stack_cols(g->stack, r->layer);

	if (r->at < r->end)
		r->name = tree_name(c, c->dir_entry[r->at]);
}

static bool
item_is_dir(const struct merge *g, uint32_t at)
{
	uint32_t dir = item_at(g, at)->dir;

	return dir != CHANGE_NONE && g->change->dirs.data[dir].alive;
}

static void
skip_files(struct subs *s)
{
	while (s->item < s->item_end && !item_is_dir(s->g, s->item))
		s->item++;
}

static void
add_run(struct subs *s, uint32_t layer, uint32_t dir)
{
	const struct tree_cols *c = tree_stack_cols(s->g->stack, layer);
	struct sub_run r = {.layer = layer, .at = dir + 1, .end = c->dir_end[dir]};

	run_name(s->g, &r);
	if (r.at < r.end)
		s->run[s->n_runs++] = r;
}

static void
subs_open(struct subs *s, struct merge *g, uint32_t parent)
{
	const struct merge_dir *d = &g->dirs.data[parent];

	*s = (struct subs){.g = g, .parent = parent};
	if (d->in_layer < TREE_MAX_LAYERS)
		add_run(s, d->in_layer, d->in);
	for (uint32_t i = g->from; i < g->n_layers && d->in_layer == MERGE_MANY; i++) {
		if (g->many.data[d->in].dir[i] != TREE_NO_DIR)
			add_run(s, i, g->many.data[d->in].dir[i]);
	}
	if (d->change != CHANGE_NONE) {
		s->item = g->change->dirs.data[d->change].first;
		s->item_end = s->item + g->change->dirs.data[d->change].n;
		skip_files(s);
	}
}

/* The least of the names that are next. */
static bool
next_name(const struct subs *s, struct span *ret)
{
	bool any = s->item < s->item_end;

	if (any)
		*ret = change_name(item_at(s->g, s->item));
	for (uint32_t i = 0; i < s->n_runs; i++) {
		if (s->run[i].at < s->run[i].end && (!any || span_cmp(s->run[i].name, *ret) < 0)) {
			*ret = s->run[i].name;
			any = true;
		}
	}
	return any;
}

/* The own entry: what tells the directory, else one that has its name. */
static void
find_own(const struct merge *g, struct merge_dir *d, const struct tree_dirs *in)
{
	const struct change_item *item = NULL;

	d->own_layer = MERGE_CHANGE;
	if (d->change != CHANGE_NONE)
		item = &g->change->items.data[g->change->dirs.data[d->change].item];
	if (item && item->row) {
		d->own = (uint32_t)(item - g->change->items.data);
		d->told = true;
		return;
	}
	for (uint32_t i = g->from; i < g->n_layers && !d->told; i++) {
		uint32_t e;

		if (in->dir[i] == TREE_NO_DIR)
			continue;
		e = tree_stack_cols(g->stack, i)->dir_entry[in->dir[i]];
		d->told = !tree_is_dead(g->dead[i], e);
		if (d->told || d->own_layer == MERGE_CHANGE) {
			d->own_layer = (uint8_t)i;
			d->own = e;
		}
	}
	if (d->own_layer == MERGE_CHANGE) {
		d->own_layer = (uint8_t)item->was.layer;
		d->own = item->was.entry;
	}
}

/* With the numbers that the layers which go in have for it. */
static int
make_dir(struct merge *g, struct merge_dir *d, const struct tree_dirs *in)
{
	d->in_layer = MERGE_CHANGE;
	for (uint32_t i = g->from; i < g->n_layers; i++) {
		if (in->dir[i] == TREE_NO_DIR)
			continue;
		d->in_layer = d->in_layer == MERGE_CHANGE ? (uint8_t)i : MERGE_MANY;
		d->in = in->dir[i];
	}
	if (d->in_layer == MERGE_MANY) {
		d->in = (uint32_t)g->many.len;
		if (VEC_PUSH(&g->many, *in) < 0)
			return -ENOMEM;
	}
	find_own(g, d, in);
	return 0;
}

static int
take_sub(struct subs *s, struct span name, struct merge_dir *ret)
{
	struct tree_dirs in = TREE_NOWHERE;

	*ret = (struct merge_dir){.parent = s->parent, .change = CHANGE_NONE};
	for (uint32_t i = 0; i < s->n_runs; i++) {
		struct sub_run *r = &s->run[i];

		if (r->at == r->end || !span_eq(r->name, name))
			continue;
		in.dir[r->layer] = r->at;
		r->at = tree_stack_cols(s->g->stack, r->layer)->dir_end[r->at];
		run_name(s->g, r);
	}
	if (s->item < s->item_end && span_eq(change_name(item_at(s->g, s->item)), name)) {
		ret->change = item_at(s->g, s->item++)->dir;
		skip_files(s);
	}
	return make_dir(s->g, ret, &in);
}

/* All below a directory that one layer has and no change is in. */
static int
copy_below(struct merge *g, uint32_t index)
{
	struct merge_dir top = g->dirs.data[index];
	const struct tree_cols *c = tree_stack_cols(g->stack, top.in_layer);
	uint32_t end = c->dir_end[top.in];

	if (end - top.in > TREE_MAX_ENTRIES - g->dirs.len)
		return -EFBIG;
	if (VEC_RESERVE(&g->dirs, end - top.in) < 0)
		return -ENOMEM;
	for (uint32_t d = top.in + 1; d < end; d++) {
		uint32_t e = c->dir_entry[d];

		g->dirs.data[g->dirs.len++] = (struct merge_dir){
			.parent = index + (tree_parent(c, e) - top.in),
			.change = CHANGE_NONE,
			.in = d,
			.own = e,
			.in_layer = top.in_layer,
			.own_layer = top.in_layer,
			.told = !tree_is_dead(g->dead[top.in_layer], e),
		};
	}
	return 0;
}

/* The first by name on top. */
static int
push_subs(struct merge *g, uint32_t index, dir_vec *stack)
{
	size_t bottom = stack->len;
	struct span name;
	struct subs s;
	int r = 0;

	subs_open(&s, g, index);
	while (r == 0 && next_name(&s, &name)) {
		struct merge_dir d;

		r = take_sub(&s, name, &d);
		if (r == 0)
			r = VEC_PUSH(stack, d);
	}
	for (size_t lo = bottom, hi = stack->len; lo + 1 < hi; lo++, hi--) {
		struct merge_dir swap = stack->data[lo];

		stack->data[lo] = stack->data[hi - 1];
		stack->data[hi - 1] = swap;
	}
	return r;
}

static int
visit(struct merge *g, struct merge_dir d, dir_vec *stack)
{
	uint32_t index = (uint32_t)g->dirs.len;

	if (g->dirs.len >= TREE_MAX_ENTRIES)
		return -EFBIG;
	if (VEC_PUSH(&g->dirs, d) < 0)
		return -ENOMEM;
	if (d.change == CHANGE_NONE && d.in_layer < TREE_MAX_LAYERS)
		return copy_below(g, index);
	return push_subs(g, index, stack);
}

int
merge_find_dirs(struct merge *g)
{
	struct merge_dir root = {.change = g->change ? TREE_CHANGE_ROOT : CHANGE_NONE};
	struct tree_dirs in = TREE_NOWHERE;
	dir_vec stack = {0};
	int r;

	for (uint32_t i = g->from; i < g->n_layers; i++)
		in.dir[i] = 0;
	r = make_dir(g, &root, &in);
	if (r == 0)
		r = VEC_PUSH(&stack, root);
	while (r == 0 && stack.len > 0) {
		r = visit(g, VEC_POP(&stack), &stack);
		r = r == 0 ? stop_pass(g->m->stop) : r;
	}
	VEC_FINI(&stack);
	return r;
}

static uint32_t
live_in(const struct merge *g, uint32_t layer, uint32_t dir)
{
	const struct tree_cols *c = tree_stack_cols(g->stack, layer);
	uint32_t lo = c->dir_first[dir], hi = c->dir_first[dir + 1];

	return lo == hi ? 0 : hi - lo - tree_dead_sum(g->dead[layer], c, lo, hi, NULL);
}

/* Without skeletons. */
static uint64_t
count_rows(const struct merge *g, const struct merge_dir *d)
{
	uint64_t n = 0;

	if (d->in_layer < TREE_MAX_LAYERS)
		n = live_in(g, d->in_layer, d->in);
	for (uint32_t i = g->from; i < g->n_layers && d->in_layer == MERGE_MANY; i++) {
		if (g->many.data[d->in].dir[i] != TREE_NO_DIR)
			n += live_in(g, i, g->many.data[d->in].dir[i]);
	}
	if (d->change != CHANGE_NONE) {
		const struct change_dir *c = &g->change->dirs.data[d->change];

		for (uint32_t i = c->first; i < c->first + c->n; i++)
			n += item_at(g, i)->row != NULL;
	}
	return n;
}

static uint8_t
dir_flags(const struct merge *g, const struct merge_dir *d)
{
	uint8_t flags;

	if (!d->told)
		return TREE_SKELETON;
	if (d->own_layer == MERGE_CHANGE)
		flags = g->change->items.data[d->own].flags;
	else
		flags = tree_flags(tree_stack_cols(g->stack, d->own_layer), d->own);
	/* In a layer, that nothing is in the block says nothing. */
	if (d->n > 0 || g->from == 0)
		flags &= (uint8_t)~TREE_EMPTY_DIR;
	if (d->n == 0 && g->from == 0 && !(flags & TREE_NOT_ENTERED))
		flags |= TREE_EMPTY_DIR;
	return flags;
}

/* Backwards: what is below a directory comes before it, so that it is known whether a skeleton has
 * something in it. */
static int
count_dirs(struct merge *g, uint32_t *ret_n)
{
	uint32_t n = 0;

	for (size_t i = g->dirs.len; i-- > 0;) {
		struct merge_dir *d = &g->dirs.data[i];
		uint64_t rows = d->n + count_rows(g, d);

		if (rows > TREE_MAX_ENTRIES)
			return -EFBIG;
		d->n = (uint32_t)rows;
		d->number = TREE_NO_DIR;
		if (!d->told && d->n == 0 && i > 0)
			continue;
		if (!d->told && g->from == 0)
			return -EBADMSG; /* Y5 */
		d->number = n++;         /* for now: it is kept */
		d->flags = dir_flags(g, d);
		if (!d->told && i > 0)
			g->dirs.data[d->parent].n++;
	}
	*ret_n = n;
	return 0;
}

/* One table for five, as that of a builder. */
static int
tables_alloc(struct merge *g, size_t n_dirs)
{
	uint32_t *p = n_dirs < SIZE_MAX / 32 ? calloc(5 * n_dirs + 1, sizeof(*p)) : NULL;

	if (!p)
		return -ENOMEM;
	g->sequence = p;
	g->plan.parent = p + n_dirs;
	g->plan.dir_end = p + 2 * n_dirs;
	g->plan.dir_entry = p + 3 * n_dirs;
	g->plan.dir_first = p + 4 * n_dirs;
	return 0;
}

int
merge_number_dirs(struct merge *g)
{
	uint64_t n_entries = 1;
	uint32_t number = 0, n_dirs;
	int r = count_dirs(g, &n_dirs);

	if (r == 0)
		r = tables_alloc(g, n_dirs);
	for (uint32_t i = 0; i < g->dirs.len && r == 0; i++) {
		struct merge_dir *d = &g->dirs.data[i];

		if (d->number == TREE_NO_DIR)
			continue;
		d->number = number;
		g->sequence[number] = i;
		g->plan.parent[number] = i > 0 ? g->dirs.data[d->parent].number : 0;
		g->plan.dir_first[number++] = (uint32_t)n_entries;
		n_entries += d->n;
		if (n_entries > TREE_MAX_ENTRIES)
			r = -EFBIG;
	}
	if (r < 0)
		return r;
	g->plan.dir_first[number] = (uint32_t)n_entries;
	tree_plan_ranges(&g->plan, n_dirs);
	g->plan.counts.n_entries = (uint32_t)n_entries;
	g->plan.counts.n_dirs = n_dirs;
	return 0;
}
