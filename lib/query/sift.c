#include "query/sift_impl.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Documents are looked up one after the other in a map of this many times as many entries, which
 * costs some 10 ns apiece; else all entries are gone through, at 1 ns. */
#define FEW 8u
/* The contents of a map are looked up in this many times as many documents, at some 100 ns. */
#define FEW_KNOWN 64u

unsigned
sift_kind(const struct snap_root *r)
{
	return r->content == SNAP_CONTENT_INDEX && r->view && r->view->set ? r->view->set->n_symbols
	                                                                   : 0;
}

static int
make_needs(struct sift *f, unsigned kind)
{
	struct sift_needs *needs = kind > 0 ? &f->needs[kind - GRAM_MIN] : NULL;

	if (!needs || needs->n > 0)
		return 0;
	return sift_needs_init(needs, f->query, f->opts, kind);
}

static int
make_roots(struct sift *f)
{
	const struct snapshot *s = f->snapshot;
	int r = 0;

	f->root = calloc(s->n_roots + 1, sizeof(*f->root));
	if (!f->root)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_roots && r == 0; i++) {
		f->root[i].kind = sift_kind(&s->roots[i]);
		r = make_needs(f, f->root[i].kind);
	}
	return r;
}

/* Which sieves there are does not hang on the kind of grams. */
static int
find_sieves(struct sift *f)
{
	const struct sift_needs *needs = &f->needs[0];
	int r = f->needs[1].n > 0 ? 0 : make_needs(f, GRAM_MIN);

	if (needs->n == 0)
		needs = &f->needs[1];
	f->is_sieve = calloc(f->n, sizeof(*f->is_sieve));
	if (!f->is_sieve)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->n && r == 0; i++)
		f->is_sieve[i] = needs->need[i].node != NULL;
	return r;
}

/* Ranked, so that nothing hangs on the number of answers. */
static bool
is_first(const struct cursor_opts *opts)
{
	return opts->grep && opts->rank == RANK_CONTENTS && opts->n_sort == 0;
}

static bool
is_word(const struct pattern *p)
{
	struct span text = pattern_text(p, 0);

	for (size_t i = 0; i < text.len; i++) {
		if (!isalnum((unsigned char)text.data[i]) && text.data[i] != '_' &&
			!(text.data[i] & 0x80))
			return false;
	}
	return pattern_n_texts(p) == 1 && text.len <= SIFT_WORD_BYTES;
}

int
sift_create(const struct query *q, const struct snapshot *s, const struct cursor_opts *opts,
	struct sift **ret)
{
	struct sift *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->query = q;
	f->snapshot = s;
	f->opts = opts;
	f->n = q->n_group + 1;
	f->first = is_first(opts);
	f->word = f->first && is_word(opts->grep);
	f->decides = sift_decides(q, opts);
	r = make_roots(f);
	if (r == 0)
		r = find_sieves(f);
	if (r < 0) {
		sift_destroy(f);
		return r;
	}
	*ret = f;
	return 0;
}

static void
forget_root(const struct sift *f, uint32_t root)
{
	struct sift_root *r = &f->root[root];
	uint32_t n = r->found ? f->n * f->snapshot->roots[root].view->set->n : 0;

	for (uint32_t i = 0; i < n; i++)
		text_found_fini(&r->found[i]);
	free(r->found);
	n = r->lines ? f->snapshot->roots[root].view->set->n : 0;
	for (uint32_t i = 0; i < n; i++)
		free(r->lines[i]);
	free(r->lines);
}

void
sift_destroy(struct sift *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; f->root && i < f->snapshot->n_roots; i++)
		forget_root(f, i);
	for (size_t i = 0; i < ARRAY_LEN(f->needs); i++) {
		if (f->needs[i].n > 0)
			sift_needs_fini(&f->needs[i]);
	}
	free(f->root);
	free(f->is_sieve);
	free(f);
}

/* One text lies in one window as a whole; in UTF-16 it has twice as many bytes at most. */
static bool
fits_window(const struct sift_need *need, const struct text_cols *c)
{
	return need->literal_bytes > 0 && 2 * need->literal_bytes <= c->overlap_bytes;
}

