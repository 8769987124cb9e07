#include "query/verify.h"

#include <errno.h>
#include <sys/stat.h>

#include "query/content.h"
#include "query/grep.h"
#include "query/halt.h"
#include "query/ranking.h"
#include "query/sift.h"
#include "query/trial.h"
#include "sync/par.h"

#define VERIFY_BATCH_FIRST 64u
#define VERIFY_BATCH_LIMITED 8u /* with a limit, which the first few files may reach */
#define VERIFY_BATCH_MAX 1024u
/* Candidates read together with a batch, its own included, and their bytes. */
#define VERIFY_AHEAD_MAX 256u
#define VERIFY_AHEAD_BYTES (8u << 20)
/* Default of opts.max_part_bytes: a millisecond and more, beside which handing them out is nothing.
 */
#define VERIFY_PART_BYTES (4u << 20)

enum candidate_state {
	CANDIDATE_NEW,
	CANDIDATE_PART, /* its file has more lines than `lines` */
	CANDIDATE_DONE,
};

/* One entry and what was found. */
struct candidate {
	uint32_t layer, entry;
	enum candidate_state state;
	bool answer;    /* when answers are entries */
	uint64_t count; /* with GREP_COUNT_* */
	struct grep_lines lines;
	struct panes panes; /* empty once the file is seen not to be what they are of */
	/* note: parts. */
	struct held *held;      /* NULL: it is a file; counted */
	bool later;             /* not the first part of its file */
	enum content_fate fate; /* of the last search */

	/* CANDIDATE_PART: where to go on, in what. */
	struct grep_place place;
	struct content_stamp stamp;
};

/*
 * note: parts. A large file that is as the index of contents knows it, in several units, is
 * searched by several threads where answers are all its lines: its panes are handed out as
 * candidates of their own, one after the other, each given in its turn. Lines are numbered from
 * their panes, so no part waits for another. The file is opened once, and mapped until its last
 * part is over: what is written to it meanwhile harms no more than it would if one thread searched
 * it.
 */
struct held {
	/* The filling thread's. */
	unsigned refs;
	enum content_fate fate; /* what was counted of it */
	/* Read by all while a round runs. */
	struct content_reader reader;
	struct span text;
};

/* What is left of such a file. */
struct left {
	uint32_t layer, entry;
	struct held *held;  /* NULL: nothing is */
	struct panes panes; /* of the whole file */
	size_t at;          /* the next */
};

static void
held_unref(struct held *h)
{
	if (!h || --h->refs > 0)
		return;
	(void)content_close(&h->reader);
	content_reader_fini(&h->reader);
	free(h);
}

static void
left_fini(struct left *l)
{
	held_unref(l->held);
	panes_fini(&l->panes);
	*l = (struct left){0};
}

/* Scratch of one thread. */
struct verify_worker {
	struct content_reader reader;
	struct eval_worker patterns; /* its matchers, for content terms */
	struct matcher *grep;
	bool made; /* when it is first needed: most are of threads that never come */
	uint64_t n_verified, n_bytes_read, by_fate[N_CONTENT_FATES];
};

struct verify {
	/* Fixed at create. */
	const struct eval *eval; /* of the sweep; only what does not hang on its layer */
	const struct query *query;
	const struct snapshot *snapshot;
	const struct cursor_opts *opts;
	candidate_fn next;
	void *ctx;
	bool lines;  /* answers are lines, not entries */
	bool once;   /* one match decides about a file, and all that is asked for is in one line */
	bool parted; /* large files are searched in parts (note: parts) */
	bool ranked; /* answers are lines that are to be ranked */
	size_t room; /* bytes of lines kept of a file */

	/* One thread fills; during a round each candidate and each worker belongs to the thread
	 * that works on it. */
	struct candidate *batch; /* [VERIFY_BATCH_MAX], not zeroed: most stay untouched */
	uint32_t n_batch;        /* what was taken: the batch, and what is read ahead with it */
	uint32_t n_current;      /* the batch is the first so many */
	uint32_t batch_next;     /* size of the next */
	uint32_t n_gave;         /* of the batch: candidates that gave hits, so far */
	uint64_t n_hits;         /* of all batches so far */
	uint64_t n_seen;         /* candidates of all batches before */
	bool exhausted;          /* no more candidates */
	uint64_t keep;           /* matching lines of a file worth keeping */
	uint32_t at;             /* the candidate that is given next */
	size_t line;             /* its next line */
	struct left left;        /* of the candidate taken last */
	_Atomic size_t n_kept;   /* bytes of all lines; relaxed: a bound, publishes nothing */
	_Atomic size_t n_lines;  /* and how many they are; so, too */
	size_t max_lines;        /* no more files are begun; fixed during a round */
	struct eval **of_layer;  /* [n_layers], bound to its layer; made when first needed */

