#include "small_stack.h"

static uint8_t
flags_of(const struct layered *l, const char *path)
{
	struct tree_at at = layered_at(l, path);

	return tree_flags(tree_stack_cols(l->s, at.layer), at.entry);
}

static bool
is_entered(const struct layered *l, const char *path)
{
	struct tree_at at = layered_at(l, path);

	return tree_entered(tree_stack_cols(l->s, at.layer), at.entry);
}

static bool
is_there(const struct layered *l, const char *path)
{
	struct tree_at at;

	return tree_stack_lookup(l->s, span_of(path), &at) == 0;
}

TEST(tree_change, a_set_of_nothing_changes_nothing)
{
	struct layered l = layered_init();

	CHECK_INT(tree_change_count(l.set), 0);
	layered_commit(&l, 1);
	CHECK_INT(l.s->n_entries, 9);
	CHECK_INT(tree_stack_cols(l.s, 1)->n_entries, 1);
	CHECK(is_there(&l, "b/c/deep"));
	layered_fini(&l);
}

TEST(tree_change, names_that_are_told_are_counted_once)
{
	struct layered l = layered_init();
	uint32_t b = layered_dir(&l, "b/c");

	CHECK_INT(tree_change_count(l.set), 0);
	(void)layered_put(&l, b, "new", false);
	(void)layered_put(&l, b, "new", false);
	layered_kill(&l, b, "new");
	layered_kill(&l, b, "deep");
	CHECK_INT(tree_change_count(l.set), 2);
	CHECK_INT(tree_change_read(l.set, b, 0), 0); /* as it was */
	CHECK_INT(tree_change_count(l.set), 2);
	CHECK_INT(tree_change_read(l.set, TREE_CHANGE_ROOT, TREE_LEFT_OUT), 0);
	CHECK_INT(tree_change_count(l.set), 3);
	CHECK(tree_change_bytes(l.set) > 0);
	layered_fini(&l);
}

TEST(tree_change, the_last_child_that_goes_and_the_first_that_comes_are_told_of_their_directory)
{
	struct layered l = layered_init();

	layered_kill(&l, layered_dir(&l, "b.c"), "y");
	(void)layered_put(&l, layered_dir(&l, "empty"), "first", false);
	layered_commit(&l, 1);
	CHECK_INT(flags_of(&l, "b.c"), TREE_EMPTY_DIR);
	CHECK_INT(flags_of(&l, "empty"), 0);
	CHECK_INT(layered_at(&l, "empty").layer, 1);
	(void)layered_put(&l, layered_dir(&l, "b.c"), "z", false);
	layered_kill(&l, layered_dir(&l, "empty"), "first");
	layered_commit(&l, 2);
	CHECK_INT(flags_of(&l, "b.c"), 0);
	CHECK_INT(flags_of(&l, "empty"), TREE_EMPTY_DIR);
	layered_fini(&l);
}

TEST(tree_change, a_directory_that_is_only_put_keeps_what_is_below)
{
	struct layered l = layered_init();

	(void)layered_put(&l, TREE_CHANGE_ROOT, "b", true);
	layered_commit(&l, 1);
	CHECK_INT(layered_at(&l, "b").layer, 1);
	CHECK_INT(layered_at(&l, "b/c/deep").layer, 0);
	CHECK_INT(l.s->n_entries, 9);
	layered_fini(&l);
}

TEST(tree_change, one_that_is_killed_too_starts_anew)
{
	struct layered l = layered_init();
	uint32_t b = layered_put(&l, TREE_CHANGE_ROOT, "b", true);

	(void)layered_put(&l, b, "x", false);
	layered_kill(&l, TREE_CHANGE_ROOT, "b");
	layered_commit(&l, 1);
	CHECK(!is_there(&l, "b/c") && is_there(&l, "b/x"));
	CHECK_INT(layered_at(&l, "b/x").layer, 1);
	CHECK_INT(l.s->n_entries, 7);
	layered_fini(&l);
}

