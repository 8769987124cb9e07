#include "index/tree_change_set.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "sync/par_sort.h"

typedef VEC(uint32_t) dir_vec;

/* By directory, then by name. */
static int
cmp_item(const void *a, const void *b, void *ctx)
{
	const struct tree_change *c = ctx;
	const struct change_item *x = &c->items.data[*(const uint32_t *)a];
	const struct change_item *y = &c->items.data[*(const uint32_t *)b];

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return span_cmp(change_name(x), change_name(y));
}

/* Item 0 is the root's own, of no directory: it comes last. */
static int
order_items(struct tree_change *c)
{
	uint32_t n = (uint32_t)c->items.len;
	int r;

	c->order = malloc(n * sizeof(*c->order));
	if (!c->order)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		c->order[i] = i;
	r = par_sort(NULL, TASK_INDEX, c->order, n, sizeof(*c->order), cmp_item, c, NULL);
	for (uint32_t i = 0; i + 1 < n && r == 0; i++) {
		struct change_dir *d = &c->dirs.data[c->items.data[c->order[i]].at];

		if (d->n++ == 0)
			d->first = i;
	}
	return r;
}

static const struct tree_cols *
cols_of(const struct tree_change *c, struct tree_at at)
{
	return tree_stack_cols(c->stack, at.layer);
}

static bool
was_there(const struct change_item *i)
{
	return i->was.layer != CHANGE_NONE;
}

static bool
was_dir(const struct tree_change *c, const struct change_item *i)
{
	return was_there(i) && tree_type(cols_of(c, i->was), i->was.entry) == DT_DIR;
}

static bool
row_is_dir(const struct tree_change *c, const struct walk_entry *row)
{
	return S_ISDIR(c->classes.classes.data[row->cls].mode);
}

static bool
was_entered(const struct tree_change *c, const struct change_item *i)
{
	return was_there(i) && tree_entered(cols_of(c, i->was), i->was.entry);
}

/* Is there a listing of it: that of the stack, or a new one? */
static bool
is_listed(const struct tree_change *c, const struct change_dir *d, const struct change_item *i)
{
	if (d->read || d->n > 0)
		return true;
	return !d->fresh && was_entered(c, i);
}

/* Is the item a directory in the end, entered? */
static void
settle_sub(struct tree_change *c, const struct change_dir *above, struct change_item *i)
{
	struct change_dir *d = &c->dirs.data[i->dir];

	d->fresh = above->fresh || i->killed || !was_dir(c, i);
	if (!i->row)
		d->alive = !i->killed && was_dir(c, i);
	else if (i->row->dir != WALK_NO_DIR)
		d->alive = is_listed(c, d, i);
	if (i->row && !d->alive)
		i->row->dir = WALK_NO_DIR;
}

/* The items of a directory that is alive; its sub-directories that are alive go to `stack`. */
static int
settle_items(struct tree_change *c, struct change_dir *d, dir_vec *stack)
{
	int r = 0;

	for (uint32_t k = d->first; k < d->first + d->n && r == 0; k++) {
		struct change_item *i = &c->items.data[c->order[k]];

		if (d->fresh || tree_stack_child(c->stack, &d->dirs, change_name(i), &i->was) < 0)
			i->was.layer = CHANGE_NONE;
		if (i->row)
			i->flags = row_is_dir(c, i->row) ? TREE_NOT_ENTERED : 0;
		if (i->dir == CHANGE_NONE)
			continue;
		settle_sub(c, d, i);
		if (c->dirs.data[i->dir].alive)
			r = VEC_PUSH(stack, i->dir);
	}
	return r;
}

/* From the root down; *ret are the directories that are alive, each after its parent. */
static int
settle_dirs(struct tree_change *c, dir_vec *ret)
{
	struct change_item *root = &c->items.data[0];
	dir_vec stack = {0};
	int r = VEC_PUSH(&stack, TREE_CHANGE_ROOT);

	c->dirs.data[0].alive = true;
	if (tree_stack_own(c->stack, &c->dirs.data[0].dirs, &root->was) < 0)
		r = -EBADMSG; /* Y4 */
	while (r == 0 && stack.len > 0) {
		uint32_t d = VEC_POP(&stack);

		r = VEC_PUSH(ret, d);
		if (r == 0)
			r = settle_items(c, &c->dirs.data[d], &stack);
	}
	VEC_FINI(&stack);
	return r;
}

/* How many children it has in the end. */
static uint64_t
count_children(const struct tree_change *c, const struct change_dir *d)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < c->stack->n_layers && !d->fresh; i++) {
		const struct tree_cols *cols = tree_stack_cols(c->stack, i);
		uint32_t dir = d->dirs.dir[i], lo, hi;

		if (dir == TREE_NO_DIR)
			continue;
		lo = cols->dir_first[dir];
		hi = cols->dir_first[dir + 1];
		n += hi - lo - tree_dead_sum(c->stack->layer[i].dead, cols, lo, hi, NULL);
	}
	for (uint32_t k = d->first; k < d->first + d->n; k++) {
		const struct change_item *i = &c->items.data[c->order[k]];

		n += i->row != NULL;
		n -= was_there(i) && (i->row || i->killed);
	}
	return n;
}

