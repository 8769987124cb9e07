/**
 * regex_parser: what the two halves of the parser of regular expressions share: regex_parse.c reads
 * groups and sequences, regex_class.c escapes and classes. Inside lib/gram only.
 *
 * A parser never goes back. What it does not know makes it give up: it is then at the end, and
 * whatever it makes after that is not used. Reading past the end gives NULs.
 */
#pragma once

#include "gram/regex_parse.h"

struct parser {
	struct span text;
	size_t at;
	bool utf;
	bool quoted;  /* between \Q and \E */
	bool unknown; /* nothing is known of the pattern */
	bool failed;  /* out of memory */
	unsigned depth;
	struct arena *arena;
	const struct symbols *symbols;
	struct regex_node spare; /* what a failure is written to */
};

static inline bool
at_end(const struct parser *p)
{
	return p->at >= p->text.len;
}

static inline char
peek(const struct parser *p, size_t ahead)
{
	return p->at + ahead < p->text.len ? p->text.data[p->at + ahead] : '\0';
}

static inline bool
looks_at(const struct parser *p, const char *what)
{
	size_t at = MIN(p->at, p->text.len);

	return span_starts((struct span){p->text.data + at, p->text.len - at}, span_of(what));
}

static inline bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static inline void
give_up(struct parser *p)
{
	p->unknown = true;
	p->at = p->text.len;
}

/** Past the next `close`. */
void regex_skip_past(struct parser *p, char close);
/** One of the arena, or the spare one. */
struct regex_node *regex_new_node(struct parser *p, enum regex_kind kind);

/** The character at hand; a byte when the pattern is no UTF-8. */
uint32_t regex_take_char(struct parser *p);
/** `cp` may be CODEPOINT_BYTE | byte: one that is known to be no part of a character. */
struct regex_node *regex_char_node(struct parser *p, uint32_t cp);
/** Up to `max` digits of a base. */
uint32_t regex_take_number(struct parser *p, unsigned base, unsigned max);
/** At a backslash that is no \Q and no \E. */
struct regex_node *regex_parse_escape(struct parser *p);
/** At the '[' of a class. */
struct regex_node *regex_parse_class(struct parser *p);
