/**
 * stack_model: a root in plain structs that changes at random, and the changes as a change set.
 *
 * A node is one thing as long as it lives: a directory made anew under an old name is another node.
 * What a set must say follows from comparing two states, as a rescan does; it is told in random
 * order, here and there with more than is needed.
 */
#pragma once

#include "index/tree_merge.h"
#include "test.h"

#include "base/fd.h"
#include "base/hash.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PLAIN static __attribute__((unused))
#define PLAIN_NONE UINT32_MAX

struct plain_node {
	char name[24];
	uint32_t parent;
	uint32_t look; /* what its fields follow from */
	uint8_t flags; /* of an entered directory, without EMPTY_DIR */
	bool there, dir, entered;
};

typedef VEC(struct plain_node) plain_vec;

struct plain {
	plain_vec now, then; /* a node keeps its index; those of `then` come first */
	uint64_t seed;
};

PLAIN uint32_t
plain_pick(struct plain *p, uint32_t below)
{
	p->seed++;
	return (uint32_t)(hash64(&p->seed, sizeof(p->seed), 5) % below);
}

PLAIN bool
plain_there(const plain_vec *v, uint32_t i)
{
	return i < v->len && v->data[i].there;
}

PLAIN uint32_t
plain_child(const plain_vec *v, uint32_t parent, const char *name)
{
	for (uint32_t i = 1; i < v->len; i++) {
		if (v->data[i].there && v->data[i].parent == parent &&
			strcmp(v->data[i].name, name) == 0)
			return i;
	}
	return PLAIN_NONE;
}

PLAIN void
plain_drop(struct plain *p, uint32_t i)
{
	p->now.data[i].there = false;
	for (uint32_t k = i + 1; k < p->now.len; k++) {
		if (p->now.data[k].there && p->now.data[k].parent == i)
			plain_drop(p, k);
	}
}

/* A new node in the place of what has that name; parents come before their children. */
PLAIN uint32_t
plain_add(struct plain *p, uint32_t parent, const char *name, bool dir, bool entered)
{
	struct plain_node n = {.parent = parent, .there = true, .dir = dir, .entered = entered};
	uint32_t old = p->now.len > 0 ? plain_child(&p->now, parent, name) : PLAIN_NONE;

	if (old != PLAIN_NONE)
		plain_drop(p, old);
	(void)snprintf(n.name, sizeof(n.name), "%s", name);
	n.look = plain_pick(p, UINT32_MAX);
	CHECK_INT(VEC_PUSH(&p->now, n), 0);
	return (uint32_t)p->now.len - 1;
}

PLAIN void
plain_init(struct plain *p, uint64_t seed)
{
	*p = (struct plain){.seed = seed << 32};
	(void)plain_add(p, 0, "", true, true);
	CHECK_INT(VEC_PUSH(&p->then, p->now.data[0]), 0);
}

PLAIN void
plain_fini(struct plain *p)
{
	VEC_FINI(&p->now);
	VEC_FINI(&p->then);
}

/* Now becomes then. */
PLAIN void
plain_settle(struct plain *p)
{
	VEC_FINI(&p->then);
	for (size_t i = 0; i < p->now.len; i++)
		CHECK_INT(VEC_PUSH(&p->then, p->now.data[i]), 0);
}

PLAIN struct tree_input
plain_input(const struct plain_node *n)
{
	uint32_t k = n->look;

	return (struct tree_input){
		.name = span_of(n->name),
		.mode = n->dir       ? S_IFDIR | 0700u
	                : k % 5 == 1 ? S_IFLNK | 0777u
	                             : S_IFREG | (k % 3),
		.uid = k % 4,
		.gid = k % 3,
		.nlink = k % 7 == 0 ? 2 : 1,
		.dev = 3 + k % 2,
		.ino = k % 7 == 0 ? k % 20 : k,
		.size = k % 100000,
		.blocks = k % 1000,
		.mtime_ns = (int64_t)k * 1000000000,
		.ctime_ns = -(int64_t)k,
		.dir = n->entered ? 0 : TREE_BUILD_NO_DIR,
	};
}

/* A random node that is there; an entered directory if `into`. The root now and then. */
PLAIN uint32_t
plain_some(struct plain *p, bool into)
{
	for (;;) {
		uint32_t i = plain_pick(p, 8) ? plain_pick(p, (uint32_t)p->now.len) : 0;
		const struct plain_node *n = &p->now.data[i];

		if (n->there && (!into || n->entered))
			return i;
	}
}

/* Names from a small set, so that they meet others of their kind, and of another kind. */
PLAIN void
plain_name(struct plain *p, char name[24])
{
	static const char *const heads[] = {"a", "a b", "ab", "\xc3\xa9", "b", "z", "A", ".", "~"};

	(void)snprintf(name, 24, "%s%u", heads[plain_pick(p, 9)], plain_pick(p, 6));
}

