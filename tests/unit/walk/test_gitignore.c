#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "walk/rule.h"

static bool
ignored(const char *file, const char *path, bool is_dir)
{
	struct gitignore *g = NULL;
	bool r;

	CHECK_INT(gitignore_create(NULL, (struct span){0}, span_of(file), &g), 0);
	r = gitignore_match(g, span_of(path), is_dir, NULL, NULL);
	gitignore_unref(g);
	return r;
}

TEST(gitignore, the_last_matching_line_wins)
{
	CHECK(ignored("*.o\n", "a/x.o", false));
	CHECK(!ignored("*.o\n!x.o\n", "a/x.o", false));
	CHECK(ignored("*.o\n!x.o\n*.o", "a/x.o", false));
}

TEST(gitignore, a_slash_anchors_at_the_directory_of_the_file)
{
	CHECK(ignored("/x", "x", false));
	CHECK(!ignored("/x", "a/x", false));
	CHECK(ignored("a/x", "a/x", false));
	CHECK(!ignored("a/x", "b/a/x", false));
	CHECK(ignored("x/", "b/x", true));
	CHECK(!ignored("x/", "b/x", false));
}

TEST(gitignore, comments_blank_lines_and_trailing_spaces_count_for_nothing)
{
	CHECK(!ignored("#x\n", "#x", false));
	CHECK(ignored("\\#x\n", "#x", false));
	CHECK(ignored("\\!x\n", "!x", false));
	CHECK(ignored("x   \n", "x", false));
	CHECK(ignored("x\\ \n", "x ", false));
	CHECK(ignored("x\r\n", "x", false));
	CHECK(ignored("\xEF\xBB\xBFx\n", "x", false));
	CHECK(!ignored("\n\n   \n!\n/\n", "x", false));
}

TEST(gitignore, an_inner_file_overrides_those_above_it)
{
	struct gitignore *outer = NULL, *inner = NULL;
	const char *rule = NULL;
	struct span base = {0};

	CHECK_INT(gitignore_create(NULL, SPAN_LIT(""), SPAN_LIT("*.o\n/d/y\n"), &outer), 0);
	CHECK_INT(gitignore_create(outer, SPAN_LIT("d"), SPAN_LIT("!keep.o\n/z\n"), &inner), 0);
	gitignore_unref(outer); /* the inner one keeps it */
	CHECK(gitignore_match(inner, SPAN_LIT("d/a.o"), false, &rule, &base));
	CHECK_STR(rule, "*.o");
	CHECK_INT(base.len, 0);
	CHECK(!gitignore_match(inner, SPAN_LIT("d/keep.o"), false, NULL, NULL));
	CHECK(gitignore_match(inner, SPAN_LIT("d/y"), false, NULL, NULL));
	CHECK(gitignore_match(inner, SPAN_LIT("d/z"), false, &rule, &base));
	CHECK_STR(rule, "/z");
	CHECK(span_eq(base, SPAN_LIT("d")));
	CHECK(!gitignore_match(inner, SPAN_LIT("d/e/z"), false, NULL, NULL));
	gitignore_unref(inner);
}

TEST(gitignore, entries_called_git_are_never_ignored)
{
	CHECK(!ignored("*\n", ".git", true));
	CHECK(!ignored(".git\n", "a/.git", false));
	CHECK(ignored("*\n", ".github", true));
}

/* n lines, each a pattern of its own: "p0", "p1", ... */
static struct gitignore *
patterns_from(struct gitignore *parent, size_t first, size_t n)
{
	struct strbuf text = {0};
	struct gitignore *g = NULL;

	for (size_t i = first; i < first + n; i++)
		CHECK(strbuf_printf(&text, "# no pattern\n\np%zu\n", i) == 0);
	CHECK_INT(gitignore_create(parent, SPAN_LIT(""), strbuf_view(&text), &g), 0);
	gitignore_unref(parent);
	strbuf_fini(&text);
	return g;
}

static bool
ignores(const struct gitignore *g, size_t i)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "p%zu", i);
	return gitignore_match(g, span_of(path), false, NULL, NULL);
}

TEST(gitignore, the_first_ten_thousand_patterns_of_a_file_are_obeyed)
{
	struct gitignore *g = patterns_from(NULL, 0, 10005);

	CHECK(ignores(g, 0) && ignores(g, 9999));
	CHECK(!ignores(g, 10000) && !ignores(g, 10004));
	gitignore_unref(g);
}

TEST(gitignore, patterns_of_files_above_count_too)
{
	struct gitignore *g = patterns_from(patterns_from(NULL, 0, 6000), 6000, 6000);

	CHECK(ignores(g, 0) && ignores(g, 5999) && ignores(g, 6000) && ignores(g, 9999));
	CHECK(!ignores(g, 10000) && !ignores(g, 11999));
	g = patterns_from(g, 20000, 1);
	CHECK(ignores(g, 0) && !ignores(g, 20000));
	gitignore_unref(g);
}

TEST(gitignore, a_long_chain_is_released_without_recursion)
{
	struct gitignore *g = NULL;

	for (int i = 0; i < 200000; i++) {
		struct gitignore *next = NULL;

		CHECK_INT(gitignore_create(g, SPAN_LIT(""), SPAN_LIT("x"), &next), 0);
		gitignore_unref(g);
		g = next;
	}
	CHECK(!gitignore_match(g, SPAN_LIT("y"), false, NULL, NULL));
	gitignore_unref(g);
}

