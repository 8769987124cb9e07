#include "index/tree_name.h"

#include "index/tree.h"

static inline unsigned
count_nuls(uint64_t nuls)
{
	return (unsigned)((nuls >> 7) * 0x0101010101010101 >> 56);
}

const char *
names_skip(const char *p, unsigned n)
{
	while (n > 0) {
		uint64_t nuls = name_nuls(name_word(p));
		unsigned k = count_nuls(nuls);

		if (k < n) {
			n -= k;
			p += 8;
			continue;
		}
		while (--n > 0)
			nuls &= nuls - 1;
		return p + __builtin_ctzll(nuls) / 8 + 1;
	}
	return p;
}

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
tree_name_at(const struct tree_cols *c, uint32_t entry)
{
	const char *group;

	if (entry == c->n_entries)
		return c->names_bytes;
	group = c->names + c->name_base[entry / TREE_NAME_GROUP] +
	        c->name_rel[entry / TREE_NAME_STEP];
	return (uint64_t)(names_skip(group, entry % TREE_NAME_STEP) - c->names);
}

struct span
tree_name(const struct tree_cols *c, uint32_t entry)
{
	const char *name = c->names + tree_name_at(c, entry), *p = name;
	uint64_t nuls;

	while ((nuls = name_nuls(name_word(p))) == 0)
		p += 8;
	return (struct span){name, (size_t)(p - name) + (size_t)__builtin_ctzll(nuls) / 8};
}

uint64_t
tree_name_starts(const struct tree_cols *c, uint32_t lo, uint32_t n, uint32_t *ret)
{
	uint64_t base = tree_name_at(c, lo);
	const char *first = c->names + base, *p = first;

	ret[0] = 0;
	for (uint32_t i = 1; i <= n; p += 8) {
		for (uint64_t nuls = name_nuls(name_word(p)); nuls && i <= n; nuls &= nuls - 1)
			ret[i++] = (uint32_t)(p - first) + (uint32_t)__builtin_ctzll(nuls) / 8 + 1;
	}
	return base;
}

/* The last index whose start is at or before `at`; the first start is. */
static uint32_t
group_at(const struct tree_cols *c, uint64_t at)
{
	uint32_t lo = 0, hi = (c->n_entries - 1) / TREE_NAME_GROUP + 1;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->name_base[mid] <= at)
			lo = mid;
		else
			hi = mid;
	}
	return lo * TREE_NAME_GROUP;
}

uint32_t
tree_entry_at(const struct tree_cols *c, uint64_t at)
{
	uint32_t e = group_at(c, at);
	uint64_t base = c->name_base[e / TREE_NAME_GROUP];
	uint32_t last = MIN(e + TREE_NAME_GROUP, c->n_entries) - 1;
	const char *p, *end = c->names + at;

	while (e + TREE_NAME_STEP <= last && base + c->name_rel[e / TREE_NAME_STEP + 1] <= at)
		e += TREE_NAME_STEP;
	p = c->names + base + c->name_rel[e / TREE_NAME_STEP];
	/* Each NUL before `at` ends a name that is not it. */
	for (; e < last && (p = names_skip(p, 1)) <= end;)
		e++;
	return e;
}