	unsigned n_workers;
	struct verify_worker worker[];
};

static uint64_t
lines_to_keep(const struct cursor_opts *opts)
{
	uint64_t n;

	/* One more than will be given tells that there are more. Which of them are given when they
	 * are ranked hangs on all. */
	if (opts->limit == 0 || opts->rank ||
		__builtin_add_overflow(opts->offset, opts->limit, &n) || n == UINT64_MAX)
		return UINT64_MAX;
	return n + 1;
}

static bool
decides_once(const struct query *q, const struct cursor_opts *opts)
{
	const struct node *root = q->root;

	if (opts->grep)
		return opts->answer == GREP_FILES && !opts->invert && !root->content &&
		       !pattern_is_multi(opts->grep);
	return root->term == TERM_CONTENT;
}

/* Rows that hang on nothing but their own line, and are all wanted. */
static bool
is_parted(const struct query *q, const struct cursor_opts *opts)
{
	return cursor_gives_lines(opts) && opts->limit == 0 && opts->rank == RANK_OFF &&
	       !opts->invert && opts->before == 0 && opts->after == 0 && opts->max_per_file == 0 &&
	       !q->root->content && !pattern_is_multi(opts->grep);
}

static int
make_worker(const struct verify *v, struct verify_worker *w)
{
	if (w->made)
		return 0;
	w->made = true;
	content_reader_init(&w->reader, v->opts);
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
	v->lines = cursor_gives_lines(opts);
	v->once = decides_once(e->query, opts);
	v->parted = is_parted(e->query, opts);
	v->ranked = v->lines && opts->rank && opts->n_sort == 0;
	v->batch_next = v->ranked         ? VERIFY_BATCH_RANKED
	                : opts->limit > 0 ? VERIFY_BATCH_LIMITED
	                                  : VERIFY_BATCH_FIRST;
	v->keep = lines_to_keep(opts);
	v->room = opts->max_kept_bytes ? opts->max_kept_bytes : VERIFY_KEPT_BYTES;
	v->batch = malloc(VERIFY_BATCH_MAX * sizeof(*v->batch));
	v->of_layer = calloc(e->snapshot->n_layers + 1, sizeof(struct eval *));
	if (!v->batch || !v->of_layer)
		r = -ENOMEM;
	v->n_workers = n_workers;
	if (r < 0) {
		verify_destroy(v);
		return r;
	}
	*ret = v;
	return 0;
}

static void
drop_candidate(struct candidate *c)
{
	grep_lines_fini(&c->lines);
	panes_fini(&c->panes);
	held_unref(TAKE_PTR(c->held));
}

static void
drop_batch(struct verify *v)
{
	for (uint32_t i = 0; i < v->n_batch; i++)
		drop_candidate(&v->batch[i]);
	v->n_batch = v->n_current = v->at = 0;
	v->line = 0;
}

void
verify_destroy(struct verify *v)
{
	if (!v)
		return;
	drop_batch(v);
	left_fini(&v->left);
	for (unsigned i = 0; i < v->n_workers; i++) {
		struct verify_worker *w = &v->worker[i];

		if (!w->made)
			continue;
		for (uint32_t k = 0; w->patterns.matcher && k < v->query->n_leaf; k++)
			matcher_destroy(w->patterns.matcher[k]);
		free(w->patterns.matcher);
		matcher_destroy(w->grep);
		content_reader_fini(&w->reader);
	}
	for (uint32_t i = 0; v->of_layer && i < v->snapshot->n_layers; i++)
		eval_destroy(v->of_layer[i]);
	free(v->of_layer);
	free(v->batch);
	free(v);
}

static int
decide(struct verify *v, unsigned worker, const struct candidate *c, const struct span *text)
{
	struct trial t = {.query = v->query,
		.opts = v->opts,
		.eval = v->of_layer[c->layer],
		.worker = worker,
		.patterns = &v->worker[worker].patterns,
		.entry = c->entry,
		.text = text};

	return trial_decide(&t);
}