/* The oracle: `git check-ignore` over made-up patterns and paths. */

#define N_PATHS 60

static unsigned
pick(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % n;
}

static const char *const parts[] = {"a", "b", "ab", "a.c", "b.o", "x y", "[z]", "*", "A", "a-b"};

static void
make_path(unsigned *seed, char *out, size_t size)
{
	size_t at = 0;
	unsigned depth = 1 + pick(seed, 4);

	for (unsigned i = 0; i < depth; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "/" : "",
			parts[pick(seed, ARRAY_LEN(parts))]);
}

/* "**" only between slashes or at an end: git before 2.52 takes "a**" followed by a slash for
 * whole components, against its own manual. */
static void
make_pattern(unsigned *seed, char *out, size_t size)
{
	static const char *const pieces[] = {"a", "b", "*", "?", "*.c", "a*", "*b", "[ab]", "[!a]",
		"[a-b]*", "\\[z\\]", "\\*", "x y", "[[:upper:]]", "*a*", "ab", "[", "?*", "a-b",
		"[^[:alpha:]]*", "[]-a]"};
	size_t at = 0;
	unsigned depth = 1 + pick(seed, 3);

	if (pick(seed, 4) == 0)
		at += (size_t)snprintf(out, size, "!");
	if (pick(seed, 4) == 0)
		at += (size_t)snprintf(out + at, size - at, "/");
	for (unsigned i = 0; i < depth; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "/" : "",
			pick(seed, 6) == 0 ? "**" : pieces[pick(seed, ARRAY_LEN(pieces))]);
	(void)snprintf(out + at, size - at, "%s", pick(seed, 4) == 0 ? "/" : "");
}

/* What git says of all paths: "1" or "0" each. */
static void
ask_git(const char *dir, char (*paths)[64], char *ret)
{
	char command[4200], name[4200], line[256];
	FILE *f;

	memset(ret, '0', N_PATHS);
	(void)snprintf(name, sizeof(name), "%s/.in", dir);
	f = fopen(name, "w");
	for (size_t i = 0; i < N_PATHS; i++)
		(void)fprintf(f, "%s\n", paths[i]);
	(void)fclose(f);
	(void)snprintf(command, sizeof(command),
		"cd '%s' && git -c core.excludesFile=/dev/null check-ignore --no-index --stdin "
		"<.in",
		dir);
	f = popen(command, "r");
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < N_PATHS; i++)
			if (strcmp(paths[i], line) == 0)
				ret[i] = '1';
	}
	(void)pclose(f);
}

/* As the walk does it: every directory on the way, then the entry; nothing below an ignored one. */
static bool
ignored_on_the_way(const struct gitignore *g, const char *dir, const char *path)
{
	char full[4200];
	struct stat st;

	for (size_t i = 1; i <= strlen(path); i++) {
		bool is_dir = path[i] == '/';

		if (path[i] != '\0' && !is_dir)
			continue;
		(void)snprintf(full, sizeof(full), "%s/%s", dir, path);
		if (!is_dir)
			is_dir = stat(full, &st) == 0 && S_ISDIR(st.st_mode);
		if (gitignore_match(g, (struct span){path, i}, is_dir, NULL, NULL))
			return true;
	}
	return false;
}

static void
one_round(const char *dir, unsigned *seed)
{
	static char paths[N_PATHS][64];
	char want[N_PATHS], text[512];
	struct gitignore *g = NULL;
	size_t at = 0;

	for (size_t i = 0; i < N_PATHS; i++)
		make_path(seed, paths[i], sizeof(paths[i]));
	for (int i = 0; i < 4; i++) {
		make_pattern(seed, text + at, sizeof(text) - at - 2);
		at += strlen(text + at);
		text[at++] = '\n';
		text[at] = '\0';
	}
	test_write(dir, ".gitignore", text);
	ask_git(dir, paths, want);
	CHECK_INT(gitignore_create(NULL, SPAN_LIT(""), span_of(text), &g), 0);
	for (size_t i = 0; i < N_PATHS; i++)
		CHECK_SAY(ignored_on_the_way(g, dir, paths[i]) == (want[i] == '1'),
			"git says %c of \"%s\" under:\n%s", want[i], paths[i], text);
	gitignore_unref(g);
}

TEST(gitignore, agrees_with_git_on_made_up_patterns)
{
	char *dir = test_dir();
	unsigned seed = 7;
	unsigned long rounds = 40 + test_scale(5000);
	char command[4200];

	if (system("git --version >/dev/null 2>&1") != 0)
		cr_skip_test("git is not installed");
	(void)snprintf(command, sizeof(command), "git init -q '%s'", dir);
	CHECK_INT(system(command), 0);
	/* Some of the paths are directories. */
	test_write(dir, "a/b/a/b/keep", "");
	test_write(dir, "b/ab/a.c/keep", "");
	test_write(dir, "ab/x y/A/keep", "");
	test_write(dir, "a.c/b.o/keep", "");
	for (unsigned long i = 0; i < rounds; i++)
		one_round(dir, &seed);
	test_dir_remove(dir);
}