/* A new node, and if it is a directory now and then something in it. */
PLAIN void
plain_grow(struct plain *p, uint32_t parent, uint32_t depth)
{
	bool dir = plain_pick(p, 3) == 0, entered = dir && plain_pick(p, 6);
	char name[24];
	uint32_t i;

	plain_name(p, name);
	i = plain_add(p, parent, name, dir, entered);
	if (entered && plain_pick(p, 5) == 0)
		p->now.data[i].flags = (uint8_t)(1 + plain_pick(p, 2) * 3); /* 1 or 4 */
	for (uint32_t n = plain_pick(p, 5); entered && depth < 4 && n > 0; n--)
		plain_grow(p, i, depth + 1);
}

PLAIN void
plain_change(struct plain *p)
{
	uint32_t i = plain_some(p, false);
	struct plain_node *n = &p->now.data[i];

	switch (plain_pick(p, 8)) {
	case 0:
		if (i > 0)
			plain_drop(p, i);
		break;
	case 1:
	case 2:
		n->look = plain_pick(p, UINT32_MAX);
		break;
	case 3:
		if (i == 0 || !n->dir)
			break;
		if (n->entered) {
			plain_drop(p, i);
			n->there = true;
		}
		n->entered = !n->entered;
		n->flags = 0;
		break;
	case 4:
		if (n->entered)
			n->flags = (uint8_t)(plain_pick(p, 2) + 4 * plain_pick(p, 2));
		break;
	default:
		plain_grow(p, plain_some(p, true), 0);
	}
}

/* What is yet to be told: a directory of the set, and a node of it now or a name that is gone. */
struct plain_task {
	uint32_t at, node;
	char gone[24];
};

struct plain_told {
	struct plain *p;
	const struct tree_stack *stack;
	struct tree_change *set;
	VEC(struct plain_task) tasks;
};

/* Is it the same thing, under the same name of the same things above? */
PLAIN bool
plain_same(const struct plain *p, uint32_t i)
{
	return plain_there(&p->then, i) && plain_there(&p->now, i);
}

PLAIN bool
plain_as_was(const struct plain *p, uint32_t i)
{
	const struct plain_node *a = &p->now.data[i], *b = &p->then.data[i];

	return plain_same(p, i) && a->look == b->look && a->entered == b->entered;
}

PLAIN void
plain_path(const plain_vec *v, uint32_t i, struct strbuf *out)
{
	if (i == 0)
		return;
	plain_path(v, v->data[i].parent, out);
	if (out->len > 0)
		CHECK_INT(strbuf_putc(out, '/'), 0);
	CHECK_INT(strbuf_puts(out, v->data[i].name), 0);
}

/* The number in the set of a directory that was there before. */
PLAIN uint32_t
plain_old_dir(struct plain_told *t, uint32_t node)
{
	struct strbuf path = {0};
	struct tree_at at;
	uint32_t dir = 0;

	plain_path(&t->p->then, node, &path);
	CHECK_INT(tree_stack_lookup(t->stack, strbuf_view(&path), &at), 0);
	dir = tree_dir(tree_stack_cols(t->stack, at.layer), at.entry);
	CHECK(dir != TREE_NO_DIR);
	CHECK_INT(tree_change_dir(t->set, at.layer, dir, &dir), 0);
	strbuf_fini(&path);
	return dir;
}

PLAIN void
plain_push(struct plain_told *t, struct plain_task task)
{
	CHECK_INT(VEC_PUSH(&t->tasks, task), 0);
}

/* Everything in directory `node` that is not as it was; `same`: what it held counts. */
PLAIN void
plain_enter(struct plain_told *t, uint32_t node, uint32_t at, bool same)
{
	const struct plain *p = t->p;

	for (uint32_t i = 1; i < p->now.len; i++) {
		if (plain_there(&p->now, i) && p->now.data[i].parent == node)
			plain_push(t, (struct plain_task){.at = at, .node = i});
	}
	for (uint32_t i = 1; i < p->then.len && same; i++) {
		struct plain_task task = {.at = at, .node = PLAIN_NONE};

		if (!plain_there(&p->then, i) || p->then.data[i].parent != node ||
			plain_child(&p->now, node, p->then.data[i].name) != PLAIN_NONE)
			continue;
		memcpy(task.gone, p->then.data[i].name, sizeof(task.gone));
		plain_push(t, task);
	}
}

