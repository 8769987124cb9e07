#include "index/text_eval.h"

#include <errno.h>
#include <string.h>

#include "index/text_group.h"
#include "index/text_ids.h"

/* Sets are of units. Where the query is of documents, those of a document are in a set all
 * together or not at all: so lists are marked as they are, bitmaps by words, and only the few
 * documents that have windows need a closer look. */
struct eval {
	const struct text_cols *c;
	const struct text_eval_opts *opts;
	bool of_docs;   /* sets are of whole documents */
	uint32_t range; /* of units */
	uint32_t steps;
	uint32_t enough; /* of an estimate */
};

/* A part of an AND or OR. */
struct part {
	const struct gram_node *node;
	uint32_t count;          /* ids at most */
	struct text_entry entry; /* of a single gram that has a list */
};

static bool
is_single(const struct gram_node *node)
{
	return node->op == GRAM_RANGE && node->first == node->last;
}

static uint32_t estimate(struct eval *e, const struct gram_node *node);

static uint32_t
estimate_and(struct eval *e, const struct gram_node *node)
{
	uint32_t least = e->range;

	for (uint32_t i = 0; i < node->n_kids && least > e->enough; i++)
		least = MIN(least, estimate(e, node->kids[i]));
	return least;
}

/* A sum of what is no more than enough may be more. */
static uint32_t
estimate_or(struct eval *e, const struct gram_node *node)
{
	uint32_t enough = e->enough, sum = 0;

	e->enough = 0;
	for (uint32_t i = 0; i < node->n_kids; i++) {
		uint32_t n = estimate(e, node->kids[i]);

		sum = MIN(sum, e->range - n) + n;
	}
	e->enough = enough;
	return sum;
}

static uint32_t
estimate(struct eval *e, const struct gram_node *node)
{
	if (e->steps >= TEXT_EVAL_MAX_STEPS)
		return e->range;
	e->steps++;
	switch (node->op) {
	case GRAM_NONE:
		return 0;
	case GRAM_RANGE:
		return (uint32_t)MIN(text_list_count(e->c, node->first, node->last), e->range);
	case GRAM_AND:
		return estimate_and(e, node);
	case GRAM_OR:
		return estimate_or(e, node);
	case GRAM_ANY:
		break;
	}
	return e->range;
}

static void
mark_list(const struct eval *e, const struct text_entry *entry, uint64_t *bits)
{
	struct text_list l;

	text_list_start(e->c, entry, &l);
	text_list_mark(&l, bits);
}

static bool
any_unit(const uint64_t *bits, uint32_t lo, uint32_t hi)
{
	while (lo < hi && !text_ids_has_bit(bits, lo))
		lo++;
	return lo < hi;
}

/* To all units of the documents that have one. Windows are the units that are not the first of
 * theirs (FORMAT-TEXT.md 2.3). */
static void
spread(const struct text_cols *c, uint64_t *bits)
{
	for (uint32_t i = 0, lo, hi; i < c->n_windows; i += MAX(hi - lo, 2u) - 1) {
		text_units(c, c->unit_doc[c->windows[i].unit], &lo, &hi);
		if (!any_unit(bits, lo, hi))
			continue;
		for (uint32_t unit = lo; unit < hi; unit++)
			text_ids_set_bit(bits, unit);
	}
}

/* A list that is asked for ascending units. */
struct asked {
	struct text_list list;
	uint32_t unit; /* the last one that it gave */
	bool any, ended;
};

static bool
has_unit_from(struct asked *a, uint32_t unit)
{
	if (!a->any || a->unit < unit) {
		a->ended = a->ended || text_list_leap(&a->list, unit, &a->unit) == 0;
		a->any = true;
	}
	return !a->ended;
}

static bool
has_id(const struct eval *e, struct asked *a, uint32_t id)
{
	uint32_t lo = id, hi = id + 1;

	if (e->of_docs)
		text_units(e->c, e->c->unit_doc[id], &lo, &hi);
	return has_unit_from(a, lo) && a->unit < hi;
}

/* Keep of a list of ids those that the gram's list has. */
static void
keep_in_list(const struct eval *e, struct text_ids *ids, const struct text_entry *entry)
{
	struct asked a = {0};
	uint32_t kept = 0;

	text_list_start(e->c, entry, &a.list);
	for (uint32_t i = 0; i < ids->n && !a.ended; i++) {
		if (has_id(e, &a, ids->list[i]))
			ids->list[kept++] = ids->list[i];
	}
	ids->n = kept;
}

/* Documents without a unit are not searched; no list has one. */
static void
mark_all(const struct eval *e, struct text_ids *ret)
{
	memset(ret->bits, 0xff, e->range / 64 * sizeof(*ret->bits));
	for (uint32_t unit = e->range & ~63u; unit < e->range; unit++)
		text_ids_set_bit(ret->bits, unit);
}

