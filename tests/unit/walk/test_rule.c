#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "walk/rule.h"

static struct rules *
rules_of(const char *const *patterns)
{
	struct rules *r = NULL;
	struct err err = {0};

	CHECK_SAY(rules_create(patterns, &r, &err) == 0, "%s", err.what);
	return r;
}

/* The answer of a single rule. */
static enum rule_hit
hit(const char *pattern, const char *path, bool is_dir)
{
	const char *const patterns[] = {pattern, NULL};
	struct rules *r = rules_of(patterns);
	const char *text = NULL;
	enum rule_hit h = rules_match(r, span_of(path), is_dir, &text);

	if (h != RULE_MISS)
		CHECK_STR(text, pattern);
	rules_destroy(r);
	return h;
}

TEST(rule, a_plain_name_matches_at_any_depth)
{
	CHECK_INT(hit("core", "core", false), RULE_ENTRY);
	CHECK_INT(hit("core", "a/b/core", true), RULE_ENTRY);
	CHECK_INT(hit("core", "a/core/b", false), RULE_MISS);
	CHECK_INT(hit("core", "score", false), RULE_MISS);
	CHECK_INT(hit("core", "cores", false), RULE_MISS);
}

TEST(rule, a_glob_matches_the_whole_name)
{
	CHECK_INT(hit("*.o", "a/x.o", false), RULE_ENTRY);
	CHECK_INT(hit("*.o", "x.o.c", false), RULE_MISS);
	CHECK_INT(hit("*.o", "x.o/y", false), RULE_MISS);
	CHECK_INT(hit("[ab]?", "dir/ax", false), RULE_ENTRY);
	CHECK_INT(hit("\\*", "dir/*", false), RULE_ENTRY);
	CHECK_INT(hit("\\*", "dir/x", false), RULE_MISS);
}

TEST(rule, an_inner_slash_matches_the_end_of_the_path_at_component_borders)
{
	CHECK_INT(hit(".git/objects", ".git/objects", true), RULE_ENTRY);
	CHECK_INT(hit(".git/objects", "x/y/.git/objects", true), RULE_ENTRY);
	CHECK_INT(hit(".git/objects", "x/a.git/objects", true), RULE_MISS);
	CHECK_INT(hit(".git/objects", "objects", true), RULE_MISS);
	CHECK_INT(hit("*/objects", "x/y/objects", true), RULE_ENTRY);
	CHECK_INT(hit("a/**/z", "q/a/b/c/z", false), RULE_ENTRY);
	CHECK_INT(hit("a/**/z", "q/ba/b/c/z", false), RULE_MISS);
}

TEST(rule, a_leading_slash_anchors_at_the_root_of_the_tree)
{
	CHECK_INT(hit("/a/b", "a/b", false), RULE_ENTRY);
	CHECK_INT(hit("/a/b", "x/a/b", false), RULE_MISS);
	CHECK_INT(hit("/a", "a", false), RULE_ENTRY);
	CHECK_INT(hit("/a", "b/a", false), RULE_MISS);
	CHECK_INT(hit("/*.c", "x.c", false), RULE_ENTRY);
	CHECK_INT(hit("/*.c", "d/x.c", false), RULE_MISS);
}

TEST(rule, a_trailing_slash_keeps_the_directory_and_leaves_out_its_contents)
{
	CHECK_INT(hit("node_modules/", "a/node_modules", true), RULE_CONTENTS);
	CHECK_INT(hit("node_modules/", "a/node_modules", false), RULE_MISS);
	CHECK_INT(hit("/a/b/", "a/b", true), RULE_CONTENTS);
	CHECK_INT(hit(".git/objects/", "x/.git/objects", true), RULE_CONTENTS);
}

TEST(rule, leaving_out_the_entry_wins_over_leaving_out_its_contents)
{
	const char *const patterns[] = {"x/", "*.tmp", "x", NULL};
	struct rules *r = rules_of(patterns);
	const char *text = NULL;

	CHECK_INT(rules_match(r, SPAN_LIT("x"), true, &text), RULE_ENTRY);
	CHECK_STR(text, "x");
	CHECK_INT(rules_match(r, SPAN_LIT("a/b.tmp"), false, NULL), RULE_ENTRY);
	CHECK_INT(rules_match(r, SPAN_LIT("y"), true, &text), RULE_MISS);
	rules_destroy(r);
}

TEST(rule, a_name_may_hold_any_byte)
{
	CHECK_INT(hit("a\nb", "d/a\nb", false), RULE_ENTRY);
	CHECK_INT(hit("\xff\xfe", "d/\xff\xfe", false), RULE_ENTRY);
	CHECK_INT(hit("*\xff", "d/abc\xff", false), RULE_ENTRY);
}

TEST(rule, no_patterns_match_nothing)
{
	struct rules *r = NULL;

	CHECK_INT(rules_create(NULL, &r, NULL), 0);
	CHECK(rules_empty(r));
	CHECK_INT(rules_match(r, SPAN_LIT("a"), true, NULL), RULE_MISS);
	rules_destroy(r);
	CHECK_INT(rules_create((const char *const[]){"a", NULL}, &r, NULL), 0);
	CHECK(!rules_empty(r));
	rules_destroy(r);
	rules_destroy(NULL);
}

TEST(rule, a_wrong_pattern_is_named_in_the_error)
{
	static const char *const wrong[] = {
		"", "/", "//", "a//b", "./a", "a/..", "[a", "x\\", "a/[/"};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const char *const patterns[] = {"fine", wrong[i], NULL};
		struct rules *r = NULL;
		struct err err = {0};
		char quoted[64];

		CHECK_SAY(rules_create(patterns, &r, &err) == -EINVAL, "accepted \"%s\"", wrong[i]);
		(void)snprintf(quoted, sizeof(quoted), "\"%s\"", wrong[i]);
		CHECK_SAY(strstr(err.what, quoted), "%s", err.what);
	}
}