TEST(tree_change, what_is_put_below_what_is_gone_is_dropped)
{
	struct layered l = layered_init();
	uint32_t c = layered_dir(&l, "b/c"), sub = layered_put(&l, c, "sub", true);

	(void)layered_put(&l, sub, "in", false);
	layered_kill(&l, TREE_CHANGE_ROOT, "b");
	layered_commit(&l, 1);
	CHECK(!is_there(&l, "b"));
	CHECK_INT(l.s->n_entries, 5);
	layered_fini(&l);
}

TEST(tree_change, a_file_in_the_place_of_a_directory_ends_what_was_below)
{
	struct layered l = layered_init();

	(void)layered_put(&l, layered_dir(&l, "b/c"), "more", false);
	(void)layered_put(&l, TREE_CHANGE_ROOT, "b", false);
	layered_commit(&l, 1);
	CHECK_INT(l.s->n_entries, 6);
	(void)layered_put(&l, layered_put(&l, TREE_CHANGE_ROOT, "b", true), "c", false);
	layered_commit(&l, 1); /* the same directory as of the base, and nothing that it had */
	CHECK(!is_there(&l, "b/x") && !is_there(&l, "b/c/deep"));
	CHECK_INT(l.s->n_entries, 7);
	layered_fini(&l);
}

TEST(tree_change, a_directory_that_was_put_and_never_read_is_not_entered)
{
	struct layered l = layered_init();

	(void)layered_put(&l, TREE_CHANGE_ROOT, "unread", true);
	CHECK_INT(tree_change_read(l.set, layered_put(&l, TREE_CHANGE_ROOT, "read", true), 0), 0);
	(void)layered_put(&l, layered_put(&l, TREE_CHANGE_ROOT, "filled", true), "in", false);
	layered_commit(&l, 1);
	CHECK_INT(flags_of(&l, "unread"), TREE_NOT_ENTERED);
	CHECK(!is_entered(&l, "unread"));
	CHECK_INT(flags_of(&l, "read"), TREE_EMPTY_DIR);
	CHECK_INT(flags_of(&l, "filled"), 0);
	layered_fini(&l);
}

TEST(tree_change, one_that_can_no_longer_be_entered_is_told_by_a_layer_that_has_no_number_for_it)
{
	struct layered l = layered_init();
	struct tree_input in = layered_input("b", true);
	struct tree_dirs dirs;
	struct tree_at own;

	in.dir = TREE_BUILD_NO_DIR;
	CHECK_INT(tree_change_put(l.set, TREE_CHANGE_ROOT, &in, NULL), 0);
	layered_commit(&l, 1);
	CHECK(!is_there(&l, "b/x"));
	CHECK_INT(flags_of(&l, "b"), TREE_NOT_ENTERED);
	tree_stack_dirs(l.s, 0, 1, &dirs);
	CHECK_INT(tree_stack_own(l.s, &dirs, &own), 0);
	CHECK(own.layer == 1 && span_eq(tree_name(tree_stack_cols(l.s, 1), own.entry), in.name));
	tree_stack_dirs(l.s, 0, 2, &dirs); /* b/c */
	CHECK_INT(tree_stack_own(l.s, &dirs, &own), -ENOENT);
	(void)layered_put(&l, layered_put(&l, TREE_CHANGE_ROOT, "b", true), "x", false);
	layered_commit(&l, 2);
	CHECK_INT(l.s->n_entries, 7);
	layered_fini(&l);
}

TEST(tree_change, one_that_is_made_anew_and_stays_empty_says_so)
{
	struct layered l = layered_init();
	uint32_t b = layered_put(&l, TREE_CHANGE_ROOT, "b", true);

	layered_kill(&l, TREE_CHANGE_ROOT, "b");
	CHECK_INT(tree_change_read(l.set, b, 0), 0);
	layered_commit(&l, 1);
	CHECK_INT(flags_of(&l, "b"), TREE_EMPTY_DIR);
	CHECK_INT(l.s->n_entries, 6);
	layered_fini(&l);
}

