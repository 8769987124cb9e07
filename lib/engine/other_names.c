#include "engine/other_names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/known_tree.h"

#define READ_ENTRIES (4 * TREE_BLOCK)
/* Of a filter before the binary search; a power of two. */
#define FILTER_BITS 8192u

void
other_names_fini(struct other_names *o)
{
	VEC_FINI(&o->of);
}

static int
note(struct other_names *o, uint64_t dev, uint64_t ino)
{
	return VEC_PUSH(&o->of, (struct other_inode){dev, ino});
}

/* A live entry of the stack; `nlink` is its. */
static int
note_entry(struct other_names *o, const struct tree_cols *c, uint32_t e, uint64_t nlink)
{
	if (nlink < 2 || tree_type(c, e) == DT_DIR)
		return 0;
	return note(o, c->classes[tree_cls(c, e)].dev, tree_ino(c, e));
}

/* Of entries [lo, lo + n), n <= READ_ENTRIES. */
static int
note_block(struct other_names *o, const struct tree_cols *c, const struct tree_dead *dead,
	uint32_t lo, uint32_t n)
{
	uint64_t nlink[READ_ENTRIES], min, max;
	int r = 0;

	if (tree_bounds(c, TREE_NLINK, lo, n, &min, &max) && max < 2)
		return 0;
	tree_read(c, TREE_NLINK, lo, n, nlink);
	for (uint32_t i = 0; i < n && r == 0; i++)
		if (nlink[i] > 1 && !tree_is_dead(dead, lo + i))
			r = note_entry(o, c, lo + i, nlink[i]);
	return r;
}

/* All below a directory, in all layers that have entered it. */
static int
note_below(struct other_names *o, const struct tree_stack *s, const struct tree_dirs *dirs)
{
	int r = 0;

	for (uint32_t i = 0; i < s->n_layers; i++) {
		uint32_t lo, hi;

		if (dirs->dir[i] == TREE_NO_DIR)
			continue;
		tree_subtree(tree_stack_cols(s, i), dirs->dir[i], &lo, &hi);
		for (uint32_t n; lo < hi && r == 0; lo += n) {
			n = MIN(hi - lo, READ_ENTRIES - lo % READ_ENTRIES);
			r = note_block(o, tree_stack_cols(s, i), s->layer[i].dead, lo, n);
		}
	}
	return r;
}

/* What the stack has of a name, of which there is something else now, or nothing. `entered`: there
 * is a directory, whose own lists tell what went from it. */
static int
note_old(struct other_names *o, const struct tree_stack *s, const struct tree_dirs *in,
	struct span name, bool entered)
{
	struct tree_dirs dirs;
	struct tree_at at;
	int r;

	if (tree_stack_enter(s, in, name, &at, &dirs) < 0)
		return 0;
	r = note_entry(o, tree_stack_cols(s, at.layer), at.entry,
		tree_nlink(tree_stack_cols(s, at.layer), at.entry));
	return r < 0 || entered ? r : note_below(o, s, &dirs);
}

static int
note_gone(struct other_names *o, const struct tree_stack *s, uint64_t id)
{
	struct tree_at at = known_at(id);
	const struct tree_cols *c = tree_stack_cols(s, at.layer);
	struct tree_dirs in;

	tree_stack_dirs(s, at.layer, tree_parent(c, at.entry), &in);
	return note_old(o, s, &in, tree_name(c, at.entry), false);
}

static int
note_list(struct other_names *o, const struct tree_stack *s, const struct walk_batch *b,
	const struct walk_list *l)
{
	struct tree_at dir = known_at(l->was);
	struct tree_dirs in;
	int r = 0;

	if (l->was != WALK_NOT_KNOWN)
		tree_stack_dirs(s, dir.layer, dir.entry, &in);
	for (uint32_t i = 0; i < l->n_entries && r == 0; i++) {
		const struct walk_entry *e = &l->entries[i];

		if (e->nlink > 1 && e->type != DT_DIR)
			r = note(o, b->classes[e->cls].dev, e->ino);
		if (r == 0 && l->was != WALK_NOT_KNOWN)
			r = note_old(o, s, &in, (struct span){e->name, e->name_len},
				e->dir != WALK_NO_DIR);
	}
	for (uint32_t i = 0; i < l->n_gone && r == 0; i++)
		r = note_gone(o, s, b->gone[l->first_gone + i]);
	return r;
}

