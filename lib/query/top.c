#include "query/top.h"

#include <dirent.h>
#include <errno.h>

#include "base/vec.h"
#include "query/below.h"
#include "query/halt.h"
#include "sync/par_reduce.h"

#define RANK_GRAIN 16u /* directories */

/* A directory whose children in this layer are ranked. */
struct ranked_dir {
	uint32_t layer, dir;
};

struct ranking {
	const struct snapshot *snapshot;
	const struct totals *totals;
	const struct top_opts *opts;
	struct place top;
	VEC(struct ranked_dir) dirs;
	VEC(uint32_t) ends; /* of the directories around the one looked at */
};

/* The best so far, not in order: up to twice as many as are asked for, then the worse half goes. */
struct best {
	VEC(struct top_row) rows;
	uint64_t n_ranked;
	bool full;            /* there are opts.n rows, none worse than: */
	struct top_row worst; /* */
};

static uint64_t
key_of(const struct top_row *row, enum top_key by)
{
	switch (by) {
	case TOP_SIZE:
		return row->total.size;
	case TOP_BLOCKS:
		return row->total.blocks;
	case TOP_COUNT:
		return row->total.n_entries;
	}
	return 0;
}

static int
compare_rows(const void *va, const void *vb, void *ctx)
{
	const struct top_row *a = va, *b = vb;
	const struct top_opts *opts = ctx;
	uint64_t x = key_of(a, opts->by), y = key_of(b, opts->by);

	if (x != y)
		return x > y ? -1 : 1;
	if (a->at.layer != b->at.layer)
		return a->at.layer < b->at.layer ? -1 : 1;
	return a->at.entry < b->at.entry ? -1 : a->at.entry > b->at.entry;
}

static void
keep_best(struct best *b, const struct top_opts *opts)
{
	if (b->rows.len > 1)
		qsort_r(b->rows.data, b->rows.len, sizeof(struct top_row), compare_rows,
			(void *)(uintptr_t)opts);
	b->rows.len = MIN(b->rows.len, opts->n);
	b->full = b->rows.len == opts->n && opts->n > 0;
	if (b->full)
		b->worst = b->rows.data[opts->n - 1];
}

static int
offer(struct best *b, const struct top_row *row, const struct top_opts *opts)
{
	if (b->full && compare_rows(row, &b->worst, (void *)(uintptr_t)opts) > 0)
		return 0;
	if (VEC_PUSH(&b->rows, *row) < 0)
		return -ENOMEM;
	if (b->rows.len >= 2 * (size_t)opts->n)
		keep_best(b, opts);
	return 0;
}

static void
best_init(void *acc, void *ctx)
{
	(void)ctx;
	*(struct best *)acc = (struct best){0};
}

static void
best_fini(void *acc, void *ctx)
{
	struct best *b = acc;

	(void)ctx;
	VEC_FINI(&b->rows);
}

static int
best_merge(void *acc, void *later, void *ctx)
{
	const struct ranking *k = ctx;
	struct best *b = acc, *l = later;
	int r = 0;

	b->n_ranked += l->n_ranked;
	VEC_EACH (&l->rows, row) {
		if (r == 0)
			r = offer(b, row, k->opts);
	}
	best_fini(l, ctx);
	return r;
}

static int
rank_entry(const struct ranking *k, struct best *b, struct place at)
{
	struct top_row row;
	bool is_dir;
	int r;

	(void)totals_inner(k->totals, at, &at);
	is_dir = tree_type(snapshot_cols(k->snapshot, at.layer), at.entry) == DT_DIR;
	if ((k->opts->kind == TOP_DIRS && !is_dir) || (k->opts->kind == TOP_OTHERS && is_dir) ||
		totals_apart(k->totals, k->top, at))
		return 0;
	b->n_ranked++;
	row.at = at;
	r = totals_of(k->totals, at, &row.total);
	return r < 0 ? r : offer(b, &row, k->opts);
}

