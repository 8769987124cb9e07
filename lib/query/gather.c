#include <errno.h>

#include "query/halt.h"
#include "query/sort_impl.h"
#include "sync/par.h"

/* What one thread found. */
struct gatherer {
	ON_OWN_LINE struct sort_heap heap;
	uint64_t n_added, n_chunks, n_skipped;
	bool cut; /* entries above the bar were not asked */
};

struct gather {
	/* Fixed while threads work. */
	struct sorter *sorter;
	struct eval *eval;
	struct sweep *sweep;
	const struct tree_cols *cols;
	uint32_t layer, lo, hi; /* entries that are looked at */
	const uint32_t *order;  /* chunks, what promises most first; NULL: as they stand */
	bool by_column;         /* the first key is a column */
	bool may_skip;          /* blocks that cannot win are left out */
	enum tree_column column;
	uint64_t add, flip; /* (value + add) ^ flip is the first key: sorter_number() */

	/* No first key above it can be among those kept, since some heap is full of smaller ones.
	 * Relaxed: it only falls, and an old value only lets more through. */
	_Atomic uint64_t bar;
	struct gatherer *worker; /* [eval->n_workers] */
};

static bool
column_of(enum field f, enum tree_column *ret)
{
	static const struct {
		enum field field;
		enum tree_column column;
	} columns[] = {
		{FIELD_SIZE, TREE_SIZE},
		{FIELD_BLOCKS, TREE_BLOCKS},
		{FIELD_MTIME, TREE_MTIME},
		{FIELD_CTIME, TREE_CTIME},
		{FIELD_INODE, TREE_INO},
		{FIELD_LINKS, TREE_NLINK},
	};

	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		if (columns[i].field == f) {
			*ret = columns[i].column;
			return true;
		}
	}
	return false;
}

/* The least first key that an entry of [lo, lo + n) can have. */
static uint64_t
best_key(const struct gather *g, uint32_t lo, uint32_t n)
{
	const struct query_sort *key = &g->sorter->opts->sort[0];
	uint64_t min, max;

	if (!tree_bounds(g->cols, g->column, lo, n, &min, &max))
		return 0;
	return sorter_number(key, key->descending ? max : min);
}

static void
lower_bar(struct gather *g, const struct sort_heap *h)
{
	uint64_t bar = load_rlx(&g->bar);

	if (!sort_heap_full(g->sorter, h))
		return;
	while (h->items.data[0].first < bar && !cas_weak_rlx(&g->bar, &bar, h->items.data[0].first))
		;
}

/* Bits [at, at + n) as a number; n <= 64. */
static uint64_t
bits_from(const struct bits *b, uint32_t at, uint32_t n)
{
	uint64_t word = b->word[at / 64] >> (at % 64);

	if (at % 64 + n > 64)
		word |= b->word[at / 64 + 1] << (64 - at % 64);
	return n < 64 ? word & ((1ull << n) - 1) : word;
}

/* Which of n values stay below the bar, n <= 64? Most do not, soon. With flip, ~(value + add) is at
 * most the bar when value + add is at least ~bar. */
static uint64_t
below_bar(const struct gather *g, const uint64_t *value, uint32_t n, uint64_t bar)
{
	return tree_within(value, n, (g->flip ? ~bar : 0) - g->add, bar);
}

static int
add_value(struct gather *g, struct gatherer *w, uint32_t entry, uint64_t value)
{
	struct sort_item it = {(value + g->add) ^ g->flip, g->layer, entry};

	return sort_heap_add(g->sorter, &w->heap, &it);
}

/* Those few of entries [lo, lo + n) that are left where the bar is low. */
static int
take_few(struct gather *g, struct gatherer *w, uint32_t lo, uint32_t n, const struct bits *got,
	uint32_t at)
{
	int r = 0;

	for (uint32_t i = bits_next(got, at); i < at + n && r == 0; i = bits_next(got, i + 1)) {
		uint64_t value;

		tree_read(g->cols, g->column, lo + i - at, 1, &value);
		r = add_value(g, w, lo + i - at, value);
	}
	lower_bar(g, &w->heap);
	return r;
}

/* Entries [lo, lo + n) of one block, of which bit `at + i` tells whether lo + i was taken. */
static int
take_column(struct gather *g, struct gatherer *w, uint32_t lo, uint32_t n, const struct bits *got,
	uint32_t at)
{
	uint64_t value[TREE_BLOCK], bar = load_rlx(&g->bar);

	tree_read(g->cols, g->column, lo, n, value);
	for (uint32_t from = 0; from < n; from += 64) {
		uint32_t part = MIN(n - from, 64u);
		uint64_t left = bits_from(got, at + from, part);

		if (left && bar != UINT64_MAX)
			left &= below_bar(g, value + from, part, bar);
		for (; left; left &= left - 1) {
			uint32_t i = from + (uint32_t)__builtin_ctzll(left);

			if (add_value(g, w, lo + i, value[i]) < 0)
				return -ENOMEM;
		}
	}
	lower_bar(g, &w->heap);
	return 0;
}

