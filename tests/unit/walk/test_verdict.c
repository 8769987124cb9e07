#include "walked.h"

static struct walk_verdict
why(const struct walk_opts *opts, const char *path)
{
	struct walk_verdict v;

	CHECK_INT(walk_why(opts, span_of(path), &v), 0);
	return v;
}

static void
check_why(const struct walk_opts *opts, const char *path, enum walk_skip skip, const char *prefix,
	const char *rule)
{
	struct walk_verdict v = why(opts, path);

	CHECK_SAY(v.skip == skip && strlen(prefix) == v.at && strcmp(v.rule, rule) == 0,
		"\"%s\": %s at %.*s by \"%s\"", path, walk_skip_word(v.skip), (int)v.at, path,
		v.rule);
}

static const char *const excludes[] = {"*.o", "deps/", "/top/only", NULL};

static void
make_tree(const char *dir)
{
	test_write(dir, "fine/file", "");
	test_write(dir, "fine/x.o", "");
	test_write(dir, "deps/in/deeper", "");
	test_write(dir, "top/only/file", "");
	test_write(dir, "top/deps", "a file of that name");
	test_write(dir, "git/.gitignore", "*.log\n!keep.log\nout/\n");
	test_write(dir, "git/a.log", "");
	test_write(dir, "git/keep.log", "");
	test_write(dir, "git/sub/out/file", "");
	test_write(dir, "cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
	test_write(dir, "cache/file", "");
	test_write(dir, "state/file", "");
	test_write(dir, "other/file", "");
}

TEST(verdict, names_the_reason_the_place_and_the_rule)
{
	char *dir = test_dir(), own[4200], other[4200];
	const char *const own_dirs[] = {own, NULL}, *const others[] = {other, NULL};
	struct rules *rules = NULL;
	struct walk_opts o = {.root = dir,
		.gitignore = true,
		.exclude_caches = true,
		.own_dirs = own_dirs,
		.other_roots = others};
	struct walk_verdict v;

	(void)snprintf(own, sizeof(own), "%s/state", dir);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	CHECK(rules_create(excludes, &rules, NULL) == 0);
	o.rules = rules;
	make_tree(dir);
	check_why(&o, "fine/x.o", SKIP_EXCLUDED, "fine/x.o", "*.o");
	check_why(&o, "deps", SKIP_NONE, "deps", "");
	check_why(&o, "deps/in/deeper", SKIP_EXCLUDED, "deps", "deps/");
	check_why(&o, "top/only/file", SKIP_EXCLUDED, "top/only", "/top/only");
	check_why(&o, "top/deps", SKIP_NONE, "top/deps", "");
	check_why(&o, "git/sub/out/file", SKIP_GITIGNORE, "git/sub/out", "out/");
	check_why(&o, "git/keep.log", SKIP_NONE, "git/keep.log", "");
	check_why(&o, "cache", SKIP_NONE, "cache", "");
	check_why(&o, "cache/file", SKIP_CACHEDIR, "cache", "");
	check_why(&o, "state/file", SKIP_OWN, "state", "");
	check_why(&o, "other/file", SKIP_OTHER_ROOT, "other", "");
	v = why(&o, "git/a.log");
	CHECK(v.skip == SKIP_GITIGNORE && strstr(v.source, "/git/.gitignore"));
	v = why(&o, "fine/x.o");
	CHECK_STR(v.source, "exclude");
	rules_destroy(rules);
	tree_remove(dir);
}

TEST(verdict, says_whether_what_nothing_leaves_out_exists)
{
	char *dir = test_dir();
	struct walk_opts o = {.root = dir};

	test_write(dir, "d/file", "");
	CHECK(why(&o, "d/file").exists);
	CHECK(why(&o, "d").exists);
	CHECK(why(&o, "").exists);
	CHECK(!why(&o, "d/none").exists);
	CHECK(!why(&o, "d/file/below").exists);
	CHECK(!why(&o, "none/none").exists);
	tree_remove(dir);
}

TEST(verdict, says_whether_what_is_left_out_exists)
{
	char *dir = test_dir(), longest[1100];
	struct rules *rules = NULL;
	struct walk_opts o = {.root = dir, .gitignore = true};

	CHECK(rules_create(excludes, &rules, NULL) == 0);
	o.rules = rules;
	make_tree(dir);
	CHECK(why(&o, "fine/x.o").exists);
	CHECK(!why(&o, "fine/none.o").exists);
	CHECK(!why(&o, "fine/file/x.o").exists);
	CHECK(why(&o, "git/a.log").exists);
	CHECK(!why(&o, "git/none.log").exists);
	CHECK(why(&o, "top/only/none").exists); /* of top/only, which the verdict is about */
	CHECK(why(&o, "git/sub/out/none").exists);
	CHECK_INT(why(&o, "fine/none.o").skip, SKIP_EXCLUDED);
	memset(longest, 'n', sizeof(longest));
	memcpy(longest, "fine/", 5);
	longest[sizeof(longest) - 1] = '\0';
	CHECK(!why(&o, longest).exists);
	CHECK_INT(why(&o, longest).skip, SKIP_NAME_TOO_LONG);
	rules_destroy(rules);
	tree_remove(dir);
}

TEST(verdict, empty_components_count_for_nothing)
{
	char *dir = test_dir();
	struct rules *rules = NULL;
	struct walk_opts o = {.root = dir, .gitignore = true};

	CHECK(rules_create(excludes, &rules, NULL) == 0);
	o.rules = rules;
	make_tree(dir);
	check_why(&o, "top//only/file", SKIP_EXCLUDED, "top//only", "/top/only");
	check_why(&o, "//top/only", SKIP_EXCLUDED, "//top/only", "/top/only");
	check_why(&o, "git//sub///out/file", SKIP_GITIGNORE, "git//sub///out", "out/");
	check_why(&o, "git//a.log//", SKIP_GITIGNORE, "git//a.log", "*.log");
	check_why(&o, "deps/", SKIP_NONE, "deps", "");
	CHECK(why(&o, "deps/").exists);
	CHECK(why(&o, "/").exists);
	rules_destroy(rules);
	tree_remove(dir);
}

TEST(verdict, a_path_with_dots_or_a_missing_root_is_an_error)
{
	struct walk_opts o = {.root = "/usr"};
	struct walk_verdict v;

	CHECK_INT(walk_why(&o, SPAN_LIT("a/../b"), &v), 0); /* ends at a, which is not there */
	CHECK_INT(walk_why(&o, SPAN_LIT("share/../b"), &v), -EINVAL);
	CHECK_INT(walk_why(&o, SPAN_LIT("."), &v), -EINVAL);
	CHECK_INT(walk_why(&o, SPAN_LIT("a\0b"), &v), -EINVAL);
	o.root = "/nonexistent";
	CHECK_INT(walk_why(&o, SPAN_LIT("a"), &v), -ENOENT);
	o.root = "/proc";
	CHECK_INT(walk_why(&o, SPAN_LIT("self"), &v), -EINVAL);
}

TEST(verdict, a_closed_directory_hides_what_is_in_it)
{
	char *dir = test_dir();
	struct walk_opts o = {.root = dir};
	uid_t was = geteuid();

	test_write(dir, "closed/file", "");
	CHECK(chmod(dir, 0755) == 0);
	CHECK(fchmodat(open(dir, O_PATH | O_CLOEXEC), "closed", 0, 0) == 0);
	if (was == 0)
		CHECK(seteuid(65534) == 0);
	check_why(&o, "closed", SKIP_NONE, "closed", "");
	check_why(&o, "closed/file", SKIP_UNREADABLE, "closed", "");
	CHECK(seteuid(was) == 0);
	tree_remove(dir);
}

/* Every path there is, from a walk without rules, asked one by one. */
TEST(verdict, agrees_with_the_walk_on_every_path)
{
	char *dir = test_dir();
	struct rules *rules = NULL;
	struct walked all = {.opts = {.root = dir}}, some;
	char own[4200], other[4200];
	const char *const own_dirs[] = {own, NULL}, *const others[] = {other, NULL};
	size_t n_in = 0;

	(void)snprintf(own, sizeof(own), "%s/state", dir);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	make_tree(dir);
	CHECK(rules_create(excludes, &rules, NULL) == 0);
	some = (struct walked){.opts = {.root = dir,
				       .rules = rules,
				       .gitignore = true,
				       .exclude_caches = true,
				       .own_dirs = own_dirs,
				       .other_roots = others}};
	walked_run(&all);
	walked_run(&some);
	VEC_EACH (&all.rows, row) {
		struct walk_verdict v = why(&some.opts, row->path);
		bool in = walked_find(&some, row->path) != NULL;

		CHECK_SAY((v.skip == SKIP_NONE) == in && v.exists, "\"%s\": walk %d, why says %s",
			row->path, in, walk_skip_word(v.skip));
		n_in += in;
	}
	CHECK_INT(n_in, some.rows.len);
	CHECK(n_in < all.rows.len);
	walked_fini(&all);
	walked_fini(&some);
	rules_destroy(rules);
	tree_remove(dir);
}

TEST(verdict, follows_a_path_of_4000_levels)
{
	char *dir = test_dir();
	struct strbuf path = {0};
	struct walk_opts o = {.root = dir};
	struct walk_verdict v;
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 4000; i++) {
		int next = mkdir_at(at, "level");

		(void)close(at);
		at = next;
		(void)strbuf_puts(&path, i ? "/level" : "level");
	}
	(void)close(at);
	CHECK_INT(walk_why(&o, strbuf_view(&path), &v), 0);
	CHECK_INT(v.skip, SKIP_NONE);
	CHECK(v.exists);
	CHECK_INT(v.at, path.len);
	strbuf_fini(&path);
	tree_remove(dir);
}

TEST(verdict, every_reason_has_a_word_and_a_sentence)
{
	for (int i = 0; i < N_WALK_SKIPS; i++) {
		CHECK(walk_skip_word((enum walk_skip)i)[0] != '\0');
		CHECK(walk_skip_sentence((enum walk_skip)i)[0] != '\0');
	}
	CHECK_STR(walk_skip_word(SKIP_LOOP), "loop");
}
