#include "query/sweep.h"

#include <errno.h>

#include "query/halt.h"
#include "sync/par_reduce.h"

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

uint32_t
sweep_ranges(const struct sweep *s, const struct sweep_range **ret)
{
	*ret = s->range;
	return s->n_ranges;
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
	return par_for(s->opts->compute, TASK_QUERY, n_chunks, 1, chunks, s, s->opts->stop);
}

/* 1 the current range is bound and has entries left, 0 there is none any more, or an error. */
static int
bind_range(struct sweep *s)
{
	while (s->at < s->n_ranges) {
		const struct sweep_range *range = &s->range[s->at];

		if (!s->bound) {
			int r = eval_bind(s->eval, range->root);

			if (r < 0)
				return r;
			s->next = range->lo;
			s->bound = true;
		}
		if (s->next < range->hi)
			return 1;
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
		int r = bind_range(s);

		if (r == 1)
			r = fill_window(s);
		else if (r == 0)
			return 0;
		if (r < 0)
			return r;
	}
	*ret_root = s->range[s->at].root;
	*ret_entry = s->lo + s->pos++;
	return 1;
}

static void
count_init(void *acc, void *ctx)
{
	(void)ctx;
	*(uint64_t *)acc = 0;
}

/* Chunks of the current range, the first one at `next`. */
static int
count_fold(void *acc, size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct sweep *s = ctx;
	uint32_t end = s->range[s->at].hi;
	struct bits bits = {0};

	for (; lo < hi; lo++) {
		uint32_t first = s->next + (uint32_t)lo * EVAL_CHUNK;
		uint32_t n = MIN(EVAL_CHUNK, end - first);
		int r = query_poll(s->opts);

		if (r == 0)
			r = eval_chunk(s->eval, worker, first, n, &bits);
		if (r < 0)
			return r;
		for (uint32_t i = 0; i < n; i += 64)
			*(uint64_t *)acc += (uint64_t)__builtin_popcountll(bits.word[i / 64]);
	}
	return 0;
}

static int
count_merge(void *acc, void *later, void *ctx)
{
	(void)ctx;
	*(uint64_t *)acc += *(uint64_t *)later;
	return 0;
}

static int
count_range(struct sweep *s, uint64_t *ret)
{
	static const struct par_reduction op = {
		sizeof(uint64_t), count_init, count_fold, count_merge, NULL, 0};
	uint32_t end = s->range[s->at].hi;
	size_t n_chunks = (end - s->next - 1) / EVAL_CHUNK + 1;
	int r = par_reduce(s->opts->compute, TASK_QUERY, n_chunks, 1, &op, s, s->opts->stop, ret);

	s->next = end;
	return r;
}

int
sweep_count_rest(struct sweep *s, uint64_t *ret)
{
	const uint64_t *word = s->window[0].word;
	uint64_t n = 0, n_range;
	int r;

	for (; s->pos < s->n; s->pos = (s->pos / 64 + 1) * 64)
		n += (uint64_t)__builtin_popcountll(word[s->pos / 64] >> (s->pos % 64));
	while ((r = bind_range(s)) == 1) {
		r = count_range(s, &n_range);
		if (r < 0)
			return r;
		n += n_range;
	}
	*ret = n;
	return r;
}
