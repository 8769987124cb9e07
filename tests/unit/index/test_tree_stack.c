#include "tree_model.h"

#include "index/tree_stack.h"

static const char *const paths[] = {
	"b/", "b/c/", "b/c/deep", "b/x", "a", "empty/", "b.c/", "b.c/y"};

struct fixture {
	struct model m;
	char *dir;
	struct tree *tree;
	struct tree_stack *s;
};

static void
fixture_init(struct fixture *f)
{
	model_of_paths(&f->m, paths, ARRAY_LEN(paths));
	f->dir = test_dir();
	f->tree = model_tree(&f->m, f->dir, 3);
	CHECK_INT(tree_stack_create(&f->tree, 1, &f->s, NULL), 0);
}

static void
fixture_fini(struct fixture *f)
{
	tree_stack_unref(f->s);
	tree_unref(f->tree);
	test_dir_remove(f->dir);
	model_fini(&f->m);
}

TEST(tree_stack, of_one_tree_everything_is_live_and_found)
{
	struct fixture f;
	const struct tree_cols *c;

	fixture_init(&f);
	c = tree_stack_cols(f.s, 0);
	CHECK_INT(f.s->n_entries, c->n_entries);
	CHECK(f.s->layer[0].dead == NULL && f.s->joint == NULL);
	for (uint32_t e = 0; e < c->n_entries; e++) {
		struct strbuf path = {0};
		struct tree_at at;

		CHECK_INT(tree_path(c, e, &path), 0);
		CHECK_INT(tree_stack_lookup(f.s, strbuf_view(&path), &at), 0);
		CHECK(at.layer == 0 && at.entry == e);
		strbuf_fini(&path);
	}
	fixture_fini(&f);
}

TEST(tree_stack, of_one_tree_directories_are_its_own)
{
	struct fixture f;
	const struct tree_cols *c;

	fixture_init(&f);
	c = tree_stack_cols(f.s, 0);
	for (uint32_t d = 0; d < c->n_dirs; d++) {
		uint32_t e = c->dir_first[d];
		struct tree_dirs dirs;
		struct tree_list list;
		struct tree_at at;

		tree_stack_dirs(f.s, 0, d, &dirs);
		CHECK(dirs.dir[0] == d && dirs.dir[1] == TREE_NO_DIR);
		at = tree_stack_canon(f.s, 0, d);
		CHECK(at.layer == 0 && at.entry == d);
		CHECK_INT(tree_stack_own(f.s, &dirs, &at), 0);
		CHECK(at.layer == 0 && at.entry == c->dir_entry[d]);
		tree_list_open(&list, f.s, &dirs);
		while (tree_list_next(&list, &at)) {
			CHECK(at.layer == 0);
			CHECK_INT(at.entry, e++);
		}
		CHECK_INT(e, c->dir_first[d + 1]);
	}
	fixture_fini(&f);
}

TEST(tree_stack, what_is_not_there_says_why)
{
	struct fixture f;
	struct tree_at at;

	fixture_init(&f);
	CHECK_INT(tree_stack_lookup(f.s, SPAN_LIT("b/y"), &at), -ENOENT);
	CHECK_INT(tree_stack_lookup(f.s, SPAN_LIT("a/y"), &at), -ENOTDIR);
	CHECK_INT(tree_stack_lookup(f.s, SPAN_LIT("a/"), &at), -ENOTDIR);
	CHECK_INT(tree_stack_lookup(f.s, SPAN_LIT("/b//c/"), &at), 0);
	CHECK(span_eq(tree_name(tree_stack_cols(f.s, 0), at.entry), SPAN_LIT("c")));
	fixture_fini(&f);
}

TEST(tree_stack, a_base_is_no_layer)
{
	struct fixture f;
	struct tree *two[2];
	struct tree_stack *s = NULL;
	struct err err = {0};

	fixture_init(&f);
	two[0] = two[1] = f.tree;
	CHECK_INT(tree_stack_create(two, 2, &s, &err), -EBADMSG);
	CHECK(strstr(err.what, "Y1") != NULL && err.hint[0] != '\0');
	fixture_fini(&f);
}
