#include "forest.h"

#include "query/path_order.h"

static struct forest forest;

static int
sign(int r)
{
	return r < 0 ? -1 : r > 0;
}

/* A slash before every other byte: so siblings are compared before what is below them. */
static int
compare_components(const char *a, const char *b)
{
	for (;; a++, b++) {
		int x = *a == '/' ? 1 : (unsigned char)*a, y = *b == '/' ? 1 : (unsigned char)*b;

		if (x != y)
			return x < y ? -1 : 1;
		if (x == 0)
			return 0;
	}
}

static void
check_pair(const struct tree_cols *xc, const struct tree_cols *yc, uint32_t i, uint32_t k)
{
	const struct plant *a = &forest.plant[i], *b = &forest.plant[k];
	int bytes = path_compare_bytes(xc, a->entry, yc, b->entry);
	int deep = path_compare_depth_first(xc, a->entry, yc, b->entry);

	CHECK_SAY(sign(bytes) == sign(strcmp(a->path, b->path)), "\"%s\" and \"%s\": %d", a->path,
		b->path, bytes);
	CHECK_SAY(sign(deep) == compare_components(a->path, b->path),
		"\"%s\" and \"%s\", depth first: %d", a->path, b->path, deep);
}

/* Of one layer, and of two that have the same directories. */
TEST(path_order, entries_are_in_the_order_of_their_paths)
{
	for (uint64_t seed = 1; seed <= MAX(test_scale(1000), 10ul); seed++) {
		const struct tree_cols *one;
		struct tree *again;

		forest_grow(&forest, seed, 150);
		AUTO(closep) int dirfd = open(forest.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		CHECK_INT(tree_open(dirfd, "t0", &again, NULL), 0);
		one = snapshot_cols(forest.snapshot, 0);
		for (uint32_t i = 0; i < 150; i++) {
			for (uint32_t k = 0; k < 150; k++) {
				check_pair(one, one, i, k);
				check_pair(one, tree_cols(again), i, k);
			}
		}
		tree_unref(again);
		forest_fell(&forest);
	}
}
