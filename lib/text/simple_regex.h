/**
 * simple_regex: a plain regular expression as what stands side by side in it. Inside lib/text only.
 *
 * Only expressions of characters, simple classes, \w, \d and their repeats are understood, without
 * groups and alternatives; of others nothing is said, which is found out at the latest at the end.
 *
 * Threads: pure; a reader belongs to one at a time.
 */
#pragma once

#include "base/str.h"

#define SIMPLE_LEAST_MAX 4096u

/** What matches so many bytes of a set in a row, or more: between those of the item before and of
 *  the item behind it there is nothing. */
struct simple_item {
	bool known;     /* else nothing is said of what it matches, which may be nothing */
	bool has[256];  /* those from 0x80 on as bytes of characters that it may match */
	uint32_t least; /* at most SIMPLE_LEAST_MAX; 0: it need not be there */
};

struct simple_regex {
	struct span text;
	size_t at;
	bool fold;
};

/** Of an expression in UTF-8 that PCRE2 compiles; `fold`: in any case. */
#define SIMPLE_REGEX(pattern, folds)               \
	{                                          \
		.text = (pattern), .fold = (folds) \
	}
/** 1; 0 at the end; -EINVAL: it is not understood, and what was given before says nothing. */
int simple_regex_next(struct simple_regex *r, struct simple_item *ret);
