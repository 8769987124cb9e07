/**
 * grown_layer: what has changed in a grown directory, as a layer upon the segments before.
 */
#pragma once

#include "grown.h"

#include "index/tree_merge.h"

#include <sys/mman.h>

/* Tell the set of what is there now, in a directory of it: the number of one that is new. */
GROWN uint32_t
grown_put(struct tree_change *c, uint32_t at, const char *path, const char *name)
{
	uint64_t n_dirs = 1;
	struct tree_input in = grown_input(path, name, &n_dirs);
	uint32_t number = 0;

	CHECK_INT(tree_change_put(c, at, &in, &number), 0);
	free((void *)(uintptr_t)in.name.data);
	return number;
}

GROWN struct tree_stack *
grown_upon(struct tree_stack *below, struct tree_change *change)
{
	AUTO(closep) int fd = memfd_create("layer", MFD_CLOEXEC);
	struct tree_merge m = {.stack = below, .change = change, .from = below->n_layers};
	struct tree_open_opts opts = {.flags = TREE_OPEN_DEEP};
	struct tree_stack *ret = NULL;
	struct tree *top = NULL;
	uint64_t bytes;

	CHECK_INT(tree_merge_fd(&m, fd, &bytes, NULL), 0);
	CHECK_INT(tree_open_fd(fd, "layer", &opts, &top, NULL), 0);
	CHECK_INT(tree_merge_stack(below, m.from, top, &ret, NULL), 0);
	tree_unref(top);
	return ret;
}
