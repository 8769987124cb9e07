#include "index/tree_merge.h"

#include <errno.h>

#include "index/tree_file.h"
#include "index/tree_joint.h"
#include "index/tree_merge_set.h"

/* What the stack's topmost layer says is dead in a layer below it. */
static struct tree_ranges
said_of(const struct tree_stack *s, uint32_t layer)
{
	uint32_t top = s->n_layers - 1;
	const struct tree_cols *c = tree_stack_cols(s, top);
	/* Only read; ranges lack const. */
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	struct tree_ranges r = {.data = (void *)(uintptr_t)c->dead};

	if (layer == top)
		return (struct tree_ranges){0};
	for (uint32_t i = 0; i < top - 1 - layer; i++)
		r.data += c->below[i].n_dead;
	r.len = c->below[top - 1 - layer].n_dead;
	return r;
}

/* The same once the changes are made. */
static int
dead_in(const struct merge *g, uint32_t layer, struct tree_ranges *ret)
{
	struct tree_ranges said = said_of(g->stack, layer);
	struct tree_ranges none = {0};

	return tree_ranges_union(&said, g->change ? &g->change->kills[layer] : &none, ret);
}

static int
bury(struct merge *g)
{
	int r = 0;

	for (uint32_t i = g->from; i < g->n_layers && r == 0; i++) {
		struct tree_ranges dead = {0};

		r = dead_in(g, i, &dead);
		if (r == 0)
			r = tree_dead_create(tree_stack_cols(g->stack, i), dead.data,
				(uint32_t)dead.len, g->stack->layer[i].dead, &g->dead[i]);
		VEC_FINI(&dead);
	}
	return r;
}

/* What the new segment says of those that stay below it. */
static int
lay_upon(struct merge *g)
{
	struct tree_cols *n = &g->plan.counts;
	int r = 0;

	for (uint32_t i = g->from; i-- > 0 && r == 0;) {
		struct tree_ranges dead = {0};

		r = dead_in(g, i, &dead);
		if (r == 0)
			r = VEC_RESERVE(&g->said, dead.len);
		for (size_t k = 0; k < dead.len && r == 0; k++)
			g->said.data[g->said.len++] = dead.data[k];
		g->below[n->n_below++] = (struct tree_below){
			tree_header_sum(g->stack->layer[i].tree),
			tree_stack_cols(g->stack, i)->n_entries,
			(uint32_t)dead.len,
		};
		VEC_FINI(&dead);
	}
	if (r == 0 && g->said.len > UINT32_MAX)
		r = -EFBIG;
	n->below = g->below;
	n->dead = g->said.data;
	n->n_dead = (uint32_t)g->said.len;
	return r;
}

static int
prepare(struct merge *g)
{
	int r = g->change ? tree_change_seal(g->change) : 0;

	if (r == 0)
		r = bury(g);
	if (r == 0)
		r = merge_find_dirs(g);
	if (r == 0)
		r = merge_number_dirs(g);
	if (r == 0)
		r = lay_upon(g);
	if (r == 0)
		r = merge_map_classes(g);
	if (r < 0)
		return r;
	g->plan.classes = g->classes.classes.data;
	g->plan.counts.n_classes = (uint32_t)g->classes.classes.len;
	g->plan.with_grams = g->plan.counts.n_entries >= TREE_GRAM_ENTRIES;
	return merge_find_starts(g);
}

static void
merge_fini(struct merge *g)
{
	for (uint32_t i = 0; i < TREE_MAX_LAYERS; i++)
		tree_dead_destroy(g->dead[i]);
	for (uint32_t i = 0; i <= TREE_MAX_LAYERS; i++)
		free(g->class_map[i]);
	VEC_FINI(&g->said);
	VEC_FINI(&g->dirs);
	VEC_FINI(&g->many);
	class_table_fini(&g->classes);
	free(g->sequence);
	free(g->starts);
}

static int
write_merge(void *ctx, int fd, uint64_t *ret_bytes)
{
	const struct tree_merge *m = ctx;
	struct merge g = {
		.plan.gather = merge_gather,
		.m = m,
		.stack = m->stack,
		.change = m->change,
		.from = m->from,
		.n_layers = m->stack->n_layers,
	};
	int r;

	assert(m->from <= g.n_layers && m->from < TREE_MAX_LAYERS);
	assert(m->change ? m->change->stack == m->stack : m->from < g.n_layers);
	r = prepare(&g);
	if (r == 0)
		r = tree_write(fd, &g.plan, m->pool, m->stop, ret_bytes);
	merge_fini(&g);
	/* Zeros in place of bytes that the disk could not give look like anything. */
	return tree_stack_faulted(m->stack) ? -EIO : r;
}

int
tree_merge_write(const struct tree_merge *m, int dirfd, const char *name, uint64_t *ret_bytes,
	struct err *err)
{
	struct tree_merge own = *m; /* the callback's context is not const */

	return (m->light ? tree_file_write_light : tree_file_write)(
		dirfd, name, write_merge, &own, ret_bytes, err);
}

int
tree_merge_fd(const struct tree_merge *m, int fd, uint64_t *ret_bytes, struct err *err)
{
	struct tree_merge own = *m;
	int r = write_merge(&own, fd, ret_bytes);

	return r < 0 ? tree_file_failed(err, r, "in memory") : 0;
}

int
tree_merge_stack(const struct tree_stack *s, uint32_t keep, struct tree *top,
	struct tree_stack **ret, struct err *err)
{
	struct tree *trees[TREE_MAX_LAYERS];

	assert(keep <= s->n_layers && keep < TREE_MAX_LAYERS);
	for (uint32_t i = 0; i < keep; i++)
		trees[i] = s->layer[i].tree;
	trees[keep] = top;
	return tree_stack_make(trees, keep + 1, s, keep, ret, err);
}
