#include "index/tree_check.h"

/* The ranges of one segment below. */
static bool
ranges_ascend(const struct tree_range *r, uint32_t n, uint32_t n_entries)
{
	uint64_t least = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (r[i].lo < least || r[i].lo >= r[i].hi || r[i].hi > n_entries)
			return false;
		least = (uint64_t)r[i].hi + 1;
	}
	return true;
}

enum flaw
check_layer(const struct tree_cols *c)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < c->n_below; i++) {
		const struct tree_below *b = &c->below[i];

		if (b->n_entries == 0 || b->n_entries > TREE_MAX_ENTRIES)
			return FLAW_BELOW;
		if (b->n_dead > c->n_dead - n)
			return FLAW_DEAD_COUNT;
		if (!ranges_ascend(c->dead + n, b->n_dead, b->n_entries))
			return FLAW_DEAD;
		n += b->n_dead;
	}
	return n == c->n_dead ? FLAW_NONE : FLAW_DEAD_COUNT;
}