static bool
is_regular(const struct verify *v, const struct candidate *c)
{
	const struct tree_cols *cols = snapshot_cols(v->snapshot, c->layer);

	return S_ISREG(cols->classes[tree_cls(cols, c->entry)].mode);
}

/* As the index of contents has it, which has no row of a file that has changed. */
static bool
is_known_binary(const struct verify *v, const struct candidate *c)
{
	const struct snap_layer *l = &v->snapshot->layers[c->layer];
	const uint64_t *binary = l->map ? l->map->binary : NULL;

	return binary && v->snapshot->roots[l->root].content == SNAP_CONTENT_INDEX &&
	       (binary[c->entry / 64] >> c->entry % 64 & 1);
}

static struct subject
subject_of(const struct candidate *c, struct span text)
{
	return (struct subject){text, &c->panes};
}

/* The next lines of the text. */
static int
search_lines(struct verify *v, struct verify_worker *w, struct candidate *c, struct span text)
{
	struct grep_bounds bounds = {v->keep, v->room, v->ranked ? RANK_WINDOW_LINES : 0};
	const struct content_reader *reader = c->held ? &c->held->reader : &w->reader;
	int r;

	/* A decoded text is in memory whole, and dear to decode again. */
	if (reader->stamp.kind != SNIFF_TEXT)
		bounds.room = MAX(bounds.room, text.len);
	r = grep_text(w->grep, subject_of(c, text), v->opts, bounds, &c->place, &c->lines);
	(void)add_rlx(&v->n_kept, grep_lines_bytes(&c->lines));
	(void)add_rlx(&v->n_lines, c->lines.lines.len);
	if (r > 0) {
		c->stamp = reader->stamp;
		c->state = CANDIDATE_PART;
	}
	return MIN(r, 0);
}

/* Answers are files: is this one? */
static int
search_file(
	const struct cursor_opts *opts, struct matcher *m, struct candidate *c, struct span text)
{
	bool counts = opts->answer == GREP_COUNT_LINES || opts->answer == GREP_COUNT_MATCHES;
	struct subject s = subject_of(c, text);
	int r = counts ? grep_count(m, s, opts, &c->count) : grep_any(m, s, opts);

	if (r < 0)
		return r;
	if (counts)
		c->answer = c->count > 0;
	else
		c->answer = (r > 0) == (opts->answer != GREP_FILES_WITHOUT);
	return 0;
}

/* The text is at hand: decide, and find lines. */
static int
search_text(struct verify *v, unsigned worker, struct candidate *c, struct span text)
{
	int r = v->query->root->content ? decide(v, worker, c, &text) : TRI_YES;

	if (r < 0 || r != TRI_YES)
		return MIN(r, 0);
	if (v->lines)
		return search_lines(v, &v->worker[worker], c, text);
	if (v->opts->grep)
		return search_file(v->opts, v->worker[worker].grep, c, text);
	c->answer = true;
	return 0;
}

/* What one match is looked for with. */
static int
once_matcher(struct verify *v, struct verify_worker *w, struct matcher **ret)
{
	*ret = w->grep;
	return w->grep ? 0 : eval_matcher(&w->patterns, v->query->root, ret);
}

/* The first lines of a file, and when they hold no match all that follow. */
static int
search_once(struct verify *v, struct verify_worker *w, struct candidate *c, struct span head)
{
	struct match match;
	struct matcher *m;
	struct span text;
	uint64_t n_bytes;
	int r = once_matcher(v, w, &m);

	if (r == 0)
		r = grep_find(m, head, 0, v->opts, &match);
	if (r == 0) {
		r = content_read_on(&w->reader, &text, &n_bytes);
		w->n_bytes_read += n_bytes;
		if (r != CONTENT_OK)
			return r < 0 ? r : -EIO;
		r = grep_find(m, text, head.len, v->opts, &match);
	}
	c->answer = r > 0;
	return MIN(r, 0);
}

/* Of parts pass() counts it: a file is counted once. */
static void
note_fate(struct verify_worker *w, struct candidate *c, enum content_fate fate)
{
	c->fate = fate;
	if (!c->held)
		w->by_fate[fate]++;
}

