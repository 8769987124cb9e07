#include "index/tree_merge_set.h"

#include <errno.h>

/* A part that begins deep in a directory would have to go through it from its start: in a directory
 * of a million entries, each of its parts. So one pass notes where they begin. */

int
merge_find_starts(struct merge *g)
{
	const struct tree_plan *plan = &g->plan;
	uint32_t n_parts = (plan->counts.n_entries - 1) / TREE_CHUNK + 1;
	struct merge_cursor c = {0};
	int r;

	g->starts = calloc(n_parts, sizeof(*g->starts));
	if (!g->starts)
		return -ENOMEM;
	for (uint32_t i = 1; i < n_parts; i++) {
		uint32_t first = i * TREE_CHUNK, d = tree_plan_dir(plan, first);
		uint32_t deep = first - plan->dir_first[d];
		struct merge_row row;

		if (deep <= TREE_CHUNK)
			continue;
		r = stop_pass(g->m->stop);
		if (r < 0)
			return r;
		if (!c.g || c.dir != d)
			merge_cursor_open(&c, g, d);
		while (c.done < deep && merge_cursor_next(&c, &row))
			;
		g->starts[i] = c;
	}
	return 0;
}

/* Where the rows from entry `first` on begin. */
static void
find_start(const struct merge *g, uint32_t first, struct merge_cursor *ret)
{
	uint32_t d = tree_plan_dir(&g->plan, first);
	struct merge_row row;

	if (first % TREE_CHUNK == 0 && g->starts[first / TREE_CHUNK].g) {
		*ret = g->starts[first / TREE_CHUNK];
		return;
	}
	merge_cursor_open(ret, g, d);
	while (ret->done < first - g->plan.dir_first[d] && merge_cursor_next(ret, &row))
		;
}

static void
put_change(const struct merge *g, const struct merge_row *row, uint32_t k, struct plan_rows *ret)
{
	const struct change_item *i = &g->change->items.data[row->entry];

	ret->rows[k] = i->row;
	ret->classes[k] = g->class_map[TREE_MAX_LAYERS][i->row->cls];
	ret->flags[k] = i->flags;
}

static void
put_entry(const struct merge *g, const struct merge_row *row, uint32_t k, struct plan_rows *ret)
{
	const struct tree_cols *c = tree_stack_cols(g->stack, row->layer);

	ret->made[k] = tree_row(c, row->entry, row->name);
	ret->rows[k] = &ret->made[k];
	ret->classes[k] = g->class_map[row->layer][tree_cls(c, row->entry)];
	ret->flags[k] = tree_flags(c, row->entry);
}

static void
put_row(const struct merge *g, const struct merge_row *row, uint32_t k, struct plan_rows *ret)
{
	ret->numbers[k] = row->number;
	if (row->layer == MERGE_CHANGE)
		put_change(g, row, k, ret);
	else
		put_entry(g, row, k, ret);
	if (row->number != TREE_NO_DIR)
		ret->flags[k] = g->dirs.data[g->sequence[row->number]].flags;
}

int
merge_gather(const struct tree_plan *plan, uint32_t first, uint32_t n, struct plan_rows *ret)
{
	const struct merge *g = (const void *)plan;
	struct merge_cursor c = {0};
	struct merge_row row;
	uint32_t k = 0;

	if (first == 0) {
		const struct merge_dir *root = &g->dirs.data[0];

		row = (struct merge_row){root->own_layer, root->own, 0, {"", 0}};
		ret->parents[k] = 0;
		put_row(g, &row, k++, ret);
	}
	if (k < n)
		find_start(g, first + k, &c);
	while (k < n) {
		while (c.done == g->dirs.data[g->sequence[c.dir]].n)
			merge_cursor_open(&c, g, c.dir + 1);
		if (!merge_cursor_next(&c, &row))
			return -EBADMSG;
		ret->parents[k] = c.dir;
		put_row(g, &row, k++, ret);
	}
	return 0;
}

static void
mark_range(const struct tree_cols *c, uint32_t lo, uint32_t hi, bool *used)
{
	uint64_t cls[TREE_BLOCK];

	while (lo < hi) {
		uint32_t n = MIN(hi - lo, TREE_BLOCK - lo % TREE_BLOCK);

		tree_read(c, TREE_CLS, lo, n, cls);
		for (uint32_t i = 0; i < n; i++)
			used[cls[i]] = true;
		lo += n;
	}
}

/* Those that live entries have, between what is dead. */
static void
mark_layer(const struct merge *g, uint32_t layer, bool *used)
{
	const struct tree_cols *c = tree_stack_cols(g->stack, layer);
	const struct tree_range *dead;
	uint32_t n = tree_dead_ranges(g->dead[layer], &dead), lo = 0;

	for (uint32_t i = 0; i < n; i++) {
		mark_range(c, lo, dead[i].lo, used);
		lo = dead[i].hi;
	}
	mark_range(c, lo, c->n_entries, used);
}

static void
mark_skeletons(const struct merge *g, uint32_t layer, bool *used)
{
	const struct tree_cols *c = tree_stack_cols(g->stack, layer);

	for (size_t i = 0; i < g->dirs.len; i++) {
		const struct merge_dir *d = &g->dirs.data[i];

		if (d->number != TREE_NO_DIR && d->own_layer == layer)
			used[tree_cls(c, d->own)] = true;
	}
}

static int
map_used(struct merge *g, uint32_t of, const struct tree_class *classes, uint32_t n,
	const bool *used)
{
	int r = 0;

	g->class_map[of] = calloc(n, sizeof(*g->class_map[of]));
	if (!g->class_map[of])
		return -ENOMEM;
	for (uint32_t i = 0; i < n && r == 0; i++) {
		if (used[i])
			r = class_intern(&g->classes, &classes[i], &g->class_map[of][i]);
	}
	return r;
}

static int
map_layer(struct merge *g, uint32_t layer)
{
	const struct tree_cols *c = tree_stack_cols(g->stack, layer);
	AUTO(freep) bool *used = calloc(c->n_classes, sizeof(*used));

	if (!used)
		return -ENOMEM;
	if (layer >= g->from)
		mark_layer(g, layer, used);
	mark_skeletons(g, layer, used);
	return map_used(g, layer, c->classes, c->n_classes, used);
}

static int
map_changes(struct merge *g)
{
	const struct tree_change *c = g->change;
	uint32_t n = (uint32_t)c->classes.classes.len;
	AUTO(freep) bool *used = calloc(n + 1, sizeof(*used));

	if (!used)
		return -ENOMEM;
	for (size_t i = 0; i < c->items.len; i++) {
		if (c->items.data[i].row)
			used[c->items.data[i].row->cls] = true;
	}
	return n > 0 ? map_used(g, TREE_MAX_LAYERS, c->classes.classes.data, n, used) : 0;
}

int
merge_map_classes(struct merge *g)
{
	int r = 0;

	for (uint32_t i = 0; i < g->n_layers && r == 0; i++)
		r = map_layer(g, i);
	return r == 0 && g->change ? map_changes(g) : r;
}
