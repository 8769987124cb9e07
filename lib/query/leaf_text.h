/**
 * leaf_text: what the files of the text leaves share. Internal to lib/query.
 *
 *   leaf_name.c  names: literals by one scan over the names of a chunk, then the expression
 *   leaf_path.c  paths: words through directories above, globs in two parts, each path
 *   leaf_text.c  which of these; extensions and languages
 *   front.c      the same words for a whole root, in entry order
 *
 * Threads: as eval_chunk().
 * Errors:  -ENOMEM, -EOVERFLOW a pattern reached its match limit.
 */
#pragma once

#include "query/eval.h"
#include "query/names.h"

/** Where a leaf can be decided entry by entry at less cost than the scan of a chunk. */
#define TEXT_FEW 128u

/** May one of the names hold the leaf's literals, as far as the grams tell? */
bool leaf_may(const struct eval_leaf *leaf, uint32_t lo, uint32_t n);
/** The same of one entry's name. */
static inline bool
leaf_may_entry(const struct eval_leaf *leaf, uint32_t entry)
{
	return !leaf->may || (leaf->may[entry / TREE_CHUNK] >> entry / TREE_NAME_GROUP % 64 & 1);
}
/** Which of the groups of 64 names from `lo` on may, n <= EVAL_CHUNK: bit i is names 64 x i to
 *  64 x i + 63. */
uint64_t leaf_may_groups(const struct eval_leaf *leaf, uint32_t lo, uint32_t n);

/** Names of the chunk that hold the literal as ASCII tells; others are 0, as are all that are in
 *  none of the groups of `may`. */
void literal_bits(
	const struct eval_at *at, const struct literal *l, uint64_t may, struct bits *out);
/** Set the names of the chunk with bytes >= 0x80. */
void wide_bits(const struct eval_at *at, struct bits *out);
/** Does the name pass the leaf's test of names? */
int name_passes(const struct eval_at *at, const struct node *n, struct span name);
/** The same of the name of an entry. */
int entry_passes(const struct eval_at *at, const struct node *n, uint32_t entry);
/** The names of the chunk that do; only what is in `want` need be right; NULL: all. */
int name_bits(
	const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out);

/** Does the text match a glob, its pattern folded when the glob folds? */
int glob_passes(const struct eval_at *at, const struct glob *glob, struct span text);

/** Does the path of directory `dir`, its own name included, hold the word of a
 *  WAY_WORD? 1, 0 or an error. */
int directory_holds(const struct eval_at *at, const struct node *n, uint32_t dir);
/** A word with slashes, against the path of a directory, which ends in a slash: 1 it is in it, so
 *  everything below matches; 0 nothing does; 2 it may go on into the names of its children. */
int word_in_directory(const struct eval_at *at, const struct node *n, uint32_t dir);

int leaf_path(
	const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out);
