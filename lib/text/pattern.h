/**
 * pattern: what is searched for in contents: a literal or a PCRE2 regular expression.
 *
 * A regular expression is compiled once (UTF and UCP on when pattern and text are UTF-8;
 * MATCH_INVALID_UTF, so bytes that are not UTF-8 never match a character), with JIT where memory
 * may be made executable and the interpreter where not. Every match runs under a match limit, a
 * heap limit and a depth limit: a catastrophic pattern ends with -EOVERFLOW, not with a busy CPU.
 *
 * The unit is the line: '^' and '$' match at line ends, '.' does not match a newline, and a match
 * never spans lines: a class or escape that holds the newline does not match it. With PATTERN_MULTI
 * it may: then the unit is the text, and '^' and '$' still match at line ends. Lines end in LF
 * alone, as for ripgrep: a CR before it is an ordinary character, and '$' matches after it. There
 * is no line after the last LF, and none in an empty text.
 *
 * Words are ripgrep's: no word character stands before or after, whatever the ends of the match
 * are. PATTERN_LINE goes before PATTERN_WORD. Smart case looks at what stands for itself: \W and
 * \p{Lu} are no capitals, and a pattern without any such character is exact.
 *
 * Ownership: struct pattern is created and destroyed; struct matcher (scratch of one thread)
 * likewise.
 * Threads:   a pattern is const after create; a matcher belongs to one thread at a time.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum pattern_flags {
	PATTERN_REGEX = 1u << 0,  /* else a literal */
	PATTERN_FOLD = 1u << 1,   /* any case */
	PATTERN_SMART = 1u << 2,  /* any case unless the pattern has an upper case letter */
	PATTERN_WORD = 1u << 3,   /* only where no word character stands on either side */
	PATTERN_LINE = 1u << 4,   /* only whole lines */
	PATTERN_PATH = 1u << 5,   /* the text is a path: newlines are ordinary characters */
	PATTERN_MULTI = 1u << 6,  /* a match may span lines; without effect on what never can */
	PATTERN_DOTALL = 1u << 7, /* with PATTERN_MULTI: '.' matches a newline, too */
};

#define PATTERN_MAX_BYTES 1024u
#define PATTERN_MAX_TEXTS 1000u
#define PATTERN_MAX_ALL_BYTES 32768u /* of all texts together */

struct pattern;
struct matcher;

/** 0, -EINVAL (err->pos = column within the pattern; a literal with a newline in it, but for
 *  PATTERN_PATH, too), -EOVERFLOW too long, -ENOMEM. */
int pattern_create(
	struct span text, enum pattern_flags flags, struct pattern **ret, struct err *err);
/** What matches any of n texts, the leftmost match, of those that start together the text that
 *  stands first. Each is an expression, or a literal, of its own: its groups are numbered from 1.
 *  Errors: as above; err->pos as if all texts stood one after the other, a byte between them, while
 *  the sentence says which one it is, and its own column. */
int pattern_create_any(const struct span *texts, size_t n, enum pattern_flags flags,
	struct pattern **ret, struct err *err);
void pattern_destroy(struct pattern *p);
/** The texts that it was made of, and with what flags; valid as long as the pattern. A text in
 * which it finds a match holds a match of one of them. */
size_t pattern_n_texts(const struct pattern *p);
struct span pattern_text(const struct pattern *p, size_t i);
enum pattern_flags pattern_flags(const struct pattern *p);
/** Can a match span lines? Then the unit is the whole text, for matcher_find(), too. */
bool pattern_is_multi(const struct pattern *p);
bool pattern_is_jit(const struct pattern *p);
/** Text without a slash that stands in every path, or name, that a regular expression matches. */
struct pattern_piece {
	struct span text;
	bool starts, ends; /* the path begins, or ends, with it */
};
/** The pieces of an expression with PATTERN_PATH, as written, in any case when *ret_fold: their
 *  number. Valid as long as the pattern. */
uint32_t pattern_pieces(const struct pattern *p, const struct pattern_piece **ret, bool *ret_fold);

int matcher_create(const struct pattern *p, struct matcher **ret);
void matcher_destroy(struct matcher *m);
const struct pattern *matcher_pattern(const struct matcher *m);

struct match {
	size_t start, end; /* byte offsets into the text */
};

/** What was remembered of a long text (its line ends, and whether it is ASCII) so that the next
 * match in it is found sooner. A search from 0 is one of a new text; who begins elsewhere with
 * another text, which may lie where that one was, says so. */
void matcher_forget(struct matcher *m);

/** First match at or after `from`: 1, 0 none, -EOVERFLOW a limit was reached or the
 *  pattern recurses without end, -ENOMEM.
 *  With a multi-line text the match lies within one line. Empty matches are found too. */
int matcher_find(struct matcher *m, struct span text, size_t from, struct match *ret);