static int
rank_children(const struct ranking *k, struct best *b, const struct ranked_dir *d)
{
	const struct snap_layer *l = &k->snapshot->layers[d->layer];
	const uint32_t *first = tree_cols(l->tree)->dir_first;
	uint32_t e = tree_dead_skip(l->dead, first[d->dir]);
	int r = 0;

	for (; r == 0 && e < first[d->dir + 1]; e = tree_dead_skip(l->dead, e + 1))
		r = rank_entry(k, b, (struct place){d->layer, e});
	return r;
}

static int
rank_dirs(void *acc, size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const struct ranking *k = ctx;
	int r = query_poll(k->opts->halt);

	(void)worker;
	for (; r == 0 && lo < hi; lo++)
		r = rank_children(k, acc, &k->dirs.data[lo]);
	return r;
}

/* Directories of one layer whose children are at most `depth` levels below directory `dir`. */
static int
collect_dirs(struct ranking *k, uint32_t layer, uint32_t dir, uint64_t depth)
{
	const struct tree_cols *c = snapshot_cols(k->snapshot, layer);
	uint32_t first = dir, end = c->dir_end[dir];

	k->ends.len = 0;
	for (; dir < end; dir++) {
		while (k->ends.len > 0 && k->ends.data[k->ends.len - 1] <= dir)
			k->ends.len--;
		if (k->ends.len >= depth) {
			dir = k->ends.data[k->ends.len - 1] - 1; /* its siblings are as deep */
		} else if (dir != first && totals_is_root(k->totals, layer, dir)) {
			dir = c->dir_end[dir] - 1; /* a root by now */
		} else if (VEC_PUSH(&k->dirs, (struct ranked_dir){layer, dir}) < 0 ||
			   VEC_PUSH(&k->ends, c->dir_end[dir]) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static uint32_t
depth_of(const struct ranking *k, struct place at)
{
	return tree_depth(snapshot_cols(k->snapshot, at.layer), at.entry);
}

/* Roots in roots nest no deeper than there are roots. */
static int
collect(struct ranking *k, struct place at, uint64_t depth)
{
	uint32_t dir = tree_dir(snapshot_cols(k->snapshot, at.layer), at.entry);
	struct place door, inner;
	struct below below;
	int r = 0;

	if (dir == TREE_NO_DIR)
		return 0;
	below_find(k->snapshot, at.layer, dir, &below);
	for (uint32_t i = 0; r == 0 && i < below.n; i++)
		r = collect_dirs(k, below.part[i].layer, below.part[i].dir, depth);
	for (size_t i = 0; r == 0 && totals_door(k->totals, i, &door, &inner); i++) {
		uint64_t level;

		if (!below_has(k->snapshot, &below, door.layer, door.entry))
			continue;
		level = depth_of(k, door) - depth_of(k, at);
		if (level < depth)
			r = collect(k, inner, depth - level);
	}
	return r;
}

int
top_rank(const struct snapshot *s, const struct totals *t, struct place at,
	const struct top_opts *opts, struct top_row **ret, uint32_t *ret_n, uint64_t *ret_ranked)
{
	static const struct par_reduction op = {
		sizeof(struct best), best_init, rank_dirs, best_merge, best_fini, 0};
	struct ranking k = {.snapshot = s, .totals = t, .opts = opts};
	struct best best;
	int r;

	(void)totals_inner(t, at, &at);
	k.top = at;
	r = collect(&k, at, opts->max_depth ? opts->max_depth : UINT64_MAX);
	if (r == 0)
		r = par_reduce(opts->halt->compute, TASK_QUERY, k.dirs.len, RANK_GRAIN, &op, &k,
			opts->halt->stop, &best);
	VEC_FINI(&k.dirs);
	VEC_FINI(&k.ends);
	if (r < 0)
		return r;
	keep_best(&best, opts);
	*ret = best.rows.data;
	*ret_n = (uint32_t)best.rows.len;
	*ret_ranked = best.n_ranked;
	return 0;
}
