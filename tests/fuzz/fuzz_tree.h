/**
 * fuzz_tree: the small base that hostile layers lie upon.
 *
 * Entries, in order: "" a b b.c empty b/c b/x b/c/deep b.c/y.
 */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "index/tree_build.h"
#include "index/tree_stack.h"

static inline struct tree_input
fuzz_input(const char *name, uint64_t dir)
{
	return (struct tree_input){
		.name = span_of(name),
		.mode = dir == TREE_BUILD_NO_DIR ? S_IFREG | 0644 : S_IFDIR | 0755,
		.nlink = 1,
		.dir = dir,
	};
}

/** The builder's segment, and its bytes where `ret` is given. */
static inline struct tree *
fuzz_write(struct tree_builder *b, struct strbuf *ret)
{
	int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree *t = NULL;
	uint64_t bytes;
	char name[32];

	(void)snprintf(name, sizeof(name), "fuzz_tree.%d", (int)getpid());
	if (tree_builder_write(b, fd, name, NULL, &bytes, NULL) < 0 ||
		tree_open(fd, name, &t, NULL) < 0 ||
		(ret && fd_slurp(fd, name, SIZE_MAX / 2, ret) < 0))
		abort();
	(void)unlinkat(fd, name, 0);
	tree_builder_destroy(b);
	closep(&fd);
	return t;
}

static inline struct tree *
fuzz_base(void)
{
	struct tree_input root = fuzz_input("", 0);
	struct tree_input top[] = {fuzz_input("a", TREE_BUILD_NO_DIR), fuzz_input("b", 1),
		fuzz_input("b.c", 3), fuzz_input("empty", 4)};
	struct tree_input b[] = {fuzz_input("c", 2), fuzz_input("x", TREE_BUILD_NO_DIR)};
	struct tree_input deep = fuzz_input("deep", TREE_BUILD_NO_DIR);
	struct tree_input y = fuzz_input("y", TREE_BUILD_NO_DIR);
	const struct {
		struct tree_input *in;
		size_t n;
	} lists[] = {{top, 4}, {b, 2}, {&deep, 1}, {&y, 1}, {NULL, 0}};
	struct tree_builder *builder;

	if (tree_builder_create(&root, &builder) < 0)
		abort();
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		if (tree_builder_add(builder, i, lists[i].in, lists[i].n, false) < 0)
			abort();
	}
	return fuzz_write(builder, NULL);
}
