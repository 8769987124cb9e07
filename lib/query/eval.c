#include "query/eval.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "index/tree_gram.h"
#include "query/sift.h"
#include "text/members.h"

void
bits_set_range(struct bits *b, uint32_t lo, uint32_t hi)
{
	uint64_t head = UINT64_MAX << lo % 64, tail = ((uint64_t)1 << hi % 64) - 1;
	uint32_t first = lo / 64, last = hi / 64;

	if (lo >= hi)
		return;
	if (first == last) {
		b->word[first] |= head & tail;
		return;
	}
	b->word[first] |= head;
	memset(&b->word[first + 1], 0xff, (last - first - 1) * sizeof(b->word[0]));
	if (tail)
		b->word[last] |= tail;
}

bool
bits_any(const struct bits *b)
{
	uint64_t any = 0;

	for (size_t i = 0; i < ARRAY_LEN(b->word); i++)
		any |= b->word[i];
	return any != 0;
}

bool
bits_any_of(const struct bits *b, uint32_t lo, uint32_t hi)
{
	for (uint32_t i = lo; i < hi; i = (i / 64 + 1) * 64) {
		uint64_t left = b->word[i / 64] >> (i % 64);

		if (hi - i < 64)
			left &= (1ull << (hi - i)) - 1;
		if (left)
			return true;
	}
	return false;
}

uint64_t
bits_count(const struct bits *b)
{
	return members_count(b->word, ARRAY_LEN(b->word));
}

uint32_t
bits_next(const struct bits *b, uint32_t i)
{
	while (i < EVAL_CHUNK) {
		uint64_t left = b->word[i / 64] >> (i % 64);

		if (left)
			return i + (uint32_t)__builtin_ctzll(left);
		i = (i / 64 + 1) * 64;
	}
	return EVAL_CHUNK;
}

static void
bits_and(struct bits *a, const struct bits *b)
{
	for (size_t i = 0; i < ARRAY_LEN(a->word); i++)
		a->word[i] &= b->word[i];
}

static void
bits_or(struct bits *a, const struct bits *b)
{
	for (size_t i = 0; i < ARRAY_LEN(a->word); i++)
		a->word[i] |= b->word[i];
}

static void
bits_and_not(struct bits *a, const struct bits *b)
{
	for (size_t i = 0; i < ARRAY_LEN(a->word); i++)
		a->word[i] &= ~b->word[i];
}

int
eval_create(const struct query *q, const struct snapshot *s, unsigned n_workers, struct eval **ret)
{
	struct eval *e = calloc(1, sizeof(*e) + n_workers * sizeof(e->worker[0]));

	if (!e)
		return -ENOMEM;
	e->query = q;
	e->snapshot = s;
	e->n_workers = n_workers;
	for (unsigned i = 0; i < n_workers; i++) {
		/* One more than needed: calloc(0) may be NULL. */
		e->worker[i].matcher = calloc(q->n_leaf + 1, sizeof(struct matcher *));
		if (!e->worker[i].matcher) {
			eval_destroy(e);
			return -ENOMEM;
		}
	}
	*ret = e;
	return 0;
}

void
eval_destroy(struct eval *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < e->n_workers; i++) {
		struct eval_worker *w = &e->worker[i];

		for (uint32_t k = 0; w->matcher && k < e->query->n_leaf; k++)
			matcher_destroy(w->matcher[k]);
		free(w->matcher);
		free(w->cost);
		strbuf_fini(&w->path);
		strbuf_fini(&w->folded);
	}
	arena_fini(&e->arena);
	free(e);
}

int
eval_trace(struct eval *e)
{
	for (unsigned i = 0; i < e->n_workers; i++) {
		if (!e->worker[i].cost)
			e->worker[i].cost = calloc(e->query->n_leaf + 1, sizeof(struct leaf_cost));
		if (!e->worker[i].cost)
			return -ENOMEM;
	}
	return 0;
}

unsigned
eval_get_cost(const struct eval *e, struct leaf_cost *ret)
{
	unsigned n_busy = 0;

	for (unsigned i = 0; i < e->n_workers; i++) {
		bool busy = false;

		for (uint32_t k = 0; k < e->query->n_leaf; k++) {
			leaf_cost_add(&ret[k], &e->worker[i].cost[k]);
			busy = busy || e->worker[i].cost[k].n_calls > 0;
		}
		n_busy += busy;
	}
	return n_busy;
}

int
eval_matcher(struct eval_worker *w, const struct node *leaf, struct matcher **ret)
{
	int r = 0;

	if (!w->matcher[leaf->leaf])
		r = matcher_create(leaf->text.pattern, &w->matcher[leaf->leaf]);
	*ret = w->matcher[leaf->leaf];
	return r;
}

