#include "index/tree_change_set.h"

#include <errno.h>
#include <sys/random.h>

#include "base/hash.h"
#include "index/tree_builder.h"

#define CHANGE_CHUNK_BYTES ((size_t)64 << 10)

/* Names are chosen by who may be an enemy of the table. */
static uint64_t
name_hash(const struct tree_change *c, uint32_t at, struct span name)
{
	return hash64(name.data, name.len, c->seed + at);
}

static uint64_t
place_hash(struct tree_at at)
{
	return hash64(&at, sizeof(at), 0);
}

/* The item of a name, or CHANGE_NONE. */
static uint32_t
find_item(const struct tree_change *c, uint32_t at, struct span name)
{
	uint64_t hash = name_hash(c, at, name);
	size_t pos = 0;
	uint32_t i;

	while ((i = slots_next(&c->by_name, hash, &pos)) != SLOTS_NONE) {
		const struct change_item *item = &c->items.data[i];

		if (item->at == at && span_eq(change_name(item), name))
			return i;
	}
	return CHANGE_NONE;
}

static int
new_item(struct tree_change *c, uint32_t at, struct span name, uint32_t *ret)
{
	struct change_item item = {.at = at, .dir = CHANGE_NONE, .name_len = (uint16_t)name.len};

	if (c->items.len >= TREE_MAX_ENTRIES)
		return -EFBIG;
	item.name = arena_copy(&c->arena, name.data, name.len);
	if (!item.name || VEC_PUSH(&c->items, item) < 0)
		return -ENOMEM;
	*ret = (uint32_t)c->items.len - 1;
	return slots_add(&c->by_name, name_hash(c, at, name), *ret);
}

static int
item_of(struct tree_change *c, uint32_t at, struct span name, uint32_t *ret)
{
	*ret = find_item(c, at, name);
	return *ret == CHANGE_NONE ? new_item(c, at, name, ret) : 0;
}

/* The lowest layer that has it; tree_stack_canon() of numbers at hand. False: none has. */
static bool
place_of(const struct tree_dirs *dirs, struct tree_at *ret)
{
	for (uint32_t i = 0; i < TREE_MAX_LAYERS; i++) {
		*ret = (struct tree_at){i, dirs->dir[i]};
		if (ret->entry != TREE_NO_DIR)
			return true;
	}
	return false;
}

static uint32_t
find_place(const struct tree_change *c, struct tree_at at)
{
	uint64_t hash = place_hash(at);
	size_t pos = 0;
	uint32_t d;

	while ((d = slots_next(&c->by_place, hash, &pos)) != SLOTS_NONE) {
		if (c->dirs.data[d].dirs.dir[at.layer] == at.entry)
			return d;
	}
	return CHANGE_NONE;
}

static int
new_dir(struct tree_change *c, uint32_t item, const struct tree_dirs *dirs, uint32_t *ret)
{
	struct tree_at at;

	if (VEC_PUSH(&c->dirs, (struct change_dir){.item = item, .dirs = *dirs}) < 0)
		return -ENOMEM;
	*ret = (uint32_t)c->dirs.len - 1;
	c->items.data[item].dir = *ret;
	return place_of(dirs, &at) ? slots_add(&c->by_place, place_hash(at), *ret) : 0;
}

/* The directory that an item is; its numbers in the stack follow from its parent's. */
static int
dir_of(struct tree_change *c, uint32_t item, uint32_t *ret)
{
	const struct change_item *i = &c->items.data[item];
	struct tree_dirs dirs;
	struct tree_at at;

	*ret = i->dir;
	if (i->dir != CHANGE_NONE)
		return 0;
	(void)tree_stack_enter(c->stack, &c->dirs.data[i->at].dirs, change_name(i), &at, &dirs);
	return new_dir(c, item, &dirs, ret);
}

int
tree_change_create(struct tree_stack *s, struct tree_change **ret)
{
	struct tree_change *c = calloc(1, sizeof(*c));
	struct tree_dirs root;
	uint32_t item, dir;
	int r;

	if (!c)
		return -ENOMEM;
	c->arena.chunk_bytes = CHANGE_CHUNK_BYTES;
	if (getrandom(&c->seed, sizeof(c->seed), GRND_NONBLOCK) != (ssize_t)sizeof(c->seed))
		c->seed = (uintptr_t)c;
	c->stack = tree_stack_ref(s);
	tree_stack_dirs(s, 0, 0, &root);
	r = new_item(c, CHANGE_NONE, SPAN_LIT(""), &item);
	if (r == 0)
		r = new_dir(c, item, &root, &dir);
	if (r < 0) {
		tree_change_destroy(c);
		return r;
	}
	*ret = c;
	return 0;
}

void
tree_change_destroy(struct tree_change *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < TREE_MAX_LAYERS; i++)
		VEC_FINI(&c->kills[i]);
	free(c->order);
	slots_fini(&c->by_name);
	slots_fini(&c->by_place);
	class_table_fini(&c->classes);
	VEC_FINI(&c->items);
	VEC_FINI(&c->dirs);
	tree_stack_unref(c->stack);
	arena_fini(&c->arena);
	free(c);
}

typedef VEC(struct tree_at) place_vec;

