#include "query/verify.h"

#include <errno.h>
#include <sys/stat.h>

#include "query/content.h"
#include "query/grep.h"
#include "query/sweep.h"
#include "sync/par.h"

#define VERIFY_BATCH_FIRST 64u
#define VERIFY_BATCH_MAX 1024u
/** Neighbours in the batch are mostly in one directory: let one worker have them. */
#define VERIFY_GRAIN 8u

enum tri { TRI_NO, TRI_YES, TRI_UNKNOWN };

/* One entry and what was found. */
struct candidate {
	uint32_t root, entry;
	bool answer;
	bool read;
	enum content_fate fate;
	uint64_t n_bytes;
	struct grep_lines lines;
};

/* Scratch of one thread. */
struct verify_worker {
	struct content_reader reader;
	struct eval_worker patterns; /* its matchers, for content terms */
	struct matcher *grep;
};

struct verify {
	/* Fixed at create. */
	const struct eval *eval; /* of the sweep; only what does not hang on its root */
	const struct query *query;
	const struct snapshot *snapshot;
	const struct cursor_opts *opts;
	candidate_fn next;
	void *ctx;
	bool lines; /* answers are lines, not entries */

	/* One thread fills; during a batch each candidate and each worker belongs to the thread
	 * that works on it. */
	struct candidate batch[VERIFY_BATCH_MAX];
	uint32_t n_batch, batch_next;
	bool exhausted;            /* no more candidates */
	uint64_t keep;             /* matching lines of a file worth keeping */
	uint32_t at;               /* the candidate that is given next */
	size_t line;               /* its next line */
	struct cursor_stats stats; /* skipped, n_verified, n_bytes_read */
	struct eval **of_root;     /* [n_roots], bound to its root; made when first needed */

	unsigned n_workers;
	struct verify_worker worker[];
};

static uint64_t
lines_to_keep(const struct cursor_opts *opts)
{
	uint64_t n;

	/* One more than will be given tells that there are more. */
	if (opts->limit == 0 || __builtin_add_overflow(opts->offset, opts->limit, &n) ||
		n == UINT64_MAX)
		return UINT64_MAX;
	return n + 1;
}

static int
make_worker(const struct verify *v, struct verify_worker *w)
{
	content_reader_init(&w->reader);
	w->patterns.matcher = calloc(v->query->n_leaf + 1, sizeof(struct matcher *));
	if (!w->patterns.matcher)
		return -ENOMEM;
	return v->opts->grep ? matcher_create(v->opts->grep, &w->grep) : 0;
}

int
verify_create(struct eval *e, const struct cursor_opts *opts, candidate_fn next, void *ctx,
	struct verify **ret)
{
	unsigned n_workers = opts->io ? par_width(opts->io) : 1;
	struct verify *v = calloc(1, sizeof(*v) + n_workers * sizeof(v->worker[0]));
	int r = 0;

	if (!v)
		return -ENOMEM;
	v->eval = e;
	v->query = e->query;
	v->snapshot = e->snapshot;
	v->opts = opts;
	v->next = next;
	v->ctx = ctx;
	v->lines = opts->grep && !opts->files_only;
	v->batch_next = VERIFY_BATCH_FIRST;
	v->keep = lines_to_keep(opts);
	v->of_root = calloc(e->snapshot->n_roots + 1, sizeof(struct eval *));
	if (!v->of_root)
		r = -ENOMEM;
	for (; r == 0 && v->n_workers < n_workers; v->n_workers++)
		r = make_worker(v, &v->worker[v->n_workers]);
	if (r < 0) {
		verify_destroy(v);
		return r;
	}
	*ret = v;
	return 0;
}

static void
drop_batch(struct verify *v)
{
	for (uint32_t i = 0; i < v->n_batch; i++)
		grep_lines_fini(&v->batch[i].lines);
	v->n_batch = 0;
	v->at = 0;
	v->line = 0;
}

void
verify_destroy(struct verify *v)
{
	if (!v)
		return;
	drop_batch(v);
	for (unsigned i = 0; i < v->n_workers; i++) {
		struct verify_worker *w = &v->worker[i];

		for (uint32_t k = 0; w->patterns.matcher && k < v->query->n_leaf; k++)
			matcher_destroy(w->patterns.matcher[k]);
		free(w->patterns.matcher);
		matcher_destroy(w->grep);
		content_reader_fini(&w->reader);
	}
	for (uint32_t i = 0; v->of_root && i < v->snapshot->n_roots; i++)
		eval_destroy(v->of_root[i]);
	free(v->of_root);
	free(v);
}

/* Where a tree is decided for one entry. */
struct trial {
	struct verify *v;
	unsigned worker;
	const struct candidate *c;
	const struct span *text; /* NULL: not read */
};