/* Of two absolute paths: `path` is `dir` or below it; *ret_rest is what follows the slash. */
static bool
path_below(struct span path, struct span dir, struct span *ret_rest)
{
	if (dir.len == 1) /* "/" */
		dir.len = 0;
	if (!span_starts(path, dir))
		return false;
	if (path.len > dir.len && path.data[dir.len] != '/')
		return false;
	*ret_rest = (struct span){path.data + dir.len, path.len - dir.len};
	if (ret_rest->len > 0) {
		ret_rest->data++;
		ret_rest->len--;
	}
	return true;
}

/* The whole of the root: with its own entry when the root is strictly below what was asked. */
static void
whole_root(const struct tree_cols *c, bool own, uint32_t *ret_lo, uint32_t *ret_hi)
{
	*ret_lo = own ? 0 : 1;
	*ret_hi = c->n_entries;
}

void
eval_where(const struct snapshot *s, uint32_t layer, struct span where, uint32_t *ret_lo,
	uint32_t *ret_hi)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	struct span path = span_of(snapshot_root(s, layer)->path), rest;
	uint32_t entry;

	*ret_lo = *ret_hi = 0;
	if (where.data[0] != '/') {
		rest = where;
	} else if (path_below(path, where, &rest)) {
		whole_root(c, rest.len > 0, ret_lo, ret_hi);
		return;
	} else if (!path_below(where, path, &rest)) {
		return;
	}
	if (tree_lookup(c, rest, &entry) == 0 && tree_dir(c, entry) != TREE_NO_DIR)
		tree_subtree(c, tree_dir(c, entry), ret_lo, ret_hi);
}

static bool
perm_ok(const struct node *n, uint32_t mode)
{
	switch (n->perm.test) {
	case PERM_EXACT:
		return (mode & 07777) == n->perm.bits;
	case PERM_ALL:
		return (mode & n->perm.bits) == n->perm.bits;
	case PERM_ANY:
		/* As find: /000 is true for all. */
		return n->perm.bits == 0 || (mode & n->perm.bits) != 0;
	}
	return false;
}

static bool
class_ok(const struct node *n, const struct tree_class *k)
{
	switch (n->term) {
	case TERM_TYPE:
		return n->types >> IFTODT(k->mode) & 1;
	case TERM_USER:
		return k->uid == n->id;
	case TERM_GROUP:
		return k->gid == n->id;
	case TERM_PERM:
		return perm_ok(n, k->mode);
	case TERM_EXT: /* beside the name */
		return !S_ISDIR(k->mode);
	default:
		return false;
	}
}

static bool
of_class(enum term t)
{
	return t == TERM_TYPE || t == TERM_USER || t == TERM_GROUP || t == TERM_PERM;
}

static int
bind_class(struct eval *e, const struct node *n, struct eval_leaf *leaf)
{
	bool *ok = ARENA_ARRAY(&e->arena, bool, e->cols->n_classes);

	if (!ok)
		return -ENOMEM;
	for (uint32_t k = 0; k < e->cols->n_classes; k++)
		ok[k] = class_ok(n, &e->cols->classes[k]);
	leaf->class_ok = ok;
	return 0;
}

static int
bind_leaf(struct eval *e, const struct node *n, struct eval_leaf *leaf)
{
	if (of_class(n->term))
		return bind_class(e, n, leaf);
	if (n->term == TERM_IN)
		eval_where(e->snapshot, e->layer, n->where, &leaf->lo, &leaf->hi);
	if (n->term == TERM_ROOT)
		leaf->on = span_eq(n->where, span_of(snapshot_root(e->snapshot, e->layer)->name));
	if (n->term == TERM_EXT && bind_class(e, n, leaf) < 0)
		return -ENOMEM;
	if (n->term == TERM_TEXT || n->term == TERM_EXT)
		return leaf_bind_text(e, n, leaf);
	return 0;
}

size_t
eval_n_may(const struct eval *e, const struct node *n)
{
	uint32_t n_groups = tree_n_groups(e->cols);

	if ((n->term != TERM_TEXT && n->term != TERM_EXT) || !e->leaf[n->leaf].may)
		return n_groups;
	return members_count(e->leaf[n->leaf].may, (n_groups + 63) / 64);
}

/* In each AND the rarest of its words, when it spares most of the names, goes first: a front
 * then leaves them out, and the others are asked about what it found. */
