#include "index/tree_format.h"
#include "index/tree_unpack.h"

#define M ((uint64_t)1000000)

const uint64_t tree_units[TREE_N_UNITS + 1] = {1, 8, 512, 4096, 1000, M, 1000 * M, 0};

enum tree_section
tree_column_section(enum tree_column col)
{
	static const uint8_t sections[] = {
		[TREE_SIZE] = SECTION_SIZE,
		[TREE_BLOCKS] = SECTION_BLOCKS,
		[TREE_MTIME] = SECTION_MTIME,
		[TREE_CTIME] = SECTION_CTIME,
		[TREE_INO] = SECTION_INO,
		[TREE_NLINK] = SECTION_NLINK,
		[TREE_CLS] = SECTION_CLS,
		[TREE_PARENT] = SECTION_PARENT,
		[TREE_FLAGS] = SECTION_FLAGS,
	};

	return (enum tree_section)sections[col];
}

uint64_t
tree_column_max(enum tree_column col)
{
	if (col == TREE_NLINK || col == TREE_CLS || col == TREE_PARENT)
		return UINT32_MAX;
	return col == TREE_FLAGS ? UINT8_MAX : UINT64_MAX;
}

/* Part of one block. */
static void
read_block(const struct tree_packed *p, uint32_t block, uint32_t from, uint32_t n, uint64_t *ret)
{
	const struct tree_block *b = &p->blocks[block];

	if (b->width > 0) {
		tree_unpack(p, b, from, n, ret);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		ret[i] = b->base;
}

void
tree_read(const struct tree_cols *c, enum tree_column col, uint32_t lo, uint32_t n, uint64_t *ret)
{
	while (n > 0) {
		uint32_t from = lo % TREE_BLOCK, k = MIN(n, TREE_BLOCK - from);

		read_block(&c->columns[col], lo / TREE_BLOCK, from, k, ret);
		lo += k;
		n -= k;
		ret += k;
	}
}

bool
tree_bounds(const struct tree_cols *c, enum tree_column col, uint32_t lo, uint32_t n,
	uint64_t *ret_min, uint64_t *ret_max)
{
	const struct tree_block *blocks = c->columns[col].blocks;
	uint32_t last = (lo + n - 1) / TREE_BLOCK;
	uint64_t bias = tree_column_bias(col), min = UINT64_MAX, max = 0;

	for (uint32_t i = lo / TREE_BLOCK; i <= last; i++) {
		uint64_t base = blocks[i].base ^ bias;
		uint64_t top =
			base + tree_units[blocks[i].unit] * tree_packed_mask(blocks[i].width);

		min = MIN(min, base);
		max = MAX(max, top);
	}
	*ret_min = min ^ bias;
	*ret_max = max ^ bias;
	return true;
}