/* After the search of an open file, whose result was `r`: what was found counts, or does not. */
static int
end_search(struct verify_worker *w, struct candidate *c, int r)
{
	enum content_fate fate =
		c->held ? content_check(&c->held->reader) : content_close(&w->reader);

	if (r == -EOVERFLOW || r == -EIO) {
		fate = r == -EIO ? CONTENT_UNREADABLE : CONTENT_LIMIT;
		r = 0;
	}
	if (fate != CONTENT_OK) {
		c->state = CANDIDATE_DONE;
		c->answer = false;
		grep_lines_fini(&c->lines);
	}
	note_fate(w, c, fate);
	return r;
}

/* A part of a file; `on`: its next lines. */
static int
search_part(struct verify *v, unsigned worker, struct candidate *c, bool on)
{
	struct verify_worker *w = &v->worker[worker];

	if (!on)
		w->n_bytes_read += panes_bytes(subject_of(c, c->held->text));
	w->n_verified += !on && !c->later;
	grep_lines_reset(&c->lines);
	return end_search(w, c, search_lines(v, w, c, c->held->text));
}

static int
read_candidate(struct verify *v, unsigned worker, struct candidate *c)
{
	struct verify_worker *w = &v->worker[worker];
	struct span text;
	uint64_t n_bytes;
	bool more = false;
	int r = v->once ? content_open_head(&w->reader, v->snapshot, c->layer, c->entry, &text,
				  &more, &n_bytes)
	                : content_open(
				  &w->reader, v->snapshot, c->layer, c->entry, &text, &n_bytes);

	if (r < 0)
		return r;
	w->n_verified++;
	if (!w->reader.known_text)
		panes_fini(&c->panes);
	w->n_bytes_read += c->panes.list.len > 0 && r == CONTENT_OK
	                           ? panes_bytes(subject_of(c, text))
	                           : n_bytes;
	if (r == CONTENT_OK && more)
		return end_search(w, c, search_once(v, w, c, text));
	if (r == CONTENT_OK)
		return end_search(w, c, search_text(v, worker, c, text));
	note_fate(w, c, r);
	return 0;
}

/* All lines found so far were given; the next ones. */
static int
read_on(struct verify *v, unsigned worker, struct candidate *c)
{
	struct verify_worker *w = &v->worker[worker];
	struct span text;
	int r = content_reopen(&w->reader, v->snapshot, c->layer, c->entry, &c->stamp, &text);

	grep_lines_reset(&c->lines);
	if (r == CONTENT_OK)
		return end_search(w, c, search_lines(v, w, c, text));
	if (r > 0)
		note_fate(w, c, r);
	return MIN(r, 0);
}

static int
verify_one(struct verify *v, unsigned worker, struct candidate *c)
{
	bool regular = is_regular(v, c);
	struct span nothing = {"", 0};
	int r = TRI_YES;

	/* Without contents a content term is false, not unknown. */
	if (v->query->root->content && (regular || !v->opts->grep))
		r = decide(v, worker, c, regular ? NULL : &nothing);
	if (r < 0 || r == TRI_NO)
		return MIN(r, 0);
	if (v->opts->grep && !regular)
		return 0;
	if ((r == TRI_UNKNOWN || v->opts->grep) && is_known_binary(v, c)) {
		v->worker[worker].by_fate[CONTENT_BINARY]++;
		return 0;
	}
	if (r == TRI_UNKNOWN || v->opts->grep)
		return read_candidate(v, worker, c);
	c->answer = true;
	return 0;
}

/* How many are missing up to the limit; 0: none, or there is no limit. */
static uint64_t
hits_wanted(const struct verify *v)
{
	uint64_t want;

	if (v->opts->limit == 0 || __builtin_add_overflow(v->opts->offset, v->opts->limit, &want) ||
		want <= v->n_hits)
		return 0;
	return want - v->n_hits;
}

/* Is there room for the lines of one more file? */
static bool
has_room(struct verify *v)
{
	return load_rlx(&v->n_kept) / VERIFY_KEPT_FILES < v->room &&
	       load_rlx(&v->n_lines) < v->max_lines;
}

/* Is it this candidate's turn in the round? */
static bool
is_due(struct verify *v, size_t i)
{
	if (i == v->at)
		return v->batch[i].state != CANDIDATE_DONE;
	return v->batch[i].state == CANDIDATE_NEW && has_room(v);
}

