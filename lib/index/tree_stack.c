#include "index/tree_stack.h"

#include <dirent.h>
#include <errno.h>

#include "index/tree_format.h"
#include "index/tree_joint.h"

static int
wrong_layers(struct err *err, uint32_t layer, const char *what)
{
	(void)err_set(
		err, -EBADMSG, "layer %u of the index does not belong there: %s", layer, what);
	(void)err_hint(err, "the index is made again by walking its root");
	return -EBADMSG;
}

/* Y1 of the place in the stack, and Y3. */
static int
check_place(struct tree *const *trees, uint32_t layer, struct err *err)
{
	const struct tree_cols *c = tree_cols(trees[layer]);

	if (c->n_below != layer)
		return wrong_layers(err, layer, "Y1: not the height that it was made for");
	for (uint32_t i = 0; i < layer; i++) {
		const struct tree *t = trees[layer - 1 - i];

		if (c->below[i].header_sum != tree_header_sum(t) ||
			c->below[i].n_entries != tree_cols(t)->n_entries)
			return wrong_layers(err, layer, "Y3: made upon other segments");
	}
	return 0;
}

static const struct tree_dead *
dead_before(const struct tree_stack *old, uint32_t keep, uint32_t layer)
{
	return layer < keep ? old->layer[layer].dead : NULL;
}

/* What the topmost layer says of each below. */
static int
bury(struct tree_stack *s, const struct tree_stack *old, uint32_t keep)
{
	uint32_t top = s->n_layers - 1;
	const struct tree_cols *c = tree_stack_cols(s, top);
	const struct tree_range *said = c->dead;
	int r = tree_dead_create(c, NULL, 0, dead_before(old, keep, top), &s->layer[top].dead);

	for (uint32_t i = 0; i < top && r == 0; i++) {
		uint32_t layer = top - 1 - i, n = c->below[i].n_dead;

		r = tree_dead_create(tree_stack_cols(s, layer), said, n,
			dead_before(old, keep, layer), &s->layer[layer].dead);
		said += n;
	}
	return r;
}

static void
stack_destroy(struct arc *a)
{
	struct tree_stack *s = CONTAINER_OF(a, struct tree_stack, arc);

	for (uint32_t i = 0; i < s->n_layers; i++) {
		tree_unref(s->layer[i].tree);
		tree_dead_destroy(s->layer[i].dead);
	}
	tree_joint_destroy(s->joint);
	free(s);
}

static void
count_live(struct tree_stack *s)
{
	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(s, i);

		s->n_entries +=
			c->n_entries - tree_dead_sum(s->layer[i].dead, c, 0, c->n_entries, NULL);
	}
}

int
tree_stack_create(struct tree *const *trees, uint32_t n, struct tree_stack **ret, struct err *err)
{
	return tree_stack_make(trees, n, NULL, 0, ret, err);
}

int
tree_stack_make(struct tree *const *trees, uint32_t n, const struct tree_stack *old, uint32_t keep,
	struct tree_stack **ret, struct err *err)
{
	struct tree_stack *s;
	int r = 0;

	assert(n > 0 && n <= TREE_MAX_LAYERS);
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = check_place(trees, i, err);
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, -ENOMEM, "could not stack the index: %s", err_reason(-ENOMEM));
	arc_init(&s->arc, stack_destroy);
	s->n_layers = n;
	for (uint32_t i = 0; i < n; i++)
		s->layer[i].tree = tree_ref(trees[i]);
	if (n > 1)
		r = bury(s, old, keep);
	if (n > 1 && r == 0)
		r = tree_joint_create(s, old ? old->joint : NULL, keep, &s->joint);
	if (r < 0) {
		tree_stack_unref(s);
		return err_set(err, r, "could not stack the index: %s", err_reason(r));
	}
	count_live(s);
	*ret = s;
	return 0;
}

struct tree_stack *
tree_stack_ref(struct tree_stack *s)
{
	arc_get(&s->arc);
	return s;
}

void
tree_stack_unref(struct tree_stack *s)
{
	if (s)
		arc_put(&s->arc);
}

bool
tree_stack_faulted(const struct tree_stack *s)
{
	bool faulted = false;

	for (uint32_t i = 0; i < s->n_layers; i++)
		faulted |= tree_faulted(s->layer[i].tree);
	return faulted;
}

void
tree_stack_dirs(const struct tree_stack *s, uint32_t layer, uint32_t dir, struct tree_dirs *ret)
{
	const struct tree_dirs *row = s->joint ? tree_joint_row(s->joint, layer, dir) : NULL;

	*ret = row ? *row : (struct tree_dirs)TREE_NOWHERE;
	ret->dir[layer] = dir;
}

struct tree_at
tree_stack_canon(const struct tree_stack *s, uint32_t layer, uint32_t dir)
{
	const struct tree_dirs *row = layer > 0 ? tree_joint_row(s->joint, layer, dir) : NULL;
	struct tree_at at = {layer, dir};

	for (uint32_t i = 0; row && i < layer; i++) {
		if (row->dir[i] != TREE_NO_DIR)
			return (struct tree_at){i, row->dir[i]};
	}
	return at;
}

static bool
is_live(const struct tree_stack *s, struct tree_at at)
{
	return !tree_is_dead(s->layer[at.layer].dead, at.entry);
}