/* Are its lists taken for those of all ids? */
static bool
is_dense(const struct eval *e, const struct gram_node *node)
{
	return e->opts->flags & TEXT_EVAL_NOT_DENSE && node->last - node->first >= N_SYMBOLS &&
	       text_list_count(e->c, node->first, node->last) > e->range;
}

static int
mark_range(struct eval *e, const struct gram_node *node, struct text_ids *ret)
{
	struct text_entry lists[TEXT_GROUP];

	if (is_dense(e, node)) {
		mark_all(e, ret);
		return 0;
	}
	for (uint32_t g = node->first / TEXT_GROUP; g <= node->last / TEXT_GROUP; g++) {
		unsigned n = text_group_lists(e->c, g, lists);

		if (stop_requested(e->opts->stop))
			return -ECANCELED;
		for (unsigned i = 0; i < n; i++) {
			if (lists[i].gram >= node->first && lists[i].gram <= node->last)
				mark_list(e, &lists[i], ret->bits);
		}
	}
	return 0;
}

static int eval_node(struct eval *e, const struct gram_node *node, struct text_ids *ret);

static int
mark_or(struct eval *e, const struct gram_node *node, struct text_ids *ret)
{
	int r = 0;

	for (uint32_t i = 0; i < node->n_kids && r == 0; i++) {
		const struct gram_node *kid = node->kids[i];
		struct text_ids ids = {0};

		if (kid->op == GRAM_RANGE) {
			r = mark_range(e, kid, ret);
			continue;
		}
		r = eval_node(e, kid, &ids);
		if (r == 0)
			text_ids_mark(&ids, ret->bits);
		text_ids_fini(&ids);
	}
	return r;
}

static int
cmp_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return x->count < y->count ? -1 : x->count > y->count;
}

static void
make_parts(struct eval *e, const struct gram_node *node, struct part *parts)
{
	for (uint32_t i = 0; i < node->n_kids; i++) {
		struct part *p = &parts[i];

		p->node = node->kids[i];
		if (!is_single(p->node))
			p->count = estimate(e, p->node);
		else
			p->count =
				text_entry_find(e->c, p->node->first, &p->entry) ? p->entry.n : 0;
	}
	qsort(parts, node->n_kids, sizeof(*parts), cmp_parts);
}

static int
keep_part(struct eval *e, struct text_ids *ids, const struct part *p)
{
	struct text_ids more = {0};
	int r;

	if (ids->list && is_single(p->node)) {
		keep_in_list(e, ids, &p->entry);
		return 0;
	}
	r = eval_node(e, p->node, &more);
	if (r == 0)
		r = text_ids_and(ids, &more);
	text_ids_fini(&more);
	return r;
}

static bool
is_idle(const struct text_eval_opts *opts, const struct part *p, uint32_t before, uint32_t after)
{
	return opts->worth > 0
	               ? (uint64_t)(before - after) * opts->worth < (uint64_t)before * p->count
	               : before == after;
}

/* Would asking the list take longer than it saves? */
static bool
is_too_long(const struct text_eval_opts *opts, const struct part *p, uint32_t n)
{
	return opts->plenty > 0 && n > opts->plenty && is_single(p->node) &&
	       p->count > opts->longest;
}

static int
eval_and(struct eval *e, const struct gram_node *node, struct text_ids *ret)
{
	AUTO(freep) struct part *parts = calloc(node->n_kids, sizeof(*parts));
	unsigned idle = 0;
	int r;

	if (!parts)
		return -ENOMEM;
	make_parts(e, node, parts);
	if (parts[0].count == 0)
		return text_ids_init(ret, e->range) < 0 ? -ENOMEM : text_ids_count(ret);
	r = eval_node(e, parts[0].node, ret);
	for (uint32_t i = 1; i < node->n_kids && r == 0 && ret->n > 0; i++) {
		uint32_t before = ret->n;

		if (stop_requested(e->opts->stop))
			return -ECANCELED;
		if (is_too_long(e->opts, &parts[i], ret->n))
			break;
		r = keep_part(e, ret, &parts[i]);
		idle = is_idle(e->opts, &parts[i], before, ret->n) ? idle + 1 : 0;
		if (idle == e->opts->patience && idle > 0)
			break;
	}
	return r;
}