static int
take_block(struct gather *g, struct gatherer *w, uint32_t lo, uint32_t n, const struct bits *got,
	uint32_t at)
{
	int r = 0;

	if (g->by_column && w->cut)
		return take_few(g, w, lo, n, got, at);
	if (g->by_column)
		return take_column(g, w, lo, n, got, at);
	for (uint32_t i = bits_next(got, at); i < at + n && r == 0; i = bits_next(got, i + 1)) {
		struct sort_item it = sorter_item(g->sorter, g->layer, lo + i - at);

		r = sort_heap_add(g->sorter, &w->heap, &it);
	}
	return r;
}

static int
take_chunk(struct gather *g, struct gatherer *w, uint32_t lo, uint32_t hi, const struct bits *got)
{
	int r = 0;

	w->n_added += bits_count(got);
	for (uint32_t e = lo, end; e < hi && r == 0; e = end) {
		end = (uint32_t)MIN(hi, (e / TREE_BLOCK + 1ull) * TREE_BLOCK);
		if (bits_any_of(got, e - lo, end - lo))
			r = take_block(g, w, e, end - e, got, e - lo);
	}
	return r;
}

/* Of entries [lo, lo + n) of one block, those whose key stays below the bar. */
static void
want_below(const struct gather *g, uint32_t lo, uint32_t n, uint32_t at, uint64_t bar,
	struct bits *want)
{
	uint64_t value[TREE_BLOCK];

	tree_read(g->cols, g->column, lo, n, value);
	for (uint32_t from = 0; from < n; from += 64) {
		uint64_t word = below_bar(g, value + from, MIN(n - from, 64u), bar);
		uint32_t pos = at + from;

		if (!word)
			continue;
		want->word[pos / 64] |= word << (pos % 64);
		if (pos % 64 && pos / 64 + 1 < ARRAY_LEN(want->word))
			want->word[pos / 64 + 1] |= word >> (64 - pos % 64);
	}
}

/* Blocks that cannot win are left out. Once there is a bar, the key is looked at first: few entries
 * stay, and only they are asked the rest. */
static void
want_chunk(struct gather *g, struct gatherer *w, uint32_t lo, uint32_t hi, struct bits *want)
{
	uint64_t bar = load_rlx(&g->bar);

	*want = (struct bits){0};
	if (!g->may_skip || bar == UINT64_MAX) {
		bits_set_range(want, 0, hi - lo);
		return;
	}
	w->cut = true;
	for (uint32_t e = lo, end; e < hi; e = end) {
		end = (uint32_t)MIN(hi, (e / TREE_BLOCK + 1ull) * TREE_BLOCK);
		if (best_key(g, e, end - e) > bar)
			w->n_skipped++;
		else
			want_below(g, e, end - e, e - lo, bar, want);
	}
}

static int
gather_chunk(struct gather *g, unsigned worker, uint32_t lo, uint32_t hi)
{
	struct gatherer *w = &g->worker[worker];
	struct bits want, got;
	int r = 0;

	if (!sweep_may_match(g->sweep, lo, hi - lo))
		return 0;
	w->n_chunks++;
	want_chunk(g, w, lo, hi, &want);
	tree_dead_clear(g->eval->dead, lo, hi - lo, want.word);
	if (!bits_any(&want))
		return 0;
	r = eval_some(g->eval, worker, lo, hi - lo, &want, &got);
	return r < 0 ? r : take_chunk(g, w, lo, hi, &got);
}

/* Chunks are those of the tree, cut at the ends of the range. */
static int
gather_chunks(size_t from, size_t to, unsigned worker, void *ctx)
{
	struct gather *g = ctx;
	int r = 0;

	for (size_t i = from; i < to && r == 0; i++) {
		uint32_t k = g->order ? g->order[i] : g->lo / EVAL_CHUNK + (uint32_t)i;

		r = query_poll(g->sorter->opts);
		if (r == 0)
			r = gather_chunk(g, worker, MAX(g->lo, k * EVAL_CHUNK),
				(uint32_t)MIN(g->hi, (k + 1ull) * EVAL_CHUNK));
	}
	return r;
}

struct promise {
	uint64_t best;
	uint32_t chunk;
};

