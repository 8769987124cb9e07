/**
 * gram_strings: short strings of symbols in sets, as the derivation from a regular expression
 * carries them. Inside lib/gram only.
 *
 * A string may be bound to an end: `starts`, behind an end (of a line, of the text); `ends`, before
 * one. In a string that is empty both say something about the place alone.
 *
 * Sets hold GRAMS_MAX_STRINGS; what would not fit is refused, and the caller says less.
 *
 * Threads: pure.
 */
#pragma once

#include "gram/regex_grams.h"

/* The symbols, the last one lowest; their number from bit 54 on; starts, ends. */
typedef uint64_t gram_string;

struct gram_strings {
	uint32_t n; /* none: nothing can be there */
	gram_string s[GRAMS_MAX_STRINGS];
};

gram_string gram_string_of(const uint8_t *symbols, unsigned len, bool starts, bool ends);
/** `symbols` has room for GRAMS_MAX_SYMBOLS + 2: the ends it is bound to are symbols, too. */
unsigned gram_string_symbols(gram_string s, uint8_t *symbols);
unsigned gram_string_len(gram_string s); /* without the ends */

enum gram_joined { JOIN_OK, JOIN_NEVER, JOIN_LONG };
/** One behind the other; NEVER: an end cannot be there; LONG: the result does not fit. */
enum gram_joined gram_string_join(gram_string a, gram_string b, gram_string *ret);

/** The first, or the last, at most `len` symbols of each. */
void gram_strings_heads(const struct gram_strings *from, unsigned len, struct gram_strings *ret);
void gram_strings_tails(const struct gram_strings *from, unsigned len, struct gram_strings *ret);

/** False: too many; the set is as before, but for strings that were added. */
bool gram_strings_add(struct gram_strings *set, gram_string s);
bool gram_strings_union(struct gram_strings *set, const struct gram_strings *more);
/** Each of `a` with each of `b`, but for what cannot be: false when these are too many or too long,
 *  *ret then undefined. */
bool gram_strings_product(
	const struct gram_strings *a, const struct gram_strings *b, struct gram_strings *ret);
