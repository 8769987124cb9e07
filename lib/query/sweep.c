#include "query/sweep.h"

#include <errno.h>

#include "sync/par.h"

struct sweep_range {
	uint32_t root, lo, hi;
};

struct sweep {
	/* Fixed at open. */
	struct eval *eval;
	const struct cursor_opts *opts;
	struct sweep_range *range; /* [n_ranges], in order, none empty */
	uint32_t n_ranges;

	/* Where it is: entries of range[at] below `next` have been evaluated; those of the window
	 * [lo, lo + n) below lo + pos have been given. */
	uint32_t at, next;
	uint32_t lo, n, pos;
	uint32_t window_chunks; /* of the next window */
	bool bound;             /* eval looks at the root of range[at] */
	struct bits window[SWEEP_MAX_CHUNKS];
};

int
query_poll(const struct cursor_opts *opts)
{
	if (stop_requested(opts->stop))
		return -ECANCELED;
	if (opts->deadline != USEC_NEVER && clock_mono() >= opts->deadline)
		return -ETIMEDOUT;
	return 0;
}

/* Cut the range by one term that must hold for every answer. */
static void
cut_range(const struct snapshot *s, const struct node *n, struct sweep_range *r)
{
	uint32_t lo, hi;

	if (n->term == TERM_ROOT && !span_eq(n->where, span_of(s->roots[r->root].name)))
		r->hi = 0;
	if (n->term != TERM_IN)
		return;
	eval_where(s, r->root, n->where, &lo, &hi);
	r->lo = MAX(r->lo, lo);
	r->hi = MIN(r->hi, hi);
}

static int
make_ranges(struct sweep *s)
{
	const struct snapshot *snap = s->eval->snapshot;
	const struct node *top = s->eval->query->root;

	s->range = calloc(snap->n_roots + 1, sizeof(*s->range));
	if (!s->range)
		return -ENOMEM;
	for (uint32_t i = 0; i < snap->n_roots; i++) {
		struct sweep_range r = {.root = i};

		if (!snap->roots[i].tree)
			continue;
		r.hi = tree_cols(snap->roots[i].tree)->n_entries;
		cut_range(snap, top, &r);
		for (uint32_t k = 0; top->term == TERM_AND && k < top->n_child; k++)
			cut_range(snap, top->child[k], &r);
		if (r.lo < r.hi)
			s->range[s->n_ranges++] = r;
	}
	if (s->n_ranges > 0)
		s->next = s->range[0].lo;
	return 0;
}

int
sweep_open(struct eval *e, const struct cursor_opts *opts, struct sweep **ret)
{
	struct sweep *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->eval = e;
	s->opts = opts;
	s->window_chunks = 1;
	r = make_ranges(s);
	if (r < 0) {
		sweep_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void
sweep_close(struct sweep *s)
{
	if (!s)
		return;
	free(s->range);
	free(s);
}

static int
chunks(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct sweep *s = ctx;

	for (size_t i = lo; i < hi; i++) {
		uint32_t first = (uint32_t)i * EVAL_CHUNK;
		int r = query_poll(s->opts);

		if (r == 0)
			r = eval_chunk(s->eval, worker, s->lo + first,
				MIN(EVAL_CHUNK, s->n - first), &s->window[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Evaluate the next window of the current range. */
static int
fill_window(struct sweep *s)
{
	const struct sweep_range *range = &s->range[s->at];
	size_t n_chunks;

	s->lo = s->next;
	s->n = MIN(range->hi - s->lo, s->window_chunks * EVAL_CHUNK);
	s->pos = 0;
	s->next = s->lo + s->n;
	s->window_chunks = MIN(s->window_chunks * 2, SWEEP_MAX_CHUNKS);
	n_chunks = (s->n + EVAL_CHUNK - 1) / EVAL_CHUNK;
	if (n_chunks < SWEEP_PAR_CHUNKS || !s->opts->compute)
		return chunks(0, n_chunks, 0, s);
	return par_for(s->opts->compute, TASK_QUERY, n_chunks, 2, chunks, s, s->opts->stop);
}

/* 1 a window is filled, 0 nothing is left, or an error. */
static int
next_window(struct sweep *s)
{
	int r = 0;

	while (s->at < s->n_ranges) {
		const struct sweep_range *range = &s->range[s->at];

		if (!s->bound) {
			s->next = range->lo;
			r = eval_bind(s->eval, range->root);
			if (r < 0)
				return r;
			s->bound = true;
		}
		if (s->next < range->hi) {
			r = fill_window(s);
			return r < 0 ? r : 1;
		}
		/* Pages that the disk could not give were zeros. */
		if (tree_faulted(s->eval->snapshot->roots[range->root].tree))
			return -EIO;
		s->at++;
		s->bound = false;
	}
	return 0;
}

/* The first set bit of the window at or after pos; false: none. */
static bool
window_next(struct sweep *s)
{
	const uint64_t *word = s->window[0].word;

	while (s->pos < s->n) {
		/* Chunks follow each other in memory, and each is full but the last. */
		uint64_t left = word[s->pos / 64] >> (s->pos % 64);

		if (left) {
			s->pos += (uint32_t)__builtin_ctzll(left);
			return true;
		}
		s->pos = (s->pos / 64 + 1) * 64;
	}
	return false;
}

int
sweep_next(struct sweep *s, uint32_t *ret_root, uint32_t *ret_entry)
{
	while (!window_next(s)) {
		int r = next_window(s);

		if (r <= 0)
			return r;
	}
	*ret_root = s->range[s->at].root;
	*ret_entry = s->lo + s->pos++;
	return 1;
}

int
sweep_count_rest(struct sweep *s, uint64_t *ret)
{
	const uint64_t *word = s->window[0].word;
	uint64_t n = 0;
	int r;

	do {
		for (; s->pos < s->n; s->pos = (s->pos / 64 + 1) * 64)
			n += (uint64_t)__builtin_popcountll(word[s->pos / 64] >> (s->pos % 64));
		r = next_window(s);
	} while (r > 0);
	*ret = n;
	return r;
}
