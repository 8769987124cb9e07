/**
 * glob: shell patterns over bytes, compiled once and matched without recursion.
 *
 * `*` any run without '/', `**` any run, `?` one character without '/', `[a-z]` `[!a]` `[^a]` sets
 * with ranges and backslash, `\x` the character x. Inside a set ']' may come first. A `?` or a set
 * takes a whole UTF-8 sequence where there is one, else one byte. A component "**" followed by '/'
 * also stands for no component at all: src/ ** /x without the spaces matches src/x.
 *
 * The matcher is the two-pointer backtracking one: time is O(pattern x text) at worst, no stack
 * grows.
 *
 * Ownership: struct glob is the caller's and borrows the pattern's bytes.
 * Threads:   glob_match() on a const glob from any number of threads.
 */
#pragma once

#include "base/str.h"

enum glob_flags {
	GLOB_FOLD = 1u << 0,  /* ASCII letters match in both cases */
	GLOB_SLASH = 1u << 1, /* '*' and '?' match '/' too (globs over whole paths) */
};

struct glob {
	struct span pattern;
	enum glob_flags flags;
};

/** Checks the pattern: 0, or -EINVAL with *ret_pos the byte offset of an unclosed '[' or a lone
 * '\'. */
int glob_init(struct glob *g, struct span pattern, enum glob_flags flags, size_t *ret_pos);
/** The whole text. */
bool glob_match(const struct glob *g, struct span text);
/** Does the text hold a character that makes it a glob (* ? [)? A backslash before one hides it. */
bool glob_is(struct span text);