struct walk_entry
tree_row(const struct tree_cols *c, uint32_t entry, struct span name)
{
	return (struct walk_entry){
		.name = name.data,
		.size = tree_size(c, entry),
		.blocks = tree_blocks(c, entry),
		.ino = tree_ino(c, entry),
		.mtime_ns = tree_mtime(c, entry),
		.ctime_ns = tree_ctime(c, entry),
		.nlink = tree_nlink(c, entry),
		.dir = WALK_NO_DIR,
		.name_len = (uint16_t)name.len,
	};
}

/* A directory whose flags change is told anew, with what the stack says of it. */
static int
put_again(struct tree_change *c, struct change_item *i)
{
	const struct tree_cols *cols = cols_of(c, i->was);
	struct walk_entry *row = arena_alloc(&c->arena, sizeof(*row));

	if (!row)
		return -ENOMEM;
	*row = tree_row(cols, i->was.entry, change_name(i));
	row->dir = 0;
	i->row = row;
	return class_intern(&c->classes, &cols->classes[tree_cls(cols, i->was.entry)], &row->cls);
}

/* A directory without a row was there, and is told once more when its flags are others now. */
static int
settle_flags(struct tree_change *c, uint32_t dir)
{
	const struct change_dir *d = &c->dirs.data[dir];
	struct change_item *own = &c->items.data[d->item];
	uint8_t was = 0;

	if (!d->fresh && was_there(own))
		was = tree_flags(cols_of(c, own->was), own->was.entry);
	if (d->read)
		own->flags = d->flags;
	else if (!d->fresh && was_entered(c, own))
		own->flags = was & (TREE_NOT_ENTERED | TREE_LEFT_OUT);
	else
		own->flags = 0;
	if (!(own->flags & TREE_NOT_ENTERED) && count_children(c, d) == 0)
		own->flags |= TREE_EMPTY_DIR;
	return own->row || own->flags == was ? 0 : put_again(c, own);
}

static int
kill_in(struct tree_change *c, const struct change_item *i, uint32_t layer, uint32_t entry)
{
	const struct tree_cols *cols = tree_stack_cols(c->stack, layer);
	bool below = !i->row || i->killed || i->row->dir == WALK_NO_DIR;
	struct tree_range all;
	int r = VEC_PUSH(&c->kills[layer], (struct tree_range){entry, entry + 1});

	if (r < 0 || !below || !tree_entered(cols, entry))
		return r;
	tree_subtree(cols, tree_dir(cols, entry), &all.lo, &all.hi);
	return all.lo < all.hi ? VEC_PUSH(&c->kills[layer], all) : 0;
}

/* Every entry of the name, dead or not: what is below one may be live in another layer. */
static int
kill_item(struct tree_change *c, const struct change_dir *d, const struct change_item *i)
{
	int r = 0;

	for (uint32_t layer = 0; layer < c->stack->n_layers && r == 0; layer++) {
		uint32_t e;

		if (d->dirs.dir[layer] != TREE_NO_DIR &&
			tree_child(tree_stack_cols(c->stack, layer), d->dirs.dir[layer],
				change_name(i), &e) == 0)
			r = kill_in(c, i, layer, e);
	}
	return r;
}

static int
kill_old(struct tree_change *c, const struct change_dir *d)
{
	int r = 0;

	for (uint32_t k = d->first; k < d->first + d->n && r == 0 && !d->fresh; k++) {
		const struct change_item *i = &c->items.data[c->order[k]];

		if (i->row || i->killed)
			r = kill_item(c, d, i);
	}
	return r;
}

static int
kill_all_old(struct tree_change *c, const dir_vec *alive)
{
	int r = 0;

	for (size_t i = 0; i < alive->len && r == 0; i++)
		r = kill_old(c, &c->dirs.data[alive->data[i]]);
	for (uint32_t i = 0; i < c->stack->n_layers && r == 0; i++) {
		if (c->items.data[0].row)
			r = VEC_PUSH(&c->kills[i], (struct tree_range){0, 1});
		if (r == 0)
			r = tree_ranges_join(&c->kills[i]);
	}
	return r;
}

int
tree_change_seal(struct tree_change *c)
{
	dir_vec alive = {0};
	int r;

	if (c->sealed)
		return c->error;
	c->sealed = true;
	r = order_items(c);
	if (r == 0)
		r = settle_dirs(c, &alive);
	/* Telling a directory anew changes no number of children: any order will do. */
	for (size_t i = 0; i < alive.len && r == 0; i++)
		r = settle_flags(c, alive.data[i]);
	if (r == 0)
		r = kill_all_old(c, &alive);
	VEC_FINI(&alive);
	c->error = r;
	return r;
}
