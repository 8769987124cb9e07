#include "query/leaf_text.h"

#include <errno.h>

#include "index/tree_gram.h"
#include "text/pattern.h"

_Static_assert(EVAL_CHUNK == 64 * TREE_NAME_GROUP, "the groups of a chunk are the bits of a word");

bool
leaf_may(const struct eval_leaf *leaf, uint32_t lo, uint32_t n)
{
	uint32_t first = lo / TREE_NAME_GROUP, last = (lo + n - 1) / TREE_NAME_GROUP;

	if (!leaf->may)
		return true;
	for (uint32_t i = first; i <= last; i = (i / 64 + 1) * 64) {
		uint64_t left = leaf->may[i / 64] >> i % 64;

		if (last - i < 63)
			left &= ((uint64_t)2 << (last - i)) - 1;
		if (left)
			return true;
	}
	return false;
}

/* Where a range that is looked at begins within a group, the groups are not those of the bits. */
uint64_t
leaf_may_groups(const struct eval_leaf *leaf, uint32_t lo, uint32_t n)
{
	uint32_t first = lo / TREE_NAME_GROUP, last = (lo + n - 1) / TREE_NAME_GROUP;
	uint64_t may;

	if (!leaf->may || lo % TREE_NAME_GROUP)
		return leaf_may(leaf, lo, n) ? UINT64_MAX : 0;
	may = leaf->may[first / 64] >> first % 64;
	if (last / 64 != first / 64)
		may |= leaf->may[last / 64] << (64 - first % 64);
	return last - first < 63 ? may & (((uint64_t)2 << (last - first)) - 1) : may;
}

/* Names of a run of groups of the chunk. */
struct name_run {
	uint32_t first, n; /* entries of the chunk; n 0: none is left */
	struct span names;
};

#define CACHE_LINE 64u
#define AHEAD_BYTES 1536u /* some 64 names */

/* Takes the next run out of `may`. Its names are asked for while those of the run before it are
 * looked at: where few groups are left, each is somewhere else in memory. */
static struct name_run
next_run(const struct eval_at *at, uint64_t *may)
{
	const struct tree_cols *c = at->e->cols;
	struct name_run run = {0};
	uint64_t gaps, start, end;
	uint32_t group, len;

	if (!*may)
		return run;
	group = (uint32_t)__builtin_ctzll(*may);
	gaps = ~(*may >> group);
	len = gaps ? (uint32_t)__builtin_ctzll(gaps) : 64;
	*may &= group + len < 64 ? ~(uint64_t)0 << (group + len) : 0;
	run.first = group * TREE_NAME_GROUP;
	run.n = MIN(len * TREE_NAME_GROUP, at->n - run.first);
	start = tree_name_at(c, at->lo + run.first);
	end = tree_name_at(c, at->lo + run.first + run.n);
	run.names = (struct span){c->names + start, end > start ? end - start : 0};
	for (size_t i = 0; i < MIN(run.names.len, AHEAD_BYTES); i += CACHE_LINE)
		__builtin_prefetch(run.names.data + i);
	return run;
}

void
literal_bits(const struct eval_at *at, const struct literal *l, uint64_t may, struct bits *out)
{
	const uint32_t n_groups = (at->n + TREE_NAME_GROUP - 1) / TREE_NAME_GROUP;

	*out = (struct bits){0};
	if (n_groups < 64)
		may &= ((uint64_t)1 << n_groups) - 1;
	for (struct name_run run = next_run(at, &may), next; run.n > 0; run = next) {
		next = next_run(at, &may);
		members_find(&l->scan, run.names, run.n, out->word + run.first / 64);
	}
}

/* The pattern of a folded glob is folded; an ASCII text is folded by the matcher. */
int
glob_passes(const struct eval_at *at, const struct glob *glob, struct span text)
{
	struct strbuf *folded = &at->worker->folded;

	if (!(glob->flags & GLOB_FOLD) || span_is_ascii(text))
		return glob_match(glob, text);
	strbuf_reset(folded);
	if (fold_append(folded, text) < 0)
		return -ENOMEM;
	return glob_match(glob, strbuf_view(folded));
}

