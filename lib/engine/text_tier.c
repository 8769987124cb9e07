#include "engine/text_tier.h"

static bool
is_stale(const struct text_weight *w)
{
	return w->n_dropped > TEXT_TIER_DROPPED(w->n_docs);
}

bool
text_tier_is_due(const struct text_weight *w, uint32_t n, uint32_t *ret_at, uint32_t *ret_n)
{
	uint32_t at = n;
	uint64_t above = 0;

	/* The lowest that is too light for what is above it. */
	for (uint32_t i = n; i-- > 0;) {
		if (i + 1 < n && w[i].n_bytes < MAX(TEXT_TIER_FACTOR * above, TEXT_TIER_SMALL))
			at = i;
		above += w[i].n_bytes;
	}
	*ret_at = at;
	*ret_n = n - at;
	for (uint32_t i = 0; at == n && i < n; i++) {
		if (is_stale(&w[i])) {
			*ret_at = at = i;
			*ret_n = 1;
		}
	}
	return at < n;
}