static int
content_holds(const struct trial *t, const struct node *n)
{
	struct verify_worker *w = &t->v->worker[t->worker];
	struct matcher *m;
	struct match match;
	int r;

	if (!t->text)
		return TRI_UNKNOWN;
	r = eval_matcher(&w->patterns, n, &m);
	if (r == 0)
		r = grep_find(m, *t->text, 0, t->v->opts, &match);
	return r < 0 ? r : r > 0 ? TRI_YES : TRI_NO;
}

static int decide(const struct trial *t, const struct node *n);

/* AND stops at the first "no", OR at the first "yes"; else one "unknown" makes all unknown. */
static int
decide_group(const struct trial *t, const struct node *n, enum tri stop)
{
	enum tri all = stop == TRI_NO ? TRI_YES : TRI_NO;

	for (uint32_t i = 0; i < n->n_child; i++) {
		int r;

		/* What has no content in it was decided when the candidate was found. */
		if (n == t->v->query->root && stop == TRI_NO && !n->order[i]->content)
			continue;
		r = decide(t, n->order[i]);
		if (r < 0 || r == (int)stop)
			return r;
		if (r == TRI_UNKNOWN)
			all = TRI_UNKNOWN;
	}
	return all;
}

/* enum tri or an error. Recursion is bounded by QUERY_MAX_DEPTH. */
static int
decide(const struct trial *t, const struct node *n)
{
	int r;

	if (!n->content) {
		r = eval_entry(t->v->of_root[t->c->root], t->worker, n, t->c->entry);
		return r < 0 ? r : r > 0 ? TRI_YES : TRI_NO;
	}
	switch (n->term) {
	case TERM_AND:
		return decide_group(t, n, TRI_NO);
	case TERM_OR:
		return decide_group(t, n, TRI_YES);
	case TERM_NOT:
		r = decide(t, n->child[0]);
		return r == TRI_YES ? TRI_NO : r == TRI_NO ? TRI_YES : r;
	default:
		return content_holds(t, n);
	}
}

static bool
is_regular(const struct verify *v, const struct candidate *c)
{
	const struct tree_cols *cols = tree_cols(v->snapshot->roots[c->root].tree);

	return S_ISREG(cols->classes[cols->cls[c->entry]].mode);
}

/* The text is at hand: decide, and find lines. */
static int
search_text(struct verify *v, unsigned worker, struct candidate *c, struct span text)
{
	struct trial t = {v, worker, c, &text};
	struct match match;
	int64_t n = 1;
	int r = v->query->root->content ? decide(&t, v->query->root) : TRI_YES;

	if (r < 0 || r != TRI_YES)
		return MIN(r, 0);
	if (v->lines)
		n = grep_text(v->worker[worker].grep, text, v->opts, v->keep, &c->lines);
	else if (v->opts->grep)
		n = grep_find(v->worker[worker].grep, text, 0, v->opts, &match);
	c->answer = n > 0;
	return (int)MIN(n, 0);
}

static int
read_candidate(struct verify *v, unsigned worker, struct candidate *c)
{
	struct content_reader *reader = &v->worker[worker].reader;
	struct span text;
	int r = content_open(reader, v->snapshot, c->root, c->entry, &text, &c->n_bytes);

	if (r < 0)
		return r;
	c->read = true;
	c->fate = (enum content_fate)r;
	if (r != CONTENT_OK)
		return 0;
	r = search_text(v, worker, c, text);
	c->fate = content_close(reader);
	if (r == -EOVERFLOW) {
		c->fate = CONTENT_LIMIT;
		r = 0;
	}
	if (c->fate != CONTENT_OK) {
		c->answer = false;
		grep_lines_fini(&c->lines);
	}
	return r;
}

static int
verify_one(struct verify *v, unsigned worker, struct candidate *c)
{
	struct trial t = {v, worker, c, NULL};
	bool regular = is_regular(v, c);
	struct span nothing = {"", 0};
	int r = TRI_YES;

	/* Without contents a content term is false, not unknown. */
	if (!regular)
		t.text = &nothing;
	if (v->query->root->content)
		r = regular || !v->opts->grep ? decide(&t, v->query->root) : TRI_NO;
	if (r < 0 || r == TRI_NO)
		return MIN(r, 0);
	if (v->opts->grep && !regular)
		return 0;
	if (r == TRI_UNKNOWN || v->opts->grep)
		return read_candidate(v, worker, c);
	c->answer = true;
	return 0;
}

