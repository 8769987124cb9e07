#include "engine/differ.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "engine/known_tree.h"

#define FIRST_SLOTS 64u

int
differ_init(struct differ *d, struct tree_stack *s)
{
	*d = (struct differ){.stack = s};
	return tree_change_create(s, &d->change);
}

void
differ_fini(struct differ *d)
{
	tree_change_destroy(d->change);
	free(d->dirs);
	*d = (struct differ){0};
}

/* Where the directory is, or would be. The root, which is never new, marks what is free. */
static struct differ_dir *
slot_of(const struct differ *d, uint32_t walk)
{
	for (uint64_t h = hash64(&walk, sizeof(walk), 0);; h++) {
		struct differ_dir *slot = &d->dirs[h & (d->n_slots - 1)];

		if (slot->walk == walk || slot->walk == 0)
			return slot;
	}
}

static int
grow(struct differ *d)
{
	struct differ old = *d;

	d->n_slots = old.n_slots ? old.n_slots * 2 : FIRST_SLOTS;
	d->dirs = calloc(d->n_slots, sizeof(*d->dirs));
	if (!d->dirs) {
		*d = old;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old.n_slots; i++) {
		if (old.dirs[i].walk != 0)
			*slot_of(d, old.dirs[i].walk) = old.dirs[i];
	}
	free(old.dirs);
	return 0;
}

static int
note_dir(struct differ *d, uint32_t walk, uint32_t change)
{
	struct differ_dir *slot;

	if (d->n_dirs * 2 >= d->n_slots && grow(d) < 0)
		return -ENOMEM;
	slot = slot_of(d, walk);
	d->n_dirs += slot->walk == 0;
	*slot = (struct differ_dir){walk, change};
	return 0;
}

/* The directory of a list, by the number that it has in the set. */
static int
find_dir(struct differ *d, const struct walk_list *l, uint32_t *ret)
{
	struct tree_at at = known_at(l->was);
	const struct differ_dir *slot;

	if (l->was != WALK_NOT_KNOWN)
		return tree_change_dir(d->change, at.layer, at.entry, ret);
	if (d->n_slots == 0 || l->dir == 0)
		return -EINVAL;
	slot = slot_of(d, l->dir);
	*ret = slot->change;
	return slot->walk == l->dir ? 0 : -EINVAL;
}

static struct tree_input
input_of(const struct walk_entry *e, const struct walk_class *c)
{
	return (struct tree_input){
		.name = {e->name, e->name_len},
		.mode = c->mode,
		.uid = c->uid,
		.gid = c->gid,
		.nlink = e->nlink,
		.dev = c->dev,
		.ino = e->ino,
		.size = e->size,
		.blocks = e->blocks,
		.mtime_ns = e->mtime_ns,
		.ctime_ns = e->ctime_ns,
		.dir = e->dir == WALK_NO_DIR ? TREE_BUILD_NO_DIR : e->dir,
	};
}

static int
put(struct differ *d, uint32_t at, const struct walk_entry *e, const struct walk_class *c)
{
	struct tree_input in = input_of(e, c);
	uint32_t dir;
	int r = tree_change_put(d->change, at, &in, &dir);

	return r < 0 || e->dir >= WALK_DIR_STAYS ? r : note_dir(d, e->dir, dir);
}

static int
kill(struct differ *d, uint32_t at, uint64_t gone)
{
	struct tree_at e = known_at(gone);

	return tree_change_kill(
		d->change, at, tree_name(tree_stack_cols(d->stack, e.layer), e.entry));
}

static uint8_t
flags_of(const struct walk_list *l)
{
	return (uint8_t)((l->skip != SKIP_NONE ? TREE_NOT_ENTERED : 0) |
			 (l->left_out ? TREE_LEFT_OUT : 0));
}

static int
take_list(struct differ *d, const struct walk_batch *b, const struct walk_list *l)
{
	uint32_t at;
	int r = find_dir(d, l, &at);

	for (uint32_t i = 0; i < l->n_entries && r == 0; i++)
		r = put(d, at, &l->entries[i], &b->classes[l->entries[i].cls]);
	for (uint32_t i = 0; i < l->n_gone && r == 0; i++)
		r = kill(d, at, b->gone[l->first_gone + i]);
	return r == 0 && l->last ? tree_change_read(d->change, at, flags_of(l)) : r;
}

int
differ_take(struct differ *d, const struct walk_batch *batch)
{
	int r = 0;

	for (uint32_t i = 0; i < batch->n_lists && r == 0; i++)
		r = take_list(d, batch, &batch->lists[i]);
	return r;
}

int
differ_root(struct differ *d, const struct walk_root *root)
{
	struct tree_input in = input_of(&root->entry, &root->cls);

	return tree_change_own(d->change, TREE_CHANGE_ROOT, &in);
}
