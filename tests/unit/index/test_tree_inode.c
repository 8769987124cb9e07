#include "small_stack.h"

#include "index/tree_inode.h"
#include <dirent.h>

/* Every live directory of the stack is found by its number, and nothing else. */
static void
check_all(const struct tree_stack *s, const struct tree_inodes *t)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(s, i);

		for (uint32_t e = 0; e < c->n_entries; e++) {
			struct tree_inode_at at = {0};
			struct tree_at found;
			bool seen = false;

			if (tree_type(c, e) != DT_DIR || tree_is_dead(s->layer[i].dead, e))
				continue;
			n++;
			CHECK(tree_inodes_have(t, tree_ino(c, e)));
			while (tree_inodes_next(t, s, tree_ino(c, e), &at, &found))
				seen |= found.layer == i && found.entry == e;
			CHECK_SAY(seen, "layer %u entry %u is not found", i, e);
		}
	}
	for (struct tree_inode_walk walk = {0};; n--) {
		struct tree_at at;
		uint64_t ino;

		if (!tree_inodes_each(t, s, NULL, &walk, &ino, &at))
			break;
		CHECK(ino == tree_ino(tree_stack_cols(s, at.layer), at.entry));
	}
	CHECK_INT(n, 0);
}

/* As `n` of them that ascend, each that the tables have. */
static void
check_order(const struct tree_inodes *t, uint64_t n)
{
	uint64_t ino = 0, before = 0;

	while (tree_inodes_after(t, ino, &ino)) {
		CHECK(ino > before && tree_inodes_have(t, ino));
		before = ino;
		n--;
	}
	CHECK_INT(n, 0);
	CHECK_INT(ino, before); /* as it was */
	CHECK(!tree_inodes_after(t, UINT64_MAX, &ino));
}

TEST(tree_inode, every_directory_is_found_by_its_number)
{
	struct layered l = layered_init();
	struct tree_inodes *t;
	struct tree_inode_at at = {0};
	struct tree_at found;

	CHECK_INT(tree_inodes_create(l.s, NULL, &t), 0);
	CHECK(tree_inodes_fit(t, l.s));
	CHECK_INT(tree_inodes_count(t), 5); /* with the root */
	check_order(t, 5);
	check_all(l.s, t);
	CHECK(!tree_inodes_have(t, UINT64_MAX));
	CHECK(!tree_inodes_next(t, l.s, UINT64_MAX, &at, &found));
	tree_inodes_unref(t);
	layered_fini(&l);
}

/* A layer tells a directory anew that only the base has entered, and one that is gone. */
TEST(tree_inode, a_row_of_a_layer_that_has_not_entered_it_is_found)
{
	struct layered l = layered_init();
	struct tree_inodes *base, *t;
	struct tree_at was = layered_at(&l, "b/c"), gone = layered_at(&l, "empty"), found;
	struct tree_inode_at at = {0};
	const struct tree_cols *c = tree_stack_cols(l.s, 0);
	uint64_t ino = tree_ino(c, was.entry), gone_ino = tree_ino(c, gone.entry);
	struct tree_input in = {
		.name = SPAN_LIT("c"), .mode = S_IFDIR | 0711, .ino = ino, .dir = 0};

	CHECK_INT(tree_inodes_create(l.s, NULL, &base), 0);
	CHECK_INT(tree_change_put(l.set, layered_dir(&l, "b"), &in, NULL), 0);
	CHECK_INT(tree_change_kill(l.set, TREE_CHANGE_ROOT, SPAN_LIT("empty")), 0);
	layered_commit(&l, 1);
	CHECK_INT(tree_inodes_create(l.s, base, &t), 0);
	CHECK(t->of[0] == base->of[0]);
	CHECK(!tree_inodes_fit(base, l.s) && tree_inodes_fit(t, l.s));
	check_all(l.s, t);
	check_order(t, 5); /* each once, of whichever layers it is */
	CHECK(tree_inodes_next(t, l.s, ino, &at, &found));
	CHECK_INT(found.layer, 1);
	CHECK(!tree_inodes_next(t, l.s, ino, &at, &found));
	at = (struct tree_inode_at){0};
	CHECK(tree_inodes_have(t, gone_ino)); /* it may be */
	CHECK(!tree_inodes_next(t, l.s, gone_ino, &at, &found));
	tree_inodes_unref(base);
	tree_inodes_unref(t);
	layered_fini(&l);
}