/* `node`: the grams of the need, or ANY. */
static int
ask_segments(const struct sift *f, const struct text_set *set, const struct sift_need *need,
	const struct gram_node *node, struct text_found *ret)
{
	int r = 0;

	for (uint32_t i = 0; i < set->n && r == 0; i++) {
		const struct text_cols *c = text_cols(set->text[i]);
		struct text_eval_opts opts = {.flags = TEXT_EVAL_NOT_DENSE,
			.patience = SIFT_PATIENCE,
			.need = need->text.n > 0 ? &need->text : NULL,
			.stop = f->opts->stop};

		if (fits_window(need, c))
			opts.flags |= TEXT_EVAL_IN_UNIT;
		if (f->first) {
			opts.patience = f->word ? 1 : SIFT_FIRST_PATIENCE;
			opts.worth = SIFT_FIRST_WORTH;
			opts.plenty = SIFT_FIRST_PLENTY;
			opts.longest = SIFT_FIRST_LONGEST;
		}
		r = text_eval(c, node, &opts, &ret[i]);
	}
	return r;
}

static const struct sift_need *
need_at(const struct sift *f, uint32_t root, uint32_t sieve)
{
	return &f->needs[f->root[root].kind - GRAM_MIN].need[sieve];
}

/* Is a word in so many documents that asking which ones takes longer than reading a few in vain? */
static bool
is_everywhere(const struct sift *f, const struct text_set *set, const struct sift_need *need)
{
	uint64_t sum = 0, n_docs = 0;

	if (!f->word && !(f->first && need->node->op == GRAM_RANGE))
		return false;
	for (uint32_t i = 0; i < set->n; i++) {
		const struct text_cols *c = text_cols(set->text[i]);

		sum += text_eval_estimate(c, need->node, c->n_live / 2);
		n_docs += c->n_live;
	}
	return sum > n_docs / 2;
}

/* Once a root. What lets all documents through is not asked for. */
static int
ask_root(struct sift *f, uint32_t root)
{
	const struct text_set *set = f->snapshot->roots[root].view->set;
	struct sift_root *r = &f->root[root];
	int e = 0;

	if (r->found)
		return 0;
	r->found = calloc((size_t)f->n * set->n, sizeof(*r->found));
	if (!r->found)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->n && e == 0; i++) {
		const struct sift_need *need = need_at(f, root, i);
		const struct gram_node *node = need->node;

		if (!node || sift_need_is_any(need))
			continue;
		if (i + 1 == f->n && is_everywhere(f, set, need))
			node = gram_query_any();
		if (node->op == GRAM_ANY && need->text.n == 0)
			r->all_text = true;
		else
			e = ask_segments(f, set, need, node, &r->found[(size_t)i * set->n]);
	}
	return e;
}

/* Once a segment: which of its units a line that matches can lie in. */
static int
ask_units(struct sift *f, uint32_t root, uint32_t segment, const uint64_t **ret)
{
	const struct text_set *set = f->snapshot->roots[root].view->set;
	const struct sift_need *need = &f->needs[f->root[root].kind - GRAM_MIN].lines;
	struct text_eval_opts opts = {
		.flags = TEXT_EVAL_NOT_DENSE, .patience = SIFT_PATIENCE, .stop = f->opts->stop};
	struct sift_root *r = &f->root[root];

	*ret = NULL;
	if (need->node->op == GRAM_ANY)
		return 0;
	if (!r->lines)
		r->lines = calloc(set->n, sizeof(*r->lines));
	if (!r->lines)
		return -ENOMEM;
	if (!r->lines[segment]) {
		int e = text_eval_units(
			text_cols(set->text[segment]), need->node, &opts, &r->lines[segment]);

		if (e < 0)
			return e;
	}
	*ret = r->lines[segment];
	return 0;
}

/* Its offsets are not those of the text that is searched. */
static bool
is_decoded(const struct text_cols *c, uint32_t doc)
{
	uint32_t encoding = c->docs[doc].flags & TEXT_ENCODING_MASK;

	return encoding == TEXT_UTF16LE || encoding == TEXT_UTF16BE;
}

