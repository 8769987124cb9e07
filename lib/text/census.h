/**
 * census: what there is to know of a text besides its grams: lines, and how it is encoded.
 *
 * A text is counted piece by piece; a piece ends between two characters, if the text has any.
 *
 * Threads: pure.
 */
#pragma once

#include "text/sniff.h"

struct census {
	uint64_t n_newlines;
	bool ascii, utf8;   /* so far */
	bool folds;         /* has a character beyond ASCII that folds into it: U+017F or U+212A */
	bool open_line;     /* the last line has no newline */
	unsigned char last; /* byte; NUL: there was none */
	uint64_t marks;     /* text/text_need.h */
};
#define CENSUS_NONE                         \
	{                                   \
		.ascii = true, .utf8 = true \
	}

/** A piece of text, of UTF-8 or any bytes. */
void census_add(struct census *c, struct span piece);
/** Lines: those that a newline ends, and what is behind the last. */
uint64_t census_lines(const struct census *c);
