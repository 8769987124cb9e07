#include "index/tree_gram.h"

#include "index/tree_format.h"
#include "index/tree_gram_code.h"
#include "text/members.h"

#define SYMBOL_NONE 64u /* says nothing: a byte of a text that is not UTF-8 */

struct gram_set {
	uint32_t *grams;
	unsigned n, max;
	uint8_t before[2]; /* the two symbols before the next */
};

static void
push_symbol(struct gram_set *s, uint8_t symbol)
{
	uint32_t gram = (uint32_t)s->before[0] << 12 | (uint32_t)s->before[1] << 6 | symbol;
	bool known = s->before[0] == SYMBOL_NONE || s->before[1] == SYMBOL_NONE ||
	             symbol == SYMBOL_NONE || s->n == s->max;

	s->before[0] = s->before[1];
	s->before[1] = symbol;
	for (unsigned i = 0; i < s->n && !known; i++)
		known = s->grams[i] == gram;
	if (!known)
		s->grams[s->n++] = gram;
}

/* A text that is not UTF-8 is searched byte by byte: what it holds beyond ASCII may be a part of a
 * character of the name. A text that is UTF-8 is decoded alike in every name that holds it, because
 * none of its bytes can belong to a character that begins before it. */
static uint8_t
text_symbol(struct span text, size_t *at, bool decode)
{
	if ((uint8_t)text.data[*at] >= 0x80 && !decode) {
		*at += 1;
		return SYMBOL_NONE;
	}
	return gram_name_symbol(text, at);
}

unsigned
/* push_symbol() writes there. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
tree_grams(struct span text, enum tree_gram_flags flags, uint32_t *ret_grams, unsigned max)
{
	struct gram_set s = {.grams = ret_grams, .max = max, .before = {SYMBOL_NONE, SYMBOL_NONE}};
	bool decode = flags & TREE_GRAM_NAME || utf8_valid(text.data, text.len);

	for (size_t at = 0; at < text.len;)
		push_symbol(&s, text_symbol(text, &at, decode));
	if (flags & (TREE_GRAM_TAIL | TREE_GRAM_NAME))
		push_symbol(&s, GRAM_SYMBOL_END);
	return s.n;
}

bool
tree_has_grams(const struct tree_cols *c)
{
	return c->gram_index != NULL;
}

/* False: no name has the gram. */
static bool
find_list(const struct tree_cols *c, uint32_t gram, struct gram_list *ret)
{
	uint32_t row = gram / TREE_GRAM_ROW;
	const uint8_t *at = c->gram_lists + c->gram_index[row];
	const uint8_t *end = c->gram_lists + c->gram_index[row + 1];

	return at < end && gram_row_find(at, end, gram % TREE_GRAM_ROW, ret);
}

/* What going through a list costs, in bytes of its code; a bitmap is taken 8 bytes at a time. */
static size_t
list_cost(const struct gram_list *l)
{
	size_t bytes = (size_t)(l->end - l->at);

	return l->bitmap ? bytes / 16 : bytes;
}

/* The names of a group, too, in bytes of code: some 60 ns. */
#define GROUP_COST 20u

#define MAX_LISTS 32u

/* By cost, the least first; false: one of the grams is in no name. */
static bool
find_lists(const struct tree_cols *c, const uint32_t *grams, unsigned n, struct gram_list *lists)
{
	for (unsigned i = 0; i < n; i++) {
		struct gram_list l;
		unsigned k = i;

		if (!find_list(c, grams[i], &l))
			return false;
		for (; k > 0 && list_cost(&lists[k - 1]) > list_cost(&l); k--)
			lists[k] = lists[k - 1];
		lists[k] = l;
	}
	return true;
}

void
tree_gram_filter(const struct tree_cols *c, const uint32_t *grams, unsigned n, uint64_t *groups)
{
	uint32_t n_groups = tree_n_groups(c), n_words = (n_groups + 63) / 64;
	struct gram_list lists[MAX_LISTS];

	if (!tree_has_grams(c))
		return;
	n = MIN(n, MAX_LISTS);
	if (!find_lists(c, grams, n, lists)) {
		memset(groups, 0, n_words * sizeof(*groups));
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		if (list_cost(&lists[i]) > members_count(groups, n_words) * GROUP_COST)
			break;
		gram_list_filter(&lists[i], n_groups, groups);
	}
}
