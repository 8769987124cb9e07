/**
 * rank_score: how likely an answer is what was meant, as a number: the greater, the sooner.
 *
 * Of a name: does the pattern match it, or speak of it. Of a line: does the match stand where
 * something is defined, and is it a word by itself. What a place is worth is in rank_place.h. The
 * points are those of LANGUAGE.md, "Ranking"; nothing hangs on the time of day or on what was asked
 * before, so the same question gives the same order as long as the index is the same.
 *
 * Ownership: borrows what it is created with.
 * Threads:   one at a time.
 */
#pragma once

#include "query/query.h"

/** A name is worth 0 to RANK_NAME_MAX. */
#define RANK_NAME_MAX 40

struct rank_scorer;

/** `pattern`: what names are held against; NULL: nothing. 0 or -ENOMEM. */
int rank_scorer_create(const struct pattern *pattern, struct rank_scorer **ret);
void rank_scorer_destroy(struct rank_scorer *r); /* NULL is legal */
int rank_name(struct rank_scorer *r, struct span name);
/** Of a line (its whole text, or part of a long one) with a match at `m`. */
int rank_line(struct span text, struct match m);
