/**
 * tree_gram: which chunks of entries may hold a name with a given piece of text.
 *
 * A gram is three neighbouring symbols of a name. Symbols are classes: each letter with its other
 * case, each digit, the common punctuation, the rest of ASCII, and some classes of other characters
 * (by their folded code point); the end of a name is a symbol too. So one filter serves exact and
 * folded search: what it leaves out holds the text in neither sense (needle_find() of fold.h, exact
 * or folded), what it lets through must be looked at.
 *
 * Only large trees have the filter; for others every chunk may hold everything, which is right too.
 *
 *     n = tree_grams(text, 0, grams, ARRAY_LEN(grams));
 *     memset(chunks, 0xff, ...);
 *     tree_gram_filter(c, grams, n, chunks);      and once more for each further text of an AND
 *
 * Not for regular expressions as such: give it the literals that they imply.
 *
 * Threads: pure functions over immutable columns.
 * Units:   chunks of TREE_CHUNK entries; bit i of a bitmap is entries [i * TREE_CHUNK, (i + 1) *
 *          TREE_CHUNK).
 */
#pragma once

#include "index/tree.h"

#define TREE_CHUNK 4096u

enum tree_gram_flags {
	TREE_GRAM_TAIL = 1u << 0, /* the text stands at the end of the name */
	TREE_GRAM_NAME = 1u << 1, /* it is a whole name: what the filter is made from */
};

/** The different grams of a text that stands in one name, at most `max` (any number of them is
 *  right; more let less through). 0: too short, or nothing can be said. */
unsigned tree_grams(
	struct span text, enum tree_gram_flags flags, uint32_t *ret_grams, unsigned max);

/** Chunks of the tree, the last perhaps short. */
static inline uint32_t
tree_n_chunks(const struct tree_cols *c)
{
	return (c->n_entries - 1) / TREE_CHUNK + 1;
}

/** Has the tree a filter? */
bool tree_has_grams(const struct tree_cols *c);
/** Clear the bits of chunks in which no name holds all `n` grams. `chunks` has tree_n_chunks()
 *  bits in 64-bit words. Some 100 ns a gram, and a few ns a chunk in which it occurs. */
void tree_gram_filter(
	const struct tree_cols *c, const uint32_t *grams, unsigned n, uint64_t *chunks);
