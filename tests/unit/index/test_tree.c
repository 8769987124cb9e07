#include "tree_model.h"

#include <dirent.h>
#include <errno.h>

static const char *const paths[] = {
	"b/", "b/c/", "b/c/deep", "b/x", "a", "empty/", "b.c/", "b.c/y", "\xc3\xa4"};

static struct model model;
static char *dir;
static struct tree *tree;
static const struct tree_cols *cols;

static void
make_tree(void)
{
	model_of_paths(&model, paths, ARRAY_LEN(paths));
	dir = test_dir();
	(void)model_add(&model, 0, "left-out", true, FATE_LEFT_OUT);
	tree = model_tree(&model, dir, 100);
	cols = tree_cols(tree);
}

static void
drop_tree(void)
{
	tree_unref(tree);
	model_fini(&model);
	test_dir_remove(dir);
}

TestSuite(tree, .init = make_tree, .fini = drop_tree);

static int
lookup(const char *path)
{
	uint32_t e = UINT32_MAX;
	int r = tree_lookup(cols, span_of(path), &e);

	return r < 0 ? r : (int)e;
}

static const char *
path_of(uint32_t e)
{
	static char text[256];
	struct strbuf path = {0};

	CHECK_INT(strbuf_puts(&path, "[") | tree_path(cols, e, &path) | strbuf_puts(&path, "]"), 0);
	(void)snprintf(text, sizeof(text), "%s", path.data);
	strbuf_fini(&path);
	return text;
}

TEST(tree, entries_stand_in_depth_first_blocks)
{
	static const char *const expected[] = {"[]", "[a]", "[b]", "[b.c]", "[empty]", "[left-out]",
		"[\xc3\xa4]", "[b/c]", "[b/x]", "[b/c/deep]", "[b.c/y]"};

	CHECK_INT(cols->n_entries, ARRAY_LEN(expected));
	for (uint32_t e = 0; e < cols->n_entries; e++)
		CHECK_STR(path_of(e), expected[e]);
}

TEST(tree, lookup_finds_each_path_and_no_other)
{
	CHECK_INT(lookup(""), 0);
	CHECK_INT(lookup("/"), 0);
	CHECK_INT(lookup("b/c/deep"), 9);
	CHECK_INT(lookup("b//c/"), 7);
	CHECK_INT(lookup("/b.c/y"), 10);
	CHECK_INT(lookup("b/"), 2);
	CHECK_INT(lookup("B"), -ENOENT);
	CHECK_INT(lookup("b/c/dee"), -ENOENT);
	CHECK_INT(lookup("b/c/deeper"), -ENOENT);
	CHECK_INT(lookup("empty/z"), -ENOENT);
	CHECK_INT(lookup("left-out/"), 5);
	CHECK_INT(lookup("left-out/z"), -ENOENT);
	CHECK_INT(lookup("a/z"), -ENOTDIR);
	CHECK_INT(lookup("a/"), -ENOTDIR);
}

TEST(tree, depth_counts_components)
{
	CHECK_INT(tree_depth(cols, 0), 0);
	CHECK_INT(tree_depth(cols, 2), 1);
	CHECK_INT(tree_depth(cols, 9), 3);
}

TEST(tree, a_subtree_is_one_range)
{
	uint32_t lo, hi;

	tree_subtree(cols, tree_dir(cols, 2), &lo, &hi);
	CHECK_INT(lo, 7);
	CHECK_INT(hi, 10);
	tree_subtree(cols, tree_dir(cols, 4), &lo, &hi);
	CHECK_INT(lo, hi);
	CHECK_INT(tree_flags(cols, 4), TREE_EMPTY_DIR);
}

TEST(tree, path_appends_to_what_is_there)
{
	struct strbuf out = {0};

	CHECK_INT(strbuf_puts(&out, "/root/"), 0);
	CHECK_INT(tree_path(cols, 9, &out), 0);
	CHECK_STR(out.data, "/root/b/c/deep");
	CHECK_INT(out.len, 14);
	CHECK_INT(tree_path(cols, 0, &out), 0);
	CHECK_INT(out.len, 14);
	strbuf_fini(&out);
}

TEST(tree, a_reference_keeps_the_mapping)
{
	struct tree *second = tree_ref(tree);

	tree_unref(second);
	CHECK_STR(path_of(9), "[b/c/deep]");
	CHECK(!tree_faulted(tree));
}
