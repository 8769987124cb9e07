#include "index/tree_joint.h"

#include <errno.h>

#include "sync/par_sort.h"

/* Layers come from below, directories of a layer with parents first, so a parent's row is complete
 * as far as the layers seen when its children are looked for in them. */

static int
joint_alloc(const struct tree_stack *s, struct tree_joint *j)
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
	return j->rows && j->base ? 0 : -ENOMEM;
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

static int
cmp_base(const void *a, const void *b, void *unused)
{
	const struct joint_base *x = a, *y = b;

	(void)unused;
	return (x->dir > y->dir) - (x->dir < y->dir);
}

int
tree_joint_create(const struct tree_stack *s, struct tree_joint **ret)
{
	struct tree_joint *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	r = joint_alloc(s, j);
	if (r == 0) {
		j->rows[j->n_rows++] = (struct tree_dirs)TREE_NOWHERE;
		j->rows[0].dir[0] = 0;
		j->base[j->n_base++] = (struct joint_base){0, 0};
		for (uint32_t i = 1; i < s->n_layers; i++)
			join_layer(s, j, i);
		r = par_sort(NULL, TASK_INDEX, j->base, j->n_base, sizeof(*j->base), cmp_base, NULL,
			NULL);
	}
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
	uint32_t lo = 0, hi = j->n_base;

	if (layer > 0)
		return &j->rows[j->row_of[layer][dir]];
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (j->base[mid].dir < dir)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < j->n_base && j->base[lo].dir == dir ? &j->rows[j->base[lo].row] : NULL;
}