static int
verify_due(struct verify *v, unsigned worker, struct candidate *c)
{
	enum candidate_state state = c->state;

	c->state = CANDIDATE_DONE;
	if (c->held)
		return search_part(v, worker, c, state == CANDIDATE_PART);
	return state == CANDIDATE_PART ? read_on(v, worker, c) : verify_one(v, worker, c);
}

static int
verify_piece(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct verify *v = ctx;
	int r = make_worker(v, &v->worker[worker]);

	for (size_t i = v->at + lo; i < v->at + hi && r == 0; i++) {
		r = query_poll(v->opts);
		if (r == 0 && is_due(v, i))
			r = verify_due(v, worker, &v->batch[i]);
	}
	return r;
}

/* Ranked lines fill a window, of which mostly all that are wanted come. */
static size_t
lines_of_round(const struct verify *v)
{
	if (!v->ranked || v->opts->limit == 0)
		return SIZE_MAX;
	return MAX(hits_wanted(v), (uint64_t)RANK_WINDOW_LINES);
}

/* What the current candidate and those after it still need, as far as there is room. */
static int
run_round(struct verify *v)
{
	size_t n = v->n_batch - v->at, n_kept = 0, n_lines = 0;

	for (uint32_t i = v->at + 1; i < v->n_batch; i++) {
		n_kept += grep_lines_bytes(&v->batch[i].lines);
		n_lines += v->batch[i].lines.lines.len;
	}
	store_rlx(&v->n_kept, n_kept);
	store_rlx(&v->n_lines, n_lines);
	v->max_lines = lines_of_round(v);
	return par_for(v->opts->io, TASK_QUERY, n, 1, verify_piece, v, v->opts->stop);
}

static int
bind_layer(struct verify *v, uint32_t layer)
{
	struct eval *e = NULL;
	int r;

	if (v->of_layer[layer])
		return 0;
	r = eval_create(v->query, v->snapshot, v->n_workers, &e);
	if (r == 0)
		r = eval_bind(e, layer);
	if (r < 0) {
		eval_destroy(e);
		return r;
	}
	e->dupes = v->eval->dupes;
	v->of_layer[layer] = e;
	return 0;
}

static uint64_t
size_of(const struct verify *v, const struct candidate *c)
{
	return tree_size(snapshot_cols(v->snapshot, c->layer), c->entry);
}

/* That are searched, if it is as it was indexed. */
static uint64_t
asked_bytes(const struct verify *v, const struct candidate *c)
{
	struct span text = {NULL, size_of(v, c)};

	return panes_bytes((struct subject){text, &c->panes});
}

static uint64_t
part_bytes(const struct verify *v)
{
	return v->opts->max_part_bytes ? v->opts->max_part_bytes : VERIFY_PART_BYTES;
}

/* 0: *ret is NULL where the file is not as it was indexed, or cannot be read; who searches it will
 * see that, too. */
static int
hold(const struct verify *v, const struct candidate *c, struct held **ret)
{
	struct held *h = calloc(1, sizeof(*h));
	uint64_t n_bytes;
	int r;

	if (!h)
		return -ENOMEM;
	h->refs = 1;
	content_reader_init(&h->reader, v->opts);
	r = content_open_known(&h->reader, v->snapshot, c->layer, c->entry, &h->text, &n_bytes);
	if (r == CONTENT_OK && h->reader.known_text)
		*ret = TAKE_PTR(h);
	held_unref(h);
	return MIN(r, 0);
}

/* The next part of the file that is left. */
static int
take_part(struct verify *v, struct candidate *c)
{
	struct left *l = &v->left;
	int r = panes_part(&l->panes, l->held->text.len, part_bytes(v), &l->at, &c->panes);

	c->layer = l->layer;
	c->entry = l->entry;
	c->held = l->held;
	l->held->refs++;
	if (r < 0 || l->at == l->panes.list.len)
		left_fini(l);
	return r;
}

/* Is the candidate, just taken, to be searched in parts? Then it becomes the first of them. */
static int
cut_candidate(struct verify *v, struct candidate *c)
{
	struct held *held = NULL;
	int r = 0;

	if (v->parted && c->panes.list.len > 0 && asked_bytes(v, c) > part_bytes(v))
		r = hold(v, c, &held);
	if (!held)
		return r;
	v->left = (struct left){c->layer, c->entry, held, c->panes, 0};
	return take_part(v, c);
}