static void
choose_first(const struct eval *e, const struct node *n)
{
	size_t least = tree_n_groups(e->cols) / 8;

	for (uint32_t i = 0; i < n->n_child; i++) {
		size_t k;

		choose_first(e, n->child[i]);
		if (n->term != TERM_AND)
			continue;
		k = eval_n_may(e, n->child[i]);
		if (k < least) {
			least = k;
			e->first[n->leaf] = n->child[i];
		}
	}
}

int
eval_bind(struct eval *e, uint32_t layer)
{
	const struct query *q = e->query;
	bool *regular;

	arena_reset(&e->arena);
	e->layer = layer;
	e->cols = snapshot_cols(e->snapshot, layer);
	e->dead = e->snapshot->layers[layer].dead;
	e->leaf = ARENA_ARRAY(&e->arena, struct eval_leaf, q->n_leaf + 1);
	e->first = ARENA_ARRAY(&e->arena, const struct node *, q->n_group + 1);
	e->admit = ARENA_ARRAY(&e->arena, const uint64_t *, q->n_group + 1);
	regular = ARENA_ARRAY(&e->arena, bool, e->cols->n_classes);
	if (!e->leaf || !e->first || !e->admit || !regular)
		return -ENOMEM;
	for (uint32_t k = 0; k < e->cols->n_classes; k++)
		regular[k] = S_ISREG(e->cols->classes[k].mode);
	e->regular = regular;
	for (uint32_t i = 0; i < q->n_leaf; i++) {
		int r = bind_leaf(e, q->leaf[i], &e->leaf[i]);

		if (r < 0)
			return r;
	}
	choose_first(e, q->root);
	return e->sift ? sift_bind(e->sift, layer, &e->arena, e->admit) : 0;
}

uint64_t
eval_admit_word(const uint64_t *admit, uint32_t lo, uint32_t n)
{
	uint64_t word = admit[lo / 64] >> lo % 64;

	if (lo % 64 + n > 64 && lo % 64 > 0)
		word |= admit[lo / 64 + 1] << (64 - lo % 64);
	return n < 64 ? word & (((uint64_t)1 << n) - 1) : word;
}

bool
eval_admits(const uint64_t *admit, uint32_t lo, uint32_t n)
{
	bool any = admit == NULL;

	for (uint32_t i = 0; i < n && !any; i += 64)
		any = eval_admit_word(admit, lo + i, MIN(64u, n - i)) != 0;
	return any;
}

uint32_t
eval_n_admitted(const uint64_t *admit, uint32_t lo, uint32_t n)
{
	uint32_t head = MIN(n, (64 - lo % 64) % 64), whole = (n - head) / 64 * 64;
	uint64_t ends[] = {head ? eval_admit_word(admit, lo, head) : 0,
		head + whole < n ? eval_admit_word(admit, lo + head + whole, n - head - whole) : 0};

	return (uint32_t)(members_count(admit + (lo + head) / 64, whole / 64) +
			  members_count(ends, ARRAY_LEN(ends)));
}

/* What of `from` is admitted. */
static void
keep_admitted(
	const struct eval_at *at, const uint64_t *admit, const struct bits *from, struct bits *out)
{
	*out = *from;
	for (uint32_t i = 0; admit && i < at->n; i += 64)
		out->word[i / 64] &= eval_admit_word(admit, at->lo + i, MIN(64u, at->n - i));
}

void
eval_live(const struct eval *e, uint32_t lo, uint32_t n, struct bits *ret)
{
	*ret = (struct bits){0};
	bits_set_range(ret, 0, n);
	if (e->dead)
		tree_dead_clear(e->dead, lo, n, ret->word);
}

/* `upper`: which entries may match; else: which match whatever the contents are. */
static int eval_node(const struct eval_at *at, const struct node *n, bool upper,
	const struct bits *want, struct bits *out);

static int
eval_and(const struct eval_at *at, const struct node *n, bool upper, const struct bits *want,
	struct bits *out)
{
	const struct node *first = at->e->first[n->leaf];
	const uint64_t *admit = upper ? eval_admit(at->e, n) : NULL;
	struct bits one;

	keep_admitted(at, admit, want, out);
	for (uint32_t i = first ? 0 : 1; i <= n->n_child && bits_any(out); i++) {
		const struct node *child = i == 0 ? first : n->order[i - 1];
		int r;

		if ((i > 0 && child == first) || (admit && child->pure))
			continue;
		r = eval_node(at, child, upper, out, &one);
		if (r < 0)
			return r;
		*out = one;
	}
	return 0;
}

static int
eval_or(const struct eval_at *at, const struct node *n, bool upper, const struct bits *want,
	struct bits *out)
{
	const uint64_t *admit = upper ? eval_admit(at->e, n) : NULL;
	struct bits rest = *want, one;

