/**
 * layered: a forest again, each root as several layers that come to the same.
 *
 * Every plant gets a time at which it is there, and one from which its row is what it is in the
 * end; between, there are things that are gone by then, under names of their own and under names
 * that plants have later. Time 0 is the base; each later time is a set of changes, merged into a
 * layer upon the others, or with some of them.
 */
#pragma once

#include "forest.h"

#include "index/tree_merge.h"

#include <sys/mman.h>

#define LAYERED_TIMES 10u

struct item {
	struct plant p;         /* its row in the end */
	uint32_t parent;        /* an item; UINT32_MAX: it is the root */
	unsigned born, dies;    /* it is there in [born, dies) */
	unsigned settles;       /* its row is another one before */
	unsigned opens, closes; /* it is an entered directory in [opens, closes) */
	uint32_t number;        /* in the change set at hand; UINT32_MAX: not asked for */
};

struct layered {
	struct item *item; /* parents before children */
	uint32_t n;
	unsigned end; /* the last time */
	struct tree_stack *stack;
};

/* One time of [lo, hi], mostly the first. */
FOREST unsigned
time_roll(unsigned lo, unsigned hi)
{
	return roll(4) ? lo : lo + roll(hi - lo + 1);
}

FOREST void
item_open(struct item *it, unsigned end)
{
	it->opens = it->closes = it->born;
	if (it->p.entered) {
		it->opens = time_roll(it->born, end);
		it->closes = end + 1;
	} else if (it->p.dir) {
		it->closes = time_roll(it->born, end);
	}
}

FOREST void
layered_add_plant(struct layered *l, const struct forest *f, uint32_t i, uint32_t first)
{
	struct item it = {.p = f->plant[i], .parent = UINT32_MAX, .dies = l->end + 1};

	if (i > first) {
		it.parent = it.p.parent - first;
		it.born = time_roll(l->item[it.parent].opens, l->end);
		it.settles = time_roll(it.born, l->end);
		item_open(&it, l->end);
	} else {
		it.settles = time_roll(0, l->end);
		it.closes = l->end + 1;
	}
	l->item[l->n++] = it;
}

/* Is there nothing of that name in the directory at any time of [born, dies)? */
FOREST bool
name_is_free(const struct layered *l, const struct item *it)
{
	for (uint32_t i = 0; i < l->n; i++) {
		const struct item *o = &l->item[i];

		if (o->parent == it->parent && o->born < it->dies && it->born < o->dies &&
			strcmp(o->p.name, it->p.name) == 0)
			return false;
	}
	return true;
}

/* Gone in the end; where it can be, just when a plant comes in its place. */
FOREST void
layered_add_junk(struct layered *l)
{
	uint32_t at = roll(l->n), heir = roll(l->n);
	struct item it = {.p = plant_roll(), .parent = at};
	unsigned until;

	if (l->item[heir].born > 0 && roll(2)) {
		at = it.parent = l->item[heir].parent;
		(void)snprintf(it.p.name, sizeof(it.p.name), "%s", l->item[heir].p.name);
	} else {
		heir = UINT32_MAX;
		(void)snprintf(it.p.name, sizeof(it.p.name), "junk%u", l->n);
	}
	until = MIN(MIN(l->item[at].closes, l->item[at].dies), l->end);
	if (heir != UINT32_MAX)
		until = MIN(until, l->item[heir].born);
	if (l->item[at].opens >= until)
		return;
	it.born = l->item[at].opens + roll(until - l->item[at].opens);
	it.dies = heir != UINT32_MAX ? until : it.born + 1 + roll(until - it.born);
	it.settles = it.born;
	item_open(&it, l->end);
	it.closes = it.p.entered ? it.dies : MIN(it.closes, it.dies);
	(void)snprintf(it.p.path, sizeof(it.p.path), "%s%s%s", l->item[at].p.path,
		l->item[at].p.path[0] ? "/" : "", it.p.name);
	if (name_is_free(l, &it))
		l->item[l->n++] = it;
}

FOREST bool
is_there(const struct item *it, unsigned t)
{
	return it->born <= t && t < it->dies;
}

FOREST bool
is_open(const struct item *it, unsigned t)
{
	return it->opens <= t && t < it->closes;
}

FOREST struct tree_input
item_row(const struct item *it, uint64_t number, unsigned t)
{
	bool open = is_open(it, t);
	struct tree_input in = {
		.name = span_of(it->p.name),
		.mode = it->p.mode,
		.uid = it->p.uid,
		.gid = it->p.gid,
		.nlink = it->p.nlink,
		.dev = 1,
		.ino = it->p.ino,
		.size = it->p.size,
		.blocks = it->p.size / 512,
		.mtime_ns = it->p.mtime_ns,
		.ctime_ns = it->p.ctime_ns,
		.dir = open ? number : TREE_BUILD_NO_DIR,
		.not_entered = it->p.dir && !open,
	};

	if (t < it->settles) {
		in.uid = 7;
		in.size += 777;
		in.mtime_ns -= NSEC_PER_SEC;
	}
	return in;
}

