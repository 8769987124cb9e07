/* Aims, and what becomes of the index when one is walked, with each call failing: afterwards it is
 * what it was or what it should be, and the same aim makes it what it should be. */
#include "fault.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/indexer.h"
#include "text/mapfile.h"

static struct fixture {
	char tree[512], state[512];
	struct pool *io;
	struct engine *engine;
	struct root *root;
} f;

static char root_name[] = "first";

static void
on_event(void *ctx, bool trouble, const char *text)
{
	(void)ctx;
	(void)trouble;
	(void)text;
}

static void
path_at(char *to, size_t size, const char *below)
{
	(void)snprintf(to, size, "%s/%s", f.tree, below);
}

static void
rename_at(const char *from, const char *to)
{
	char a[600], b[600];

	path_at(a, sizeof(a), from);
	path_at(b, sizeof(b), to);
	FAULT_CHECK(rename(a, b) == 0);
}

static void
link_at(const char *from, const char *to)
{
	char a[600], b[600];

	path_at(a, sizeof(a), from);
	path_at(b, sizeof(b), to);
	FAULT_CHECK(link(a, b) == 0);
}

static void
make_tree(void)
{
	test_write(f.tree, ".gitignore", "*.o\n");
	test_write(f.tree, "a/one.c", "one\n");
	test_write(f.tree, "a/b/two.h", "two\n");
	test_write(f.tree, "a/b/c/deep", "");
	test_write(f.tree, "z/last", "");
	test_write(f.tree, "moved/x/y", "");
	test_write(f.tree, "ruled/hidden", "");
	link_at("a/b/two.h", "z/linked");
}

static void
change_tree(void)
{
	test_write(f.tree, "a/one.c", "one, and more\n");
	test_write(f.tree, "a/b/two.h", "two, under two names\n");
	test_write(f.tree, "a/new.o", "");
	test_write(f.tree, "new/dir/file", "");
	test_write(f.tree, "ruled/.gitignore", "hidden\n");
	rename_at("moved", "z/moved");
}

static void
setup(void *arg)
{
	struct engine_root root = {.name = root_name, .path = f.tree, .gitignore = true};
	struct err err = {0};

	(void)arg;
	(void)snprintf(f.tree, sizeof(f.tree), "%s/tree", fault_dir());
	(void)snprintf(f.state, sizeof(f.state), "%s/state", fault_dir());
	FAULT_CHECK(mkdir(f.tree, 0755) == 0);
	make_tree();
	FAULT_CHECK(mapfile_setup() == 0);
	FAULT_CHECK(pool_create("io", 2, &f.io) == 0);
	FAULT_CHECK(engine_create(&(struct engine_config){.state_dir = f.state,
					  .roots = &root,
					  .n_roots = 1,
					  .io = f.io,
					  .walk_width = 2,
					  .on_event = on_event},
			    &f.engine, &err) == 0);
	f.root = f.engine->roots.data[0];
	FAULT_CHECK(indexer_run(f.root, &err) == 0);
	change_tree();
}

static void
teardown(void *arg)
{
	(void)arg;
	engine_destroy(f.engine);
	pool_destroy(f.io);
}

static bool
has(const char *path)
{
	struct tree_at at;

	return tree_stack_lookup(f.root->stack, span_of(path), &at) == 0;
}

static uint64_t
size_of(const char *path)
{
	struct tree_at at;

	FAULT_CHECK(tree_stack_lookup(f.root->stack, span_of(path), &at) == 0);
	return tree_size(tree_stack_cols(f.root->stack, at.layer), at.entry);
}

static int
make_aim(struct walk_aim **ret)
{
	static const char *const names[] = {"a/one.c", "a/b/two.h", "a/new.o", "new", "moved",
		"z/moved", "ruled/.gitignore", "never/was"};
	int r = aim_create(ret);

	for (size_t i = 0; i < ARRAY_LEN(names) && r == 0; i++)
		r = aim_add(*ret, span_of(names[i]), AIM_NAME);
	return r;
}

static void
check_changed(void)
{
	FAULT_CHECK(size_of("a/one.c") == 14 && size_of("z/linked") == 21);
	FAULT_CHECK(has("new/dir/file") && has("z/moved/x/y") && has("a/b/c/deep"));
	FAULT_CHECK(!has("moved") && !has("a/new.o") && !has("ruled/hidden"));
}

static int
run(void *arg)
{
	struct walk_aim *aim = NULL;
	struct err err = {0};
	int r = make_aim(&aim);

	(void)arg;
	if (r == 0)
		r = indexer_run_aimed(f.root, aim, &err);
	FAULT_CHECK(has("a/b/c/deep") && has("z/linked"));
	(void)fault_off();
	aim_destroy(aim);
	aim = NULL;
	engine_heal(f.engine);
	FAULT_CHECK(make_aim(&aim) == 0);
	/* Part of it may have been published: after a failure all is walked (indexer.h). */
	FAULT_CHECK(
		(r < 0 ? indexer_run(f.root, &err) : indexer_run_aimed(f.root, aim, &err)) == 0);
	check_changed();
	aim_destroy(aim);
	return r;
}

static const struct fault_case cases[] = {
	{.name = "aimed walk",
		.run = run,
		.setup = setup,
		.teardown = teardown,
		.flags = FAULT_NEEDS_DIR,
		.min_calls = 60},
};

FAULT_MAIN(cases)
