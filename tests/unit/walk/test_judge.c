#include "walked.h"

#include <sched.h>
#include <sys/mount.h>

#include "walk/judge.h"

TEST(judge, exclude_rules_leave_out_entries_or_contents)
{
	char *dir = test_dir();
	static const char *const patterns[] = {"*.o", "deps/", "/top", "a/b", NULL};
	struct walked w = {.opts = {.root = dir}};
	struct rules *rules = NULL;

	CHECK(rules_create(patterns, &rules, NULL) == 0);
	w.opts.rules = rules;
	test_write(dir, "x.o", "");
	test_write(dir, "x.c", "");
	test_write(dir, "deps/in", "");
	test_write(dir, "top/in", "");
	test_write(dir, "a/top/in", "");
	test_write(dir, "a/b/in", "");
	test_write(dir, "a/deps/in", "");
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_STR(walked_paths(&w), "a a/deps a/top a/top/in deps x.c");
	CHECK_INT(counter_get(&w.stats.n_skipped[SKIP_EXCLUDED]), 5);
	CHECK_INT(walked_find(&w, "deps")->e.skip, SKIP_EXCLUDED);
	CHECK(walked_find(&w, "deps")->e.dir == WALK_NO_DIR);
	walked_fini(&w);
	rules_destroy(rules);
	tree_remove(dir);
}

static bool
needs_path(const struct walk_opts *opts)
{
	struct judge j;
	bool needs;

	CHECK_INT(judge_init(&j, opts), 0);
	needs = j.needs_path;
	judge_fini(&j);
	return needs;
}

TEST(judge, paths_are_made_only_where_somebody_looks_at_them)
{
	static const char *const patterns[] = {"*.o", NULL};
	const char *const below[] = {"/usr/share", NULL}, *const aside[] = {"/etc", NULL};
	struct rules *none = NULL, *some = NULL;

	CHECK(rules_create(NULL, &none, NULL) == 0 && rules_create(patterns, &some, NULL) == 0);
	CHECK(!needs_path(&(struct walk_opts){.root = "/usr"}));
	CHECK(!needs_path(&(struct walk_opts){.root = "/usr", .rules = none}));
	CHECK(!needs_path(&(struct walk_opts){.root = "/usr", .other_roots = aside}));
	CHECK(needs_path(&(struct walk_opts){.root = "/usr", .rules = some}));
	CHECK(needs_path(&(struct walk_opts){.root = "/usr", .gitignore = true}));
	CHECK(needs_path(&(struct walk_opts){.root = "/usr", .other_roots = below}));
	rules_destroy(none);
	rules_destroy(some);
}

TEST(judge, gitignore_files_hold_for_what_is_below_them)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir, .gitignore = true}};

	test_write(dir, ".gitignore", "*.o\n/build/\n");
	test_write(dir, "x.o", "");
	test_write(dir, "build/in", "");
	test_write(dir, "sub/.gitignore", "!keep.o\n");
	test_write(dir, "sub/keep.o", "");
	test_write(dir, "sub/build/x.c", "");
	test_write(dir, "sub/deep/keep.o", "");
	test_write(dir, "sub/deep/y.o", "");
	walked_run(&w);
	CHECK_STR(walked_paths(&w), ".gitignore sub sub/.gitignore sub/build sub/build/x.c "
				    "sub/deep sub/deep/keep.o sub/keep.o");
	CHECK_INT(counter_get(&w.stats.n_skipped[SKIP_GITIGNORE]), 3);
	walked_fini(&w);
	w = (struct walked){.opts = {.root = dir}};
	walked_run(&w);
	CHECK_INT(w.rows.len, 12); /* all of them when not asked */
	walked_fini(&w);
	tree_remove(dir);
}

TEST(judge, a_tagged_cache_keeps_its_own_entry_only)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir, .exclude_caches = true}};
	const char *tag = "Signature: 8a477f597d28d172789f06886806bc55\n# more";

	test_write(dir, "CACHEDIR.TAG", tag); /* the root is what was asked for */
	test_write(dir, "cache/CACHEDIR.TAG", tag);
	test_write(dir, "cache/in", "");
	test_write(dir, "fake/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc5");
	walked_run(&w);
	CHECK_STR(walked_paths(&w), "CACHEDIR.TAG cache fake fake/CACHEDIR.TAG");
	CHECK_INT(walked_dir_skip(&w, "cache"), SKIP_CACHEDIR);
	CHECK_INT(counter_get(&w.stats.n_skipped[SKIP_CACHEDIR]), 1);
	walked_fini(&w);
	tree_remove(dir);
}

TEST(judge, own_directories_and_other_roots_keep_their_entry_only)
{
	char *dir = test_dir(), own[4200], other[4200], sibling[4200];
	const char *const own_dirs[] = {own, "/nonexistent", NULL};
	const char *const others[] = {other, sibling, dir, "/", NULL};
	struct walked w = {.opts = {.root = dir, .own_dirs = own_dirs, .other_roots = others}};

	(void)snprintf(own, sizeof(own), "%s/var/state", dir);
	(void)snprintf(other, sizeof(other), "%s/home/a/", dir);
	(void)snprintf(sibling, sizeof(sibling), "%s-sibling/home", dir);
	test_write(dir, "var/state/in", "");
	test_write(dir, "home/a/in", "");
	test_write(dir, "home/ab/in", "");
	walked_run(&w);
	CHECK_STR(walked_paths(&w), "home home/a home/ab home/ab/in var var/state");
	CHECK_INT(walked_find(&w, "home/a")->e.skip, SKIP_OTHER_ROOT);
	CHECK_INT(walked_find(&w, "var/state")->e.skip, SKIP_OWN);
	walked_fini(&w);
	tree_remove(dir);
}

