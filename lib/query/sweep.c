#include "query/sweep.h"

#include <errno.h>

#include "query/entry_set.h"
#include "query/front.h"
#include "query/halt.h"
#include "query/leaf_text.h"
#include "sync/par.h"

#define CHUNK_GROUPS (EVAL_CHUNK / TREE_NAME_GROUP)
#define MAX_GROUPS ((uint64_t)SWEEP_MAX_CHUNKS * CHUNK_GROUPS) /* of a window */
#define MAX_GROWTH 8u                                          /* of a window over the one before */
#define CHUNK_OVERHEAD 4u /* what a chunk costs besides its names, in groups of them */
/* Where contents leave so few entries, names are asked of these alone. */
#define FEW_ADMITTED(n_entries) ((n_entries) / 64)
#define ADMITTED_A_GROUP 16u /* entries that cost what a group of names does */

/* Bits of all windows together, fronts included: 4 MiB. */
#define MAX_BITS 8192u

/* Chunks [first, first + n) of the tree, cut to the range at hand. Those listed have a slot. */
struct window {
	uint32_t first, n;
	uint32_t n_listed;
	uint32_t offset_of[SWEEP_MAX_CHUNKS]; /* [n_listed] from first */
	uint32_t slot_of[SWEEP_MAX_CHUNKS];   /* by offset: slot + 1; 0 not listed */
	struct bits *ready;                   /* [slot * n_front + front] what the fronts say */
	struct bits *answer;                  /* [slot]; unused when the question is one front */
	size_t ready_cap, answer_cap;
	uint32_t at, pos; /* bits before `pos` of the chunk at this offset have been given */
};

struct sweep {
	/* Fixed at open. */
	struct eval *eval;
	const struct cursor_opts *opts;
	struct sweep_range *range; /* [n_ranges], in order, none empty */
	uint32_t n_ranges;
	uint32_t n_wanted; /* words in paths that a front may decide */

	struct front *front; /* of the bound layer */
	uint32_t n_front;
	bool sole;    /* the question is one front, and nothing beside it */
	bool decides; /* where the front has no answer, the question has none */

	/* Where it is: entries of range[at] below `next` have been evaluated. */
	uint32_t at, next;
	uint32_t window_groups; /* of names, to look at in the next window */
	uint32_t n_windows;
	uint64_t n_looked; /* groups of all windows */
	uint64_t n_given;  /* answers */
	bool bound;        /* eval looks at the layer of range[at] */
	struct window w;
};

/* Cut the range by one term that must hold for every answer. */
static void
cut_range(const struct snapshot *s, const struct node *n, struct sweep_range *r)
{
	uint32_t lo, hi;

	if (n->term == TERM_ROOT && !span_eq(n->where, span_of(snapshot_root(s, r->layer)->name)))
		r->hi = 0;
	if (n->term != TERM_IN)
		return;
	eval_where(s, r->layer, n->where, &lo, &hi);
	r->lo = MAX(r->lo, lo);
	r->hi = MIN(r->hi, hi);
}

