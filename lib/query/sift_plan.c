#include "query/sift_impl.h"

#include <dirent.h>

#include "query/sweep.h"

/* These are read in the time that it takes to decode long lists. */
#define SIFT_FEW_BYTES ((uint64_t)4 << 20)

struct amount {
	uint64_t n, bytes;
	uint64_t n_large, large_bytes; /* of them: over SIFT_PENDING_LARGE */
};

static bool
is_few(const struct amount *p)
{
	return p->n <= SIFT_PENDING_FILES && p->bytes <= SIFT_PENDING_BYTES;
}

static bool
is_few_small(const struct amount *p)
{
	return p->n - p->n_large <= SIFT_PENDING_FILES &&
	       p->bytes - p->large_bytes <= SIFT_PENDING_BYTES;
}

static void
add_unknown(const struct tree_stack *stack, struct amount *sum)
{
	for (uint32_t i = 0; i < stack->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(stack, i);
		struct tree_sum s;

		tree_sum(c, 0, c->n_entries, &s);
		sum->n += c->n_entries;
		sum->bytes += s.size;
	}
}

/* At most so much is pending, in all roots together. */
static struct amount
bound_all(const struct snapshot *s)
{
	struct amount sum = {0};

	for (uint32_t i = 0; i < s->n_roots; i++) {
		const struct snap_root *r = &s->roots[i];

		if (r->content != SNAP_CONTENT_INDEX || !r->stack)
			continue;
		if (!r->view) {
			add_unknown(r->stack, &sum);
			continue;
		}
		sum.n += r->view->sums.n_pending;
		sum.bytes += r->view->sums.pending_bytes;
	}
	return sum;
}

static void
add_file(struct amount *sum, uint64_t bytes)
{
	bool large = bytes > SIFT_PENDING_LARGE;

	sum->n++;
	sum->bytes += bytes;
	sum->n_large += large;
	sum->large_bytes += large ? bytes : 0;
}

/* Of the entries that were found, those whose contents are not known, or all. */
static void
count_chunk(const struct sift *f, uint32_t layer, uint32_t lo, const struct bits *bits,
	struct amount *sum)
{
	const struct snap_layer *l = &f->snapshot->layers[layer];
	const struct tree_cols *c = snapshot_cols(f->snapshot, layer);
	bool indexed = f->snapshot->roots[l->root].content == SNAP_CONTENT_INDEX;

	for (uint32_t i = bits_next(bits, 0); i < EVAL_CHUNK; i = bits_next(bits, i + 1)) {
		bool pending = !l->map || l->map->content[lo + i] == TEXT_PENDING;

		if (f->plan == SIFT_PLAN_PENDING && (!indexed || !pending))
			continue;
		if (tree_type(c, lo + i) != DT_REG)
			continue;
		add_file(sum, sift_bytes(c, lo + i));
	}
}

/* What the rest of the question leaves of them, as far as `max` files. */
static int
count_admitted(struct sift *f, const struct eval *like, uint64_t max, struct amount *sum)
{
	struct eval *e;
	struct sweep *sweep = NULL;
	const struct bits *bits;
	uint32_t layer, lo;
	int r = eval_create(f->query, f->snapshot, like->n_workers, &e);

	if (r < 0)
		return r;
	e->dupes = like->dupes;
	e->sift = f;
	r = sweep_open(e, f->opts, &sweep);
	while (r == 0 && sum->n <= max && (r = sweep_next_chunk(sweep, &layer, &lo, &bits)) == 1) {
		count_chunk(f, layer, lo, bits, sum);
		r = 0;
	}
	sweep_close(sweep);
	eval_destroy(e);
	return r;
}

static bool
any_sieve(const struct sift *f)
{
	bool any = false;

	for (uint32_t i = 0; i < f->n; i++)
		any = any || f->is_sieve[i];
	return any;
}

/* Does the question ask for something besides contents, of all answers? */
static bool
has_rest(const struct node *root)
{
	bool any = false;

	for (uint32_t i = 0; root->term == TERM_AND && i < root->n_child; i++)
		any = any || !root->child[i]->content;
	return any || (root->term >= TERM_TEXT && !root->content);
}

/* Is one document in 16 on the shortest list that must be decoded? */
static bool
is_dense(const struct sift *f)
{
	uint64_t sum = 0, n_docs = 0;

	for (uint32_t i = 0; i < f->snapshot->n_roots; i++) {
		unsigned kind = f->root[i].kind;
		const struct sift_need *need =
			kind > 0 ? &f->needs[kind - GRAM_MIN].need[f->n - 1] : NULL;
		const struct text_set *set = need ? f->snapshot->roots[i].view->set : NULL;

		for (uint32_t k = 0; need && need->node && k < set->n; k++) {
			const struct text_cols *c = text_cols(set->text[k]);

			sum += text_eval_estimate(c, need->node, c->n_live / 16);
			n_docs += c->n_live;
		}
	}
	return sum > n_docs / 16;
}

static int
plan_pending(struct sift *f, const struct eval *e)
{
	struct amount sum = bound_all(f->snapshot);
	int r;

	f->plan = SIFT_PLAN_READ;
	if (is_few(&sum))
		return 0;
	sum = (struct amount){0};
	f->plan = SIFT_PLAN_PENDING;
	r = count_admitted(f, e, UINT64_MAX, &sum);
	f->plan = is_few(&sum)         ? SIFT_PLAN_READ
	          : is_few_small(&sum) ? SIFT_PLAN_SMALL
	                               : SIFT_PLAN_LEFT_OUT;
	f->n_left_out = f->plan == SIFT_PLAN_READ    ? 0
	                : f->plan == SIFT_PLAN_SMALL ? sum.n_large
	                                             : sum.n;
	return r;
}

static int
make_plan(struct sift *f, const struct eval *e)
{
	struct amount sum = {0};
	int r = 0;

	if (!any_sieve(f)) /* nothing is left out */
		return 0;
	if (has_rest(f->query->root) && is_dense(f)) {
		f->plan = SIFT_PLAN_ALL;
		r = count_admitted(f, e, SIFT_FEW, &sum);
		if (r == 0 && sum.n <= SIFT_FEW && sum.bytes <= SIFT_FEW_BYTES)
			return 0;
	}
	return r < 0 ? r : plan_pending(f, e);
}

int
sift_plan(struct sift *f, const struct eval *e)
{
	int r = make_plan(f, e);

	f->planned = r == 0;
	return r;
}

bool
query_may_miss(const struct query *q, const struct snapshot *s)
{
	struct amount sum = {0};

	if (q->root->content)
		sum = bound_all(s);
	return !is_few(&sum);
}

uint64_t
sift_n_left_out(const struct sift *f)
{
	return f->n_left_out;
}
