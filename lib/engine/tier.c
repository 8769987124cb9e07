#include "engine/tier.h"

struct tier_weights
tier_weigh(const struct tree_stack *s)
{
	struct tier_weights w = {.n = s->n_layers};
	const struct tree_range *ignored;

	for (uint32_t i = 0; i < w.n; i++) {
		w.of[i] = tree_stack_cols(s, i)->n_entries;
		if (i + 1 < w.n)
			w.of[w.n - 1] += tree_dead_ranges(s->layer[i].dead, &ignored);
	}
	return w;
}

size_t
tier_max_bytes(const struct tree_stack *s)
{
	return MAX(TIER_ENTRY_BYTES * s->n_entries, (uint64_t)TIER_LEAST_BYTES);
}

static uint64_t
layers_weight(const struct tier_weights *w)
{
	uint64_t sum = 0;

	for (uint32_t i = 1; i < w->n; i++)
		sum += w->of[i];
	return sum;
}

uint32_t
tier_keep(const struct tier_weights *w, uint64_t n)
{
	uint64_t light = MAX(TIER_FACTOR * n, (uint64_t)TIER_SMALL);
	uint32_t keep = w->n;

	/* As much as rule 2 allows by itself, or all together as much as the base. */
	if (n >= w->of[0] / TIER_FACTOR || layers_weight(w) + n >= w->of[0])
		return 0;
	while (keep > 1 && (keep == TREE_MAX_LAYERS || w->of[keep - 1] < light))
		keep--;
	return keep;
}

uint32_t
tier_keep_light(const struct tier_weights *w, uint64_t n)
{
	uint32_t keep = tier_keep(w, n);

	return keep == 0 && layers_weight(w) + n < TIER_SMALL ? 1 : keep;
}

bool
tier_is_due(const struct tier_weights *w, uint32_t *ret_keep)
{
	uint32_t keep = w->n;
	uint64_t above = 0;

	if (w->n < 2)
		return false;
	if (layers_weight(w) >= w->of[0] / TIER_FACTOR) {
		*ret_keep = 0;
		return true;
	}
	/* The lowest layer that is too light for what is above it. */
	for (uint32_t i = w->n - 1; i > 0; i--) {
		if (i + 1 < w->n && w->of[i] < TIER_FACTOR * above)
			keep = i;
		above += w->of[i];
	}
	*ret_keep = keep;
	return keep < w->n;
}
