#include "query/expr.h"

#include <errno.h>

#include "query/dupe.h"
#include "query/entry_set.h"
#include "query/ranking.h"
#include "query/sift.h"
#include "query/sort.h"
#include "query/sweep.h"
#include "query/verify.h"
#include "sync/par.h"

enum cursor_state {
	CURSOR_NEW,     /* nothing computed yet */
	CURSOR_RUNNING, /* answers may follow */
	CURSOR_ENDED,   /* the end or an error was given; `result` is given again */
};

struct cursor {
	/* Fixed at open. */
	struct query *query;       /* a reference */
	struct snapshot *snapshot; /* a reference */
	struct cursor_opts opts;

	/* The stages, each asking the one above: sweep -> sort or rank -> verify -> rank. */
	struct eval *eval;
	struct dupe_set *dupes;
	struct sift *sift; /* NULL: no contents are read */
	struct sweep *sweep;
	struct sorter *sorter; /* NULL: entry order, or ranked */
	struct rank *rank;     /* NULL unless opts.rank and there is no sort */
	struct verify *verify; /* NULL: no contents are read */

	enum cursor_state state;
	int result;
	uint64_t n_passed;     /* answers left out before the offset */
	uint32_t layer, entry; /* of the last answer given */
	struct cursor_stats stats;
};

int
cursor_open(struct query *q, struct snapshot *s, const struct cursor_opts *opts,
	struct cursor **ret, struct err *err)
{
	unsigned n_workers = 1;
	struct cursor *c;
	int r;

	if (opts->n_sort > QUERY_MAX_SORT_KEYS)
		return err_set(err, -EINVAL, "more than %u sort keys", QUERY_MAX_SORT_KEYS);
	if (opts->only && opts->n_sort > 0)
		return err_set(err, -EINVAL, "given entries are not sorted");
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, -ENOMEM, "out of memory");
	c->query = query_ref(q);
	c->snapshot = snapshot_ref(s);
	c->opts = *opts;
	/* What counts single lines has them one by one. */
	c->opts.blocks = opts->blocks && opts->limit == 0 && opts->offset == 0 && !opts->rank;
	if (opts->compute)
		n_workers = MAX(n_workers, par_width(opts->compute));
	if (opts->io)
		n_workers = MAX(n_workers, par_width(opts->io));
	r = eval_create(q, s, n_workers, &c->eval);
	if (r == 0 && opts->trace)
		r = eval_trace(c->eval);
	if (r == 0)
		r = sweep_open(c->eval, &c->opts, &c->sweep);
	if (r < 0) {
		cursor_close(c);
		return err_set(err, r, "out of memory");
	}
	*ret = c;
	return 0;
}

void
cursor_close(struct cursor *c)
{
	if (!c)
		return;
	verify_destroy(c->verify);
	sorter_destroy(c->sorter);
	rank_destroy(c->rank);
	sweep_close(c->sweep);
	eval_destroy(c->eval);
	sift_destroy(c->sift);
	dupe_set_destroy(c->dupes);
	snapshot_unref(c->snapshot);
	query_unref(c->query);
	free(c);
}

const struct snapshot *
cursor_snapshot(const struct cursor *c)
{
	return c->snapshot;
}

/* Everything through the sorter before the first answer. */
static int
sort_all(struct cursor *c)
{
	/* Candidates may fail the verification: then no bound is known. */
	uint64_t keep = 0;
	int r;

	/* One more than is given tells whether there are more. Of a sum that overflows: all. */
	if (!c->verify && c->opts.limit > 0 &&
		(__builtin_add_overflow(c->opts.offset, c->opts.limit, &keep) || ++keep == 0))
		keep = 0;
	r = sorter_create(c->snapshot, &c->opts, keep, &c->sorter);
	if (r == 0)
		r = sorter_gather(c->sorter, c->eval, c->sweep);
	return r < 0 ? r : sorter_finish(c->sorter);
}

