#include "tree_model.h"

#include "base/hash.h"
#include "index/tree_unpack.h"

#include <dirent.h>

static struct tree *tree;
static const struct tree_cols *cols;
static char *dir;

static uint64_t
dice(uint64_t i, uint64_t what)
{
	return hash64(&i, sizeof(i), what);
}

/* Values of every width, runs of equal ones, times before 1970 and in whole seconds. */
static void
attributes(uint32_t i, struct tree_input *in)
{
	unsigned width = (unsigned)(dice(i / 300, 1) % 65);

	in->size = width == 0 ? 7 : dice(i, 2) >> (64 - width);
	in->blocks = dice(i, 3) % 1000 * 8;
	in->ino = i % 7 == 3 ? 1000 + i % 14 : 100000 + i;
	in->dev = i % 2;
	in->nlink = i % 7 == 3 ? 2 : 1;
	in->mtime_ns = (int64_t)(dice(i, 4) % 2000000000) * 1000000000 - 1000000000000000000;
	in->ctime_ns = (int64_t)dice(i, 5);
}

static void
make_tree(void)
{
	struct tree_input root = {.mode = S_IFDIR | 0755, .dir = 0};
	struct tree_builder *b;
	uint64_t bytes;
	struct err err;

	dir = test_dir();
	CHECK_INT(tree_builder_create(&root, &b), 0);
	for (uint32_t d = 0; d < 20; d++) {
		for (uint32_t i = 0; i < 100; i++) {
			char name[16];
			struct tree_input in = {.mode = S_IFREG | 0600, .dir = TREE_BUILD_NO_DIR};

			attributes(d * 100 + i, &in);
			if (i == 50) {
				in.mode = S_IFDIR | 0700;
				in.dir = d + 1;
			}
			(void)snprintf(name, sizeof(name), "%03u", i);
			in.name = span_of(name);
			CHECK_INT(tree_builder_add(b, d, &in, 1, false), 0);
		}
	}
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(tree_builder_write(b, dirfd, "t", NULL, &bytes, &err), 0);
	tree_builder_destroy(b);
	CHECK_SAY(tree_open(dirfd, "t", &tree, &err) == 0, "%s", err.what);
	cols = tree_cols(tree);
}

static void
drop_tree(void)
{
	tree_unref(tree);
	test_dir_remove(dir);
}

TestSuite(tree_column, .init = make_tree, .fini = drop_tree);

static uint64_t
value_of(enum tree_column col, uint32_t e)
{
	switch (col) {
	case TREE_SIZE:
		return tree_size(cols, e);
	case TREE_BLOCKS:
		return tree_blocks(cols, e);
	case TREE_MTIME:
		return (uint64_t)tree_mtime(cols, e);
	case TREE_CTIME:
		return (uint64_t)tree_ctime(cols, e);
	case TREE_INO:
		return tree_ino(cols, e);
	case TREE_NLINK:
		return tree_nlink(cols, e);
	case TREE_CLS:
		return tree_cls(cols, e);
	case TREE_PARENT:
		return tree_parent(cols, e);
	case TREE_FLAGS:
		return tree_flags(cols, e);
	case N_TREE_COLUMNS:
		break;
	}
	return 0;
}

TEST(tree_column, the_values_are_those_that_went_in)
{
	for (uint32_t d = 0; d < 20; d++) {
		for (uint32_t i = 0; i < 100; i++) {
			struct tree_input in = {0};
			uint32_t e = cols->dir_first[d] + i;

			attributes(d * 100 + i, &in);
			CHECK(tree_size(cols, e) == in.size && tree_blocks(cols, e) == in.blocks);
			CHECK(tree_ino(cols, e) == in.ino && tree_nlink(cols, e) == in.nlink);
			CHECK(tree_mtime(cols, e) == in.mtime_ns);
			CHECK(tree_ctime(cols, e) == in.ctime_ns);
			CHECK_INT(tree_parent(cols, e), d);
		}
	}
}

TEST(tree_column, many_values_at_once_are_the_same_as_one_by_one)
{
	uint64_t got[700];

	for (uint32_t i = 0; i < 400; i++) {
		enum tree_column col = (enum tree_column)(i % N_TREE_COLUMNS);
		uint32_t lo = (uint32_t)(dice(i, 6) % cols->n_entries);
		uint32_t n = (uint32_t)MIN(dice(i, 7) % 700, cols->n_entries - lo);

		tree_read(cols, col, lo, n, got);
		for (uint32_t k = 0; k < n; k++)
			CHECK(got[k] == value_of(col, lo + k));
	}
}