/* In this layer: the entry of the name, dead or not. */
static int
child_in(const struct tree_stack *s, uint32_t layer, const struct tree_dirs *dirs, struct span name,
	struct tree_at *ret)
{
	uint32_t d = dirs->dir[layer];

	ret->layer = layer;
	return d == TREE_NO_DIR ? -ENOENT
	                        : tree_child(tree_stack_cols(s, layer), d, name, &ret->entry);
}

int
tree_stack_child(const struct tree_stack *s, const struct tree_dirs *dirs, struct span name,
	struct tree_at *ret)
{
	for (uint32_t i = s->n_layers; i-- > 0;) {
		struct tree_at at;

		if (child_in(s, i, dirs, name, &at) == 0 && is_live(s, at)) {
			*ret = at;
			return 0;
		}
	}
	return -ENOENT;
}

int
tree_stack_enter(const struct tree_stack *s, const struct tree_dirs *dirs, struct span name,
	struct tree_at *ret, struct tree_dirs *ret_dirs)
{
	struct tree_dirs below = TREE_NOWHERE;
	int r = -ENOENT;

	for (uint32_t i = s->n_layers; i-- > 0;) {
		struct tree_at at;

		if (child_in(s, i, dirs, name, &at) < 0)
			continue;
		below.dir[i] = tree_dir(tree_stack_cols(s, i), at.entry);
		if (r < 0 && is_live(s, at)) {
			*ret = at;
			r = 0;
		}
	}
	*ret_dirs = below;
	return r;
}

static struct tree_at
live_root(const struct tree_stack *s)
{
	struct tree_at at = {0};

	while (at.layer + 1 < s->n_layers && !is_live(s, at))
		at.layer++;
	return at;
}

static bool
is_dir(const struct tree_stack *s, struct tree_at at)
{
	return tree_type(tree_stack_cols(s, at.layer), at.entry) == DT_DIR;
}

int
tree_stack_lookup(const struct tree_stack *s, struct span path, struct tree_at *ret)
{
	bool slash = span_ends(path, SPAN_LIT("/"));
	struct tree_at at = live_root(s);
	struct tree_dirs dirs;

	tree_stack_dirs(s, 0, 0, &dirs);
	if (path.len > 0 && path.data[0] == '/')
		(void)tree_component(&path);
	while (path.len > 0) {
		struct span name = tree_component(&path);
		int r;

		if (!is_dir(s, at))
			return -ENOTDIR;
		r = tree_stack_enter(s, &dirs, name, &at, &dirs);
		if (r < 0)
			return r;
	}
	if (slash && !is_dir(s, at))
		return -ENOTDIR;
	*ret = at;
	return 0;
}

/* By its name in the directory above: what tells it may be a layer that has not entered it. */
static int
own_by_name(const struct tree_stack *s, struct tree_at dead, struct tree_at *ret)
{
	const struct tree_cols *c = tree_stack_cols(s, dead.layer);
	struct tree_dirs above;
	struct tree_at at;

	tree_stack_dirs(s, dead.layer, tree_parent(c, dead.entry), &above);
	if (tree_stack_child(s, &above, tree_name(c, dead.entry), &at) < 0 || !is_dir(s, at))
		return -ENOENT;
	*ret = at;
	return 0;
}

int
tree_stack_own(const struct tree_stack *s, const struct tree_dirs *dirs, struct tree_at *ret)
{
	struct tree_at at = {0};

	for (uint32_t i = s->n_layers; i-- > 0;) {
		if (dirs->dir[i] == TREE_NO_DIR)
			continue;
		at = (struct tree_at){i, tree_stack_cols(s, i)->dir_entry[dirs->dir[i]]};
		if (is_live(s, at)) {
			*ret = at;
			return 0;
		}
	}
	return at.entry == 0 ? -ENOENT : own_by_name(s, at, ret);
}

/* Past what is dead; a run that has nothing left gives its place to the last. */
static void
run_settle(struct tree_list *l, uint32_t i)
{
	struct tree_run *run = &l->run[i];

	run->at = tree_dead_skip(l->stack->layer[run->layer].dead, run->at);
	if (run->at >= run->end)
		*run = l->run[--l->n];
	else if (l->n > 1)
		run->name = tree_name(tree_stack_cols(l->stack, run->layer), run->at);
}

void
tree_list_open(struct tree_list *l, const struct tree_stack *s, const struct tree_dirs *dirs)
{
	*l = (struct tree_list){.stack = s};
	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(s, i);
		uint32_t d = dirs->dir[i];

		if (d != TREE_NO_DIR && c->dir_first[d] < c->dir_first[d + 1])
			l->run[l->n++] =
				(struct tree_run){i, c->dir_first[d], c->dir_first[d + 1], {0}};
	}
	for (uint32_t i = l->n; i-- > 0;)
		run_settle(l, i);
}

bool
tree_list_next(struct tree_list *l, struct tree_at *ret)
{
	uint32_t first = 0;

	if (l->n == 0)
		return false;
	for (uint32_t i = 1; i < l->n; i++) {
		if (span_cmp(l->run[i].name, l->run[first].name) < 0)
			first = i;
	}
	*ret = (struct tree_at){l->run[first].layer, l->run[first].at++};
	run_settle(l, first);
	return true;
}
