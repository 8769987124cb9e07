/**
 * stretch: so many bytes of a set in a row, which every match of a regular expression holds.
 *
 * What is looked for where an expression has no literal: "[0-9]{9,}" matches nowhere but where nine
 * digits stand together. Of such a place every ninth byte is a digit, so most bytes of a text are
 * never looked at. Inside lib/text only.
 *
 * Only simple expressions are understood (text/simple_regex.h); of others nothing is said.
 *
 * Threads: pure functions.
 */
#pragma once

#include <sys/types.h>

#include "base/str.h"

struct stretch {
	bool has[256];
	uint32_t least; /* bytes; 0: nothing is known, or it stands in too many places */
};

/** Of an expression in UTF-8 that PCRE2 compiles; `fold`: in any case. */
void stretch_of_regex(struct span pattern, bool fold, struct stretch *ret);
/** Where the first stretch begins that lies at or after `from` as a whole: -1 there is none. */
ssize_t stretch_find(const struct stretch *s, struct span text, size_t from);
