/**
 * text_tally: lines and marks of a piece of text in one pass. Inside lib/text only.
 *
 * Threads: pure.
 */
#pragma once

#include "base/str.h"

struct text_tally {
	uint64_t n_newlines;
	uint64_t marks; /* text/text_need.h */
};

/** Add those of a piece that is not empty; `before` is the byte before it, NUL: there is none. */
void text_tally_add(struct text_tally *t, unsigned char before, struct span piece);

/** By one of the ways that this processor has, the best one last. For tests. */
unsigned text_tally_n_levels(void);
void text_tally_add_by(
	unsigned level, struct text_tally *t, unsigned char before, struct span piece);
