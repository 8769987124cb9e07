#include "index/text_check.h"

#include "base/hash.h"
#include "index/text_block.h"
#include "index/text_group.h"
#include "index/tree_par.h"

#define FLAW_ROW(name, section, rule) [name] = {section, rule},
static const struct {
	unsigned section;
	const char *rule;
} flaws[] = {TEXT_FLAWS(FLAW_ROW)};
#undef FLAW_ROW

unsigned
text_flaw_section(int flaw)
{
	return flaws[flaw].section;
}

const char *
text_flaw_rule(int flaw)
{
	return flaws[flaw].rule;
}

static enum text_flaw
check_doc(const struct text_cols *c, uint32_t i, uint32_t *n_live)
{
	const struct text_doc *d = &c->docs[i];
	uint32_t end = i + 1 < c->n_docs ? d[1].first_unit : c->n_units;

	if (d->first_unit > end)
		return TEXT_FLAW_DOC_UNITS;
	if (d->flags == TEXT_DROPPED) {
		if (d->hash_low || d->hash_high || d->size_bytes || d->n_lines || c->marks[i])
			return TEXT_FLAW_DOC_DROPPED;
		return d->first_unit == end ? TEXT_FLAW_NONE : TEXT_FLAW_DOC_UNITS;
	}
	(*n_live)++;
	return text_flags_fit(d->flags, c->marks[i]) ? TEXT_FLAW_NONE : TEXT_FLAW_DOC_FLAGS;
}

/* D1, D2, and how many are live. */
static enum text_flaw
check_docs(const struct text_cols *c)
{
	uint32_t n_live = 0;
	enum text_flaw f = c->docs[0].first_unit ? TEXT_FLAW_DOC_UNITS : TEXT_FLAW_NONE;

	for (uint32_t i = 0; i < c->n_docs && !f; i++)
		f = check_doc(c, i, &n_live);
	return f || n_live == c->n_live ? f : TEXT_FLAW_LIVE;
}

/* D3: as many as are live and none twice, so all of them. */
static enum text_flaw
check_hashes(const struct text_cols *c)
{
	for (uint32_t i = 0; i < c->n_live; i++) {
		const struct text_doc *before = i > 0 ? &c->docs[c->hash_order[i - 1]] : NULL, *d;
		int order;

		if (c->hash_order[i] >= c->n_docs)
			return TEXT_FLAW_LIVE;
		d = &c->docs[c->hash_order[i]];
		if (d->flags == TEXT_DROPPED)
			return TEXT_FLAW_LIVE;
		order = before ? text_hash_cmp(before, d->hash_high, d->hash_low) : -1;
		if (order > 0 || (order == 0 && before >= d))
			return TEXT_FLAW_HASHES;
	}
	return TEXT_FLAW_NONE;
}

static enum text_flaw
check_files(const struct text_cols *c)
{
	for (uint64_t i = 0; i < c->n_files; i++) {
		if (i > 0 && c->file_keys[i] <= c->file_keys[i - 1])
			return TEXT_FLAW_KEYS;
		if (c->file_contents[i] >= (uint64_t)c->base + c->n_docs)
			return TEXT_FLAW_CONTENTS;
	}
	return TEXT_FLAW_NONE;
}

/* U1 of a document, and U2 of its windows, of which the first is *at. */
static enum text_flaw
check_units(const struct text_cols *c, uint32_t doc, uint32_t *at)
{
	uint32_t lo, hi;
	uint64_t offset = 0, lines = 0;

	text_units(c, doc, &lo, &hi);
	for (uint32_t u = lo; u < hi; u++) {
		const struct text_window *w = &c->windows[*at];

		if (c->unit_doc[u] != doc)
			return TEXT_FLAW_UNIT_DOC;
		if (u == lo)
			continue;
		if (*at >= c->n_windows || w->unit != u || w->flags & ~TEXT_WINDOW_LINE)
			return TEXT_FLAW_WINDOWS;
		if (w->offset_bytes <= offset || w->lines_before < lines)
			return TEXT_FLAW_WINDOW;
		offset = w->offset_bytes;
		lines = w->lines_before;
		(*at)++;
	}
	return TEXT_FLAW_NONE;
}

enum text_flaw
text_check_docs(const struct text_cols *c)
{
	enum text_flaw f = check_docs(c);
	uint32_t at = 0;

	if (!f)
		f = check_hashes(c);
	if (!f)
		f = check_files(c);
	for (uint32_t i = 0; i < c->n_docs && !f; i++)
		f = check_units(c, i, &at);
	return f || at == c->n_windows ? f : TEXT_FLAW_WINDOWS;
}

/* P3, of a shelf whose row is right. */
static enum text_flaw
check_starts(const struct text_cols *c, const struct text_shelf *s)
{
	uint64_t bytes = s[1].at - s->at, before = 0;

	for (uint32_t i = s->rank; i < s[1].rank; i++) {
		if (i == s->rank ? c->groups[i] != 0 : c->groups[i] <= before)
			return TEXT_FLAW_GROUP;
		before = c->groups[i];
	}
	return s->rank == s[1].rank || before < bytes ? TEXT_FLAW_NONE : TEXT_FLAW_GROUP;
}

