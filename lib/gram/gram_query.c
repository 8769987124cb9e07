#include "gram/gram_query.h"

#include <errno.h>

#include "base/bisect.h"
#include "base/vec.h"

/* Comparing every child with every other is for small sets; larger ones are merely kept. */
#define IMPLY_MAX_KIDS 64u
#define IMPLY_MAX_STEPS 4096u
/* The rest is for what stands above ranges: without it they would be of no use. */
#define MAX_RANGES (GRAM_QUERY_MAX_NODES / 4 * 3)

typedef VEC(const struct gram_node *) node_list;

static const struct gram_node any = {.op = GRAM_ANY};
static const struct gram_node none = {.op = GRAM_NONE};

void
gram_query_init(struct gram_query *q, unsigned n)
{
	assert(n >= GRAM_MIN && n <= GRAM_MAX);
	*q = (struct gram_query){.n = n, .root = &any};
}

void
gram_query_fini(struct gram_query *q)
{
	arena_fini(&q->arena);
	q->root = &any;
	q->n_nodes = 0;
}

const struct gram_node *
gram_query_any(void)
{
	return &any;
}

const struct gram_node *
gram_query_none(void)
{
	return &none;
}

/* NULL: the query is as large as it may be, or memory is out. */
static struct gram_node *
new_node(struct gram_query *q, enum gram_op op)
{
	struct gram_node *node;

	if (q->n_nodes >= (op == GRAM_RANGE ? MAX_RANGES : GRAM_QUERY_MAX_NODES))
		return NULL;
	node = ARENA_NEW(&q->arena, struct gram_node);
	q->failed = q->failed || !node;
	if (!node)
		return NULL;
	node->op = op;
	q->n_nodes++;
	return node;
}

const struct gram_node *
gram_query_range(struct gram_query *q, uint32_t first, uint32_t last)
{
	struct gram_node *node = new_node(q, GRAM_RANGE);

	assert(first <= last && last < GRAM_END(q->n));
	if (!node)
		return &any;
	node->first = first;
	node->last = last;
	return node;
}

/* By kind, then what is in it: 0 only when they say the same. */
static int
node_cmp(const void *a, const void *b)
{
	const struct gram_node *x = *(const struct gram_node *const *)a;
	const struct gram_node *y = *(const struct gram_node *const *)b;
	int r = 0;

	if (x == y)
		return 0;
	if (x->op != y->op)
		return x->op < y->op ? -1 : 1;
	if (x->first != y->first || x->last != y->last)
		return x->first < y->first || (x->first == y->first && x->last < y->last) ? -1 : 1;
	if (x->n_kids != y->n_kids)
		return x->n_kids < y->n_kids ? -1 : 1;
	for (uint32_t i = 0; i < x->n_kids && r == 0; i++)
		r = node_cmp(&x->kids[i], &y->kids[i]);
	return r;
}

/*
 * Does every document that satisfies `a` satisfy `b`? False when it does not follow from the form,
 * or when that takes too many steps.
 */
static bool
implies(const struct gram_node *a, const struct gram_node *b, unsigned *steps)
{
	bool all = a->op == GRAM_OR || b->op == GRAM_AND;
	const struct gram_node *split = a->op == GRAM_OR ? a : b->op == GRAM_AND ? b : NULL;

	if (a == b)
		return true;
	if (*steps == 0)
		return false;
	--*steps;
	if (a->op == GRAM_RANGE && b->op == GRAM_RANGE)
		return a->first >= b->first && a->last <= b->last;
	if (all) {
		for (uint32_t i = 0; i < split->n_kids; i++) {
			if (!(split == a ? implies(split->kids[i], b, steps)
					 : implies(a, split->kids[i], steps)))
				return false;
		}
		return true;
	}
	for (uint32_t i = 0; a->op == GRAM_AND && i < a->n_kids; i++) {
		if (implies(a->kids[i], b, steps))
			return true;
	}
	for (uint32_t i = 0; b->op == GRAM_OR && i < b->n_kids; i++) {
		if (implies(a, b->kids[i], steps))
			return true;
	}
	return false;
}

