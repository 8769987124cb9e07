/**
 * rank_place: the points that an entry has by where it is and what kind of name it has: depth,
 * tests, vendored, made by a program, hidden (LANGUAGE.md, "Ranking"). They hang on the tree alone,
 * so they are worked out once, at the first question that is ranked (some 30 ns an entry), and kept
 * with the tree: a byte an entry.
 *
 * Ownership: the tree's, valid while it is held.
 * Threads:   any.
 */
#pragma once

#include "index/tree.h"

/** Points are from RANK_PLACE_MIN to 0. */
#define RANK_PLACE_MIN (-100)

#define RANK_GROUP 64u

/** [n_entries], and RANK_GROUP more that mean nothing; NULL: out of memory. */
const int8_t *rank_places(struct tree *t);
