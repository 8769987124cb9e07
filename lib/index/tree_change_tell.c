#include "index/tree_change_tell.h"

#include <errno.h>

#include "index/tree_change_set.h"

/* A directory on the way. Below one that is there before and after, only what the set says; below
 * one that is replaced, that and what was there; below one that is gone, what was there. */
struct tell_frame {
	uint32_t item, end;     /* in `order`: items left to tell */
	struct tree_list *list; /* what was there, from `next` on; or NULL */
	struct tree_at next;
	bool has_next;
	bool fresh; /* items do not know what was there: the list does */
	size_t path_len;
};

struct teller {
	struct tree_change *c;
	tree_told_fn fn;
	void *ctx;
	struct strbuf path;
	/* Not the thread's stack: a tree may be deeper than that. */
	VEC(struct tell_frame) frames;
};

static void
list_advance(struct tell_frame *f)
{
	f->has_next = f->list && tree_list_next(f->list, &f->next);
}

/* `sub`: number in the set of the directory that is there in the end, or CHANGE_NONE. `old`: what
 * it was in the stack, as far as that is told, or NULL. */
static int
push(struct teller *t, uint32_t sub, const struct tree_dirs *old)
{
	struct tell_frame f = {.path_len = t->path.len};

	if (sub != CHANGE_NONE) {
		const struct change_dir *d = &t->c->dirs.data[sub];

		f.item = d->first;
		f.end = d->first + d->n;
		f.fresh = d->fresh;
	}
	if (old) {
		f.list = malloc(sizeof(*f.list));
		if (!f.list)
			return -ENOMEM;
		tree_list_open(f.list, t->c->stack, old);
		list_advance(&f);
	}
	if (VEC_PUSH(&t->frames, f) == 0)
		return 0;
	free(f.list);
	return -ENOMEM;
}

static void
pop(struct teller *t)
{
	free(t->frames.data[--t->frames.len].list);
}

/* One name: what was there, what the set says of it. */
struct tell_step {
	struct span name;
	struct tree_at was;
	bool was_there;
	bool on_the_way;                /* nothing is said of the name itself */
	const struct change_item *item; /* or NULL */
};

static struct span
name_at(const struct teller *t, struct tree_at at)
{
	return tree_name(tree_stack_cols(t->c->stack, at.layer), at.entry);
}

static bool
next_step(const struct teller *t, struct tell_frame *f, struct tell_step *s)
{
	int cmp;

	*s = (struct tell_step){0};
	if (f->item < f->end)
		s->item = &t->c->items.data[t->c->order[f->item]];
	if (!s->item && !f->has_next)
		return false;
	cmp = !s->item       ? -1
	      : !f->has_next ? 1
	                     : span_cmp(name_at(t, f->next), change_name(s->item));
	if (cmp <= 0) {
		s->name = name_at(t, f->next);
		s->was = f->next;
		s->was_there = true;
		list_advance(f);
	}
	if (cmp < 0) {
		s->item = NULL;
		return true;
	}
	f->item++;
	s->name = change_name(s->item);
	if (!f->fresh) {
		s->was = s->item->was;
		s->was_there = s->was.layer != CHANGE_NONE;
		s->on_the_way = !s->item->row && !s->item->killed;
	}
	return true;
}

static int
tell(struct teller *t, const struct tree_at *was, const struct walk_entry *is)
{
	struct tree_told told = {.path = strbuf_view(&t->path), .was = was, .is = is};

	if (is)
		told.cls = &t->c->classes.classes.data[is->cls];
	return was || is ? t->fn(t->ctx, &told) : 0;
}

/* What is below the name. */
static int
enter(struct teller *t, const struct tell_step *s)
{
	const struct tree_change *c = t->c;
	const struct tree_cols *cols =
		s->was_there ? tree_stack_cols(c->stack, s->was.layer) : NULL;
	bool was_entered = cols && tree_entered(cols, s->was.entry);
	uint32_t sub = s->item ? s->item->dir : CHANGE_NONE;
	struct tree_dirs old;

	if (sub != CHANGE_NONE && !c->dirs.data[sub].alive)
		sub = CHANGE_NONE;
	if (sub != CHANGE_NONE && !c->dirs.data[sub].fresh)
		return push(t, sub, NULL);
	if (was_entered)
		tree_stack_dirs(c->stack, s->was.layer, tree_dir(cols, s->was.entry), &old);
	if (sub == CHANGE_NONE && !was_entered)
		return 0;
	return push(t, sub, was_entered ? &old : NULL);
}

static int
take_step(struct teller *t, const struct tell_step *s)
{
	int r = 0;

	(void)strbuf_puts(&t->path, t->path.len ? "/" : "");
	if (strbuf_span(&t->path, s->name) < 0)
		return -ENOMEM;
	if (!s->on_the_way)
		r = tell(t, s->was_there ? &s->was : NULL, s->item ? s->item->row : NULL);
	return r != 0 ? r : enter(t, s);
}

static int
tell_all(struct teller *t)
{
	const struct change_item *root = &t->c->items.data[0];
	int r = root->row ? tell(t, &root->was, root->row) : 0;

	if (r == 0)
		r = push(t, TREE_CHANGE_ROOT, NULL);
	while (r == 0 && t->frames.len > 0) {
		struct tell_frame *f = &t->frames.data[t->frames.len - 1];
		struct tell_step s;

		strbuf_truncate(&t->path, f->path_len);
		if (next_step(t, f, &s))
			r = take_step(t, &s);
		else
			pop(t);
	}
	return r;
}

int
tree_change_tell(struct tree_change *c, tree_told_fn fn, void *ctx)
{
	struct teller t = {.c = c, .fn = fn, .ctx = ctx};
	int r = tree_change_seal(c);

	if (r == 0)
		r = tell_all(&t);
	while (t.frames.len > 0)
		pop(&t);
	VEC_FINI(&t.frames);
	strbuf_fini(&t.path);
	return r;
}