TEST(tree_column, every_way_of_reading_gives_the_same)
{
	uint64_t want[TREE_BLOCK], got[TREE_BLOCK];

	for (uint32_t i = 0; i < test_scale(200000); i++) {
		const struct tree_packed *p = &cols->columns[i % N_TREE_COLUMNS];
		uint32_t n_blocks = (cols->n_entries - 1) / TREE_BLOCK + 1;
		const struct tree_block *b = &p->blocks[dice(i, 8) % n_blocks];
		uint32_t from = (uint32_t)(dice(i, 9) % TREE_BLOCK);
		uint32_t n = (uint32_t)(dice(i, 10) % (TREE_BLOCK - from + 1)), few = MIN(n, 64u);
		uint64_t first, width = dice(i, 12) >> dice(i, 13) % 64;

		if (b->width == 0)
			continue;
		tree_unpack_by(0, p, b, from, n, want);
		first = few ? want[few / 2] - width / 2 : 0;
		for (unsigned level = 1; level < tree_unpack_n_levels(); level++) {
			tree_unpack_by(level, p, b, from, n, got);
			CHECK(memcmp(got, want, n * sizeof(*want)) == 0);
			CHECK(tree_within_by(level, want, few, first, width) ==
				tree_within_by(0, want, few, first, width));
		}
		for (uint32_t k = 0; k < few; k++)
			CHECK((tree_within(want, few, first, width) >> k & 1) ==
				(want[k] - first <= width));
	}
}

static bool
below(enum tree_column col, uint64_t a, uint64_t b)
{
	bool is_time = col == TREE_MTIME || col == TREE_CTIME;

	return is_time ? (int64_t)a < (int64_t)b : a < b;
}

TEST(tree_column, no_value_is_outside_of_the_bounds)
{
	for (uint32_t i = 0; i < 400; i++) {
		enum tree_column col = (enum tree_column)(i % N_TREE_COLUMNS);
		uint32_t lo = (uint32_t)(dice(i, 8) % cols->n_entries);
		uint32_t n = (uint32_t)MIN(1 + dice(i, 9) % 700, cols->n_entries - lo);
		uint64_t min, max;

		if (!tree_bounds(cols, col, lo, n, &min, &max))
			continue;
		for (uint32_t e = lo; e < lo + n; e++) {
			CHECK(!below(col, value_of(col, e), min));
			CHECK(!below(col, max, value_of(col, e)));
		}
	}
}

static bool
is_link(uint32_t e)
{
	return tree_nlink(cols, e) > 1 && tree_type(cols, e) != DT_DIR;
}

static bool
is_first_link(uint32_t lo, uint32_t e)
{
	for (uint32_t i = lo; is_link(e) && i < e; i++) {
		if (is_link(i) && tree_ino(cols, i) == tree_ino(cols, e) &&
			cols->classes[tree_cls(cols, i)].dev ==
				cols->classes[tree_cls(cols, e)].dev)
			return false;
	}
	return true;
}

static void
check_sums(uint32_t lo, uint32_t hi)
{
	struct tree_sum all = {0}, once = {0}, got;

	for (uint32_t e = lo; e < hi; e++) {
		bool first = is_first_link(lo, e);

		all.size += tree_size(cols, e);
		all.blocks += tree_blocks(cols, e);
		once.size += first ? tree_size(cols, e) : 0;
		once.blocks += first ? tree_blocks(cols, e) : 0;
	}
	tree_sum(cols, lo, hi, &got);
	CHECK(got.size == all.size && got.blocks == all.blocks);
	tree_sum_once(cols, lo, hi, &got);
	CHECK(got.size == once.size && got.blocks == once.blocks);
}

TEST(tree_column, sums_of_a_range_count_an_inode_once_or_each_time)
{
	check_sums(0, 0);
	check_sums(0, cols->n_entries);
	check_sums(cols->n_entries, cols->n_entries);
	for (uint32_t i = 0; i < 30; i++) {
		uint32_t lo = (uint32_t)(dice(i, 10) % (cols->n_entries + 1));

		check_sums(lo, lo + (uint32_t)(dice(i, 11) % (cols->n_entries + 1 - lo)));
	}
}

TEST(tree_column, the_sum_of_a_directory_is_that_of_its_subtree)
{
	for (uint32_t d = 0; d < cols->n_dirs; d++) {
		struct tree_sum range, sum;
		uint32_t lo, hi;

		tree_subtree(cols, d, &lo, &hi);
		tree_sum_once(cols, lo, hi, &range);
		tree_sum_dir(cols, d, &sum);
		CHECK(sum.size == range.size && sum.blocks == range.blocks);
	}
}