int
name_passes(const struct eval_at *at, const struct node *n, struct span name)
{
	const struct literal *l = &n->text.name.literal[0];
	struct matcher *m;
	struct match match;
	int r;

	switch (n->text.form) {
	case TEXT_WORD:
		/* What is not UTF-8 is folded in ASCII alone, but not in a glob. */
		return needle_find(&l->needle, name, 0, NULL) >= 0 ||
		       (l->ask_wide && n->text.need_only && !span_is_ascii(name));
	case TEXT_GLOB:
		return glob_passes(at, &n->text.name.glob, name);
	case TEXT_REGEX:
		break;
	}
	r = eval_matcher(at->worker, n, &m);
	return r < 0 ? r : matcher_find(m, name, 0, &match);
}

/* Grams first: most names of a question that asks few are in none of the word's groups. */
int
entry_passes(const struct eval_at *at, const struct node *n, uint32_t entry)
{
	const struct tree_cols *c = at->e->cols;
	const struct literal *l = &n->text.name.literal[0];
	struct span name;
	uint64_t found;

	if (!leaf_may_entry(&at->e->leaf[n->leaf], entry))
		return 0;
	name = tree_name(c, entry);
	if (n->text.form != TEXT_WORD)
		return name_passes(at, n, name);
	members_find(&l->scan, (struct span){name.data, name.len + 1}, 1, &found);
	if (found || !l->ask_wide || span_is_ascii(name))
		return found != 0;
	return name_passes(at, n, name);
}

/* Each of `ask` by itself: its bit in out is what its name says. */
static int
ask_names(const struct eval_at *at, const struct node *n, const struct bits *ask, struct bits *out)
{
	for (uint32_t i = bits_next(ask, 0); i < EVAL_CHUNK; i = bits_next(ask, i + 1)) {
		int r = entry_passes(at, n, at->lo + i);

		if (r < 0)
			return r;
		if (r > 0)
			bits_set(out, i);
		else
			out->word[i / 64] &= ~(1ull << (i % 64));
	}
	return 0;
}

void
wide_bits(const struct eval_at *at, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;

	for (uint32_t i = tree_list_from(c->wide, c->n_wide, at->lo);
		i < c->n_wide && c->wide[i] < at->lo + at->n; i++)
		bits_set(out, c->wide[i] - at->lo);
}

static uint32_t
longest_literal(const struct name_test *t)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < t->n_literals; i++) {
		if (t->literal[i].needle.len > t->literal[best].needle.len)
			best = i;
	}
	return best;
}

/* Where the scans of all literals meet, or so few that asking each of them is cheaper than another
 * scan: what more than one literal leaves is asked anyway. */
static void
scan_literals(const struct eval_at *at, const struct name_test *t, uint64_t may, struct bits *out)
{
	uint32_t first = longest_literal(t);
	struct bits one;

	if (t->n_literals == 0) {
		*out = (struct bits){0};
		bits_set_range(out, 0, at->n);
		return;
	}
	literal_bits(at, &t->literal[first], may, out);
	for (uint32_t i = 0; i < t->n_literals; i++) {
		if (i == first)
			continue;
		if (bits_count(out) <= TEXT_FEW)
			break;
		literal_bits(at, &t->literal[i], may, &one);
		for (size_t k = 0; k < ARRAY_LEN(out->word); k++)
			out->word[k] &= one.word[k];
	}
}

static void
note_blocks(const struct eval_at *at, const struct node *n, bool read)
{
	struct leaf_cost *cost = at->worker->cost;
	uint32_t n_blocks = (at->n + TREE_BLOCK - 1) / TREE_BLOCK;

	if (cost && read)
		cost[n->leaf].n_read += n_blocks;
	else if (cost)
		cost[n->leaf].n_skipped += n_blocks;
}

int
name_bits(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct name_test *t = &n->text.name;
	struct bits ask = {0};
	uint64_t may = leaf_may_groups(&at->e->leaf[n->leaf], at->lo, at->n);
	bool wide = false;

	note_blocks(at, n, may != 0);
	if (!may) {
		*out = (struct bits){0};
		return 0;
	}
	if (want && bits_count(want) <= TEXT_FEW) {
		*out = (struct bits){0};
		return ask_names(at, n, want, out);
	}
	scan_literals(at, t, may, out);
	for (uint32_t i = 0; i < t->n_literals; i++)
		wide = wide || t->literal[i].ask_wide;
	if (t->decides && !wide)
		return 0;
	if (wide)
		wide_bits(at, &ask);
	for (size_t k = 0; k < ARRAY_LEN(ask.word); k++) {
		if (!t->decides)
			ask.word[k] |= out->word[k];
		if (want)
			ask.word[k] &= want->word[k];
		if (!(may >> k & 1))
			ask.word[k] = 0;
	}
	return ask_names(at, n, &ask, out);
}