int
sift_panes(struct sift *f, uint32_t layer, uint32_t entry, struct panes *ret)
{
	const struct snap_layer *l = &f->snapshot->layers[layer];
	const struct text_set *set;
	const struct text_cols *c;
	const uint64_t *units;
	uint32_t content, segment, lo, hi;
	int r;

	*ret = (struct panes){0};
	if (f->root[l->root].kind == 0 || !l->map || !f->opts->grep ||
		pattern_is_multi(f->opts->grep))
		return 0;
	set = f->snapshot->roots[l->root].view->set;
	content = l->map->content[entry];
	segment = content < TEXT_CONTENT_END ? text_set_of(set, content) : set->n;
	if (segment == set->n)
		return 0;
	c = text_cols(set->text[segment]);
	text_units(c, content - c->base, &lo, &hi);
	if (hi - lo < 2 || is_decoded(c, content - c->base))
		return 0;
	r = ask_units(f, l->root, segment, &units);
	return r < 0 ? r : panes_make(c, content - c->base, units, ret);
}

static void
set_bit(uint64_t *bits, uint32_t i)
{
	bits[i / 64] |= (uint64_t)1 << i % 64;
}

/* Documents ascend, and so do their entries' places. */
static void
look_up_few(const struct text_map *m, const struct text_cols *c, const struct text_found *found,
	uint64_t *bits)
{
	uint32_t hi = 0;

	for (uint32_t i = 0; i < found->n; i++) {
		uint32_t lo;

		text_map_entries_from(m, hi, c->base + found->docs[i], &lo, &hi);
		for (; lo < hi; lo++)
			set_bit(bits, m->by_content[lo]);
	}
}

/* The contents of a small map are looked up in what was found. */
static void
look_up_map(const struct text_map *m, const struct text_cols *c, const struct text_found *found,
	uint64_t *bits)
{
	for (uint32_t i = 0; i < m->n_known; i++) {
		uint32_t doc = m->content[m->by_content[i]] - c->base, lo = 0, hi = found->n;

		while (lo < hi) {
			uint32_t mid = lo + (hi - lo) / 2;

			if (found->docs[mid] < doc)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo < found->n && found->docs[lo] == doc)
			set_bit(bits, m->by_content[i]);
	}
}

/* `docs` has a bit for each content from `first` on. */
static void
go_through(
	const struct text_map *m, const uint64_t *docs, uint32_t first, uint32_t n, uint64_t *bits)
{
	for (uint32_t lo = 0; lo < m->n_entries; lo += 64) {
		uint32_t end = MIN(64u, m->n_entries - lo);
		uint64_t word = 0;

		for (uint32_t i = 0; i < end; i++) {
			uint32_t doc = m->content[lo + i] - first;

			doc = doc < n ? doc : n; /* whose bit is 0 */
			word |= (docs[doc / 64] >> doc % 64 & 1) << i;
		}
		bits[lo / 64] |= word;
	}
}

static int
look_up_many(const struct text_map *m, const struct text_cols *c, const struct text_found *found,
	uint64_t *bits)
{
	uint64_t *docs = calloc((size_t)c->n_docs / 64 + 1, sizeof(*docs));

	if (!docs)
		return -ENOMEM;
	for (uint32_t i = 0; i < found->n; i++)
		set_bit(docs, found->docs[i]);
	go_through(m, docs, c->base, c->n_docs, bits);
	free(docs);
	return 0;
}

static int
look_up(const struct text_map *m, const struct text_set *set, const struct text_found *found,
	uint64_t *bits)
{
	int r = 0;

	for (uint32_t i = 0; i < set->n && r == 0; i++) {
		const struct text_cols *c = text_cols(set->text[i]);

		/* A bitmap of documents is in proportion to what was found, too. */
		if (m->n_known < found[i].n / FEW_KNOWN)
			look_up_map(m, c, &found[i], bits);
		else if (found[i].n < m->n_entries / FEW || found[i].n < c->n_docs / 4096)
			look_up_few(m, c, &found[i], bits);
		else
			r = look_up_many(m, c, &found[i], bits);
	}
	return r;
}

