#include "index/tree_joint.h"

#include <errno.h>

/* Layers come from below, directories of a layer with parents first, so a parent's row is complete
 * as far as the layers seen when its children are looked for in them. */

static int
joint_alloc(const struct tree_stack *s, struct tree_joint *j, struct joint_base **ret_spare)
{
	size_t max = 0;

	for (uint32_t i = 1; i < s->n_layers; i++) {
		uint32_t n = tree_stack_cols(s, i)->n_dirs;

		max += n;
		j->row_of[i] = malloc(n * sizeof(*j->row_of[i]));
		if (!j->row_of[i])
			return -ENOMEM;
	}
	j->rows = max < UINT32_MAX ? malloc(max * sizeof(*j->rows)) : NULL;
	j->base = malloc(max * sizeof(*j->base));
	*ret_spare = malloc(max * sizeof(**ret_spare));
	return j->rows && j->base && *ret_spare ? 0 : -ENOMEM;
}

/* The number of the directory called `name` in a parent's row, TREE_NO_DIR when it has none. */
static uint32_t
dir_in(const struct tree_stack *s, const struct tree_dirs *above, uint32_t layer, struct span name)
{
	const struct tree_cols *c = tree_stack_cols(s, layer);
	uint32_t e;

	if (above->dir[layer] == TREE_NO_DIR || tree_child(c, above->dir[layer], name, &e) < 0)
		return TREE_NO_DIR;
	return tree_dir(c, e);
}

/* The row of a directory of `layer`, whose parent has the row `above`; a new one if none of the
 * layers below has it. */
static uint32_t
find_row(const struct tree_stack *s, struct tree_joint *j, uint32_t layer, uint32_t above,
	struct span name)
{
	struct tree_dirs *row;
	uint32_t base;

	for (uint32_t i = layer; --i > 0;) {
		uint32_t d = dir_in(s, &j->rows[above], i, name);

		if (d != TREE_NO_DIR)
			return j->row_of[i][d];
	}
	row = &j->rows[j->n_rows];
	*row = (struct tree_dirs)TREE_NOWHERE;
	base = dir_in(s, &j->rows[above], 0, name);
	row->dir[0] = base;
	if (base != TREE_NO_DIR)
		j->base[j->n_base++] = (struct joint_base){base, j->n_rows};
	return j->n_rows++;
}

static void
join_layer(const struct tree_stack *s, struct tree_joint *j, uint32_t layer)
{
	const struct tree_cols *c = tree_stack_cols(s, layer);

	j->row_of[layer][0] = 0;
	j->rows[0].dir[layer] = 0;
	for (uint32_t d = 1; d < c->n_dirs; d++) {
		uint32_t e = c->dir_entry[d], above = j->row_of[layer][tree_parent(c, e)];
		uint32_t row = find_row(s, j, layer, above, tree_name(c, e));

		j->row_of[layer][d] = row;
		j->rows[row].dir[layer] = d;
	}
}

/* The base's directories of one layer ascend, for directories have the same order in all trees: so
 * two runs become one. `spare` has as much room as the list. */
static void
merge_base(struct tree_joint *j, uint32_t n_before, struct joint_base *spare)
{
	uint32_t a = 0, b = n_before;

	if (n_before == j->n_base)
		return;
	for (uint32_t i = 0; i < j->n_base; i++) {
		if (b == j->n_base || (a < n_before && j->base[a].dir < j->base[b].dir))
			spare[i] = j->base[a++];
		else
			spare[i] = j->base[b++];
	}
	memcpy(j->base, spare, j->n_base * sizeof(*spare));
}

/* The row, if a layer that is kept has the directory; its new number, else TREE_NO_DIR. */
static uint32_t
take_row(struct tree_joint *j, const struct tree_dirs *row, uint32_t keep)
{
	struct tree_dirs *mine = &j->rows[j->n_rows];
	bool any = false;

	*mine = (struct tree_dirs)TREE_NOWHERE;
	mine->dir[0] = row->dir[0];
	for (uint32_t i = 1; i < keep; i++) {
		mine->dir[i] = row->dir[i];
		any |= row->dir[i] != TREE_NO_DIR;
	}
	return any ? j->n_rows++ : TREE_NO_DIR;
}

/* What an older joint says of layers that are kept; the root is in every layer. */
static int
take_over(const struct tree_stack *s, struct tree_joint *j, const struct tree_joint *old,
	uint32_t keep)
{
	AUTO(freep) uint32_t *numbers = malloc(old->n_rows * sizeof(*numbers));

	if (!numbers)
		return -ENOMEM;
	for (uint32_t i = 0; i < old->n_rows; i++)
		numbers[i] = take_row(j, &old->rows[i], keep);
	for (uint32_t i = 0; i < old->n_base; i++) {
		struct joint_base b = {old->base[i].dir, numbers[old->base[i].row]};

		if (b.row != TREE_NO_DIR)
			j->base[j->n_base++] = b;
	}
	for (uint32_t i = 1; i < keep; i++) {
		for (uint32_t d = 0; d < tree_stack_cols(s, i)->n_dirs; d++)
			j->row_of[i][d] = numbers[old->row_of[i][d]];
	}
	return 0;
}

static int
join_layers(const struct tree_stack *s, struct tree_joint *j, const struct tree_joint *old,
	uint32_t keep)
{
	AUTO(freep) struct joint_base *spare = NULL;
	int r = joint_alloc(s, j, &spare);

	if (r == 0 && old && keep > 1) {
		r = take_over(s, j, old, keep);
	} else if (r == 0) {
		j->rows[j->n_rows++] = (struct tree_dirs)TREE_NOWHERE;
		j->rows[0].dir[0] = 0;
		j->base[j->n_base++] = (struct joint_base){0, 0};
		keep = 1;
	}
	for (uint32_t i = keep; i < s->n_layers && r == 0; i++) {
		uint32_t n_before = j->n_base;

		join_layer(s, j, i);
		merge_base(j, n_before, spare);
	}
	return r;
}

int
tree_joint_create(const struct tree_stack *s, const struct tree_joint *old, uint32_t keep,
	struct tree_joint **ret)
{
	struct tree_joint *j = calloc(1, sizeof(*j));
	int r = j ? join_layers(s, j, old, keep) : -ENOMEM;

	if (r < 0) {
		tree_joint_destroy(j);
		return r;
	}
	*ret = j;
	return 0;
}

void
tree_joint_destroy(struct tree_joint *j)
{
	if (!j)
		return;
	for (uint32_t i = 0; i < TREE_MAX_LAYERS; i++)
		free(j->row_of[i]);
	free(j->rows);
	free(j->base);
	free(j);
}

const struct tree_dirs *
tree_joint_row(const struct tree_joint *j, uint32_t layer, uint32_t dir)
{
	const uint32_t *rows = j->row_of[layer]; /* NULL: the base */
	uint32_t lo = 0, hi = j->n_base;

	if (rows)
		return &j->rows[rows[dir]];
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (j->base[mid].dir < dir)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < j->n_base && j->base[lo].dir == dir ? &j->rows[j->base[lo].row] : NULL;
}