/* Mounts of our own, in a namespace that dies with the test. */
static bool
may_mount(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void
mount_at(const char *dir, const char *name, const char *type, const char *source,
	unsigned long flags)
{
	char path[4200];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	CHECK(mkdir(path, 0755) == 0 || errno == EEXIST);
	CHECK_SAY(
		mount(source, path, type, flags, NULL) == 0, "mount %s: %s", type, strerror(errno));
}

static void
unmount_at(const char *dir, const char *name)
{
	char path[4200];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	CHECK(umount2(path, MNT_DETACH) == 0); /* or what removes the tree would go into it */
}

TEST(judge, mounts_are_told_apart_by_what_they_are)
{
	static const char *const names[] = {"plain/loop", "bound", "dev", "sys", "proc", "tmp"};
	char *dir = test_dir(), *elsewhere = test_dir();
	struct walked w = {.opts = {.root = dir, .one_file_system = true}};

	if (!may_mount())
		cr_skip_test("mounting is not permitted");
	test_write(dir, "plain/file", "");
	test_write(elsewhere, "file", "");
	mount_at(dir, "tmp", "tmpfs", "none", 0);
	test_write(dir, "tmp/file", "");
	mount_at(dir, "proc", "proc", "none", 0);
	mount_at(dir, "sys", "sysfs", "none", 0);
	mount_at(dir, "dev", "devtmpfs", "none", 0);
	mount_at(dir, "bound", NULL, elsewhere, MS_BIND); /* of the same device */
	mount_at(dir, "plain/loop", NULL, dir, MS_BIND);
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(walked_find(&w, "tmp")->e.skip, SKIP_OTHER_FS);
	CHECK_INT(walked_find(&w, "proc")->e.skip, SKIP_PSEUDO_FS);
	CHECK_INT(walked_find(&w, "sys")->e.skip, SKIP_PSEUDO_FS);
	CHECK_INT(walked_find(&w, "dev")->e.skip, SKIP_PSEUDO_FS);
	CHECK_INT(walked_find(&w, "plain/loop")->e.skip, SKIP_LOOP);
	CHECK(walked_find(&w, "plain/file") != NULL);
	CHECK(walked_find(&w, "tmp/file") == NULL);
	CHECK(walked_find(&w, "bound/file") != NULL);
	walked_fini(&w);
	w = (struct walked){.opts = {.root = dir}};
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK(walked_find(&w, "tmp/file") != NULL);
	CHECK(walked_find(&w, "bound/file") != NULL);
	CHECK_INT(walked_find(&w, "proc")->e.skip, SKIP_PSEUDO_FS);
	CHECK_INT(walked_find(&w, "dev")->e.skip, SKIP_PSEUDO_FS);
	CHECK_INT(walked_find(&w, "plain/loop")->e.skip, SKIP_LOOP);
	walked_fini(&w);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unmount_at(dir, names[i]);
	tree_remove(dir);
	tree_remove(elsewhere);
}

TEST(judge, another_root_bound_into_this_one_keeps_its_entry_only)
{
	char *dir = test_dir(), *elsewhere = test_dir(), other[4200], link[4200];
	const char *const others[] = {other, link, NULL};
	struct walked w = {.opts = {.root = dir, .other_roots = others}};
	struct walk_verdict v;

	if (!may_mount())
		cr_skip_test("mounting is not permitted");
	(void)snprintf(other, sizeof(other), "%s/other", elsewhere);
	(void)snprintf(link, sizeof(link), "%s/link", elsewhere);
	test_write(dir, "plain/file", "");
	test_write(elsewhere, "other/file", "");
	test_write(elsewhere, "aside/file", "");
	CHECK(symlink("aside", link) == 0); /* a link is no root, so nobody else indexes aside */
	mount_at(dir, "bound", NULL, elsewhere, MS_BIND);
	mount_at(dir, "direct", NULL, other, MS_BIND);
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(walked_find(&w, "bound/other")->e.skip, SKIP_OTHER_ROOT);
	CHECK_INT(walked_find(&w, "direct")->e.skip, SKIP_OTHER_ROOT);
	CHECK(walked_find(&w, "bound/other/file") == NULL);
	CHECK(walked_find(&w, "direct/file") == NULL);
	CHECK(walked_find(&w, "bound/aside/file") != NULL);
	CHECK(walked_find(&w, "plain/file") != NULL);
	CHECK_INT(walk_why(&w.opts, SPAN_LIT("bound/other/file"), &v), 0);
	CHECK(v.skip == SKIP_OTHER_ROOT && v.at == strlen("bound/other"));
	walked_fini(&w);
	unmount_at(dir, "bound");
	unmount_at(dir, "direct");
	tree_remove(dir);
	tree_remove(elsewhere);
}

static void
mount_over_nine(struct walked *w, const struct walk_batch *b)
{
	(void)b;
	mount_at(w->opts.root, "9", "proc", "none", 0);
	w->on_batch = NULL;
}

TEST(judge, what_is_mounted_while_a_directory_waits_is_not_entered)
{
	char *dir = test_dir(), name[64];
	struct walked w = {.opts = {.root = dir, .width = 1},
		.n_threads = 1,
		.cap = 2,
		.on_batch = mount_over_nine};

	if (!may_mount())
		cr_skip_test("mounting is not permitted");
	for (int i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "%d/%d", i / 300, i);
		test_write(dir, name, "");
	}
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(walked_dir_skip(&w, "9"), SKIP_GONE);
	CHECK_INT(w.rows.len, 10 + 9 * 300);
	walked_fini(&w);
	unmount_at(dir, "9");
	tree_remove(dir);
}
