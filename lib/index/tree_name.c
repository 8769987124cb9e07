#include "index/tree_name.h"

#include "index/tree.h"

#define COUNT_BYTES 128u

/* The trip count is constant so that both compilers vectorise it at -O2; 128 fits a byte's sum. */
static inline void
count_chunk(const uint8_t *p, struct name_census *s)
{
	uint8_t nul = 0, slash = 0, high = 0;

	for (unsigned i = 0; i < COUNT_BYTES; i++) {
		nul = (uint8_t)(nul + (p[i] == 0));
		slash = (uint8_t)(slash + (p[i] == '/'));
		high |= p[i];
	}
	s->n_nul += nul;
	s->n_slash += slash;
	s->high |= high >= 0x80;
}

struct name_census
names_count(const char *names, size_t len)
{
	const uint8_t *p = (const uint8_t *)names;
	struct name_census s = {0};
	size_t i = 0;

	for (; len - i >= COUNT_BYTES; i += COUNT_BYTES)
		count_chunk(p + i, &s);
	for (; i < len; i++) {
		s.n_nul += p[i] == 0;
		s.n_slash += p[i] == '/';
		s.high |= p[i] >= 0x80;
	}
	return s;
}

uint64_t
tree_name_starts(const struct tree_cols *c, uint32_t lo, uint32_t n, uint32_t *ret)
{
	uint64_t base = tree_name_at(c, lo);

	for (uint32_t i = 0; i <= n; i++)
		ret[i] = (uint32_t)(tree_name_at(c, lo + i) - base);
	return base;
}
