#include "index/snapshot_link.h"
#include "index/tree_merge.h"
#include "one_stack.h"
#include "test.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

static struct tree_input
row(const char *name, uint64_t ino, uint32_t nlink)
{
	return (struct tree_input){.name = span_of(name),
		.mode = S_IFREG | 0644,
		.nlink = nlink,
		.dev = 1,
		.ino = ino,
		.dir = TREE_BUILD_NO_DIR};
}

static struct tree_stack *
make_base(int dirfd)
{
	struct tree_input root = {.mode = S_IFDIR | 0755, .nlink = 9, .dev = 1, .ino = 2};
	struct tree_input in[] = {row("a", 5, 2), row("b", 6, 3), row("c", 6, 3), row("d", 7, 2),
		row("e", 8, 2), row("f", 9, 1)};
	struct tree_builder *b;
	struct tree *t = NULL;
	uint64_t bytes;

	CHECK_INT(tree_builder_create(&root, &b), 0);
	CHECK_INT(tree_builder_add(b, 0, in, ARRAY_LEN(in), false), 0);
	CHECK_INT(tree_builder_write(b, dirfd, "t", NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	CHECK_INT(tree_open(dirfd, "t", &t, NULL), 0);
	return one_stack(t);
}

/* A link to the inode of "a", two to one of their own; "d" goes. */
static struct tree_stack *
add_layer(struct tree_stack *base)
{
	AUTO(closep) int fd = memfd_create("layer", MFD_CLOEXEC);
	struct tree_open_opts opts = {.flags = TREE_OPEN_DEEP};
	struct tree_merge m = {.stack = base, .from = 1};
	struct tree_input in[] = {row("n", 5, 2), row("o", 11, 2), row("p", 11, 2)};
	struct tree_stack *ret = NULL;
	struct tree *top = NULL;
	uint64_t bytes;

	CHECK_INT(tree_change_create(base, &m.change), 0);
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		CHECK_INT(tree_change_put(m.change, TREE_CHANGE_ROOT, &in[i], NULL), 0);
	CHECK_INT(tree_change_kill(m.change, TREE_CHANGE_ROOT, SPAN_LIT("d")), 0);
	CHECK_INT(tree_merge_fd(&m, fd, &bytes, NULL), 0);
	tree_change_destroy(m.change);
	CHECK_INT(tree_open_fd(fd, "layer", &opts, &top, NULL), 0);
	CHECK_INT(tree_merge_stack(base, 1, top, &ret, NULL), 0);
	tree_unref(top);
	return ret;
}

/* Names of the twins of a layer, each with the number of its inode. */
static void
check_twins(const struct snapshot *s, uint32_t layer, const char *expected)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	const struct snap_twin *t;
	char got[64] = "";
	size_t n, len = 0;

	CHECK_INT(snapshot_twins(s, layer, 0, c->n_entries, &t, &n), 0);
	for (size_t i = 0; i < n; i++) {
		struct span name = tree_name(c, t[i].entry);

		CHECK_INT(t[i].layer, layer);
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%.*s%u ", (int)name.len,
			name.data, t[i].inode);
	}
	CHECK_STR(got, expected);
}

TEST(snapshot_link, only_inodes_of_several_layers_or_with_dead_links_are_told)
{
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct snapshot *s = snapshot_create(2);
	struct tree_stack *base = make_base(dirfd);
	const struct snap_twin *t;
	size_t n;

	s->roots[0].stack = add_layer(base);
	s->roots[1].stack = base;
	snapshot_seal(s);
	CHECK_INT(s->n_layers, 3);
	check_twins(s, 0, "a0 d1 ");
	check_twins(s, 1, "n0 ");
	check_twins(s, 2, "");
	CHECK_INT(snapshot_twins(s, 0, 2, 4, &t, &n), 0);
	CHECK_INT(n, 0);
	CHECK_INT(snapshot_twins(s, 0, 4, 5, &t, &n), 0);
	CHECK_INT(n, 1);
	snapshot_unref(s);
	test_dir_remove(dir);
}