static int
verify_piece(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct verify *v = ctx;

	for (size_t i = lo; i < hi; i++) {
		int r = query_poll(v->opts);

		if (r == 0)
			r = verify_one(v, worker, &v->batch[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
bind_root(struct verify *v, uint32_t root)
{
	struct eval *e = NULL;
	int r;

	if (v->of_root[root])
		return 0;
	r = eval_create(v->query, v->snapshot, v->n_workers, &e);
	if (r == 0)
		r = eval_bind(e, root);
	if (r < 0) {
		eval_destroy(e);
		return r;
	}
	e->dupes = v->eval->dupes;
	v->of_root[root] = e;
	return 0;
}

static int
collect(struct verify *v)
{
	drop_batch(v);
	while (v->n_batch < v->batch_next && !v->exhausted) {
		struct candidate *c = &v->batch[v->n_batch];
		int r;

		*c = (struct candidate){0};
		r = v->next(v->ctx, &c->root, &c->entry);
		if (r == 1 && (r = bind_root(v, c->root)) == 0)
			v->n_batch++;
		else if (r == 0)
			v->exhausted = true;
		if (r < 0)
			return r;
	}
	v->batch_next = MIN(v->batch_next * 2, VERIFY_BATCH_MAX);
	return 0;
}

static void
count_batch(struct verify *v)
{
	struct cursor_stats *s = &v->stats;
	uint64_t *const by_fate[N_CONTENT_FATES] = {
		[CONTENT_BINARY] = &s->skipped.binary,
		[CONTENT_TOO_LARGE] = &s->skipped.too_large,
		[CONTENT_UNREADABLE] = &s->skipped.unreadable,
		[CONTENT_GONE] = &s->skipped.gone,
		[CONTENT_OFF] = &s->skipped.off,
		[CONTENT_LIMIT] = &s->skipped.limit,
	};

	for (uint32_t i = 0; i < v->n_batch; i++) {
		const struct candidate *c = &v->batch[i];

		s->n_verified += c->read;
		s->n_bytes_read += c->n_bytes;
		if (by_fate[c->fate])
			++*by_fate[c->fate];
	}
}

/* 1 a batch is there, 0 nothing is left, or an error. */
static int
next_batch(struct verify *v)
{
	int r = collect(v);

	if (r < 0 || v->n_batch == 0)
		return r;
	if (v->opts->io)
		r = par_for(v->opts->io, TASK_QUERY, v->n_batch, VERIFY_GRAIN, verify_piece, v,
			v->opts->stop);
	else
		r = verify_piece(0, v->n_batch, 0, v);
	if (r < 0)
		return r;
	count_batch(v);
	return 1;
}

static void
fill_hit(const struct candidate *c, const struct grep_line *l, struct hit *ret)
{
	ret->line = l->line;
	ret->offset = l->offset;
	ret->text = (struct span){c->lines.text.data + l->text, l->len};
	ret->cut = l->cut;
	ret->cut_end = l->cut_end;
	ret->context = l->context;
	ret->before = l->before;
	ret->n_spans = (uint32_t)l->n_spans;
	if (l->n_spans > 0)
		memcpy(ret->spans, c->lines.spans.data + l->span,
			l->n_spans * sizeof(ret->spans[0]));
}

/* The next hit of the current candidate: false when it has no more. */
static bool
candidate_next(struct verify *v, const struct candidate *c, struct hit *ret)
{
	if (!c->answer)
		return false;
	ret->root = c->root;
	ret->entry = c->entry;
	if (!v->lines) {
		ret->line = ret->offset = 0;
		ret->text = (struct span){"", 0};
		return v->line++ == 0;
	}
	if (v->line == c->lines.lines.len)
		return false;
	fill_hit(c, &c->lines.lines.data[v->line++], ret);
	return true;
}

int
verify_next(struct verify *v, struct hit *ret)
{
	for (;;) {
		int r;

		while (v->at < v->n_batch) {
			if (candidate_next(v, &v->batch[v->at], ret))
				return 1;
			v->at++;
			v->line = 0;
		}
		r = next_batch(v);
		if (r <= 0)
			return r;
	}
}

/* Hits left of the current candidate, lines of context not counted. */
static uint64_t
candidate_rest(const struct verify *v, const struct candidate *c)
{
	uint64_t n = c->lines.n_unkept;

	if (!c->answer)
		return 0;
	if (!v->lines)
		return v->line == 0;
	for (size_t i = v->line; i < c->lines.lines.len; i++)
		n += !c->lines.lines.data[i].context;
	return n;
}

int
verify_count_rest(struct verify *v, uint64_t *ret)
{
	uint64_t n = 0;
	int r;

	v->keep = 0;
	do {
		for (; v->at < v->n_batch; v->at++, v->line = 0)
			n += candidate_rest(v, &v->batch[v->at]);
		r = next_batch(v);
	} while (r > 0);
	*ret = n;
	return r;
}

void
verify_get_stats(const struct verify *v, struct cursor_stats *ret)
{
	ret->n_verified = v->stats.n_verified;
	ret->n_bytes_read = v->stats.n_bytes_read;
	ret->skipped = v->stats.skipped;
}
