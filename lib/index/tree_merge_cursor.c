#include "index/tree_merge_set.h"

static const struct tree_cols *
run_cols(const struct merge_cursor *c, const struct merge_run *r)
{
	return tree_stack_cols(c->g->stack, r->layer);
}

static const struct change_item *
item_of(const struct merge_cursor *c)
{
	return &c->g->change->items.data[c->g->change->order[c->item]];
}

/* What is dead is not handed out; a run that has nothing left gives its place to the last. */
static void
run_settle(struct merge_cursor *c, uint32_t i)
{
	struct merge_run *r = &c->run[i];

	if (r->n_dead > 0 && r->dead->lo <= r->at) {
		r->at = r->dead->hi;
		r->name = (struct span){0};
		r->dead++;
		r->n_dead--;
	}
	if (r->at >= r->end)
		*r = c->run[--c->n_runs];
}

static void
add_run(struct merge_cursor *c, uint32_t layer, uint32_t dir)
{
	const struct tree_cols *cols = tree_stack_cols(c->g->stack, layer);
	struct merge_run *r = &c->run[c->n_runs++];

	*r = (struct merge_run){
		.layer = layer, .at = cols->dir_first[dir], .end = cols->dir_first[dir + 1]};
	r->n_dead = tree_dead_from(c->g->dead[layer], r->at, &r->dead);
	run_settle(c, c->n_runs - 1);
}

static void
settle_item(struct merge_cursor *c)
{
	while (c->item < c->item_end && !item_of(c)->row)
		c->item++;
}

static const struct merge_dir *
kid_dir(const struct merge_cursor *c)
{
	return &c->g->dirs.data[c->g->sequence[c->kid]];
}

static void
settle_kid(struct merge_cursor *c)
{
	c->bone = c->kid < c->kid_end && !kid_dir(c)->told;
}

void
merge_cursor_open(struct merge_cursor *c, const struct merge *g, uint32_t number)
{
	const struct merge_dir *d = &g->dirs.data[g->sequence[number]];

	*c = (struct merge_cursor){
		.g = g, .dir = number, .kid = number + 1, .kid_end = g->plan.dir_end[number]};
	if (d->in_layer < TREE_MAX_LAYERS)
		add_run(c, d->in_layer, d->in);
	for (uint32_t i = g->from; i < g->n_layers && d->in_layer == MERGE_MANY; i++) {
		if (g->many.data[d->in].dir[i] != TREE_NO_DIR)
			add_run(c, i, g->many.data[d->in].dir[i]);
	}
	if (d->change != CHANGE_NONE) {
		c->item = g->change->dirs.data[d->change].first;
		c->item_end = c->item + g->change->dirs.data[d->change].n;
		settle_item(c);
	}
	settle_kid(c);
}

static struct span
run_name(const struct merge_cursor *c, struct merge_run *r)
{
	if (!r->name.data)
		r->name = tree_name(run_cols(c, r), r->at);
	return r->name;
}

static struct span
bone_name(const struct merge_cursor *c)
{
	const struct merge_dir *d = kid_dir(c);

	return tree_name(tree_stack_cols(c->g->stack, d->own_layer), d->own);
}

/* The number of the row if it is the next sub-directory. */
static uint32_t
take_kid(struct merge_cursor *c, uint32_t layer, uint32_t entry)
{
	uint32_t kid = c->kid;

	if (kid >= c->kid_end || kid_dir(c)->own_layer != layer || kid_dir(c)->own != entry)
		return TREE_NO_DIR;
	c->kid = c->g->plan.dir_end[kid];
	settle_kid(c);
	return kid;
}

static void
take_item(struct merge_cursor *c, struct merge_row *ret)
{
	uint32_t index = c->g->change->order[c->item];

	*ret = (struct merge_row){MERGE_CHANGE, index, TREE_NO_DIR, change_name(item_of(c))};
	if (item_of(c)->row->dir != WALK_NO_DIR)
		ret->number = take_kid(c, MERGE_CHANGE, index);
	c->item++;
	settle_item(c);
}

static void
take_bone(struct merge_cursor *c, struct merge_row *ret)
{
	const struct merge_dir *d = kid_dir(c);

	*ret = (struct merge_row){d->own_layer, d->own, TREE_NO_DIR, bone_name(c)};
	ret->number = take_kid(c, d->own_layer, d->own);
}

/* The name of the next entry is behind the one that is known. */
static void
take_run(struct merge_cursor *c, uint32_t i, struct merge_row *ret)
{
	struct merge_run *r = &c->run[i];
	const struct tree_cols *cols = run_cols(c, r);

	*ret = (struct merge_row){r->layer, r->at, TREE_NO_DIR, run_name(c, r)};
	if (tree_entered(cols, r->at))
		ret->number = take_kid(c, r->layer, r->at);
	r->at++;
	r->name = (struct span){r->name.data + r->name.len + 1, 0};
	if (r->at < r->end)
		r->name.len = strlen(r->name.data);
	run_settle(c, i);
}

/* The run whose name comes first; without others to compare with, no name is looked at. */
static uint32_t
first_run(struct merge_cursor *c)
{
	uint32_t first = 0;

	for (uint32_t i = 1; i < c->n_runs; i++) {
		if (span_cmp(run_name(c, &c->run[i]), run_name(c, &c->run[first])) < 0)
			first = i;
	}
	return first;
}

bool
merge_cursor_next(struct merge_cursor *c, struct merge_row *ret)
{
	bool item = c->item < c->item_end, bone = c->bone;
	uint32_t run = first_run(c);

	if (!item && !bone && c->n_runs == 0)
		return false;
	if (item && bone) {
		bone = span_cmp(bone_name(c), change_name(item_of(c))) < 0;
		item = !bone;
	}
	if (c->n_runs > 0 && (item || bone)) {
		struct span other = item ? change_name(item_of(c)) : bone_name(c);

		if (span_cmp(run_name(c, &c->run[run]), other) < 0)
			item = bone = false;
	}
	if (item)
		take_item(c, ret);
	else if (bone)
		take_bone(c, ret);
	else
		take_run(c, run, ret);
	c->done++;
	return true;
}
