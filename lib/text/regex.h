/**
 * regex: what can be told of a regular expression by reading it. Inside lib/text only.
 *
 * Reads PCRE2's syntax token by token, without compiling. Whatever it does not know makes it say
 * less, never something wrong: no literal, not safe. The expression is one that PCRE2 compiles; of
 * others nothing is promised but an end.
 */
#pragma once

#include "base/vec.h"
#include "text/pattern.h"

#define REGEX_MAX_PIECES 8u

/* \s as PCRE2 defines it with UCP: \p{Z}, \h and \v, but the newline, within a class; and what of
 * it is ASCII. */
#define REGEX_SPACE                                                                 \
	"\\t\\x0b-\\r \\x{85}\\x{a0}\\x{1680}\\x{180e}\\x{2000}-\\x{200a}\\x{2028}" \
	"\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define REGEX_SPACE_ASCII "\\t\\x0b-\\r "

struct regex_facts {
	/* For smart case: is a character meant as itself, and is one of those upper case? Names of
	 * groups and of properties, and the letters of escapes, do not count. */
	bool any_literal, any_upper;
	/* It cannot match a newline, and nothing in it looks further than to the ends of a line: a
	 * match in a whole text is a match in one of its lines. */
	bool line_safe;
	/* When it is not, the same expression for texts of one line, which is: what could match a
	 * newline is written so that it cannot. Empty when that is not known. Owned. */
	struct strbuf safe;
	bool is_literal; /* `literal` is all that it matches */
	/* Bytes that every match holds, in one piece; empty when none are known. Owned. */
	struct strbuf literal;
	/* Texts of which every match holds one, one after the other: what each alternative outside
	 * of groups holds; or, when there is one alone and `literal` is short, those of a group of
	 * plain texts in it. No ends when they are not known. Owned. */
	struct strbuf choice_text;
	VEC(size_t) choice_ends;
	bool choices_whole; /* they are all that the alternatives match */
	/* The first such runs, parted at slashes: each is within one component of a path that
	 * matches. `text` points into piece_text. */
	struct pattern_piece piece[REGEX_MAX_PIECES];
	uint32_t n_pieces;
	struct strbuf piece_text; /* owned; room for all, so it stays where it is */
};

/** 0 or -ENOMEM. The caller calls regex_facts_fini(), after a failure too. */
int regex_inspect(struct span pattern, struct regex_facts *ret);
void regex_facts_fini(struct regex_facts *f);
