#include "index/text_view.h"

#include <errno.h>

static void
view_destroy(struct arc *a)
{
	struct text_view *v = CONTAINER_OF(a, struct text_view, arc);

	for (uint32_t i = 0; i < v->n_layers; i++)
		text_map_unref(v->map[i]);
	text_set_unref(v->set);
	free(v);
}

/* The map of the same segment of the tree, for files of the same sizes. */
static struct text_map *
map_before(const struct text_view *before, const struct tree *t, uint64_t max_bytes)
{
	for (uint32_t i = 0; before && i < before->n_layers; i++) {
		struct text_map *m = before->map[i];

		if (m->tree_sum == tree_header_sum(t) && m->n_entries == tree_cols(t)->n_entries &&
			m->max_bytes == max_bytes)
			return m;
	}
	return NULL;
}

/* The first segment of `set` that may have rows which `old` had not. */
static uint32_t
first_newer(const struct text_set *set, const struct text_set *old)
{
	uint32_t i = 0;

	for (; set && old && i < set->n; i++) {
		const struct text_cols *c = text_cols(set->text[i]);

		if (c->base + c->n_docs > text_set_end(old))
			break;
	}
	return i;
}

/* May contents of `old` be missing in `set`? Not when it only grew. */
static bool
may_lack(const struct text_set *set, const struct text_set *old)
{
	if (!old)
		return false;
	if (!set || set->n < old->n)
		return true;
	for (uint32_t i = 0; i < old->n; i++) {
		if (set->text[i] != old->text[i])
			return true;
	}
	return false;
}

static void
add_sums(struct text_sums *a, const struct text_sums *b, uint64_t sign)
{
	a->n_files += sign * b->n_files;
	a->n_bytes += sign * b->n_bytes;
	a->n_pending += sign * b->n_pending;
	a->pending_bytes += sign * b->pending_bytes;
	a->n_too_large += sign * b->n_too_large;
}

static void
add_live(struct text_sums *sums, const struct tree_layer *layer, const struct text_map *m)
{
	const struct tree_range *range;
	uint32_t n = tree_dead_ranges(layer->dead, &range);

	add_sums(sums, &m->all, 1);
	for (uint32_t i = 0; i < n; i++) {
		struct text_sums dead;

		text_map_sum(m, tree_cols(layer->tree), range[i].lo, range[i].hi, &dead);
		add_sums(sums, &dead, UINT64_MAX); /* less them */
	}
}

static int
make_maps(struct text_view *v, const struct tree_stack *stack, const struct text_view_opts *opts)
{
	const struct text_set *old = opts->before ? opts->before->set : NULL;
	struct text_map_opts map = {.max_bytes = opts->max_bytes,
		.pool = opts->pool,
		.stop = opts->stop,
		.from = first_newer(v->set, old),
		.check_old = may_lack(v->set, old)};

	for (; v->n_layers < stack->n_layers; v->n_layers++) {
		const struct tree_layer *layer = &stack->layer[v->n_layers];
		int r;

		map.old = map_before(opts->before, layer->tree, opts->max_bytes);
		r = text_map_create(layer->tree, v->set, &map, &v->map[v->n_layers]);
		if (r < 0)
			return r;
		add_live(&v->sums, layer, v->map[v->n_layers]);
	}
	return 0;
}

int
text_view_create(const struct tree_stack *stack, struct text_set *set,
	const struct text_view_opts *opts, struct text_view **ret)
{
	struct text_view *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	arc_init(&v->arc, view_destroy);
	v->set = set ? text_set_ref(set) : NULL;
	r = make_maps(v, stack, opts);
	if (r < 0) {
		text_view_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

struct text_view *
text_view_ref(struct text_view *v)
{
	arc_get(&v->arc);
	return v;
}

void
text_view_unref(struct text_view *v)
{
	if (v)
		arc_put(&v->arc);
}