/* One more candidate: 1, 0 there is none, or an error. */
static int
take_candidate(struct verify *v)
{
	struct candidate *c = &v->batch[v->n_batch];
	int r;

	*c = (struct candidate){0};
	if (v->left.held) {
		c->later = true;
		r = take_part(v, c);
		if (r < 0)
			drop_candidate(c);
		v->n_batch += r == 0;
		return r < 0 ? r : 1;
	}
	if (v->exhausted)
		return 0;
	r = v->next(v->ctx, &c->layer, &c->entry);
	v->exhausted = r == 0;
	if (r == 1)
		r = bind_layer(v, c->layer);
	if (r == 0 && !v->exhausted && v->eval->sift)
		r = sift_panes(v->eval->sift, c->layer, c->entry, &c->panes);
	if (r == 0 && !v->exhausted)
		r = cut_candidate(v, c);
	if (r < 0)
		drop_candidate(c);
	if (r < 0 || v->exhausted)
		return MIN(r, 0);
	v->n_batch++;
	return 1;
}

/* What it counts in the size of a batch. */
static uint64_t
weight_of(const struct verify *v, const struct candidate *c)
{
	return c->held ? asked_bytes(v, c) : size_of(v, c);
}

/* The size of a batch hangs on its candidates and the answers before it alone. */
static int
take_batch(struct verify *v, uint64_t *n_bytes)
{
	while (v->n_current < v->batch_next &&
		(*n_bytes < VERIFY_BATCH_BYTES || v->n_current < v->n_workers)) {
		int r = v->n_current == v->n_batch ? take_candidate(v) : 1;

		if (r < 0)
			return r;
		if (r == 0)
			break;
		*n_bytes += weight_of(v, &v->batch[v->n_current++]);
	}
	return 0;
}

/* How many candidates are likely needed for what was asked for, the batch at hand included, when
 * they have as many hits as those so far; no more than twice as many as these, because the first
 * ones say little, and what is read in vain costs more than threads that are woken once more. */
static uint64_t
likely_needed(const struct verify *v)
{
	uint64_t want = hits_wanted(v);

	if (!v->ranked || v->n_hits == 0 || want == 0)
		return 0;
	want = MIN(want, (uint64_t)VERIFY_BATCH_MAX);
	return MIN(want * v->n_seen / v->n_hits, 2 * v->n_seen);
}

/* So that threads are woken once, not for each batch. */
static int
read_ahead(struct verify *v, uint64_t n_bytes)
{
	uint64_t n = MIN(likely_needed(v), (uint64_t)VERIFY_AHEAD_MAX);
	int r = 1;

	while (v->n_batch < n && n_bytes < VERIFY_AHEAD_BYTES && r > 0) {
		r = take_candidate(v);
		if (r > 0)
			n_bytes += weight_of(v, &v->batch[v->n_batch - 1]);
	}
	return MIN(r, 0);
}

/* What was read ahead moves to the front. */
static void
pass_batch(struct verify *v)
{
	uint32_t left = v->n_batch - v->n_current;

	v->n_seen += v->n_current;
	for (uint32_t i = 0; i < v->n_current; i++)
		drop_candidate(&v->batch[i]);
	memmove(v->batch, v->batch + v->n_current, left * sizeof(v->batch[0]));
	v->n_batch = left;
	v->n_current = v->at = 0;
	v->line = 0;
	v->n_gave = 0;
}

int
verify_next_batch(struct verify *v)
{
	uint64_t n_bytes = 0;
	bool ahead;
	int r;

	if (v->n_current > 0 && (!v->ranked || v->n_gave < v->n_current / 2))
		v->batch_next = MIN(v->batch_next * 2, VERIFY_BATCH_MAX);
	pass_batch(v);
	ahead = v->n_batch > 0;
	r = take_batch(v, &n_bytes);
	if (r == 0 && !ahead)
		r = read_ahead(v, n_bytes);
	return r < 0 ? r : v->n_current > 0;
}

static void
fill_hit(const struct candidate *c, const struct grep_line *l, struct hit *ret)
{
	ret->line = l->line;
	ret->offset = l->offset;
	ret->text = (struct span){c->lines.text.data + l->text, l->len};
	ret->column = l->column;
	ret->cut = l->cut;
	ret->cut_end = l->cut_end;
	ret->last = l->last;
	ret->context = l->context;
	ret->before = l->before;
	ret->n_spans = l->n_spans;
	ret->n_lines = l->n_lines;
	ret->spans = c->lines.spans.data + l->span;
}

