#include "query/sift_impl.h"

#include <dirent.h>

#include "query/sweep.h"

struct pending {
	uint64_t n, bytes;
};

static bool
is_few(const struct pending *p)
{
	return p->n <= SIFT_PENDING_FILES && p->bytes <= SIFT_PENDING_BYTES;
}

static void
add_unknown(const struct tree_stack *stack, struct pending *sum)
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
static struct pending
bound_all(const struct snapshot *s)
{
	struct pending sum = {0};

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

/* Of the entries that were found, those whose contents are not known. */
static void
count_chunk(const struct sift *f, uint32_t layer, uint32_t lo, const struct bits *bits,
	struct pending *sum)
{
	const struct snap_layer *l = &f->snapshot->layers[layer];
	const struct tree_cols *c = snapshot_cols(f->snapshot, layer);

	if (f->snapshot->roots[l->root].content != SNAP_CONTENT_INDEX)
		return;
	for (uint32_t i = bits_next(bits, 0); i < EVAL_CHUNK; i = bits_next(bits, i + 1)) {
		bool pending = !l->map || l->map->content[lo + i] == TEXT_PENDING;

		if (!pending || tree_type(c, lo + i) != DT_REG)
			continue;
		sum->n++;
		sum->bytes += tree_size(c, lo + i);
	}
}

/* What the rest of the question leaves of them. */
static int
count_admitted(struct sift *f, const struct eval *like, struct pending *sum)
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
	while (r == 0 && (r = sweep_next_chunk(sweep, &layer, &lo, &bits)) == 1) {
		count_chunk(f, layer, lo, bits, sum);
		r = 0;
	}
	sweep_close(sweep);
	eval_destroy(e);
	return r;
}

int
sift_plan(struct sift *f, const struct eval *e)
{
	struct pending sum = bound_all(f->snapshot);
	bool any = false;
	int r;

	for (uint32_t i = 0; i < f->n; i++)
		any = any || f->is_sieve[i];
	if (!any || is_few(&sum)) /* without a sieve nothing is left out */
		return 0;
	sum = (struct pending){0};
	f->plan = SIFT_PLAN_PENDING;
	r = count_admitted(f, e, &sum);
	f->plan = is_few(&sum) ? SIFT_PLAN_READ : SIFT_PLAN_LEFT_OUT;
	f->n_left_out = is_few(&sum) ? 0 : sum.n;
	return r;
}

uint64_t
sift_n_left_out(const struct sift *f)
{
	return f->n_left_out;
}