static void
add_bits(uint64_t *bits, const uint64_t *more, uint32_t n_entries)
{
	for (uint32_t i = 0; more && i < n_entries / 64 + 1; i++)
		bits[i] |= more[i];
}

/* Of `pending` (NULL: of all entries) those that are not large. */
static void
add_small(uint64_t *bits, const uint64_t *pending, const struct tree_cols *c)
{
	for (uint32_t i = 0; i < c->n_entries; i++) {
		uint64_t some = pending ? pending[i / 64] >> i % 64 : 1;

		if (some == 0)
			i |= 63;
		else if ((some & 1) && sift_bytes(c, i) <= SIFT_PENDING_LARGE)
			bits[i / 64] |= (uint64_t)1 << i % 64;
	}
}

static int
make_bits(const struct sift *f, uint32_t layer, uint32_t sieve, uint64_t *bits)
{
	const struct snap_layer *l = &f->snapshot->layers[layer];
	const struct sift_root *root = &f->root[l->root];
	const struct text_set *set;
	const struct text_map *m = l->map;
	int r = 0;

	if (root->kind > 0 && f->plan != SIFT_PLAN_PENDING) {
		set = f->snapshot->roots[l->root].view->set;
		if (sift_need_is_any(need_at(f, l->root, sieve)) ||
			(root->all_text && sieve + 1 == f->n))
			add_bits(bits, m->text, m->n_entries);
		else
			r = look_up(m, set, &root->found[(size_t)sieve * set->n], bits);
	}
	if (f->plan != SIFT_PLAN_PENDING) {
		add_bits(bits, m->large, m->n_entries);
		add_bits(bits, m->binary, m->n_entries);
	}
	if (f->plan == SIFT_PLAN_SMALL && m->pending)
		add_small(bits, m->pending, snapshot_cols(f->snapshot, layer));
	else if (f->plan != SIFT_PLAN_LEFT_OUT)
		add_bits(bits, m->pending, m->n_entries);
	return r;
}

static int
bind_sieve(
	const struct sift *f, uint32_t layer, uint32_t sieve, struct arena *a, const uint64_t **ret)
{
	const struct text_map *m = f->snapshot->layers[layer].map;
	uint64_t *bits = ARENA_ARRAY(a, uint64_t, m->n_entries / 64 + 1);

	*ret = bits;
	return bits ? make_bits(f, layer, sieve, bits) : -ENOMEM;
}

/* Nothing is known of the root: all its files are pending. */
static int
bind_unknown(const struct sift *f, uint32_t layer, struct arena *a, const uint64_t **ret)
{
	const struct tree_cols *c = snapshot_cols(f->snapshot, layer);
	uint64_t *bits;

	*ret = NULL;
	if (f->plan != SIFT_PLAN_LEFT_OUT && f->plan != SIFT_PLAN_SMALL)
		return 0;
	*ret = bits = ARENA_ARRAY(a, uint64_t, c->n_entries / 64 + 1);
	if (!bits)
		return -ENOMEM;
	if (f->plan == SIFT_PLAN_SMALL)
		add_small(bits, NULL, c);
	return 0;
}

int
sift_bind(struct sift *f, uint32_t layer, struct arena *a, const uint64_t **ret)
{
	const struct snap_layer *l = &f->snapshot->layers[layer];
	int r = 0;

	memset(ret, 0, f->n * sizeof(*ret));
	if (f->snapshot->roots[l->root].content != SNAP_CONTENT_INDEX || f->plan == SIFT_PLAN_ALL)
		return 0;
	if (f->root[l->root].kind > 0 && f->plan != SIFT_PLAN_PENDING)
		r = ask_root(f, l->root);
	for (uint32_t i = 0; i < f->n && r == 0; i++) {
		if (!f->is_sieve[i] || (f->plan == SIFT_PLAN_PENDING && i + 1 < f->n))
			continue;
		r = l->map ? bind_sieve(f, layer, i, a, &ret[i])
		           : bind_unknown(f, layer, a, &ret[i]);
	}
	return r;
}