/* The children, those of the same kind opened: false when memory is out. */
static bool
flatten(enum gram_op op, const struct gram_node *const *kids, size_t n, node_list *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct gram_node *const *from = kids[i]->op == op ? kids[i]->kids : &kids[i];
		size_t n_from = kids[i]->op == op ? kids[i]->n_kids : 1;

		if (VEC_RESERVE(out, n_from) < 0)
			return false;
		memcpy(out->data + out->len, from, n_from * sizeof(*from));
		out->len += n_from;
	}
	return true;
}

/* Of children that are equal, and stand side by side, one stays. */
static void
drop_equal(node_list *kids)
{
	size_t n = 0;

	for (size_t i = 0; i < kids->len; i++) {
		const struct gram_node *a = kids->data[i];

		if (n == 0 || node_cmp(&kids->data[n - 1], &a) != 0)
			kids->data[n++] = a;
	}
	kids->len = n;
}

/* Leave out what adds nothing: in an AND what another child implies, in an OR what implies another
 * one. Of two that imply each other the last stays. */
static void
drop_implied(enum gram_op op, node_list *kids)
{
	unsigned steps = IMPLY_MAX_STEPS;
	size_t n = kids->len;

	if (kids->len > IMPLY_MAX_KIDS)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct gram_node *a = kids->data[i];
		bool drop = false;

		for (size_t k = 0; k < n && !drop; k++) {
			const struct gram_node *b = kids->data[k];

			if (k != i && b)
				drop = op == GRAM_AND ? implies(b, a, &steps)
				                      : implies(a, b, &steps);
		}
		if (drop)
			kids->data[i] = NULL;
	}
	kids->len = 0;
	for (size_t i = 0; i < n; i++) {
		if (kids->data[i])
			kids->data[kids->len++] = kids->data[i];
	}
}

static const struct gram_node *
make_of(struct gram_query *q, enum gram_op op, const node_list *kids)
{
	struct gram_node *node;
	const struct gram_node **copy;

	if (kids->len == 1)
		return kids->data[0];
	node = new_node(q, op);
	copy = node ? ARENA_ARRAY(&q->arena, const struct gram_node *, kids->len) : NULL;
	if (!copy) {
		q->failed = q->failed || node;
		return op == GRAM_AND ? kids->data[0] : &any; /* one condition of several */
	}
	memcpy(copy, kids->data, kids->len * sizeof(*copy));
	node->kids = copy;
	node->n_kids = (uint32_t)kids->len;
	return node;
}

/* Sorted and without what adds nothing. */
static const struct gram_node *
make_simple(struct gram_query *q, enum gram_op op, node_list *kids)
{
	if (kids->len > 1)
		qsort(kids->data, kids->len, sizeof(kids->data[0]), node_cmp);
	drop_equal(kids);
	drop_implied(op, kids);
	return make_of(q, op, kids);
}

static const struct gram_node *
combine(struct gram_query *q, enum gram_op op, const struct gram_node *const *kids, size_t n)
{
	node_list list = {0};
	const struct gram_node *made = &any;

	if (flatten(op, kids, n, &list))
		made = list.len > GRAM_QUERY_MAX_KIDS && op == GRAM_OR ? &any
		                                                       : make_simple(q, op, &list);
	else
		q->failed = true;
	VEC_FINI(&list);
	return made;
}

const struct gram_node *
gram_query_and(struct gram_query *q, const struct gram_node *const *kids, size_t n)
{
	node_list list = {0};
	const struct gram_node *made = &any;

	for (size_t i = 0; i < n; i++) {
		if (kids[i]->op == GRAM_NONE) {
			VEC_FINI(&list);
			return &none;
		}
		if (kids[i]->op != GRAM_ANY && VEC_PUSH(&list, kids[i]) < 0)
			q->failed = true; /* an AND of fewer lets more through */
	}
	if (list.len > 0)
		made = combine(q, GRAM_AND, list.data, list.len);
	VEC_FINI(&list);
	return made;
}