int
other_names_note(struct other_names *o, const struct tree_stack *s, const struct walk_batch *batch)
{
	int r = 0;

	for (uint32_t i = 0; i < batch->n_lists && r == 0; i++)
		r = note_list(o, s, batch, &batch->lists[i]);
	return r;
}

static int
compare(const void *va, const void *vb)
{
	const struct other_inode *a = va, *b = vb;

	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	return a->dev < b->dev ? -1 : a->dev > b->dev;
}

/* Looks through the stack. */
struct search {
	const struct other_names *of; /* sorted */
	const struct tree_stack *stack;
	const struct walk_aim *but;
	struct walk_aim *to; /* NULL: nothing found */
	uint64_t filter[FILTER_BITS / 64];
};

/* Inode numbers of one directory follow each other: their low bits differ. */
static uint64_t *
filter_word(struct search *f, uint64_t ino)
{
	return &f->filter[ino / 64 % ARRAY_LEN(f->filter)];
}

static bool
is_wanted(struct search *f, const struct tree_cols *c, uint32_t e, uint64_t ino)
{
	struct other_inode key;

	if (!(*filter_word(f, ino) >> ino % 64 & 1))
		return false;
	key = (struct other_inode){c->classes[tree_cls(c, e)].dev, ino};
	return bsearch(&key, f->of->of.data, f->of->of.len, sizeof(key), compare) &&
	       tree_type(c, e) != DT_DIR;
}

static int
aim_at(struct search *f, const struct tree_cols *c, uint32_t e)
{
	AUTO(strbuf_fini) struct strbuf path = {0};
	int r = tree_path(c, e, &path);

	if (r < 0 || aim_has(f->but, strbuf_view(&path)))
		return r;
	if (!f->to)
		r = aim_create(&f->to);
	return r < 0 ? r : aim_add(f->to, strbuf_view(&path), AIM_NAME);
}

static int
search_layer(struct search *f, uint32_t layer)
{
	const struct tree_cols *c = tree_stack_cols(f->stack, layer);
	const struct other_inode *first = f->of->of.data, *last = first + f->of->of.len - 1;
	uint64_t ino[READ_ENTRIES], min, max;
	int r = 0;

	for (uint32_t lo = 0, n; lo < c->n_entries && r == 0; lo += n) {
		n = MIN(c->n_entries - lo, READ_ENTRIES);
		if (tree_bounds(c, TREE_INO, lo, n, &min, &max) &&
			(max < first->ino || min > last->ino))
			continue;
		tree_read(c, TREE_INO, lo, n, ino);
		for (uint32_t i = 0; i < n && r == 0; i++)
			if (is_wanted(f, c, lo + i, ino[i]) &&
				!tree_is_dead(f->stack->layer[layer].dead, lo + i))
				r = aim_at(f, c, lo + i);
	}
	return r;
}

int
other_names_aim(struct other_names *o, const struct tree_stack *s, const struct walk_aim *but,
	struct walk_aim **ret)
{
	struct search f = {.of = o, .stack = s, .but = but};
	int r = 0;

	*ret = NULL;
	if (o->of.len == 0)
		return 0;
	qsort(o->of.data, o->of.len, sizeof(o->of.data[0]), compare);
	VEC_EACH (&o->of, i)
		*filter_word(&f, i->ino) |= (uint64_t)1 << i->ino % 64;
	for (uint32_t i = 0; i < s->n_layers && r == 0; i++)
		r = search_layer(&f, i);
	if (r < 0) {
		aim_destroy(f.to);
		return r;
	}
	*ret = f.to;
	return 0;
}