/* Up from a directory to the first that has a number in the set; the root has. */
static int
climb(const struct tree_change *c, struct tree_at at, place_vec *way, uint32_t *ret)
{
	int r = 0;

	for (;;) {
		const struct tree_cols *cols = tree_stack_cols(c->stack, at.layer);

		*ret = find_place(c, at);
		if (*ret != CHANGE_NONE || r < 0)
			return r;
		r = VEC_PUSH(way, at);
		at = tree_stack_canon(
			c->stack, at.layer, tree_parent(cols, cols->dir_entry[at.entry]));
	}
}

int
tree_change_dir(struct tree_change *c, uint32_t layer, uint32_t dir, uint32_t *ret)
{
	struct tree_at at = tree_stack_canon(c->stack, layer, dir), own;
	place_vec way = {0};
	struct tree_dirs dirs;
	int r = 0;

	assert(!c->sealed);
	*ret = find_place(c, at);
	if (*ret != CHANGE_NONE)
		return 0;
	tree_stack_dirs(c->stack, layer, dir, &dirs);
	if (tree_stack_own(c->stack, &dirs, &own) < 0)
		return -ENOENT;
	r = climb(c, at, &way, ret);
	while (r == 0 && way.len > 0) {
		struct tree_at next = VEC_POP(&way);
		const struct tree_cols *cols = tree_stack_cols(c->stack, next.layer);
		uint32_t item;

		r = item_of(c, *ret, tree_name(cols, cols->dir_entry[next.entry]), &item);
		if (r == 0)
			r = dir_of(c, item, ret);
	}
	VEC_FINI(&way);
	return r;
}

static bool
is_told(const struct change_item *i)
{
	return i->killed || i->row;
}

static int
set_row(struct tree_change *c, uint32_t item, const struct tree_input *in)
{
	struct change_item *i = &c->items.data[item];
	struct walk_entry row;
	int r = build_input_row(&c->classes, in, &row);

	if (r < 0)
		return r;
	c->n_told += !is_told(i);
	if (!i->row)
		i->row = arena_alloc(&c->arena, sizeof(*i->row));
	if (!i->row)
		return -ENOMEM;
	*i->row = row;
	i->row->name = i->name;
	i->row->name_len = i->name_len;
	i->row->dir = in->dir == TREE_BUILD_NO_DIR ? WALK_NO_DIR : 0;
	return 0;
}

int
tree_change_put(struct tree_change *c, uint32_t at, const struct tree_input *in, uint32_t *ret_dir)
{
	uint32_t item = CHANGE_NONE, dir;
	int r = at < c->dirs.len ? build_check_input(in) : -EINVAL;

	assert(!c->sealed);
	if (r == 0)
		r = item_of(c, at, in->name, &item);
	if (r == 0)
		r = set_row(c, item, in);
	if (r < 0 || in->dir == TREE_BUILD_NO_DIR)
		return r;
	r = dir_of(c, item, &dir);
	if (r == 0 && ret_dir)
		*ret_dir = dir;
	return r;
}

int
tree_change_kill(struct tree_change *c, uint32_t at, struct span name)
{
	uint32_t item;
	int r = at < c->dirs.len ? 0 : -EINVAL;

	assert(!c->sealed);
	if (r == 0)
		r = build_check_input(&(struct tree_input){.name = name, .dir = TREE_BUILD_NO_DIR});
	if (r == 0)
		r = item_of(c, at, name, &item);
	if (r < 0)
		return r;
	c->n_told += !is_told(&c->items.data[item]);
	c->items.data[item].killed = true;
	return 0;
}

int
tree_change_own(struct tree_change *c, uint32_t dir, const struct tree_input *in)
{
	bool entered = in->dir != TREE_BUILD_NO_DIR;

	assert(!c->sealed);
	if (dir >= c->dirs.len || (entered && !S_ISDIR(in->mode)) ||
		(dir == TREE_CHANGE_ROOT && !entered))
		return -EINVAL;
	return set_row(c, c->dirs.data[dir].item, in);
}

/* What the stack says of a directory that it has entered; `flags` without EMPTY_DIR. */
static bool
was_read(const struct tree_change *c, const struct change_dir *d, uint8_t *ret)
{
	const struct tree_cols *cols;
	struct tree_at own;

	if (tree_stack_own(c->stack, &d->dirs, &own) < 0)
		return false;
	cols = tree_stack_cols(c->stack, own.layer);
	*ret = tree_flags(cols, own.entry) & (TREE_NOT_ENTERED | TREE_LEFT_OUT);
	return tree_entered(cols, own.entry);
}

int
tree_change_read(struct tree_change *c, uint32_t dir, uint8_t flags)
{
	struct change_dir *d;
	uint8_t was;

	assert(!c->sealed);
	if (dir >= c->dirs.len || flags & ~(TREE_NOT_ENTERED | TREE_LEFT_OUT))
		return -EINVAL;
	d = &c->dirs.data[dir];
	if (!d->read && was_read(c, d, &was) && was != flags)
		c->n_told++;
	d->read = true;
	d->flags = flags;
	return 0;
}

const struct tree_stack *
tree_change_stack(const struct tree_change *c)
{
	return c->stack;
}

uint64_t
tree_change_count(const struct tree_change *c)
{
	return c->n_told;
}

size_t
tree_change_bytes(const struct tree_change *c)
{
	return c->arena.total_bytes + c->items.cap * sizeof(*c->items.data) +
	       c->dirs.cap * sizeof(*c->dirs.data) +
	       (c->by_name.n + c->by_place.n) * sizeof(struct slot);
}
