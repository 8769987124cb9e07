/**
 * regex_grams: what a text must hold, in grams, for a pattern to match in it.
 *
 * Sound before selective: every text in which the pattern (text/pattern.h, with the same flags)
 * finds a match satisfies the query; many that satisfy it do not match. Exact sets of short
 * strings, and the beginnings and ends of longer ones, are carried up the syntax tree, and grams
 * are taken where two parts meet; '^' and '$' are the symbol of the end. Where that says nothing,
 * strings of n - 2 symbols are asked for: ranges of N_SYMBOLS^2 grams.
 *
 * The text is what the matcher sees: decoded from UTF-16 first if it is that. It is one document:
 * where a file is indexed in parts, these overlap, so each gram of a match is in one of them, and
 * the query is about the file as a whole; so is an AND of two patterns, or a NOT.
 *
 * Where a match may span lines (PATTERN_MULTI) the line feed is a character like others, whose
 * symbol is the end: "foo\nbar" needs foo, an end, bar in a row. What may or may not hold a line
 * feed is taken to hold it with and without that flag.
 *
 * Threads: pure.
 * Errors:  -ENOMEM.
 * Limits:  a pattern of PATTERN_MAX_BYTES, others are ANY; strings of GRAMS_MAX_SYMBOLS, sets of
 * GRAMS_MAX_STRINGS; past these parts are ANY.
 */
#pragma once

#include "gram/gram_query.h"
#include "text/pattern.h"

#define GRAMS_MAX_SYMBOLS 9u
#define GRAMS_MAX_STRINGS 64u

/** Make q->root of a pattern that pattern_create() takes; `q` is initialised. The node may be
 *  combined with those of other patterns of the same query. ANY: nothing can be said, scan.
 *  NONE: nothing matches. */
int grams_of_pattern(struct span pattern, enum pattern_flags flags, struct gram_query *q);