/* `ret` is empty; on failure the caller ends it. */
static int
eval_node(struct eval *e, const struct gram_node *node, struct text_ids *ret)
{
	enum gram_op op = e->steps < TEXT_EVAL_MAX_STEPS ? node->op : GRAM_ANY;
	int r;

	e->steps++;
	if (op == GRAM_AND)
		return eval_and(e, node, ret);
	r = text_ids_init(ret, e->range);
	if (r < 0)
		return r;
	if (op == GRAM_RANGE)
		r = mark_range(e, node, ret);
	else if (op == GRAM_OR)
		r = mark_or(e, node, ret);
	else if (op == GRAM_ANY)
		mark_all(e, ret);
	if (r == 0 && e->of_docs)
		spread(e->c, ret->bits);
	return r < 0 ? r : text_ids_count(ret);
}

/* The next unit from `id` on; ids->range when there is none. *at is the place in a list. */
static uint32_t
next_id(const struct text_ids *ids, uint32_t id, uint32_t *at)
{
	if (ids->list)
		return *at < ids->n ? ids->list[(*at)++] : ids->range;
	for (; id < ids->range; id = (id | 63) + 1) {
		uint64_t word = ids->bits[id / 64] >> id % 64;

		if (word)
			return id + (uint32_t)__builtin_ctzll(word);
	}
	return ids->range;
}

static bool
is_left_out(const struct eval *e, uint32_t doc)
{
	const struct text_eval_opts *o = e->opts;

	return (o->dropped && text_ids_has_bit(o->dropped, doc)) ||
	       (o->need && !text_need_met(o->need, e->c->marks[doc]));
}

static int
list_docs(const struct eval *e, const struct text_ids *ids, struct text_found *ret)
{
	uint32_t at = 0;

	ret->docs = malloc(((size_t)ids->n + 1) * sizeof(*ret->docs));
	if (!ret->docs)
		return -ENOMEM;
	for (uint32_t id = next_id(ids, 0, &at); id < ids->range; id = next_id(ids, id + 1, &at)) {
		uint32_t doc = e->c->unit_doc[id];

		if (!is_left_out(e, doc) && (ret->n == 0 || ret->docs[ret->n - 1] != doc))
			ret->docs[ret->n++] = doc;
	}
	return 0;
}

/* Of all documents, in a pass over the marks alone; then those that have units. */
static int
list_meeting(const struct eval *e, struct text_found *ret)
{
	const struct text_need *need = e->opts->need;
	uint32_t n = 0;

	ret->docs = malloc(((size_t)e->c->n_docs + 1) * sizeof(*ret->docs));
	if (!ret->docs)
		return -ENOMEM;
	for (uint32_t doc = 0; doc < e->c->n_docs; doc++) {
		ret->docs[n] = doc;
		n += text_need_met(need, e->c->marks[doc]);
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t doc = ret->docs[i], lo, hi;

		text_units(e->c, doc, &lo, &hi);
		if (lo < hi && !is_left_out(e, doc))
			ret->docs[ret->n++] = doc;
	}
	return 0;
}

static struct eval
eval_of(const struct text_cols *c, const struct text_eval_opts *opts)
{
	bool of_docs = !(opts->flags & TEXT_EVAL_IN_UNIT) && c->n_windows > 0;

	return (struct eval){.c = c, .opts = opts, .of_docs = of_docs, .range = c->n_units};
}

int
text_eval(const struct text_cols *c, const struct gram_node *root,
	const struct text_eval_opts *opts, struct text_found *ret)
{
	struct eval e = eval_of(c, opts);
	struct text_ids ids = {0};
	int r;

	*ret = (struct text_found){0};
	if (root->op == GRAM_ANY && opts->need && opts->need->n > 0)
		return list_meeting(&e, ret);
	r = eval_node(&e, root, &ids);
	if (r == 0)
		r = list_docs(&e, &ids, ret);
	text_ids_fini(&ids);
	return r;
}

int
text_eval_units(const struct text_cols *c, const struct gram_node *root,
	const struct text_eval_opts *opts, uint64_t **ret)
{
	struct eval e = {.c = c, .opts = opts, .range = c->n_units};
	struct text_ids ids = {0};
	int r = eval_node(&e, root, &ids);

	if (r == 0 && ids.list) {
		ids.bits = calloc(text_ids_words(e.range), sizeof(*ids.bits));
		r = ids.bits ? 0 : -ENOMEM;
	}
	if (r == 0 && ids.list)
		text_ids_mark(&ids, ids.bits);
	if (r == 0)
		*ret = TAKE_PTR(ids.bits);
	text_ids_fini(&ids);
	return r;
}

void
text_found_fini(struct text_found *f)
{
	free(f->docs);
	*f = (struct text_found){0};
}

uint32_t
text_eval_estimate(const struct text_cols *c, const struct gram_node *root, uint32_t enough)
{
	struct text_eval_opts opts = {0};
	struct eval e = eval_of(c, &opts);

	e.enough = enough;
	return MIN(estimate(&e, root), c->n_docs);
}
