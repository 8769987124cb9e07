/**
 * symbol: text as symbols of 6 bits, which grams are made of.
 *
 * What any search takes as equal is equal in symbols: the symbol is that of the simple case folding
 * (PCRE2's sets of equal characters included: U+212A is k, U+017F is s), so one index serves exact
 * and folded search. What is unequal may be equal in symbols: an index of symbols finds candidates.
 *
 *     0          the end: the end of a line, and what a text is padded with on both sides
 *     1-26       letters
 *     27-36      digits, those of all scripts (general category Nd)
 *     37         white space but for the line feed, in all scripts
 *     38         '_'
 *     39         other control characters, characters without a meaning yet, bytes that are not
 *                UTF-8
 *     40-63      the punctuation of ASCII, what is rare or serves alike sharing one
 *
 * Latin letters with marks are one of the symbols of digits and punctuation each, which do not
 * stand among letters in ASCII; other characters of scripts with an alphabet one of the symbols
 * 1-63, by a hash that gives neighbours different ones; those of scripts with thousands of
 * characters (CJK, Hangul, and everything past U+1FFFF) are two, so that a word of two of them is a
 * gram of four. They share the symbols of ASCII because texts hardly mix.
 *
 * A character that is valid UTF-8 gives the same symbols wherever it stands, after broken bytes
 * too; each other byte is one symbol.
 *
 * Threads: any. The table is made at the first call (symbols_get()).
 * Units:   symbols, one a byte.
 */
#pragma once

#include "base/str.h"

#define N_SYMBOLS 64u
#define SYMBOL_BITS 6u
#define SYMBOL_END 0u
#define SYMBOL_SPACE 37u
#define SYMBOL_ODD 39u
/** Symbols of a character. */
#define SYMBOL_MAX 2u

/** A set of symbols. */
typedef uint64_t symbol_mask;
#define SYMBOL_BIT(s) (1ull << (s))
/** The symbols that a decimal digit of any script, or white space, can be; with those of characters
 *  that a later Unicode may make one. */
#define SYMBOLS_DIGIT (0x3ffull << 27 | SYMBOL_BIT(SYMBOL_ODD))
#define SYMBOLS_SPACE (SYMBOL_BIT(SYMBOL_SPACE) | SYMBOL_BIT(SYMBOL_ODD) | SYMBOL_BIT(SYMBOL_END))

struct symbols;

/** The table; never fails. */
const struct symbols *symbols_get(void);

/** A number that differs when the table does: an index of other symbols, made by another version of
 *  this program or of Unicode, cannot be asked. */
uint64_t symbols_sum(const struct symbols *t);

/** The symbols of a code point, or of CODEPOINT_BYTE | byte: their number, 1 or 2. */
size_t symbols_of(const struct symbols *t, uint32_t cp, uint8_t ret[SYMBOL_MAX]);

/** Translate the start of a text into at most `cap` symbols (`cap` at least SYMBOL_MAX): their
 *  number. *ret_used is the number of bytes taken; a character is taken whole. Unless `last`, a
 *  sequence at the end that more bytes could complete is left for the next call. */
size_t symbols_translate(const struct symbols *t, struct span text, bool last, uint8_t *out,
	size_t cap, size_t *ret_used);

/** Ways to translate that this processor has, the best one last; and one of them. For tests. */
unsigned symbols_n_levels(void);
size_t symbols_translate_by(const struct symbols *t, unsigned level, struct span text, bool last,
	uint8_t *out, size_t cap, size_t *ret_used);

/** How a symbol is written for people: a letter, digit or mark as it is, "\n" the end, " " space,
 *  "\?" the odd ones; the quote behind a backslash; the first of those that share one. */
const char *symbol_name(unsigned symbol);
