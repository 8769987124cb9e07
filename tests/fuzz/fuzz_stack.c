/*
 * A layer, put upon a small base as if it had been made upon it: everything that is asked of a
 * stack, and merges of it. Where no rule of a stack is broken, a merge must be right too; else it
 * may be refused or wrong, and nothing more.
 */
#include "fuzz_sums.h"
#include "fuzz_tree.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "index/tree_merge.h"
#include "text/mapfile.h"

/* The first row of `below` tells of the base. */
static void
put_upon(uint8_t *data, size_t size, const struct tree *base)
{
	uint32_t n_sections = 0, n_entries = tree_cols(base)->n_entries, id;
	uint64_t sum = tree_header_sum(base), at;

	if (size >= TREE_HEADER_BYTES)
		memcpy(&n_sections, data + 24, 4);
	for (size_t i = 0; i < MIN(n_sections, TREE_MAX_SECTIONS); i++) {
		size_t row = TREE_HEADER_BYTES + i * TREE_ROW_BYTES;

		if (row + TREE_ROW_BYTES > size)
			return;
		memcpy(&id, data + row, 4);
		memcpy(&at, data + row + 8, 8);
		if (id != SECTION_BELOW || at > size || size - at < sizeof(struct tree_below))
			continue;
		memcpy(data + at, &sum, 8);
		memcpy(data + at + 8, &n_entries, 4);
	}
}

static struct tree *
open_bytes(int fd, enum tree_open_flags flags)
{
	struct tree_open_opts opts = {.flags = flags};
	struct tree *t = NULL;

	return tree_open_fd(fd, "layer", &opts, &t, NULL) == 0 ? t : NULL;
}

/* `checked`: the trees were, each by itself. */
static void
look_at_dir(const struct tree_stack *s, uint32_t layer, uint32_t dir, bool checked)
{
	struct tree_at canon = tree_stack_canon(s, layer, dir), at;
	struct tree_dirs dirs;
	struct tree_list list;

	tree_stack_dirs(s, layer, dir, &dirs);
	assert(dirs.dir[layer] == dir);
	assert(!checked || dirs.dir[canon.layer] == canon.entry);
	if (tree_stack_own(s, &dirs, &at) == 0)
		assert(!tree_is_dead(s->layer[at.layer].dead, at.entry));
	tree_list_open(&list, s, &dirs);
	while (tree_list_next(&list, &at))
		assert(!tree_is_dead(s->layer[at.layer].dead, at.entry));
}

static void
look_at_stack(const struct tree_stack *s, bool checked)
{
	struct strbuf path = {0};
	struct tree_at at;

	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(s, i);

		for (uint32_t d = 0; d < c->n_dirs; d++)
			look_at_dir(s, i, d, checked);
		for (uint32_t e = 0; e < c->n_entries; e++) {
			strbuf_reset(&path);
			if (tree_path(c, e, &path) < 0)
				abort();
			(void)tree_stack_lookup(s, strbuf_view(&path), &at);
		}
	}
	strbuf_fini(&path);
}

static void
put_something(struct tree_change *c, const struct tree_stack *s)
{
	struct tree_input in = fuzz_input("new", TREE_BUILD_NO_DIR);

	for (uint32_t i = 0; i < s->n_layers; i++) {
		for (uint32_t d = 0; d < tree_stack_cols(s, i)->n_dirs; d++) {
			uint32_t dir;

			if (tree_change_dir(c, i, d, &dir) < 0)
				continue;
			if (tree_change_put(c, dir, &in, NULL) < 0 ||
				tree_change_kill(c, dir, SPAN_LIT("x")) < 0)
				abort();
		}
	}
}

static void
try_merge(struct tree_stack *s, uint32_t from, bool right)
{
	struct tree_merge m = {.stack = s, .from = from};
	struct tree_stack *next = NULL;
	struct tree *t = NULL;
	uint64_t bytes;
	int fd = memfd_create("merged", MFD_CLOEXEC), r;

	if (fd < 0 || tree_change_create(s, &m.change) < 0)
		abort();
	put_something(m.change, s);
	r = tree_merge_fd(&m, fd, &bytes, NULL);
	assert(r == 0 || (r == -EBADMSG && !right));
	/* What this process wrote it opens by its sums, so even nonsense must do no harm. */
	if (r == 0)
		t = open_bytes(fd, right ? TREE_OPEN_DEEP : TREE_OPEN_WRITTEN);
	assert(t || r < 0);
	if (t && tree_merge_stack(s, from, t, &next, NULL) == 0) {
		assert(!right || tree_stack_check(next, NULL) == 0);
		look_at_stack(next, right);
	}
	tree_change_destroy(m.change);
	tree_stack_unref(next);
	tree_unref(t);
	closep(&fd);
}

static unsigned n_reached;

unsigned
fuzz_n_reached(void)
{
	return n_reached;
}

static void
try_stack(struct tree *const *trees)
{
	struct tree_stack *s;
	bool right;

	if (tree_stack_create(trees, 2, &s, NULL) < 0)
		return;
	n_reached++;
	look_at_stack(s, true);
	right = tree_stack_check(s, NULL) == 0;
	for (uint32_t from = 0; from <= 2; from++)
		try_merge(s, from, right);
	tree_stack_unref(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree *base;
	struct tree *trees[2];
	uint8_t *copy = malloc(size ? size : 1);
	int fd = memfd_create("layer", MFD_CLOEXEC);

	if (!copy || fd < 0 || mapfile_setup() < 0)
		abort();
	if (!base)
		base = fuzz_base();
	if (size > 0)
		memcpy(copy, data, size);
	put_upon(copy, size, base);
	put_sums_right(copy, size);
	if (fd_write_full(fd, copy, size) < 0)
		abort();
	trees[0] = base;
	trees[1] = open_bytes(fd, 0);
	if (trees[1])
		try_stack(trees);
	tree_unref(trees[1]);
	closep(&fd);
	free(copy);
	return 0;
}