static int
next_candidate(void *ctx, uint32_t *ret_layer, uint32_t *ret_entry)
{
	struct cursor *c = ctx;

	if (c->sorter)
		return sorter_next(c->sorter, ret_layer, ret_entry);
	if (c->rank)
		return rank_next(c->rank, ret_layer, ret_entry);
	return sweep_next(c->sweep, ret_layer, ret_entry);
}

/* What names are held against: the pattern of the grep, or the first content term's. */
static const struct pattern *
pattern_of_names(const struct cursor_opts *opts, const struct node *n)
{
	const struct pattern *p = opts->grep;

	if (p || n->term == TERM_NOT)
		return p;
	if (n->term == TERM_CONTENT)
		return n->text.pattern;
	for (uint32_t i = 0; i < n->n_child && !p; i++)
		p = pattern_of_names(opts, n->child[i]);
	return p;
}

/* So few given entries are read sooner than grams are asked about everybody's contents. */
#define FEW_GIVEN 256u

static int
start_contents(struct cursor *c)
{
	int r = 0;

	if (c->opts.only && entry_set_count(c->opts.only) <= FEW_GIVEN)
		return verify_create(c->eval, &c->opts, next_candidate, c, &c->verify);
	r = sift_create(c->query, c->snapshot, &c->opts, &c->sift);
	if (r == 0)
		r = sift_plan(c->sift, c->eval);
	c->eval->sift = c->sift;
	return r < 0 ? r : verify_create(c->eval, &c->opts, next_candidate, c, &c->verify);
}

static int
start(struct cursor *c)
{
	int r = 0;

	c->state = CURSOR_RUNNING;
	if (c->query->has_dupe) {
		r = dupe_set_create(c->snapshot, &c->opts, &c->dupes);
		c->eval->dupes = c->dupes;
	}
	if (r == 0 && !c->opts.blind && (c->opts.grep || c->query->root->content))
		r = start_contents(c);
	if (r == 0 && c->opts.n_sort > 0)
		r = sort_all(c);
	else if (r == 0 && (c->opts.rank == RANK_ALWAYS || (c->opts.rank && c->verify)))
		r = rank_create(c->snapshot, pattern_of_names(&c->opts, c->query->root), c->sweep,
			&c->rank);
	return r;
}

static int
next_answer(struct cursor *c, struct hit *ret)
{
	if (c->verify && c->rank && cursor_gives_lines(&c->opts))
		return rank_next_hit(c->rank, c->verify, &c->opts, ret);
	if (c->verify)
		return verify_next(c->verify, ret);
	return next_candidate(c, &ret->layer, &ret->entry);
}

static int
count_rest(struct cursor *c, uint64_t *ret)
{
	int r = c->verify ? verify_count_rest(c->verify, ret) : sweep_count_rest(c->sweep, ret);

	if (r == 0 && c->rank)
		*ret += c->verify ? rank_hits_left(c->rank) : rank_left(c->rank);
	return r;
}

/* The limit is reached and one more answer was seen. */
static int
end_at_limit(struct cursor *c)
{
	uint64_t rest = 0;
	int r = 0;

	c->stats.more = true;
	c->stats.total = c->n_passed + c->stats.n + 1;
	if (c->sorter && !c->verify) {
		c->stats.total = sorter_added(c->sorter);
		c->stats.total_exact = sorter_saw_all(c->sorter);
	} else if (c->opts.count_exact) {
		r = count_rest(c, &rest);
		c->stats.total += rest;
		c->stats.total_exact = r == 0;
	}
	return r;
}

static int
end_of_answers(struct cursor *c)
{
	c->stats.total = c->n_passed + c->stats.n;
	c->stats.total_exact = true;
	return snapshot_faulted(c->snapshot) ? -EIO : 0;
}

/* Is a line of context to be given: before a line that will be given, or after one that was? */
static bool
context_wanted(const struct cursor *c, const struct hit *hit)
{
	bool full = c->opts.limit > 0 && c->stats.n == c->opts.limit;

	if (c->n_passed < c->opts.offset)
		return false;
	return hit->before ? !full : c->stats.n > 0;
}

