#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "walk/aim.h"

static struct walk_aim *
make(void)
{
	struct walk_aim *a = NULL;

	CHECK_INT(aim_create(&a), 0);
	return a;
}

static void
add(struct walk_aim *a, const char *path, enum aim_how how)
{
	CHECK_INT(aim_add(a, span_of(path), how), 0);
}

static const struct aim_node *
node_at(const struct walk_aim *a, const char *path)
{
	const struct aim_node *node = aim_root(a);
	char copy[256], *save = NULL;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *name = strtok_r(copy, "/", &save); node && name;
		name = strtok_r(NULL, "/", &save))
		node = aim_find(a, node, span_of(name));
	return node;
}

TEST(aim, paths_share_the_directories_on_the_way)
{
	struct walk_aim *a = make();

	CHECK_INT(aim_count(a), 0);
	add(a, "lib/walk/aim.c", AIM_NAME);
	add(a, "lib/walk/aim.h", AIM_NAME);
	add(a, "lib/walk/aim.h", AIM_NAME);
	add(a, "", AIM_NAME);
	CHECK_INT(aim_count(a), 4);
	CHECK_INT(node_at(a, "lib/walk")->n_kids, 2);
	CHECK_STR(node_at(a, "lib/walk/aim.h")->name, "aim.h");
	CHECK(node_at(a, "lib/aim.h") == NULL && node_at(a, "walk") == NULL);
	aim_destroy(a);
}

TEST(aim, the_most_that_was_asked_for_counts)
{
	struct walk_aim *a = make();

	add(a, "a/b", AIM_LIST);
	add(a, "a/b", AIM_NAME);
	CHECK_INT(node_at(a, "a/b")->how, AIM_LIST);
	add(a, "a", AIM_DEEP);
	add(a, "a/c", AIM_DEEP); /* below what is deep */
	CHECK_INT(aim_count(a), 2);
	CHECK(aim_has(a, SPAN_LIT("a/c/d")) && aim_has(a, SPAN_LIT("")));
	CHECK(!aim_has(a, SPAN_LIT("b")) && !aim_has(a, SPAN_LIT("aa")));
	aim_destroy(a);
}

TEST(aim, what_is_no_path_below_a_root_is_refused)
{
	static const struct span wrong[] = {SPAN_LIT("/"), SPAN_LIT("/a"), SPAN_LIT("a/"),
		SPAN_LIT("a//b"), SPAN_LIT("."), SPAN_LIT("a/.."), SPAN_LIT("../a"),
		SPAN_LIT("a/./b"), SPAN_LIT("a\0b")};
	struct walk_aim *a = make();

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK_INT(aim_add(a, wrong[i], AIM_NAME), -EINVAL);
	CHECK_INT(aim_count(a), 0);
	add(a, "...", AIM_NAME);
	add(a, " ", AIM_NAME);
	CHECK_INT(aim_count(a), 2);
	aim_destroy(a);
}

TEST(aim, many_names_are_all_found_and_cost_what_is_said)
{
	const unsigned n = 20000;
	struct walk_aim *a = make();
	char path[64];

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "dir %u/name %u", i % 100, i);
		add(a, path, AIM_NAME);
	}
	CHECK_INT(aim_count(a), n + 100);
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "dir %u/name %u", i % 100, i);
		CHECK(node_at(a, path) != NULL);
		(void)snprintf(path, sizeof(path), "dir %u/name %u", (i + 1) % 100, i);
		CHECK(node_at(a, path) == NULL);
	}
	CHECK(aim_bytes(a) / n < 200);
	aim_destroy(a);
}