static int
make_ranges(struct sweep *s)
{
	const struct snapshot *snap = s->eval->snapshot;
	const struct node *top = s->eval->query->root;

	s->range = calloc(snap->n_layers + 1, sizeof(*s->range));
	if (!s->range)
		return -ENOMEM;
	for (uint32_t i = 0; i < snap->n_layers; i++) {
		struct sweep_range r = {.layer = i, .hi = snapshot_cols(snap, i)->n_entries};

		if (s->opts->only && !entry_set_range(s->opts->only, i, &r.lo, &r.hi))
			continue;
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
	s->window_groups = opts->n_sort > 0 ? MAX_GROUPS : CHUNK_GROUPS;
	for (uint32_t i = 0; i < e->query->n_leaf; i++)
		s->n_wanted += front_suits(e->query->leaf[i]);
	s->front = calloc(s->n_wanted + 1, sizeof(*s->front));
	r = s->front ? make_ranges(s) : -ENOMEM;
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
	for (uint32_t i = 0; s->front && i < s->n_wanted; i++)
		front_fini(&s->front[i]);
	free(s->front);
	free(s->w.answer);
	free(s->w.ready);
	free(s->range);
	free(s);
}

uint32_t
sweep_ranges(const struct sweep *s, const struct sweep_range **ret)
{
	*ret = s->range;
	return s->n_ranges;
}

static const struct node *
rarest_need(const struct sweep *s, const struct node *n)
{
	const struct node *best = n->text.need[0];

	for (uint32_t i = 1; i < n->text.n_need; i++) {
		/* An end of names gives no marks to be first with. */
		if (best->text.way == WAY_NAME ||
			eval_n_may(s->eval, n->text.need[i]) < eval_n_may(s->eval, best))
			best = n->text.need[i];
	}
	return best;
}

/* What every answer of the node fulfils, asked before all else: of an AND its first, of a path the
 * rarest of its needs. */
static const struct node *
asked_first(const struct sweep *s, const struct node *n)
{
	while (n->term == TERM_AND)
		n = s->eval->first[n->leaf] ? s->eval->first[n->leaf] : n->order[0];
	return n->term == TERM_TEXT && n->text.way == WAY_PATH ? rarest_need(s, n) : n;
}

/* The words that are asked about all entries: the first of each AND. The others are asked about
 * what is left, which is cheaper entry by entry. */
static int
start_fronts(struct sweep *s, const struct node *n)
{
	const struct sweep_range *range = &s->range[s->at];
	int r = 0;

	n = asked_first(s, n);
	if (front_suits(n)) {
		r = front_start(&s->front[s->n_front], s->eval, n, range->lo, range->hi);
		s->eval->leaf[n->leaf].front = ++s->n_front;
		return r;
	}
	for (uint32_t i = 0; i < n->n_child && r == 0; i++)
		r = start_fronts(s, n->child[i]);
	return r;
}

/* May an entry of [lo, lo + n) match? */
static bool
may_match(const struct sweep *s, const struct node *n, uint32_t lo, uint32_t len)
{
	const struct eval_leaf *leaf = &s->eval->leaf[n->leaf];
	const uint64_t *admit = eval_admit(s->eval, n);
	bool any;

	switch (n->term) {
	case TERM_NONE:
		return false;
	case TERM_AND:
		any = eval_admits(admit, lo, len);
		for (uint32_t i = 0; i < n->n_child && any; i++)
			any = may_match(s, n->child[i], lo, len);
		return any;
	case TERM_OR:
		any = admit && eval_admits(admit, lo, len);
		for (uint32_t i = 0; i < n->n_child && !any; i++)
			any = !(admit && n->child[i]->pure) && may_match(s, n->child[i], lo, len);
		return any;
	case TERM_EXT:
		return leaf_may(leaf, lo, len);
	case TERM_TEXT:
		for (uint32_t i = 0; i < n->text.n_need; i++) {
			if (!may_match(s, n->text.need[i], lo, len))
				return false;
		}
		if (leaf->front > 0)
			return front_touches(&s->front[leaf->front - 1], lo, len) ||
			       front_may_hit(&s->front[leaf->front - 1], lo, len);
		/* Of other words in paths nothing is known: a directory above may hold them. */
		return (n->text.way != WAY_NAME && n->text.way != WAY_PARTED) ||
		       leaf_may(leaf, lo, len);
	default:
		return true;
	}
}

static bool
question_may_match(const struct sweep *s, uint32_t lo, uint32_t n)
{
	return eval_admits(eval_admit_all(s->eval), lo, n) &&
	       may_match(s, s->eval->query->root, lo, n);
}

/* Entries of the chunk at an offset of the window. */
static struct eval_at
chunk_at(struct sweep *s, uint32_t offset, unsigned worker)
{
	const struct sweep_range *range = &s->range[s->at];
	uint32_t lo = (s->w.first + offset) * EVAL_CHUNK;
	uint32_t hi = MIN(range->hi, lo + EVAL_CHUNK);
	struct eval_at at = {.e = s->eval, .worker = &s->eval->worker[worker]};

	if (hi < lo) /* the last chunk of 2^32 entries */
		hi = range->hi;
	at.lo = MAX(lo, range->lo);
	at.n = hi - at.lo;
	return at;
}

/* Is there something in the chunk that must be looked for? What only marks say needs no scan. */
static bool
must_look(struct sweep *s, uint32_t offset)
{
	struct eval_at at = chunk_at(s, offset, 0);
	bool any;

	if (s->opts->only && !entry_set_any(s->opts->only, s->eval->layer, at.lo, at.n))
		return false;
	if (s->sole)
		return front_touches(&s->front[0], at.lo, at.n) ||
		       front_may_hit(&s->front[0], at.lo, at.n);
	any = question_may_match(s, at.lo, at.n);
	for (uint32_t i = 0; i < s->n_front && !any; i++)
		any = front_may_hit(&s->front[i], at.lo, at.n);
	return any;
}

static int
reserve_bits(struct bits **bits, size_t *cap, size_t n)
{
	struct bits *grown;

	if (n <= *cap)
		return 0;
	n = MAX(n, *cap * 2);
	grown = realloc(*bits, n * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*bits = grown;
	*cap = n;
	return 0;
}

/* Gives the chunk a slot. */
static int
list_chunk(struct sweep *s, uint32_t offset)
{
	struct window *w = &s->w;
	uint32_t slot = w->n_listed;
	int r = reserve_bits(&w->ready, &w->ready_cap, (size_t)(slot + 1) * s->n_front);

	if (r == 0 && !s->sole)
		r = reserve_bits(&w->answer, &w->answer_cap, slot + 1);
	if (r < 0)
		return r;
	w->offset_of[slot] = offset;
	w->slot_of[offset] = slot + 1;
	w->n_listed++;
	return 0;
}

/* What looking at a chunk costs, in groups of names: where a word decides, only those that its
 * grams leave. So a window of a rare word has many chunks, and threads are woken for it once. */
static uint32_t
chunk_cost(struct sweep *s, uint32_t offset)
{
	const struct eval_at at = chunk_at(s, offset, 0);
	const struct node *root = s->eval->query->root;
	const uint64_t *admit = eval_admit_all(s->eval);
	uint64_t may;

	if (s->n_front == 0 && admit)
		return MIN(
			CHUNK_GROUPS, 1 + eval_n_admitted(admit, at.lo, at.n) / ADMITTED_A_GROUP);
	if (s->n_front != 1 || (!s->sole && root->term != TERM_AND))
		return CHUNK_GROUPS;
	may = leaf_may_groups(&s->eval->leaf[s->front[0].leaf->leaf], at.lo, at.n);
	return MIN(CHUNK_GROUPS, CHUNK_OVERHEAD + (uint32_t)__builtin_popcountll(may));
}

/* Is it known how many answers are wanted? Those of a rank, and of contents, are chosen from more.
 */
static bool
limit_holds(const struct sweep *s)
{
	return s->opts->limit > 0 && !s->opts->rank && !s->opts->grep &&
	       !s->eval->query->root->content;
}

/* How much to look at next. Each window has threads woken and waited for, so there should be few:
 * as the answers so far lie, the next has what is missing up to the limit, and a quarter more.
 * Where they get fewer the guess is wrong, hence from the second on each is at least twice the one
 * before. */
static uint32_t
guess_groups(const struct sweep *s)
{
	const uint64_t last = s->window_groups, bound = MAX_GROUPS;
	uint64_t most = MIN(last * MAX_GROWTH, bound);
	uint64_t least = MIN(last * (s->n_windows > 2 ? 2 : 1), bound);
	uint64_t wanted = s->opts->limit + 1, groups;

	if (!limit_holds(s))
		return (uint32_t)MIN(last * 2, bound);
	if (__builtin_add_overflow(wanted, s->opts->offset, &wanted) || s->n_given == 0)
		return (uint32_t)most;
	wanted -= MIN(wanted, s->n_given);
	if (__builtin_mul_overflow(wanted, s->n_looked, &groups))
		return (uint32_t)most;
	groups = groups / s->n_given + groups / s->n_given / 4;
	return (uint32_t)MAX(least, MIN(groups, most));
}

/* The next window, with so much in it that must be looked at. */
static int
list_window(struct sweep *s)
{
	const struct sweep_range *range = &s->range[s->at];
	struct window *w = &s->w;
	uint32_t max = MAX(1u, MIN(SWEEP_MAX_CHUNKS, MAX_BITS / (s->n_front + 1))), cost = 0;
	int r = 0;

	if (s->n_windows++ > 0)
		s->window_groups = guess_groups(s);
	w->first = s->next / EVAL_CHUNK;
	w->n = w->n_listed = w->at = w->pos = 0;
	max = MIN(max, (range->hi - 1) / EVAL_CHUNK - w->first + 1);
	for (; w->n < max && cost < s->window_groups && r == 0; w->n++) {
		w->slot_of[w->n] = 0;
		if (!must_look(s, w->n))
			continue;
		cost += chunk_cost(s, w->n);
		r = list_chunk(s, w->n);
	}
	s->n_looked += cost;
	s->next = range->hi;
	if (w->first + w->n <= (range->hi - 1) / EVAL_CHUNK)
		s->next = (w->first + w->n) * EVAL_CHUNK;
	return r;
}

static const struct bits *
answer_at(const struct sweep *s, uint32_t offset)
{
	uint32_t slot = s->w.slot_of[offset];

	if (slot == 0)
		return NULL;
	return s->sole ? &s->w.ready[slot - 1] : &s->w.answer[slot - 1];
}

static uint32_t
n_blocks(const struct eval_at *at)
{
	return (at->n - 1) / TREE_BLOCK + 1;
}

/* front_scan(), and what it costs when somebody asks. A leaf that is the whole question is not
 * asked again, so its answers are counted here: in trace_sole(). */
static int
scan_front(const struct front *f, const struct eval_at *at, struct bits *out)
{
	struct leaf_cost *cost = at->worker->cost;
	uint64_t began;
	int r;

	if (!cost)
		return front_scan(f, at, out);
	began = clock_mono_ns();
	r = front_scan(f, at, out);
	cost += f->leaf->leaf;
	cost->nsec += clock_mono_ns() - began;
	if (f->leaf->text.way == WAY_SLASHED) /* name_bits() counts its own */
		cost->n_read += n_blocks(at);
	return r;
}

/* Of a chunk of the window; `answer` NULL: it was left out. */
static void
trace_sole(const struct sweep *s, const struct eval_at *at, const struct bits *answer)
{
	struct leaf_cost *cost = at->worker->cost;

	if (!cost || !s->sole)
		return;
	cost += s->eval->query->root->leaf;
	if (!answer) {
		cost->n_skipped += n_blocks(at);
		return;
	}
	cost->n_calls++;
	cost->n_asked += snapshot_count(s->eval->snapshot, s->eval->layer, at->lo, at->lo + at->n);
	cost->n_hits += bits_count(answer);
}

/* Items: each front of each slot. */
static int
scan_fronts(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct sweep *s = ctx;

	for (; lo < hi; lo++) {
		const struct front *f = &s->front[lo % s->n_front];
		struct eval_at at = chunk_at(s, s->w.offset_of[lo / s->n_front], worker);
		int r = query_poll(s->opts);

		if (r == 0 && front_may_hit(f, at.lo, at.n))
			r = scan_front(f, &at, &s->w.ready[lo]);
		else
			s->w.ready[lo] = (struct bits){0};
		if (r < 0)
			return r;
	}
	return 0;
}

/* Does a mark reach into the chunk? */
static bool
is_touched(struct sweep *s, uint32_t offset)
{
	struct eval_at at = chunk_at(s, offset, 0);
	bool any = false;

	for (uint32_t i = 0; i < s->n_front && !any; i++)
		any = front_touches(&s->front[i], at.lo, at.n);
	return any;
}

/* What only marks say something of: the fronts have found nothing. */
static int
list_touched(struct sweep *s, uint32_t offset)
{
	int r = list_chunk(s, offset);

	if (r == 0)
		memset(&s->w.ready[(size_t)(s->w.n_listed - 1) * s->n_front], 0,
			s->n_front * sizeof(*s->w.ready));
	return r;
}

static int
absorb_chunk(struct sweep *s, uint32_t offset)
{
	struct eval_at at = chunk_at(s, offset, 0);
	uint32_t *slot = &s->w.slot_of[offset];
	struct bits *ready;
	bool any = false;
	int r = 0;

	if (*slot == 0 && is_touched(s, offset))
		r = list_touched(s, offset);
	ready = *slot > 0 ? &s->w.ready[(size_t)(*slot - 1) * s->n_front] : NULL;
	for (uint32_t i = 0; ready && i < s->n_front && r == 0; i++) {
		/* Mostly there is nothing. */
		if (!bits_any(&ready[i]) && !front_touches(&s->front[i], at.lo, at.n))
			continue;
		any = true;
		r = front_absorb(&s->front[i], &at, &ready[i]);
	}
	/* Fronts tell of all entries. */
	if (s->sole && any)
		tree_dead_clear(s->eval->dead, at.lo, at.n, ready->word);
	trace_sole(s, &at, answer_at(s, offset));
	if (s->decides && !any)
		*slot = 0; /* nothing to ask, nothing to be gone through */
	return r;
}

static int
absorb_fronts(struct sweep *s)
{
	int r = 0;

	for (uint32_t offset = 0; offset < s->w.n && r == 0; offset++)
		r = absorb_chunk(s, offset);
	return r;
}

/* Of given entries names are asked one by one, without fronts. */
static int
ask_only(struct sweep *s, unsigned worker, const struct eval_at *at, struct bits *out)
{
	struct bits want;

	eval_live(s->eval, at->lo, at->n, &want);
	entry_set_keep(s->opts->only, s->eval->layer, at->lo, at->n, &want);
	return eval_some(s->eval, worker, at->lo, at->n, &want, out);
}

static int
ask_slots(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct sweep *s = ctx;

	for (; lo < hi; lo++) {
		struct eval_at at = chunk_at(s, s->w.offset_of[lo], worker);
		int r = query_poll(s->opts);

		if (s->w.slot_of[s->w.offset_of[lo]] == 0)
			continue;
		at.ready = s->n_front > 0 ? &s->w.ready[lo * s->n_front] : NULL;
		if (r == 0 && s->opts->only)
			r = ask_only(s, worker, &at, &s->w.answer[lo]);
		else if (r == 0)
			r = eval_ahead(s->eval, &at, &s->w.answer[lo]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The question itself, of what the fronts left to ask. */
static int
ask_window(struct sweep *s)
{
	/* Nothing is asked of them: who is admitted is known sooner than a helper comes. */
	if (s->eval->query->n_leaf == 0 && !s->opts->only)
		return ask_slots(0, s->w.n_listed, 0, s);
	return par_for(s->opts->compute, TASK_QUERY, s->w.n_listed, 1, ask_slots, s, s->opts->stop);
}

/* Evaluate the next window of the current range. */
static int
fill_window(struct sweep *s)
{
	int r = list_window(s);

	if (r == 0 && s->n_front > 0)
		r = par_for(s->opts->compute, TASK_QUERY, (size_t)s->w.n_listed * s->n_front, 1,
			scan_fronts, s, s->opts->stop);
	if (r == 0 && s->n_front > 0)
		r = absorb_fronts(s);
	if (r == 0 && !s->sole)
		r = ask_window(s);
	if (r < 0) /* nothing of it is given */
		s->w.n = 0;
	return r;
}

static int
bind_fronts(struct sweep *s)
{
	const struct node *root = s->eval->query->root;
	const uint64_t *admit = eval_admit_all(s->eval);
	uint32_t n = s->eval->cols->n_entries;

	s->n_front = s->w.n = 0;
	s->sole = s->decides = false;
	if (s->opts->only)
		return 0;
	s->sole = front_suits(root) && !admit;
	if (admit && eval_n_admitted(admit, 0, n) <= FEW_ADMITTED(n))
		return 0;
	s->decides = front_suits(asked_first(s, root));
	return start_fronts(s, root);
}

/* 1 the current range is bound and has entries left, 0 there is none any more, or an error. */
static int
bind_range(struct sweep *s)
{
	while (s->at < s->n_ranges) {
		const struct sweep_range *range = &s->range[s->at];

		if (!s->bound) {
			int r = eval_bind(s->eval, range->layer);

			if (r < 0)
				return r;
			s->next = range->lo;
			s->bound = true;
			r = bind_fronts(s);
			if (r < 0)
				return r;
		}
		if (s->next < range->hi)
			return 1;
		/* Pages that the disk could not give were zeros. */
		if (tree_faulted(s->eval->snapshot->layers[range->layer].tree))
			return -EIO;
		s->at++;
		s->bound = false;
	}
	return 0;
}

/* The next set bit of the window is at w.pos of the chunk at offset w.at; false: none. */
static bool
window_next(struct sweep *s)
{
	struct window *w = &s->w;

	for (; w->at < w->n; w->at++, w->pos = 0) {
		const struct bits *answer = answer_at(s, w->at);

		if (answer)
			w->pos = bits_next(answer, w->pos);
		if (answer && w->pos < EVAL_CHUNK)
			return true;
	}
	return false;
}

/* 1 the window's next bit is at hand, 0 there is none any more, or an error. */
static int
find_next(struct sweep *s)
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
	return 1;
}

int
sweep_next(struct sweep *s, uint32_t *ret_layer, uint32_t *ret_entry)
{
	int r = find_next(s);

	if (r <= 0)
		return r;
	*ret_layer = s->range[s->at].layer;
	*ret_entry = chunk_at(s, s->w.at, 0).lo + s->w.pos++;
	s->n_given++;
	return 1;
}

/* Bits of the chunk at hand from w.pos on, as entries. */
static uint32_t
take_bits(struct sweep *s, uint32_t *ret, uint32_t n)
{
	const struct bits *answer = answer_at(s, s->w.at);
	uint32_t lo = chunk_at(s, s->w.at, 0).lo, pos = s->w.pos, got = 0;

	while (pos < EVAL_CHUNK && got < n) {
		uint64_t left = answer->word[pos / 64] >> pos % 64 << pos % 64;

		for (; left && got < n; left &= left - 1)
			ret[got++] = lo + pos / 64 * 64 + (uint32_t)__builtin_ctzll(left);
		pos = left ? pos / 64 * 64 + (uint32_t)__builtin_ctzll(left) : (pos / 64 + 1) * 64;
	}
	s->w.pos = pos;
	return got;
}

int
sweep_next_some(struct sweep *s, uint32_t *ret_layer, uint32_t *ret_entry, uint32_t n)
{
	uint32_t got = 0;
	int r = find_next(s);

	if (r <= 0)
		return r;
	do
		got += take_bits(s, ret_entry + got, n - got);
	while (got < n && window_next(s));
	*ret_layer = s->range[s->at].layer;
	s->n_given += got;
	return (int)got;
}

int
sweep_next_chunk(struct sweep *s, uint32_t *ret_layer, uint32_t *ret_lo, const struct bits **ret)
{
	int r;

	assert(s->w.pos == 0);
	r = find_next(s);
	if (r <= 0)
		return r;
	*ret_layer = s->range[s->at].layer;
	*ret_lo = chunk_at(s, s->w.at, 0).lo;
	*ret = answer_at(s, s->w.at);
	s->w.at++;
	s->w.pos = 0;
	return 1;
}

bool
sweep_has_words(const struct sweep *s)
{
	return s->n_wanted > 0;
}

bool
sweep_may_match(const struct sweep *s, uint32_t lo, uint32_t n)
{
	return question_may_match(s, lo, n);
}

/* Those of the window that have not been given. */
static uint64_t
count_window(struct sweep *s)
{
	struct window *w = &s->w;
	uint64_t n = 0;

	for (; w->at < w->n; w->at++, w->pos = 0) {
		const struct bits *answer = answer_at(s, w->at);
		struct bits given = {0};

		if (!answer)
			continue;
		n += bits_count(answer);
		if (w->pos == 0)
			continue;
		bits_set_range(&given, 0, w->pos);
		for (size_t i = 0; i < ARRAY_LEN(given.word); i++)
			given.word[i] &= answer->word[i];
		n -= bits_count(&given);
	}
	return n;
}

int
sweep_count_rest(struct sweep *s, uint64_t *ret)
{
	uint64_t n = count_window(s);
	int r;

	while ((r = bind_range(s)) == 1) {
		s->window_groups = MAX_GROUPS;
		r = fill_window(s);
		if (r < 0)
			return r;
		n += count_window(s);
	}
	*ret = n;
	return r;
}