TEST(tree_change, how_reading_ended_is_told_without_a_row)
{
	struct layered l = layered_init();

	CHECK_INT(tree_change_read(l.set, layered_dir(&l, "b"), TREE_LEFT_OUT), 0);
	CHECK_INT(tree_change_read(l.set, layered_dir(&l, "empty"), TREE_NOT_ENTERED), 0);
	CHECK_INT(tree_change_read(l.set, TREE_CHANGE_ROOT, TREE_NOT_ENTERED), 0);
	layered_commit(&l, 1);
	CHECK_INT(flags_of(&l, "b"), TREE_LEFT_OUT);
	CHECK_INT(flags_of(&l, "empty"), TREE_NOT_ENTERED);
	CHECK_INT(flags_of(&l, ""), TREE_NOT_ENTERED);
	CHECK(is_there(&l, "b/c/deep"));
	CHECK_INT(l.s->n_entries, 9);
	layered_fini(&l);
}

TEST(tree_change, the_root_has_a_row_of_its_own)
{
	struct layered l = layered_init();
	struct tree_input in = layered_input("ignored", true);
	struct tree_at at;

	CHECK_INT(tree_change_own(l.set, TREE_CHANGE_ROOT, &in), 0);
	layered_commit(&l, 1);
	at = layered_at(&l, "");
	CHECK_INT(at.layer, 1);
	CHECK_INT(tree_size(tree_stack_cols(l.s, 1), 0), 77);
	CHECK_INT(tree_name(tree_stack_cols(l.s, 1), 0).len, 0);
	CHECK_INT(l.s->n_entries, 9);
	layered_fini(&l);
}

TEST(tree_change, a_directory_has_one_number_however_it_is_met)
{
	struct layered l = layered_init();
	uint32_t c = layered_dir(&l, "b/c");

	CHECK_INT(layered_put(&l, layered_dir(&l, "b"), "c", true), c);
	CHECK_INT(layered_dir(&l, "b/c"), c);
	CHECK_INT(layered_dir(&l, ""), TREE_CHANGE_ROOT);
	layered_commit(&l, 1);
	c = layered_dir(&l, "b/c"); /* of two layers now */
	CHECK_INT(tree_change_dir(l.set, 0, 2, &(uint32_t){0}), 0);
	CHECK_INT(layered_put(&l, layered_dir(&l, "b"), "c", true), c);
	layered_fini(&l);
}

TEST(tree_change, a_dead_directory_has_no_number)
{
	struct layered l = layered_init();
	uint32_t dir;

	layered_kill(&l, TREE_CHANGE_ROOT, "b");
	layered_commit(&l, 1);
	CHECK_INT(tree_change_dir(l.set, 0, 2, &dir), -ENOENT);
	layered_fini(&l);
}

TEST(tree_change, input_that_no_walk_gives_is_refused)
{
	static const char longest[TREE_NAME_MAX_BYTES + 2] = {[0 ... TREE_NAME_MAX_BYTES] = 'x'};
	struct layered l = layered_init();
	struct tree_input in = layered_input("a/b", false);

	CHECK_INT(tree_change_put(l.set, 0, &in, NULL), -EINVAL);
	in.name = span_of("");
	CHECK_INT(tree_change_put(l.set, 0, &in, NULL), -EINVAL);
	in.name = span_of(longest);
	CHECK_INT(tree_change_put(l.set, 0, &in, NULL), -ENAMETOOLONG);
	in.name = span_of("f");
	CHECK_INT(tree_change_put(l.set, 9, &in, NULL), -EINVAL);
	CHECK_INT(tree_change_own(l.set, 0, &in), -EINVAL); /* the root as a file */
	CHECK_INT(tree_change_own(l.set, 9, &in), -EINVAL);
	in.dir = 0;
	CHECK_INT(tree_change_put(l.set, 0, &in, NULL), -EINVAL); /* a file that was entered */
	CHECK_INT(tree_change_kill(l.set, 0, SPAN_LIT("a/b")), -EINVAL);
	CHECK_INT(tree_change_kill(l.set, 9, SPAN_LIT("a")), -EINVAL);
	CHECK_INT(tree_change_read(l.set, 9, 0), -EINVAL);
	CHECK_INT(tree_change_read(l.set, 0, TREE_EMPTY_DIR), -EINVAL);
	CHECK_INT(tree_change_count(l.set), 0);
	layered_fini(&l);
}
