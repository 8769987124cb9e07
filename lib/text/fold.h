/**
 * fold: simple Unicode case folding without locale, and searching in folded text.
 *
 * Folding maps each code point to one code point (CaseFolding.txt status C and S, through
 * utf8proc). Bytes that are not UTF-8 fold to themselves. U+212A KELVIN SIGN equals k and U+017F
 * LONG S equals s, as in PCRE2. The text is never folded as a whole: the scan looks for two bytes
 * of the needle in both their cases, and for the few code points whose encoding differs in length
 * from what they fold to.
 *
 * Threads: pure functions; struct needle is const after needle_init().
 */
#pragma once

#include "base/str.h"

/** Append the folded text: 0 or -ENOMEM. */
int fold_append(struct strbuf *out, struct span text);
/** Has the text an upper case letter (smart case)? */
bool fold_has_upper(struct span text);

struct needle_plan;

/** A literal prepared for searching. One that is not UTF-8 is folded in ASCII only, as PCRE2 does
 *  with a pattern that is no UTF-8. */
struct needle {
	char *text; /* folded when `fold`; owned */
	size_t len;
	bool fold;
	bool ascii; /* no byte >= 0x80 in it */
	/* needle_find_ascii() finds all that needle_find() does; else a text with bytes >= 0x80 may
	 * hold an occurrence that only the latter sees. */
	bool exact_ascii;
	size_t rare; /* offset of the byte that is rarest in source text: what the scan looks for */
	struct needle_plan *plan; /* how it is scanned for; owned */
};

int needle_init(struct needle *n, struct span text, bool fold); /* 0, -ENOMEM, -EINVAL when empty */
void needle_fini(struct needle *n);
/** Append a text folded as the needle is: 0 or -ENOMEM. */
int needle_fold(const struct needle *n, struct span text, struct strbuf *out);

/** Offset of the first occurrence at or after `from`, or -1. Folded search is exact for any text:
 *  an occurrence may be longer or shorter than the needle. ret_match_len may be NULL. */
ssize_t needle_find(const struct needle *n, struct span text, size_t from, size_t *ret_match_len);

/** As needle_find() but looks at ASCII only: bytes >= 0x80 in the text match nothing but
 * themselves. For scanning blobs whose non-ASCII members are looked at one by one. Memory speed. */
ssize_t needle_find_ascii(const struct needle *n, struct span text, size_t from);
