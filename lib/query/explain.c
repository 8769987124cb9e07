#include "query/explain.h"

#include <errno.h>

#include "query/sift.h"

#define N_PIECES 32u

/* What is asked for estimates, piece by piece. */
struct sample {
	struct eval *eval;
	const struct explain *x;
	uint64_t n_numbers; /* of entries in the ranges, dead ones too */
};

static void
forget_step(struct explain_step *step)
{
	free(step->text);
	free(step->grams);
}

void
explain_destroy(struct explain *x)
{
	if (!x)
		return;
	for (uint32_t i = 0; i < x->n_steps; i++)
		forget_step(&x->step[i]);
	forget_step(&x->grep);
	free(x->step);
	free(x->range);
	free(x->cost.leaf);
	free(x);
}

static uint32_t
count_nodes(const struct node *n)
{
	uint32_t sum = 1;

	for (uint32_t i = 0; i < n->n_child; i++)
		sum += count_nodes(n->child[i]);
	return sum;
}

static bool
is_leaf(const struct node *n)
{
	return n->term >= TERM_TEXT;
}

/* How many entries of [lo, lo + len) of the bound layer the leaf may take, of how many that count.
 */
static int
count_piece(const struct sample *s, const struct node *n, uint32_t lo, uint32_t len, uint64_t *sum,
	uint64_t *n_asked)
{
	struct bits want, got;
	int r;

	eval_live(s->eval, lo, len, &want);
	r = eval_part(s->eval, 0, n, lo, len, &want, &got);
	*sum += r < 0 ? 0 : bits_count(&got);
	*n_asked += bits_count(&want);
	return r;
}

/* Of a range that is small, or that arithmetic decides: every entry. */
static int
count_range(const struct sample *s, const struct node *n, const struct sweep_range *range,
	uint64_t *sum)
{
	uint64_t unused = 0;
	int r = eval_bind(s->eval, range->layer);

	for (uint64_t lo = range->lo; lo < range->hi && r == 0; lo += EVAL_CHUNK)
		r = count_piece(s, n, (uint32_t)lo, (uint32_t)MIN(EVAL_CHUNK, range->hi - lo), sum,
			&unused);
	return r;
}

/* Blocks of which one in `every` is asked, over all ranges as if they were one. */
static int
count_sample(const struct sample *s, const struct node *n, uint64_t *sum, uint64_t *n_asked)
{
	uint64_t every = s->n_numbers / N_PIECES, next = every / 2, before = 0;
	int r = 0;

	for (uint32_t i = 0; i < s->x->n_ranges && r == 0; i++) {
		const struct sweep_range *range = &s->x->range[i];
		uint64_t len = range->hi - range->lo;

		if (next < before + len)
			r = eval_bind(s->eval, range->layer);
		for (; next < before + len && r == 0; next += every) {
			uint32_t lo = range->lo + (uint32_t)(next - before);
			uint32_t piece = MIN(TREE_BLOCK, range->hi - lo);

			r = count_piece(s, n, lo, piece, sum, n_asked);
		}
		before += len;
	}
	return r;
}

/* 1: the index of contents tells. As sift_explain(). */
static int
ask_contents(const struct snapshot *s, const struct node *n, const struct cursor_opts *opts,
	struct explain_step *step)
{
	struct sift_report report = {0};
	int r = sift_explain(s, n, opts, &report);

	if (r == 1) {
		step->estimated = true;
		step->estimate = report.n_files;
		step->grams_estimate = report.estimate;
		step->n_docs = report.n_docs;
		step->grams = strbuf_take(&report.grams);
	}
	strbuf_fini(&report.grams);
	return r == 1 && !step->grams ? -ENOMEM : r;
}

static int
estimate(const struct sample *s, const struct node *n, struct explain_step *step)
{
	bool by_arithmetic = n->term == TERM_IN || n->term == TERM_ROOT;
	uint64_t sum = 0, n_asked = 0;
	int r = n->term == TERM_CONTENT ? ask_contents(s->eval->snapshot, n, NULL, step) : 0;

	step->exact = n->term != TERM_CONTENT;
	step->estimated = n->term != TERM_DUPE;
	if (!step->estimated || r != 0)
		return MIN(r, 0);
	if (by_arithmetic || s->n_numbers <= 2ull * N_PIECES * TREE_BLOCK) {
		for (uint32_t i = 0; i < s->x->n_ranges && r == 0; i++)
			r = count_range(s, n, &s->x->range[i], &sum);
		step->estimate = sum;
		return r;
	}
	r = count_sample(s, n, &sum, &n_asked);
	step->exact = false;
	if (r == 0 && n_asked > 0)
		step->estimate =
			(uint64_t)((double)sum / (double)n_asked * (double)s->x->n_entries + 0.5);
	return r;
}

static const char *
group_word(enum term t)
{
	return t == TERM_AND ? "and" : t == TERM_OR ? "or" : t == TERM_NOT ? "not" : NULL;
}