static bool
is_kid(const struct gram_node *range, const struct gram_node *of)
{
	for (uint32_t i = 0; of->op == GRAM_AND && i < of->n_kids; i++) {
		if (node_cmp(&of->kids[i], &range) == 0)
			return true;
	}
	return of->op == GRAM_RANGE && node_cmp(&of, &range) == 0;
}

/* The ranges that every one of the alternatives asks for. */
static bool
find_shared(const node_list *kids, node_list *shared)
{
	const struct gram_node *first = kids->data[0];
	const struct gram_node *const *from = first->op == GRAM_AND ? first->kids : &first;
	size_t n = first->op == GRAM_AND ? first->n_kids : 1;

	for (size_t i = 0; i < n; i++) {
		bool all = from[i]->op == GRAM_RANGE;

		for (size_t k = 1; k < kids->len && all; k++)
			all = is_kid(from[i], kids->data[k]);
		if (all && VEC_PUSH(shared, from[i]) < 0)
			return false;
	}
	return true;
}

/* The alternative without what is shared. */
static const struct gram_node *
without(struct gram_query *q, const struct gram_node *of, const node_list *shared)
{
	node_list left = {0};
	const struct gram_node *made = &any;

	for (uint32_t i = 0; of->op == GRAM_AND && i < of->n_kids; i++) {
		bool is_shared = false;

		for (size_t k = 0; k < shared->len && of->kids[i]->op == GRAM_RANGE; k++)
			is_shared = is_shared || node_cmp(&of->kids[i], &shared->data[k]) == 0;
		if (!is_shared && VEC_PUSH(&left, of->kids[i]) < 0)
			q->failed = true;
	}
	if (left.len > 0)
		made = make_of(q, GRAM_AND, &left);
	VEC_FINI(&left);
	return made;
}

/* a & b | a & c is a & (b | c). `kids` are at least two, opened, of which none is ANY. */
static const struct gram_node *
or_shared(struct gram_query *q, node_list *kids)
{
	node_list shared = {0};
	const struct gram_node *made = &any, *rest;
	bool bare = false;

	if (!find_shared(kids, &shared)) {
		q->failed = true;
	} else if (shared.len == 0) {
		made = combine(q, GRAM_OR, kids->data, kids->len);
	} else {
		for (size_t i = 0; i < kids->len; i++) {
			kids->data[i] = without(q, kids->data[i], &shared);
			bare = bare || kids->data[i]->op == GRAM_ANY;
		}
		rest = bare ? &any : combine(q, GRAM_OR, kids->data, kids->len);
		if (rest->op != GRAM_ANY && VEC_PUSH(&shared, rest) < 0)
			q->failed = true;
		made = combine(q, GRAM_AND, shared.data, shared.len);
	}
	VEC_FINI(&shared);
	return made;
}

const struct gram_node *
gram_query_or(struct gram_query *q, const struct gram_node *const *kids, size_t n)
{
	node_list list = {0};
	const struct gram_node *made = &none;

	for (size_t i = 0; i < n; i++) {
		bool failed = kids[i]->op != GRAM_NONE && kids[i]->op != GRAM_ANY &&
		              !flatten(GRAM_OR, &kids[i], 1, &list);

		q->failed = q->failed || failed;
		if (kids[i]->op == GRAM_ANY || failed) {
			VEC_FINI(&list);
			return &any;
		}
	}
	if (list.len == 1)
		made = list.data[0];
	else if (list.len > 1)
		made = or_shared(q, &list);
	VEC_FINI(&list);
	return made;
}

