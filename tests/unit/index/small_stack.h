/**
 * small_stack: a small base, and a layer upon it made by a few changes.
 *
 * Entries of the base, in order: "" a b b.c empty b/c b/x b/c/deep b.c/y.
 */
#pragma once

#include "index/tree_merge.h"
#include "tree_image.h"

#define LAYERED static __attribute__((unused))

static const char *const layered_paths[] = {
	"b/", "b/c/", "b/c/deep", "b/x", "a", "empty/", "b.c/", "b.c/y"};

struct layered {
	struct tree_stack *s;
	struct tree_change *set;
};

/* A stack of the base, and an empty set. */
LAYERED struct layered
layered_init(void)
{
	struct layered l = {0};
	struct model m;
	struct tree *t;
	char *dir = test_dir();

	model_of_paths(&m, layered_paths, ARRAY_LEN(layered_paths));
	t = model_tree(&m, dir, 3);
	CHECK_INT(tree_stack_create(&t, 1, &l.s, NULL), 0);
	CHECK_INT(tree_change_create(l.s, &l.set), 0);
	tree_unref(t);
	test_dir_remove(dir);
	model_fini(&m);
	return l;
}

LAYERED void
layered_fini(struct layered *l)
{
	tree_change_destroy(l->set);
	tree_stack_unref(l->s);
}

LAYERED struct tree_at
layered_at(const struct layered *l, const char *path)
{
	struct tree_at at = {0};
	int r = tree_stack_lookup(l->s, span_of(path), &at);

	CHECK_SAY(r == 0, "%s: %s", path, err_reason(r));
	return at;
}

/* The number in the set of a directory of the stack. */
LAYERED uint32_t
layered_dir(const struct layered *l, const char *path)
{
	struct tree_at at = layered_at(l, path);
	uint32_t dir = tree_dir(tree_stack_cols(l->s, at.layer), at.entry);

	CHECK_INT(tree_change_dir(l->set, at.layer, dir, &dir), 0);
	return dir;
}

LAYERED struct tree_input
layered_input(const char *name, bool dir)
{
	return (struct tree_input){
		.name = span_of(name),
		.mode = dir ? S_IFDIR | 0755 : S_IFREG | 0644,
		.size = 77,
		.nlink = 1,
		.dir = dir ? 0 : TREE_BUILD_NO_DIR,
	};
}

LAYERED uint32_t
layered_put(const struct layered *l, uint32_t at, const char *name, bool dir)
{
	struct tree_input in = layered_input(name, dir);
	uint32_t ret = 0;

	CHECK_INT(tree_change_put(l->set, at, &in, &ret), 0);
	return ret;
}

LAYERED void
layered_kill(const struct layered *l, uint32_t at, const char *name)
{
	CHECK_INT(tree_change_kill(l->set, at, span_of(name)), 0);
}

/* The bytes of the changes as a layer. */
LAYERED void
layered_image(const struct layered *l, uint32_t from, struct image *ret)
{
	struct tree_merge m = {.stack = l->s, .change = l->set, .from = from};
	AUTO(closep) int fd = memfd_create("layer", MFD_CLOEXEC);
	uint64_t bytes;
	struct err err = {0};
	int r = tree_merge_fd(&m, fd, &bytes, &err);

	CHECK_SAY(r == 0, "%s", err.what);
	CHECK(bytes <= sizeof(ret->bytes));
	CHECK_INT(fd_pread_full(fd, ret->bytes, bytes, 0), bytes);
	ret->len = bytes;
}

/* The changes are made: the stack is that after them, the set empty. */
LAYERED void
layered_commit(struct layered *l, uint32_t from)
{
	static struct image im;
	struct tree_stack *next;
	struct tree *t = NULL;
	struct err err = {0};

	layered_image(l, from, &im);
	CHECK_SAY(image_open(&im, &t, &err) == 0, "%s", err.what);
	CHECK_SAY(tree_merge_stack(l->s, from, t, &next, &err) == 0, "%s", err.what);
	CHECK_SAY(tree_stack_check(next, &err) == 0, "%s", err.what);
	tree_unref(t);
	layered_fini(l);
	l->s = next;
	CHECK_INT(tree_change_create(l->s, &l->set), 0);
}
