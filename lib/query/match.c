#include "query/match.h"

#include <errno.h>

#include "query/dupe.h"
#include "query/halt.h"
#include "query/sweep.h"
#include "sync/par_reduce.h"

struct matching {
	struct query *query;
	struct snapshot *snapshot;
	const struct cursor_opts *opts;
	const struct match_fold *fold;
	void *ctx;
	struct cursor_stats *stats;

	/* Of the range being folded. */
	struct eval *eval;
	struct sweep_range range;
};

static void
init_acc(void *acc, void *ctx)
{
	const struct matching *m = ctx;

	m->fold->init(acc, m->ctx);
}

static int
merge_acc(void *acc, void *later, void *ctx)
{
	const struct matching *m = ctx;

	return m->fold->merge(acc, later, m->ctx);
}

static void
drop_acc(void *acc, void *ctx)
{
	const struct matching *m = ctx;

	if (m->fold->fini)
		m->fold->fini(acc, m->ctx);
}

static int
add_bits(const struct matching *m, void *acc, uint32_t layer, uint32_t lo, const struct bits *bits)
{
	struct match_chunk chunk = {.layer = layer, .lo = lo, .bits = bits};

	if (!bits_any(bits))
		return 0;
	chunk.cols = snapshot_cols(m->snapshot, layer);
	chunk.n = MIN(EVAL_CHUNK, chunk.cols->n_entries - lo);
	return m->fold->add(acc, &chunk, m->ctx);
}

/* Chunks of the range. */
static int
fold_chunks(void *acc, size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const struct matching *m = ctx;
	struct bits bits;
	int r = 0;

	for (; r == 0 && lo < hi; lo++) {
		uint32_t first = m->range.lo + (uint32_t)lo * EVAL_CHUNK;
		uint32_t n = MIN(EVAL_CHUNK, m->range.hi - first);

		r = query_poll(m->opts);
		if (r == 0)
			r = eval_chunk(m->eval, worker, first, n, &bits);
		if (r == 0)
			r = add_bits(m, acc, m->range.layer, first, &bits);
	}
	return r;
}

static int
fold_range(struct matching *m, void *acc)
{
	const struct par_reduction op = {
		m->fold->acc_bytes, init_acc, fold_chunks, merge_acc, drop_acc, 0};
	size_t n_chunks = (m->range.hi - m->range.lo - 1) / EVAL_CHUNK + 1;
	AUTO(freep) void *more = malloc(m->fold->acc_bytes);
	int r = more ? eval_bind(m->eval, m->range.layer) : -ENOMEM;

	if (r == 0)
		r = par_reduce(
			m->opts->compute, TASK_QUERY, n_chunks, 1, &op, m, m->opts->stop, more);
	if (r == 0)
		r = merge_acc(acc, more, m);
	/* Pages that the disk could not give were zeros. */
	if (r == 0 && tree_faulted(m->snapshot->layers[m->range.layer].tree))
		r = -EIO;
	return r;
}

static int
fold_ranges(struct matching *m, struct sweep *sweep, void *acc)
{
	const struct sweep_range *range;
	uint32_t n = sweep_ranges(sweep, &range);
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		m->range = range[i];
		r = fold_range(m, acc);
	}
	return r;
}

static int
fold_columns(struct matching *m, void *acc)
{
	unsigned n_workers = m->opts->compute ? par_width(m->opts->compute) : 1;
	struct dupe_set *dupes = NULL;
	struct sweep *sweep = NULL;
	int r = eval_create(m->query, m->snapshot, n_workers, &m->eval);

	if (r == 0 && m->query->has_dupe)
		r = dupe_set_create(m->snapshot, m->opts, &dupes);
	if (r == 0)
		r = sweep_open(m->eval, m->opts, &sweep);
	if (r == 0) {
		m->eval->dupes = dupes;
		r = fold_ranges(m, sweep, acc);
	}
	if (dupes)
		dupe_add_stats(&dupes->stats, m->stats);
	sweep_close(sweep);
	eval_destroy(m->eval);
	dupe_set_destroy(dupes);
	return r;
}

/* Answers come in the order of the index, so those of one chunk come together. */
static int
fold_answers(struct matching *m, struct cursor *c, void *acc)
{
	struct bits bits = {0};
	uint32_t layer = 0, lo = 0;
	struct hit hit;
	int r, e = 0;

	while (e == 0 && (r = cursor_next(c, &hit)) == 1) {
		if (hit.layer != layer || hit.entry < lo || hit.entry - lo >= EVAL_CHUNK) {
			e = add_bits(m, acc, layer, lo, &bits);
			bits = (struct bits){0};
			layer = hit.layer;
			lo = hit.entry / EVAL_CHUNK * EVAL_CHUNK;
		}
		bits_set(&bits, hit.entry - lo);
	}
	if (e == 0)
		e = r;
	return e == 0 ? add_bits(m, acc, layer, lo, &bits) : e;
}

static int
fold_contents(struct matching *m, void *acc)
{
	struct cursor_opts opts = {
		.deadline = m->opts->deadline,
		.stop = m->opts->stop,
		.compute = m->opts->compute,
		.io = m->opts->io,
		.hashes = m->opts->hashes,
	};
	struct cursor *c;
	int r = cursor_open(m->query, m->snapshot, &opts, &c, NULL);

	if (r < 0)
		return r;
	r = fold_answers(m, c, acc);
	cursor_get_stats(c, m->stats);
	cursor_close(c);
	return r;
}

int
match_all(struct query *q, struct snapshot *s, const struct cursor_opts *opts,
	const struct match_fold *fold, void *ctx, void *ret_acc, struct cursor_stats *ret_stats)
{
	struct matching m = {.query = q,
		.snapshot = s,
		.opts = opts,
		.fold = fold,
		.ctx = ctx,
		.stats = ret_stats};
	int r;

	*ret_stats = (struct cursor_stats){0};
	fold->init(ret_acc, ctx);
	r = query_has_content(q) ? fold_contents(&m, ret_acc) : fold_columns(&m, ret_acc);
	if (r < 0)
		drop_acc(ret_acc, &m);
	return r;
}