/* The next hit at hand of the current candidate: false when there is none. */
static bool
candidate_next(struct verify *v, const struct candidate *c, struct hit *ret)
{
	ret->layer = c->layer;
	ret->entry = c->entry;
	if (!v->lines) {
		ret->line = ret->offset = ret->column = 0;
		ret->text = (struct span){"", 0};
		ret->count = c->count;
		return c->answer && v->line++ == 0;
	}
	if (v->line == c->lines.lines.len)
		return false;
	v->n_gave += v->line == 0;
	v->n_hits += !c->lines.lines.data[v->line].context;
	fill_hit(c, &c->lines.lines.data[v->line++], ret);
	return true;
}

/* Is there a current candidate in the batch? It is searched, if it was not. 1, 0 or an error. */
static int
settle(struct verify *v)
{
	int r = 0;

	if (v->at == v->n_current)
		return 0;
	if (v->batch[v->at].state == CANDIDATE_NEW)
		r = run_round(v);
	return r < 0 ? r : 1;
}

static void
count_fate(struct verify *v, const struct candidate *c)
{
	if (!c->held || c->fate == CONTENT_OK || c->held->fate != CONTENT_OK)
		return;
	v->worker[0].by_fate[c->fate]++;
	c->held->fate = c->fate;
}

/* Everything at hand of the current candidate was given: on to what is left of it, or to the next
 * one, which may have been searched with it. */
static int
pass(struct verify *v)
{
	v->line = 0;
	if (v->batch[v->at].state == CANDIDATE_PART)
		return run_round(v);
	count_fate(v, &v->batch[v->at]);
	drop_candidate(&v->batch[v->at++]);
	return 0;
}

int
verify_next_in_batch(struct verify *v, struct hit *ret)
{
	int r;

	while ((r = settle(v)) > 0) {
		if (candidate_next(v, &v->batch[v->at], ret))
			return 1;
		r = pass(v);
		if (r < 0)
			return r;
	}
	return r;
}

int
verify_next(struct verify *v, struct hit *ret)
{
	for (;;) {
		int r = verify_next_in_batch(v, ret);

		if (r == 0)
			r = verify_next_batch(v);
		else
			return r;
		if (r <= 0)
			return r;
	}
}

/* Hits at hand of the current candidate that were not given, lines of context not counted. */
static uint64_t
candidate_rest(const struct verify *v, const struct candidate *c)
{
	uint64_t n = c->lines.n_unkept;

	if (!v->lines)
		return c->answer && v->line == 0;
	for (size_t i = v->line; i < c->lines.lines.len; i++)
		n += !c->lines.lines.data[i].context;
	return n;
}

int
verify_count_rest(struct verify *v, uint64_t *ret)
{
	uint64_t n = 0;
	int r = 1;

	v->keep = 0;
	while (r > 0) {
		while ((r = settle(v)) > 0) {
			n += candidate_rest(v, &v->batch[v->at]);
			r = pass(v);
			if (r < 0)
				return r;
		}
		if (r == 0)
			r = verify_next_batch(v);
	}
	*ret = n;
	return r;
}

void
verify_get_stats(const struct verify *v, struct cursor_stats *ret)
{
	uint64_t *const by_fate[N_CONTENT_FATES] = {
		[CONTENT_BINARY] = &ret->skipped.binary,
		[CONTENT_TOO_LARGE] = &ret->skipped.too_large,
		[CONTENT_UNREADABLE] = &ret->skipped.unreadable,
		[CONTENT_GONE] = &ret->skipped.gone,
		[CONTENT_CHANGED] = &ret->skipped.changed,
		[CONTENT_OFF] = &ret->skipped.off,
		[CONTENT_LIMIT] = &ret->skipped.limit,
	};

	for (unsigned i = 0; i < v->n_workers; i++) {
		const struct verify_worker *w = &v->worker[i];

		ret->n_verified += w->n_verified;
		ret->n_bytes_read += w->n_bytes_read;
		for (unsigned k = 0; k < N_CONTENT_FATES; k++)
			if (by_fate[k])
				*by_fate[k] += w->by_fate[k];
	}
}