static int
compare_promises(const void *va, const void *vb)
{
	const struct promise *a = va, *b = vb;

	if (a->best != b->best)
		return a->best < b->best ? -1 : 1;
	return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

/* What promises most first: then the bar is low soon. */
static int
order_chunks(const struct gather *g, uint32_t n, uint32_t **ret)
{
	AUTO(freep) struct promise *all = calloc(n, sizeof(*all));
	uint32_t first = g->lo / EVAL_CHUNK;

	*ret = calloc(n, sizeof(**ret));
	if (!all || !*ret)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t lo = MAX(g->lo, (first + i) * EVAL_CHUNK);
		uint32_t hi = (uint32_t)MIN(g->hi, (first + i + 1ull) * EVAL_CHUNK);

		all[i] = (struct promise){best_key(g, lo, hi - lo), first + i};
	}
	qsort(all, n, sizeof(*all), compare_promises);
	for (uint32_t i = 0; i < n; i++)
		(*ret)[i] = all[i].chunk;
	return 0;
}

static int
gather_range(struct gather *g, const struct sweep_range *range)
{
	AUTO(freep) uint32_t *order = NULL;
	const struct tree *tree = g->sorter->snapshot->layers[range->layer].tree;
	uint32_t n = (range->hi - 1) / EVAL_CHUNK - range->lo / EVAL_CHUNK + 1;
	int r = eval_bind(g->eval, range->layer);

	g->cols = tree_cols(tree);
	g->layer = range->layer;
	g->lo = range->lo;
	g->hi = range->hi;
	if (r == 0 && g->may_skip)
		r = order_chunks(g, n, &order);
	g->order = order;
	if (r == 0)
		r = par_for(g->sorter->opts->compute, TASK_QUERY, n, 1, gather_chunks, g,
			g->sorter->opts->stop);
	/* Pages that the disk could not give were zeros. */
	return r < 0 ? r : tree_faulted(tree) ? -EIO : 0;
}

/* Words in paths are decided in entry order, which the sweep does best. */
static int
gather_sweep(struct gather *g)
{
	const struct bits *got;
	uint32_t lo;
	int r;

	g->may_skip = false;
	while ((r = sweep_next_chunk(g->sweep, &g->layer, &lo, &got)) == 1) {
		g->cols = snapshot_cols(g->sorter->snapshot, g->layer);
		g->worker[0].n_chunks++;
		r = take_chunk(g, &g->worker[0], lo,
			(uint32_t)MIN(g->cols->n_entries, lo + (uint64_t)EVAL_CHUNK), got);
		if (r < 0)
			break;
	}
	return r;
}

/* What the threads hold, as one; with `keep` the sorter cuts it after sorting. */
static int
join_heaps(struct gather *g)
{
	struct sorter *s = g->sorter;

	for (unsigned i = 0; i < g->eval->n_workers; i++) {
		struct gatherer *w = &g->worker[i];

		s->n_added += w->n_added;
		s->partial = s->partial || w->cut;
		s->cost.n_skipped += w->n_skipped;
		s->cost.n_threads += w->n_chunks > 0;
		if (s->heap.items.len == 0) {
			struct sort_heap empty = s->heap;

			s->heap = w->heap;
			w->heap = empty;
			continue;
		}
		if (VEC_RESERVE(&s->heap.items, w->heap.items.len) < 0)
			return -ENOMEM;
		for (size_t k = 0; k < w->heap.items.len; k++)
			s->heap.items.data[s->heap.items.len++] = w->heap.items.data[k];
	}
	return 0;
}

int
sorter_gather(struct sorter *s, struct eval *e, struct sweep *sweep)
{
	struct gather g = {.sorter = s, .eval = e, .sweep = sweep, .bar = UINT64_MAX};
	const struct sweep_range *range;
	uint32_t n_ranges = sweep_ranges(sweep, &range);
	uint64_t began = clock_mono_ns();
	int r = 0;

	g.worker = aligned_alloc(CACHELINE, e->n_workers * sizeof(*g.worker));
	if (!g.worker)
		return -ENOMEM;
	memset(g.worker, 0, e->n_workers * sizeof(*g.worker));
	g.by_column = column_of(s->opts->sort[0].field, &g.column);
	g.add = field_kind(s->opts->sort[0].field) == FIELD_TIME ? 1ull << 63 : 0;
	g.flip = s->opts->sort[0].descending ? UINT64_MAX : 0;
	g.may_skip = g.by_column && s->keep > 0 && !s->opts->count_exact;
	if (sweep_has_words(sweep))
		r = gather_sweep(&g);
	for (uint32_t i = 0; !sweep_has_words(sweep) && i < n_ranges && r == 0; i++)
		r = gather_range(&g, &range[i]);
	if (r == 0)
		r = join_heaps(&g);
	for (unsigned i = 0; i < e->n_workers; i++)
		VEC_FINI(&g.worker[i].heap.items);
	free(g.worker);
	s->cost.nsec = clock_mono_ns() - began;
	return r;
}
