#include "engine/pending.h"

#include <errno.h>

struct filling {
	const struct tree_stack *stack;
	uint32_t layer;
	struct pending *to;
};

/* The live ones of 64 entries. */
static void
take_word(const struct filling *f, uint32_t lo, uint64_t bits)
{
	const struct tree_cols *c = tree_stack_cols(f->stack, f->layer);

	tree_dead_clear(f->stack->layer[f->layer].dead, lo, MIN(c->n_entries - lo, 64u), &bits);
	for (; bits; bits &= bits - 1) {
		uint32_t entry = lo + (uint32_t)__builtin_ctzll(bits);

		f->to->at[f->to->n++] = (struct tree_at){f->layer, entry};
		f->to->n_bytes += tree_size(c, entry);
	}
}

int
pending_list(const struct tree_stack *stack, const struct text_view *view, struct pending *ret)
{
	struct pending p = {0};

	assert(view->n_layers == stack->n_layers);
	p.at = malloc((view->sums.n_pending + 1) * sizeof(*p.at));
	if (!p.at)
		return -ENOMEM;
	for (uint32_t i = 0; i < stack->n_layers; i++) {
		const struct filling f = {stack, i, &p};
		const struct text_map *m = view->map[i];

		for (uint32_t lo = 0; lo < m->n_entries; lo += 64) {
			if (m->pending[lo / 64])
				take_word(&f, lo, m->pending[lo / 64]);
		}
	}
	assert(p.n == view->sums.n_pending);
	*ret = p;
	return 0;
}

void
pending_fini(struct pending *p)
{
	free(p->at);
	*p = (struct pending){0};
}
