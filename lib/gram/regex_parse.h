/**
 * regex_parse: the syntax tree of a regular expression, as far as grams need it.
 *
 * Reads what PCRE2 reads with the options of text/pattern.h, and keeps of each construct a set of
 * texts that holds all that it can match: never less. What looks around without taking characters
 * is empty (its content, if it must be there, beside it); a back reference, \X or \R is any text.
 * Letters need no case: symbols have none, so (?i) says nothing.
 *
 * Some constructs change what the rest of the pattern means: verbs ("foo(*ACCEPT)bar" matches
 * "foo"), recursion, conditionals, (?x), callouts, and all that is not known here. With one of them
 * nothing is known of the whole pattern. The pattern is one that PCRE2 compiles; of others nothing
 * is promised but an end.
 *
 * Ownership: nodes are in the arena, borrowed as long as it.
 * Threads:   pure.
 * Errors:    -ENOMEM.
 */
#pragma once

#include "base/arena.h"
#include "gram/symbol.h"

#define REGEX_CLASS_MAX_PAIRS 16u
#define REGEX_MAX_DEPTH 250u
#define REGEX_UNBOUNDED UINT32_MAX

enum regex_kind {
	REGEX_EMPTY,      /* no characters */
	REGEX_CLASS,      /* one character, of those in `set` and `pair` */
	REGEX_ANY_TEXT,   /* any characters, perhaps none */
	REGEX_LINE_START, /* no characters, behind an end */
	REGEX_LINE_END,   /* no characters, before an end */
	REGEX_LOOK,       /* no characters; the text holds what `kid` matches */
	REGEX_CAT,        /* the kids, one after the other */
	REGEX_ALT,        /* one of the kids */
	REGEX_REPEAT,     /* `kid`, min to max times */
};

struct regex_node {
	enum regex_kind kind;
	uint32_t min, max; /* REGEX_REPEAT */
	symbol_mask set;   /* REGEX_CLASS: characters of one symbol, */
	uint32_t n_pairs;  /* and of two: first << SYMBOL_BITS | second */
	uint16_t pair[REGEX_CLASS_MAX_PAIRS];
	struct regex_node *kid, *next; /* first child; the next one of the parent */
};

/** 0, and NULL when nothing is known of the pattern; or -ENOMEM. `utf`: pattern and text are
 *  characters, else bytes (the pattern is no UTF-8). */
int regex_parse(struct span pattern, bool utf, struct arena *a, const struct regex_node **ret);

/** The tree of a text that is meant as it is. */
int regex_of_literal(struct span text, bool utf, struct arena *a, const struct regex_node **ret);
