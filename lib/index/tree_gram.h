/**
 * tree_gram: which groups of entries may hold a name with a given piece of text.
 *
 * A gram is four neighbouring symbols of a name. Symbols are classes: each letter with its other
 * case, each digit, the common punctuation, the rest of ASCII, and some classes of other characters
 * (by their folded code point); where a name begins and where it ends are symbols too. So one
 * filter serves exact and folded search: what it leaves out holds the text in neither sense
 * (needle_find() of fold.h, exact or folded), what it lets through must be looked at.
 *
 * A text of three symbols, with the ends that it stands at, has all grams that begin with them: a
 * row. Of a shorter one nothing can be said.
 *
 * Only large trees have the filter; for others every group may hold everything, which is right too.
 *
 *     n = tree_grams(text, 0, grams, ARRAY_LEN(grams));
 *     memset(groups, 0xff, ...);
 *     tree_gram_filter(c, grams, n, groups);      and once more for each further text of an AND
 *
 * Not for regular expressions as such: give it the literals that they imply.
 *
 * Threads: pure functions over immutable columns.
 * Units:   groups of TREE_NAME_GROUP entries; bit i of a bitmap is entries [i * TREE_NAME_GROUP,
 *          (i + 1) * TREE_NAME_GROUP). A chunk of TREE_CHUNK entries is one word of it.
 */
#pragma once

#include "index/tree.h"

enum tree_gram_flags {
	TREE_GRAM_HEAD = 1u << 0, /* the text stands at the beginning of the name */
	TREE_GRAM_TAIL = 1u << 1, /* and at its end; both: it is a whole name */
};

/** Among grams: all 64 that differ from it in the last symbol, which is 0. */
#define TREE_GRAM_ANY_LAST (1u << 31)

/** The different grams of a text that stands in one name, at most `max` (any number of them is
 *  right; more let less through). 0: too short, or nothing can be said. */
unsigned tree_grams(
	struct span text, enum tree_gram_flags flags, uint32_t *ret_grams, unsigned max);

/** Groups of the tree, the last perhaps short. */
static inline uint32_t
tree_n_groups(const struct tree_cols *c)
{
	return (c->n_entries - 1) / TREE_NAME_GROUP + 1;
}

/** Has the tree a filter? */
bool tree_has_grams(const struct tree_cols *c);
/** Clear the bits of groups in which no name holds all `n` grams, as far as it is cheaper to find
 *  out than to look at their names: the rarest grams are asked, and no more of them than pay.
 *  `groups` has tree_n_groups() bits in 64-bit words. Some 100 ns a gram, and of those that are
 *  asked 3 ns a group in which it occurs, at most some us. */
void tree_gram_filter(
	const struct tree_cols *c, const uint32_t *grams, unsigned n, uint64_t *groups);