enum text_flaw
text_check_shelves(const struct text_cols *c)
{
	uint32_t n = text_n_shelves(c->n_symbols);
	const struct text_shelf *s = c->shelves, *end = s + n;
	enum text_flaw f = TEXT_FLAW_NONE;
	unsigned per_shelf = text_groups_per_shelf(c);

	if (s->at != 0 || s->rank != 0 || end->at != c->postings_bytes ||
		end->rank != c->n_groups || end->groups || end->sum || end->reserved)
		return TEXT_FLAW_SHELF;
	for (; s < end && !f; s++) {
		if (s->at > s[1].at || s[1].at > c->postings_bytes || s->reserved)
			return TEXT_FLAW_SHELF;
		if ((per_shelf < 64 && s->groups >> per_shelf) ||
			s[1].rank != s->rank + (uint64_t)__builtin_popcountll(s->groups) ||
			s[1].rank > c->n_groups || (s->groups == 0) != (s->at == s[1].at))
			return TEXT_FLAW_SHELF_BITS;
		f = check_starts(c, s);
	}
	for (unsigned i = 0; i < TEXT_PAD && !f; i++)
		f = c->postings[c->postings_bytes + i] ? TEXT_FLAW_PAD : TEXT_FLAW_NONE;
	return f;
}

static int
sum_shelves(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const struct text_cols *c = ctx;

	(void)worker;
	for (; lo < hi; lo++) {
		const struct text_shelf *s = &c->shelves[lo];

		if (hash64(c->postings + s->at, s[1].at - s->at, lo) != s->sum)
			return TEXT_FLAW_SUM;
	}
	return 0;
}

int
text_check_sums(const struct text_cols *c, struct pool *pool)
{
	struct text_cols own = *c; /* the loop's context is not const */

	return tree_par(pool, TASK_QUERY, text_n_shelves(c->n_symbols), sum_shelves, &own, NULL);
}

struct list_check {
	const struct text_cols *c;
	bool deep;
};

static enum text_flaw
check_bitmap(const struct list_check *k, const struct text_entry *e)
{
	uint32_t n_units = k->c->n_units, n = 0;

	if (n_units % 8 && (uint8_t)e->body[e->bytes - 1] >> n_units % 8)
		return TEXT_FLAW_BITMAP;
	for (uint64_t i = 0; i < e->bytes && k->deep; i++)
		n += (uint32_t)__builtin_popcount((uint8_t)e->body[i]);
	return k->deep && n != e->n ? TEXT_FLAW_UNITS : TEXT_FLAW_NONE;
}

/* P4 of a list of several blocks. */
static enum text_flaw
check_blocks(const struct list_check *k, const struct text_entry *e)
{
	uint32_t n_units = k->c->n_units, from = 0, n_blocks = (e->n - 1) / TEXT_BLOCK + 1;
	uint64_t at = text_skips_bytes(n_units, e->n);

	if (at > e->bytes)
		return TEXT_FLAW_SKIPS;
	for (uint32_t i = 0; i < n_blocks; i++) {
		uint32_t m = MIN(e->n - i * TEXT_BLOCK, TEXT_BLOCK);
		struct text_skip skip = text_skip_get(e->body, n_units, i);

		if (skip.last >= n_units || skip.last < from || skip.last - from < m - 1 ||
			skip.bytes > e->bytes - at)
			return TEXT_FLAW_SKIPS;
		/* The last unit, too, comes after those before it. */
		if (k->deep && m > 1 &&
			!text_block_exact(e->body + at, skip.bytes, m - 1, from, skip.last - 1))
			return TEXT_FLAW_UNITS;
		if (k->deep && m == 1 && skip.bytes > 0)
			return TEXT_FLAW_UNITS;
		at += skip.bytes;
		from = skip.last + 1;
	}
	return at == e->bytes ? TEXT_FLAW_NONE : TEXT_FLAW_SKIPS;
}

static enum text_flaw
check_list(const struct list_check *k, const struct text_entry *e)
{
	uint32_t n_units = k->c->n_units;

	if (e->bitmap)
		return check_bitmap(k, e);
	if (e->n > TEXT_BLOCK)
		return check_blocks(k, e);
	return k->deep && e->n > 1 && !text_block_exact(e->body, e->bytes, e->n, 0, n_units - 1)
	               ? TEXT_FLAW_UNITS
	               : TEXT_FLAW_NONE;
}

static enum text_flaw
check_group(const struct list_check *k, uint32_t group)
{
	struct text_entry lists[TEXT_GROUP];
	enum text_flaw f = TEXT_FLAW_NONE;
	const char *at;
	uint64_t bytes;
	int n;

	if (text_group_find(k->c, group, &at, &bytes) == 0)
		return TEXT_FLAW_NONE;
	n = text_group_read(k->c, group, at, bytes, lists);
	if (n < 0)
		return TEXT_FLAW_LIST;
	for (int i = 0; i < n && !f; i++)
		f = check_list(k, &lists[i]);
	return f;
}

static int
check_shelves(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const struct list_check *k = ctx;
	uint32_t per_shelf = text_groups_per_shelf(k->c);
	enum text_flaw f = TEXT_FLAW_NONE;

	(void)worker;
	for (uint32_t g = (uint32_t)lo * per_shelf; g < hi * per_shelf && !f; g++)
		f = check_group(k, g);
	return (int)f;
}

int
text_check_lists(const struct text_cols *c, bool deep, struct pool *pool)
{
	struct list_check k = {c, deep};

	return tree_par(pool, TASK_QUERY, text_n_shelves(c->n_symbols), check_shelves, &k, NULL);
}