/* A node; whether its name must first be cleared of what was there before. */
PLAIN void
plain_tell_node(struct plain_told *t, uint32_t at, uint32_t i)
{
	struct plain *p = t->p;
	const struct plain_node *n = &p->now.data[i];
	struct tree_input in = plain_input(n);
	bool was_entered = plain_same(p, i) && p->then.data[i].entered;
	bool anew = !plain_same(p, i) && plain_there(&p->then, n->parent) &&
	            plain_child(&p->then, n->parent, n->name) != PLAIN_NONE;
	uint32_t dir = 0;

	if (!plain_as_was(p, i) || plain_pick(p, 30) == 0) {
		/* Told twice, in both orders with a kill, and of a lie that is corrected. */
		if (anew && plain_pick(p, 2))
			CHECK_INT(tree_change_kill(t->set, at, in.name), 0);
		if (plain_pick(p, 10) == 0) {
			struct tree_input lie = {.name = in.name, .mode = S_IFREG, .size = 1};

			lie.dir = TREE_BUILD_NO_DIR;
			CHECK_INT(tree_change_put(t->set, at, &lie, NULL), 0);
		}
		CHECK_INT(tree_change_put(t->set, at, &in, &dir), 0);
		if (anew)
			CHECK_INT(tree_change_kill(t->set, at, in.name), 0);
	} else if (n->entered) {
		dir = plain_old_dir(t, i);
	}
	if (!n->entered)
		return;
	if (!was_entered || n->flags != p->then.data[i].flags || plain_pick(p, 30) == 0)
		CHECK_INT(tree_change_read(t->set, dir, n->flags), 0);
	plain_enter(t, i, dir, was_entered);
}

/** The changes from then to now as a set. */
PLAIN struct tree_change *
plain_tell(struct plain *p, struct tree_stack *stack)
{
	struct plain_told t = {.p = p, .stack = stack};
	struct tree_input root = plain_input(&p->now.data[0]);

	CHECK_INT(tree_change_create(stack, &t.set), 0);
	if (p->now.data[0].look != p->then.data[0].look)
		CHECK_INT(tree_change_own(t.set, TREE_CHANGE_ROOT, &root), 0);
	if (p->now.data[0].flags != p->then.data[0].flags)
		CHECK_INT(tree_change_read(t.set, TREE_CHANGE_ROOT, p->now.data[0].flags), 0);
	plain_enter(&t, 0, TREE_CHANGE_ROOT, true);
	while (t.tasks.len > 0) {
		uint32_t k = plain_pick(p, (uint32_t)t.tasks.len);
		struct plain_task task = t.tasks.data[k];

		t.tasks.data[k] = t.tasks.data[t.tasks.len - 1];
		t.tasks.len--;
		if (task.node == PLAIN_NONE)
			CHECK_INT(tree_change_kill(t.set, task.at, span_of(task.gone)), 0);
		else
			plain_tell_node(&t, task.at, task.node);
	}
	VEC_FINI(&t.tasks);
	return t.set;
}

/** A stack of the root alone, as `then` is after plain_init(). */
PLAIN struct tree_stack *
plain_stack(const struct plain *p, const char *dir)
{
	struct tree_input root = plain_input(&p->then.data[0]);
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree_builder *b;
	struct tree_stack *s = NULL;
	struct tree *t = NULL;
	uint64_t bytes;

	CHECK_INT(tree_builder_create(&root, &b), 0);
	CHECK_INT(tree_builder_add(b, 0, NULL, 0, false), 0);
	CHECK_INT(tree_builder_write(b, dirfd, "root", NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	CHECK_INT(tree_open(dirfd, "root", &t, NULL), 0);
	CHECK_INT(tree_stack_create(&t, 1, &s, NULL), 0);
	tree_unref(t);
	return s;
}

/** Merge in memory, check the segment, and stack it: the stack before is let go. */
PLAIN struct tree_stack *
plain_merge(struct tree_stack *s, struct tree_change *set, uint32_t from, struct pool *pool)
{
	struct tree_merge m = {.stack = s, .change = set, .from = from, .pool = pool};
	struct tree_open_opts opts = {.flags = TREE_OPEN_DEEP, .pool = pool};
	AUTO(closep) int fd = memfd_create("layer", MFD_CLOEXEC);
	struct tree_stack *next = NULL;
	struct tree *t = NULL;
	struct err err = {0};
	uint64_t bytes;
	int r = tree_merge_fd(&m, fd, &bytes, &err);

	CHECK_SAY(r == 0, "merge from %u: %s", from, err.what);
	r = tree_open_fd(fd, "layer", &opts, &t, &err);
	CHECK_SAY(r == 0, "open: %s", err.what);
	CHECK_INT(tree_file_bytes(t), bytes);
	r = tree_merge_stack(s, from, t, &next, &err);
	CHECK_SAY(r == 0, "stack: %s", err.what);
	tree_unref(t);
	tree_stack_unref(s);
	return next;
}