	*out = (struct bits){0};
	if (admit) {
		keep_admitted(at, admit, want, out);
		bits_and_not(&rest, out);
	}
	for (uint32_t i = 0; i < n->n_child && bits_any(&rest); i++) {
		int r;

		if (admit && n->order[i]->pure)
			continue;
		r = eval_node(at, n->order[i], upper, &rest, &one);
		if (r < 0)
			return r;
		bits_or(out, &one);
		bits_and_not(&rest, &one);
	}
	return 0;
}

static int
eval_not(const struct eval_at *at, const struct node *n, bool upper, const struct bits *want,
	struct bits *out)
{
	struct bits one;
	int r = eval_node(at, n->child[0], !upper, want, &one);

	if (r < 0)
		return r;
	*out = *want;
	bits_and_not(out, &one);
	return 0;
}

static int
ask_leaf(const struct eval_at *at, const struct node *n, bool upper, const struct bits *want,
	struct bits *out)
{
	int r = 0;

	*out = (struct bits){0};
	if (n->term == TERM_TEXT)
		r = leaf_text(at, n, want, out);
	else if (n->term == TERM_EXT)
		leaf_ext(at, n, want, out);
	else if (n->term == TERM_LANG)
		leaf_lang(at, n, want, out);
	else if (n->term != TERM_CONTENT || upper)
		leaf_columns(at, n, want, out);
	bits_and(out, want);
	return r;
}

static int
eval_leaf(const struct eval_at *at, const struct node *n, bool upper, const struct bits *want,
	struct bits *out)
{
	struct leaf_cost *cost = at->worker->cost;
	uint64_t began;
	int r;

	if (!cost)
		return ask_leaf(at, n, upper, want, out);
	began = clock_mono_ns();
	r = ask_leaf(at, n, upper, want, out);
	cost += n->leaf;
	cost->nsec += clock_mono_ns() - began;
	cost->n_calls++;
	cost->n_asked += bits_count(want);
	cost->n_hits += bits_count(out);
	return r;
}

/* Recursion is bounded by QUERY_MAX_DEPTH. */
static int
eval_node(const struct eval_at *at, const struct node *n, bool upper, const struct bits *want,
	struct bits *out)
{
	switch (n->term) {
	case TERM_ALL:
		*out = *want;
		return 0;
	case TERM_NONE:
		*out = (struct bits){0};
		return 0;
	case TERM_AND:
		return eval_and(at, n, upper, want, out);
	case TERM_OR:
		return eval_or(at, n, upper, want, out);
	case TERM_NOT:
		return eval_not(at, n, upper, want, out);
	default:
		return eval_leaf(at, n, upper, want, out);
	}
}

int
eval_part(struct eval *e, unsigned worker, const struct node *node, uint32_t lo, uint32_t n,
	const struct bits *want, struct bits *out)
{
	struct eval_at at = {.e = e, .worker = &e->worker[worker], .lo = lo, .n = n};

	return eval_node(&at, node, true, want, out);
}

static int
eval_question(const struct eval_at *at, const struct bits *want, struct bits *out)
{
	struct bits admitted;

	int r;

	keep_admitted(at, eval_admit_all(at->e), want, &admitted);
	r = eval_node(at, at->e->query->root, true, &admitted, out);
	if (r == 0 && at->e->sift)
		sift_take_binary(at->e->sift, at->e->layer, at->lo, at->n, out);
	return r;
}

int
eval_some(struct eval *e, unsigned worker, uint32_t lo, uint32_t n, const struct bits *want,
	struct bits *out)
{
	struct eval_at at = {.e = e, .worker = &e->worker[worker], .lo = lo, .n = n};

	return eval_question(&at, want, out);
}

int
eval_ahead(struct eval *e, const struct eval_at *at, struct bits *out)
{
	struct bits want;

	eval_live(e, at->lo, at->n, &want);
	return eval_question(at, &want, out);
}

int
eval_chunk(struct eval *e, unsigned worker, uint32_t lo, uint32_t n, struct bits *out)
{
	struct bits want;

	eval_live(e, lo, n, &want);
	return eval_some(e, worker, lo, n, &want, out);
}

int
eval_entry(struct eval *e, unsigned worker, const struct node *node, uint32_t entry)
{
	struct eval_at at = {.e = e, .worker = &e->worker[worker], .lo = entry, .n = 1};
	struct bits want = {{1}}, out;
	int r = eval_node(&at, node, true, &want, &out);

	return r < 0 ? r : (int)(out.word[0] & 1);
}