/* The child that eval asks i-th: one may be so rare in this layer that it goes first. */
static const struct node *
child_at(const struct sample *s, const struct node *n, uint32_t i)
{
	bool chosen = n->term == TERM_AND && s->eval->first;
	const struct node *first = chosen ? s->eval->first[n->leaf] : NULL;
	uint32_t at = 0;

	if (!first)
		return n->order[i];
	while (n->order[at] != first)
		at++;
	return i == 0 ? first : n->order[i <= at ? i - 1 : i];
}

/* Recursion is bounded by QUERY_MAX_DEPTH. */
static int
add_steps(struct explain *x, const struct sample *s, const struct node *n, uint32_t depth)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct explain_step *step = &x->step[x->n_steps];
	int r = group_word(n->term) ? strbuf_puts(&text, group_word(n->term))
	                            : node_print(n, &text);

	if (r < 0)
		return r;
	*step = (struct explain_step){
		.depth = depth, .leaf = is_leaf(n), .rank = n->cost, .text = strbuf_take(&text)};
	if (!step->text)
		return -ENOMEM;
	x->n_steps++;
	if (step->leaf && x->ran)
		step->cost = x->cost.leaf[n->leaf];
	if (step->leaf)
		r = estimate(s, n, step);
	for (uint32_t i = 0; i < n->n_child && r == 0; i++)
		r = add_steps(x, s, child_at(s, n, i), depth + 1);
	return r;
}

static int
make_steps(struct explain *x, const struct query *q, const struct snapshot *s)
{
	struct sample sample = {.x = x};
	int r;

	x->step = calloc(count_nodes(q->root), sizeof(*x->step));
	if (!x->step)
		return -ENOMEM;
	r = eval_create(q, s, 1, &sample.eval);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < x->n_ranges; i++)
		sample.n_numbers += x->range[i].hi - x->range[i].lo;
	if (x->n_ranges > 0)
		r = eval_bind(sample.eval, x->range[0].layer);
	if (r == 0)
		r = add_steps(x, &sample, q->root, 0);
	eval_destroy(sample.eval);
	return r;
}

/* "(grep foo bar)" */
static int
make_grep(struct explain *x, const struct snapshot *s, const struct cursor_opts *opts)
{
	AUTO(strbuf_fini) struct strbuf text = {0};

	if (!opts->grep)
		return 0;
	(void)strbuf_puts(&text, opts->invert ? "(grep -v" : "(grep");
	for (size_t i = 0; i < pattern_n_texts(opts->grep); i++) {
		(void)strbuf_putc(&text, ' ');
		(void)strbuf_span(&text, pattern_text(opts->grep, i));
	}
	(void)strbuf_putc(&text, ')');
	x->grep.text = strbuf_take(&text);
	return x->grep.text ? ask_contents(s, NULL, opts, &x->grep) : -ENOMEM;
}

static int
copy_ranges(struct explain *x, const struct cursor *c)
{
	const struct snapshot *s = cursor_snapshot(c);
	const struct sweep_range *range;

	x->n_ranges = cursor_ranges(c, &range);
	x->range = calloc(x->n_ranges + 1, sizeof(*x->range));
	if (!x->range)
		return -ENOMEM;
	for (uint32_t i = 0; i < x->n_ranges; i++) {
		x->range[i] = range[i];
		x->n_entries += snapshot_count(s, range[i].layer, range[i].lo, range[i].hi);
	}
	for (uint32_t i = 0; i < s->n_roots; i++)
		x->n_all += s->roots[i].stack ? s->roots[i].stack->n_entries : 0;
	return 0;
}

static int
run(struct explain *x, struct cursor *c)
{
	uint64_t began = clock_mono_ns();
	struct hit hit;
	int r;

	while ((r = cursor_next(c, &hit)) > 0)
		;
	x->nsec = clock_mono_ns() - began;
	cursor_get_stats(c, &x->stats);
	if (r == 0)
		r = cursor_get_cost(c, &x->cost);
	x->ran = r == 0;
	return r;
}

int
explain_create(struct query *q, struct snapshot *s, const struct cursor_opts *opts, bool with_run,
	struct explain **ret, struct err *err)
{
	struct cursor_opts traced = *opts;
	struct explain *x = calloc(1, sizeof(*x));
	struct cursor *c;
	int r;

	if (!x)
		return err_set(err, -ENOMEM, "out of memory");
	traced.trace = with_run;
	x->content = query_has_content(q);
	r = cursor_open(q, s, &traced, &c, err);
	if (r == 0) {
		(void)((r = copy_ranges(x, c)) < 0 || (with_run && (r = run(x, c)) < 0) ||
			(r = make_steps(x, q, s)) < 0 || (r = make_grep(x, s, opts)) < 0);
		cursor_close(c);
	}
	if (r < 0) {
		explain_destroy(x);
		return r;
	}
	*ret = x;
	return 0;
}
