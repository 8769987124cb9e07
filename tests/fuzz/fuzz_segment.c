/*
 * A tree segment file: as it is, and once more with its sums put right, so that what stands behind
 * the checksums is reached too.
 */
#include "fuzz_sums.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "index/tree.h"
#include "index/tree_gram.h"

static void
look_at_dir(const struct tree_cols *c, uint32_t d)
{
	uint32_t lo, hi;
	struct tree_sum sum;

	assert(d < c->n_dirs && c->dir_entry[d] < c->n_entries);
	tree_subtree(c, d, &lo, &hi);
	assert(lo <= hi && hi <= c->n_entries);
	tree_sum_dir(c, d, &sum);
	tree_sum_once(c, lo, hi, &sum);
}

static void
look_at_columns(const struct tree_cols *c)
{
	uint64_t values[TREE_BLOCK], min, max;

	for (unsigned i = 0; i < N_TREE_COLUMNS; i++) {
		enum tree_column col = (enum tree_column)i;
		bool is_time = col == TREE_MTIME || col == TREE_CTIME;

		for (uint32_t lo = 0; lo < c->n_entries; lo += TREE_BLOCK) {
			uint32_t n = MIN(c->n_entries - lo, TREE_BLOCK);

			tree_read(c, col, lo, n, values);
			assert(tree_bounds(c, col, lo, n, &min, &max));
			for (uint32_t k = 0; k < n; k++) {
				if (is_time)
					assert((int64_t)values[k] >= (int64_t)min &&
						(int64_t)values[k] <= (int64_t)max);
				else
					assert(values[k] >= min && values[k] <= max);
			}
		}
	}
}

/* Each gram of a row that may be there, and all of them. */
static void
look_at_row(const struct tree_cols *c, uint32_t row, uint64_t *groups)
{
	uint32_t gram = row * TREE_GRAM_ROW | TREE_GRAM_ANY_LAST;

	if (!(c->gram_nodes[row >> 12].bits >> (row >> 6 & 63) & 1))
		return;
	tree_gram_filter(c, &gram, 1, groups);
	for (gram = row * TREE_GRAM_ROW; gram < (row + 1) * TREE_GRAM_ROW; gram++)
		tree_gram_filter(c, &gram, 1, groups);
}

/* What the filter lets through is in the tree; a deep check says that it leaves out nothing. */
static void
look_at_grams(const struct tree_cols *c, bool deep)
{
	uint32_t n_groups = tree_n_groups(c), grams[64];
	uint64_t *groups = calloc(n_groups / 64 + 1, sizeof(*groups));

	if (!groups)
		abort();
	for (uint32_t e = 0; e < c->n_entries; e += 7) {
		unsigned n =
			tree_grams(tree_name(c, e), TREE_GRAM_HEAD | TREE_GRAM_TAIL, grams, 64);

		memset(groups, 0xff, (n_groups + 63) / 64 * sizeof(*groups));
		tree_gram_filter(c, grams, n, groups);
		assert(!deep || (groups[e / TREE_NAME_GROUP / 64] >> e / TREE_NAME_GROUP % 64 & 1));
	}
	for (uint32_t row = 0; row < TREE_GRAM_ROWS && c->gram_nodes; row++)
		look_at_row(c, row, groups);
	free(groups);
}

static void
look_at_everything(const struct tree_cols *c)
{
	struct strbuf path = {0};
	uint32_t start[2];

	for (uint32_t e = 0; e < c->n_entries; e++) {
		uint32_t found;

		assert(tree_name(c, e).len <= TREE_NAME_MAX_BYTES);
		assert(tree_name_starts(c, e, 1, start) == tree_name_at(c, e));
		assert(start[1] == tree_name(c, e).len + 1);
		(void)tree_type(c, e);
		(void)tree_depth(c, e);
		strbuf_reset(&path);
		assert(tree_path(c, e, &path) == 0);
		assert(tree_lookup(c, strbuf_view(&path), &found) == 0 && found == e);
		if (tree_dir(c, e) != TREE_NO_DIR)
			look_at_dir(c, tree_dir(c, e));
	}
	look_at_columns(c);
	strbuf_fini(&path);
}

static unsigned n_reached;

unsigned
fuzz_n_reached(void)
{
	return n_reached;
}

static void
try_segment(const uint8_t *data, size_t size, enum tree_open_flags flags)
{
	int fd = memfd_create("segment", MFD_CLOEXEC);
	struct tree_open_opts opts = {.flags = flags};
	struct tree *t = NULL;
	struct err err = {0};
	int r;

	if (fd < 0 || fd_write_full(fd, data, size) < 0)
		abort();
	r = tree_open_fd(fd, "segment", &opts, &t, &err);
	closep(&fd);
	assert(r == 0 || r == -EBADMSG || r == -EOPNOTSUPP || r == -ENOMEM);
	if (r < 0) {
		assert(err.what[0]);
		return;
	}
	n_reached++;
	look_at_everything(tree_cols(t));
	look_at_grams(tree_cols(t), flags & TREE_OPEN_DEEP);
	assert(!tree_faulted(t));
	tree_unref(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy || mapfile_setup() < 0)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	try_segment(copy, size, 0);
	put_sums_right(copy, size);
	try_segment(copy, size, 0);
	try_segment(copy, size, TREE_OPEN_DEEP);
	free(copy);
	return 0;
}
