#include "index/tree_check.h"

static bool
wide_ascends(const struct tree_cols *c)
{
	uint64_t least = 0;

	for (uint32_t i = 0; i < c->n_wide; i++) {
		if (c->wide[i] < least || c->wide[i] >= c->n_entries)
			return false;
		least = (uint64_t)c->wide[i] + 1;
	}
	return true;
}

enum flaw
check_name_places(const struct tree_cols *c)
{
	uint32_t n = c->n_entries / TREE_NAME_GROUP + 1;
	uint32_t n_rel = (c->n_entries - 1) / TREE_NAME_STEP + 1;

	for (uint32_t i = 0; i < n; i++) {
		if (c->name_base[i] > c->names_bytes)
			return FLAW_BASE;
	}
	if (c->n_entries % TREE_NAME_GROUP == 0 && c->name_base[n - 1] != c->names_bytes)
		return FLAW_BASE_END;
	for (uint32_t i = 0; i < n_rel; i++) {
		uint64_t base = c->name_base[i / (TREE_NAME_GROUP / TREE_NAME_STEP)];

		if (c->name_rel[i] > c->names_bytes - base)
			return FLAW_REL;
	}
	return wide_ascends(c) ? FLAW_NONE : FLAW_WIDE;
}

/* The bytes of the chunk's names: their end is the next chunk's start. */
static uint64_t
chunk_end(const struct tree_cols *c, uint32_t hi)
{
	return hi == c->n_entries ? c->names_bytes : c->name_base[hi / TREE_NAME_GROUP];
}

/* Zeros are behind the names in memory, so a NUL is found. */
static const char *
name_end(const char *p)
{
	uint64_t nuls;

	while ((nuls = name_nuls(name_word(p))) == 0)
		p += 8;
	return p + __builtin_ctzll(nuls) / 8;
}

static bool
starts_right(const struct tree_cols *c, uint32_t e, const char *name)
{
	uint64_t base = c->name_base[e / TREE_NAME_GROUP];

	if (e % TREE_NAME_GROUP == 0 && c->name_rel[e / TREE_NAME_STEP] != 0)
		return false;
	return base + c->name_rel[e / TREE_NAME_STEP] == (uint64_t)(name - c->names);
}

/* `before` is the name of the entry before lo when that is a sibling, else NULL. */
static enum flaw
check_run(const struct tree_cols *c, uint32_t lo, uint32_t hi, const uint64_t *parents,
	const char *before)
{
	const char *name = c->names + c->name_base[lo / TREE_NAME_GROUP];
	const char *limit = c->names + chunk_end(c, hi);

	for (uint32_t e = lo; e < hi; e++) {
		const char *end;
		size_t len;

		if (name >= limit)
			return FLAW_CHUNK;
		if (e % TREE_NAME_STEP == 0 && !starts_right(c, e, name))
			return FLAW_START;
		end = name_end(name);
		len = (size_t)(end - name);
		if (len > TREE_NAME_MAX_BYTES || (len == 0) != (e == 0))
			return FLAW_LENGTH;
		/* The root is no sibling of its first child. */
		if (e > lo)
			before = e > 1 && parents[e - lo] == parents[e - lo - 1] ? before : NULL;
		if (before && !names_ascend(before, name))
			return FLAW_ORDER;
		before = name;
		name = end + 1;
	}
	return name == limit ? FLAW_NONE : FLAW_CHUNK;
}

/* Where the list of wide entries stands at or past `entry`. */
static uint32_t
wide_from(const struct tree_cols *c, uint32_t entry)
{
	uint32_t lo = 0, hi = c->n_wide;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->wide[mid] < entry)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The list ascends. */
static enum flaw
check_wide(const struct tree_cols *c, uint32_t lo, uint32_t hi, bool any)
{
	uint32_t i = wide_from(c, lo);
	const char *name = c->names + c->name_base[lo / TREE_NAME_GROUP];

	for (uint32_t e = lo; any && e < hi; e++) {
		const char *end = name_end(name);

		if (names_count(name, (size_t)(end - name)).high) {
			if (i == c->n_wide || c->wide[i] != e)
				return FLAW_WIDE;
			i++;
		}
		name = end + 1;
	}
	return i < c->n_wide && c->wide[i] < hi ? FLAW_WIDE : FLAW_NONE;
}

enum flaw
check_names(const struct tree_cols *c, uint32_t lo, uint32_t hi, const uint64_t *parents)
{
	uint64_t start = c->name_base[lo / TREE_NAME_GROUP], end = chunk_end(c, hi);
	const char *before = NULL;
	struct name_census s;
	enum flaw f;

	if (lo > 1 && parents[0] == tree_parent(c, lo - 1))
		before = c->names + tree_name_at(c, lo - 1);
	f = check_run(c, lo, hi, parents, before);
	if (f)
		return f;
	s = names_count(c->names + start, end - start);
	return s.n_slash ? FLAW_SLASH : check_wide(c, lo, hi, s.high);
}
