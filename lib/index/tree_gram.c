#include "index/tree_gram.h"

#include "index/tree_format.h"
#include "index/tree_gram_code.h"
#include "text/members.h"

struct gram_set {
	uint32_t *grams;
	unsigned n, max;
	uint32_t gram; /* of the last symbols */
	unsigned run;  /* of symbols that are known */
};

static void
add_gram(struct gram_set *s, uint32_t gram)
{
	bool known = s->n == s->max;

	for (unsigned i = 0; i < s->n && !known; i++)
		known = s->grams[i] == gram;
	if (!known)
		s->grams[s->n++] = gram;
}

static void
push_symbol(struct gram_set *s, uint8_t symbol)
{
	s->gram = (s->gram << 6 | symbol) % TREE_N_GRAMS;
	if (++s->run >= 4)
		add_gram(s, s->gram);
}

/* Something comes, or an end, but nothing is known of it. */
static void
end_run(struct gram_set *s)
{
	if (s->run == 3)
		add_gram(s, (s->gram << 6) % TREE_N_GRAMS | TREE_GRAM_ANY_LAST);
	s->run = 0;
}

/* A text that is not UTF-8 is searched byte by byte: what it holds beyond ASCII may be a part of a
 * character of the name. A text that is UTF-8 is decoded alike in every name that holds it, because
 * none of its bytes can belong to a character that begins before it. */
unsigned
/* add_gram() writes there. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
tree_grams(struct span text, enum tree_gram_flags flags, uint32_t *ret_grams, unsigned max)
{
	struct gram_set s = {.grams = ret_grams, .max = max};
	const enum tree_gram_flags whole = TREE_GRAM_HEAD | TREE_GRAM_TAIL;
	bool decode = (flags & whole) == whole || utf8_valid(text.data, text.len);

	if (text.len == 0) /* the root's name has no grams */
		return 0;
	if (flags & TREE_GRAM_HEAD)
		push_symbol(&s, GRAM_SYMBOL_END);
	for (size_t at = 0; at < text.len;) {
		if ((uint8_t)text.data[at] >= 0x80 && !decode) {
			end_run(&s);
			at++;
		} else {
			push_symbol(&s, gram_name_symbol(text, &at));
		}
	}
	if (flags & TREE_GRAM_TAIL) {
		push_symbol(&s, GRAM_SYMBOL_END);
		push_symbol(&s, GRAM_SYMBOL_END);
	} else {
		end_run(&s);
	}
	return s.n;
}

bool
tree_has_grams(const struct tree_cols *c)
{
	return c->gram_nodes != NULL;
}

/* What follows a symbol: its number among nodes or rows; false: nothing. */
static bool
follow(const struct tree_gram_node *n, uint32_t symbol, uint32_t *ret)
{
	uint64_t bit = (uint64_t)1 << symbol;

	if (!(n->bits & bit))
		return false;
	*ret = n->rank + (uint32_t)__builtin_popcountll(n->bits & (bit - 1));
	return true;
}

/* What one gram, or all that begin alike, leave. */
struct step {
	const uint8_t *at, *end; /* the row */
	bool any;                /* of its lists: the union */
	struct gram_list list;
	size_t cost;
};

/* What going through a list costs, in bytes of its code, which take some 4 ns each; of a bitmap 8
 * bytes are taken at a time. */
static size_t
list_cost(const struct gram_list *l)
{
	size_t bytes = (size_t)(l->end - l->at);

	return l->bitmap ? bytes / 32 : bytes;
}

/* False: no name has the gram. */
static bool
find_step(const struct tree_cols *c, uint32_t gram, struct step *ret)
{
	const uint32_t row = gram % TREE_N_GRAMS / TREE_GRAM_ROW, last = gram % TREE_GRAM_ROW;
	const struct tree_gram_node *nodes = c->gram_nodes;
	uint32_t at;

	if (!follow(&nodes[row >> 12], row >> 6 & 63, &at) ||
		!follow(&nodes[TREE_N_SYMBOLS + at], row & 63, &at))
		return false;
	*ret = (struct step){.at = c->gram_lists + c->gram_rows[at],
		.end = c->gram_lists + c->gram_rows[at + 1],
		.any = gram & TREE_GRAM_ANY_LAST};
	ret->cost = (size_t)(ret->end - ret->at);
	if (ret->any)
		return true;
	if (!gram_row_find(ret->at, ret->end, last, &ret->list))
		return false;
	ret->cost = list_cost(&ret->list);
	return true;
}

/* The names of a group, too, in bytes of code. */
#define GROUP_COST 32u

#define MAX_STEPS 32u

/* By cost, the least first; false: one of the grams is in no name. */
static bool
find_steps(const struct tree_cols *c, const uint32_t *grams, unsigned n, struct step *steps)
{
	for (unsigned i = 0; i < n; i++) {
		struct step s;
		unsigned k = i;

		if (!find_step(c, grams[i], &s))
			return false;
		for (; k > 0 && steps[k - 1].cost > s.cost; k--)
			steps[k] = steps[k - 1];
		steps[k] = s;
	}
	return true;
}

/* The groups of any list of a row. Without memory for them, all that there were. */
static void
filter_any(const struct step *s, uint32_t n_groups, uint64_t *groups)
{
	uint32_t n_words = (n_groups + 63) / 64;
	AUTO(freep) uint64_t *any = calloc(n_words, sizeof(*any));

	if (!any)
		return;
	for (unsigned last = 0; last < TREE_GRAM_ROW; last++) {
		struct gram_list l;

		if (gram_row_find(s->at, s->end, last, &l))
			gram_list_add(&l, n_groups, any);
	}
	for (uint32_t i = 0; i < n_words; i++)
		groups[i] &= any[i];
}

void
tree_gram_filter(const struct tree_cols *c, const uint32_t *grams, unsigned n, uint64_t *groups)
{
	uint32_t n_groups = tree_n_groups(c), n_words = (n_groups + 63) / 64;
	struct step steps[MAX_STEPS];

	if (!tree_has_grams(c))
		return;
	n = MIN(n, MAX_STEPS);
	if (!find_steps(c, grams, n, steps)) {
		memset(groups, 0, n_words * sizeof(*groups));
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		if (steps[i].cost > members_count(groups, n_words) * GROUP_COST)
			break;
		if (steps[i].any)
			filter_any(&steps[i], n_groups, groups);
		else
			gram_list_filter(&steps[i].list, n_groups, groups);
	}
}