static void
count_answer(struct cursor *c, const struct hit *hit)
{
	if (c->opts.grep && (c->stats.n == 0 || hit->layer != c->layer || hit->entry != c->entry))
		c->stats.n_files++;
	c->layer = hit->layer;
	c->entry = hit->entry;
	c->stats.n += MAX(hit->n_lines, 1u);
}

/* One step: 1 an answer to give, 0 the end, 2 one that is passed over. */
static int
step(struct cursor *c, struct hit *ret)
{
	int r = c->state == CURSOR_NEW ? start(c) : 0;

	if (r == 0)
		r = next_answer(c, ret);
	if (r < 0)
		return r;
	if (r == 0)
		return end_of_answers(c);
	if (ret->context)
		return context_wanted(c, ret) ? 1 : 2;
	if (c->n_passed < c->opts.offset) {
		c->n_passed++;
		return 2;
	}
	if (c->opts.limit > 0 && c->stats.n == c->opts.limit)
		return end_at_limit(c);
	count_answer(c, ret);
	return 1;
}

int
cursor_next(struct cursor *c, struct hit *ret)
{
	int r;

	if (c->state == CURSOR_ENDED)
		return c->result;
	ret->context = ret->before = ret->cut_end = false;
	ret->cut = 0;
	ret->n_spans = ret->n_lines = 0;
	do
		r = step(c, ret);
	while (r == 2);
	if (r != 1) {
		c->state = CURSOR_ENDED;
		c->result = r;
	}
	return r;
}

/* Answers come straight from the sweep, and none is passed over or past the limit: how many. */
static uint32_t
n_straight(const struct cursor *c, uint32_t n)
{
	if (c->state != CURSOR_RUNNING || c->verify || c->sorter || c->rank ||
		c->n_passed < c->opts.offset)
		return 0;
	return c->opts.limit > 0 ? (uint32_t)MIN(n, c->opts.limit - c->stats.n) : n;
}

int
cursor_next_entries(struct cursor *c, uint32_t *ret_layer, uint32_t *ret_entry, uint32_t n)
{
	uint32_t straight = n_straight(c, n);
	struct hit hit;
	int r;

	assert(!c->opts.grep);
	if (straight > 0) {
		r = sweep_next_some(c->sweep, ret_layer, ret_entry, straight);
		c->stats.n += (uint64_t)MAX(r, 0);
		if (r < 0) { /* asked again, the sweep would go on behind what it could not do */
			c->state = CURSOR_ENDED;
			c->result = r;
		}
		if (r != 0)
			return r;
	}
	r = cursor_next(c, &hit);
	if (r == 1) {
		*ret_layer = hit.layer;
		*ret_entry = hit.entry;
	}
	return r;
}

void
cursor_get_stats(const struct cursor *c, struct cursor_stats *ret)
{
	*ret = c->stats;
	if (c->verify)
		verify_get_stats(c->verify, ret);
	if (c->sift) {
		ret->skipped.pending += sift_n_left_out(c->sift);
		ret->skipped.binary += sift_n_binary(c->sift);
	}
	if (c->dupes)
		dupe_add_stats(&c->dupes->stats, ret);
	if (c->state != CURSOR_ENDED || c->result < 0) {
		ret->total = c->n_passed + c->stats.n;
		ret->total_exact = false;
	}
}

int
cursor_get_cost(const struct cursor *c, struct cursor_cost *ret)
{
	struct leaf_cost *leaf = calloc(c->query->n_leaf + 1, sizeof(*leaf));

	if (!leaf)
		return -ENOMEM;
	*ret = (struct cursor_cost){.leaf = leaf, .sorted = c->sorter != NULL};
	ret->n_threads = eval_get_cost(c->eval, leaf);
	if (c->sorter)
		sorter_get_cost(c->sorter, &ret->sort);
	ret->ranked = c->rank != NULL;
	if (c->rank)
		rank_get_cost(c->rank, &ret->rank);
	return 0;
}

uint32_t
cursor_ranges(const struct cursor *c, const struct sweep_range **ret)
{
	return sweep_ranges(c->sweep, ret);
}