FOREST void
layered_base(struct layered *l, int dirfd, const char *name)
{
	struct tree_input root = item_row(&l->item[0], 0, 0);
	struct tree_input *in = calloc(l->n, sizeof(*in));
	struct tree_builder *b;
	struct tree *t = NULL;
	uint64_t bytes;

	CHECK_INT(tree_builder_create(&root, &b), 0);
	for (uint32_t d = 0; d < l->n; d++) {
		size_t n = 0;

		if (!is_there(&l->item[d], 0) || !is_open(&l->item[d], 0))
			continue;
		for (uint32_t i = d + 1; i < l->n; i++) {
			if (l->item[i].parent == d && is_there(&l->item[i], 0))
				in[n++] = item_row(&l->item[i], i, 0);
		}
		if (n > 0)
			qsort(in, n, sizeof(*in), input_by_name);
		CHECK_INT(tree_builder_add(b, d, in, n, false), 0);
	}
	CHECK_INT(tree_builder_write(b, dirfd, name, NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	free(in);
	CHECK_INT(tree_open(dirfd, name, &t, NULL), 0);
	l->stack = one_stack(t);
}

/* The number of a directory in the change set: it was put, or the stack has it. */
FOREST uint32_t
change_number(const struct layered *l, struct tree_change *c, struct item *it)
{
	struct tree_at at;
	uint32_t dir;

	if (it->number == UINT32_MAX) {
		CHECK_INT(tree_stack_lookup(l->stack, span_of(it->p.path), &at), 0);
		dir = tree_dir(tree_stack_cols(l->stack, at.layer), at.entry);
		CHECK_INT(tree_change_dir(c, at.layer, dir, &it->number), 0);
	}
	return it->number;
}

FOREST void
change_put(const struct layered *l, struct tree_change *c, struct item *it, unsigned t)
{
	struct tree_input in = item_row(it, 0, t);
	bool opens = is_open(it, t) && (it->opens == t || it->born == t);
	uint32_t number;

	if (it->parent == UINT32_MAX || (roll(2) && it->born < t && is_open(it, t) && !opens)) {
		CHECK_INT(tree_change_own(c, change_number(l, c, it), &in), 0);
		return;
	}
	CHECK_INT(tree_change_put(c, change_number(l, c, &l->item[it->parent]), &in, &number), 0);
	if (is_open(it, t))
		it->number = number;
	if (opens)
		CHECK_INT(tree_change_read(c, number, 0), 0);
}

/* What is different at time t. */
FOREST void
change_item(const struct layered *l, struct tree_change *c, struct item *it, unsigned t)
{
	const struct item *above = it->parent == UINT32_MAX ? NULL : &l->item[it->parent];

	if (it->dies == t && is_there(above, t) && is_open(above, t))
		CHECK_INT(tree_change_kill(c, change_number(l, c, &l->item[it->parent]),
				  span_of(it->p.name)),
			0);
	if (!is_there(it, t))
		return;
	if (it->born == t || it->settles == t || (it->p.dir && (it->opens == t || it->closes == t)))
		change_put(l, c, it, t);
}

FOREST void
layered_step(struct layered *l, unsigned t)
{
	AUTO(closep) int fd = memfd_create("layer", MFD_CLOEXEC);
	struct tree_merge m = {.stack = l->stack, .from = l->stack->n_layers};
	struct tree_open_opts opts = {.flags = TREE_OPEN_DEEP};
	struct tree_stack *next = NULL;
	struct tree *top = NULL;
	struct err err = {0};
	uint64_t bytes;

	CHECK_INT(tree_change_create(l->stack, &m.change), 0);
	for (uint32_t i = 0; i < l->n; i++)
		l->item[i].number = UINT32_MAX;
	for (uint32_t i = 0; i < l->n; i++)
		change_item(l, m.change, &l->item[i], t);
	if (m.from == TREE_MAX_LAYERS || (m.from > 1 && roll(4) == 0))
		m.from = 1 + roll(m.from - 1);
	CHECK_INT(tree_merge_fd(&m, fd, &bytes, &err), 0);
	tree_change_destroy(m.change);
	CHECK_INT(tree_open_fd(fd, "layer", &opts, &top, &err), 0);
	CHECK_INT(tree_merge_stack(l->stack, m.from, top, &next, &err), 0);
	tree_unref(top);
	tree_stack_unref(l->stack);
	l->stack = next;
}

FOREST struct tree_stack *
layered_root(const struct forest *f, uint32_t root, unsigned end, int dirfd)
{
	struct layered l = {.end = end};
	uint32_t first = 0, last;
	char name[32];

	while (f->plant[first].root != root)
		first++;
	for (last = first; last < f->n && f->plant[last].root == root;)
		last++;
	l.item = calloc(2 * (last - first), sizeof(*l.item));
	for (uint32_t i = first; i < last; i++)
		layered_add_plant(&l, f, i, first);
	for (uint32_t i = (last - first) / 2; i > 0; i--)
		layered_add_junk(&l);
	(void)snprintf(name, sizeof(name), "base-of-%u", root);
	layered_base(&l, dirfd, name);
	for (unsigned t = 1; t <= end; t++)
		layered_step(&l, t);
	free(l.item);
	return l.stack;
}

/** The same roots as those of the forest's snapshot, of several layers each. */
FOREST struct snapshot *
layered_snapshot(const struct forest *f)
{
	AUTO(closep) int dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct snapshot *s = snapshot_create(FOREST_ROOTS);

	for (uint32_t i = 0; i < FOREST_ROOTS; i++) {
		const struct snap_root *of = &f->snapshot->roots[i];

		s->roots[i] = (struct snap_root){.name = strdup(of->name),
			.path = strdup(of->path),
			.stack = layered_root(f, i, 1 + roll(LAYERED_TIMES), dirfd),
			.content = true,
			.content_max_bytes = UINT64_MAX};
	}
	snapshot_seal(s);
	return s;
}