const struct gram_node *
gram_query_run(struct gram_query *q, const uint8_t *symbols, size_t len)
{
	node_list grams = {0};
	uint32_t gram = 0, mask = GRAM_END(q->n) - 1;
	const struct gram_node *made;

	for (size_t i = 0; i < len; i++) {
		gram = (gram << SYMBOL_BITS | symbols[i]) & mask;
		if (i + 1 >= q->n && VEC_PUSH(&grams, gram_query_range(q, gram, gram)) < 0)
			q->failed = true;
	}
	if (len > 0 && len < q->n && len + 2 >= q->n) {
		unsigned bits = SYMBOL_BITS * (q->n - (unsigned)len);

		return gram_query_range(q, gram << bits, gram << bits | ((1u << bits) - 1));
	}
	made = gram_query_and(q, grams.data, grams.len);
	VEC_FINI(&grams);
	return made;
}

/* Is one of the grams, ascending, within the range? */
static bool
holds_range(const struct gram_node *node, const uint32_t *grams, size_t n)
{
	size_t lo = FIRST_NOT(i, n, grams[i] < node->first);

	return lo < n && grams[lo] <= node->last;
}

bool
gram_query_holds(const struct gram_node *node, const uint32_t *grams, size_t n)
{
	bool want = node->op == GRAM_OR; /* the first child that says so decides */

	switch (node->op) {
	case GRAM_ANY:
		return true;
	case GRAM_NONE:
		return false;
	case GRAM_RANGE:
		return holds_range(node, grams, n);
	case GRAM_AND:
	case GRAM_OR:
		break;
	}
	for (uint32_t i = 0; i < node->n_kids; i++) {
		if (gram_query_holds(node->kids[i], grams, n) == want)
			return want;
	}
	return !want;
}

static void
print_gram(uint32_t gram, unsigned n, struct strbuf *out)
{
	for (unsigned i = n; i-- > 0;)
		(void)strbuf_puts(out, symbol_name(gram >> (SYMBOL_BITS * i) & (N_SYMBOLS - 1)));
}

/* How many symbols at the end may be any, when that is all that the range says: else n. */
static unsigned
n_open(const struct gram_node *node, unsigned n)
{
	unsigned open = 0;

	while (open < n && node->last - node->first != (1u << SYMBOL_BITS * open) - 1)
		open++;
	return open < n && node->first % (1u << SYMBOL_BITS * open) == 0 ? open : n;
}

/* Ranges that are neither one gram nor all that begin alike are written as first-last. */
static void
print_range(const struct gram_query *q, const struct gram_node *node, struct strbuf *out)
{
	unsigned open = n_open(node, q->n);

	(void)strbuf_putc(out, '"');
	if (open < q->n)
		print_gram(node->first >> SYMBOL_BITS * open, q->n - open, out);
	else
		print_gram(node->first, q->n, out);
	(void)strbuf_putc(out, '"');
	for (unsigned i = 0; i < open && open < q->n; i++)
		(void)strbuf_putc(out, '*');
	if (open < q->n)
		return;
	(void)strbuf_puts(out, "-\"");
	print_gram(node->last, q->n, out);
	(void)strbuf_putc(out, '"');
}

static void
print_node(const struct gram_query *q, const struct gram_node *node, bool inner, struct strbuf *out)
{
	static const char *const plain[] = {"ANY", "NONE"};

	if (node->op == GRAM_RANGE) {
		print_range(q, node, out);
		return;
	}
	if (node->op == GRAM_ANY || node->op == GRAM_NONE) {
		(void)strbuf_puts(out, plain[node->op == GRAM_NONE]);
		return;
	}
	(void)strbuf_puts(out, inner ? "(" : "");
	for (uint32_t i = 0; i < node->n_kids; i++) {
		if (i > 0)
			(void)strbuf_puts(out, node->op == GRAM_AND ? " & " : " | ");
		print_node(q, node->kids[i], true, out);
	}
	(void)strbuf_puts(out, inner ? ")" : "");
}

int
gram_query_print(const struct gram_query *q, const struct gram_node *node, struct strbuf *out)
{
	print_node(q, node, false, out);
	return out->failed ? -ENOMEM : 0;
}
