/**
 * text_need: what a text must have for a pattern to match in it that grams, which fold case and
 * share symbols, do not tell: one of some marks. Marks of a text say whether it has bytes beyond
 * ASCII, what capital letters stand directly behind a digit, and what behind a small letter.
 *
 * Sound before selective: a text in which the pattern (text/pattern.h) finds a match has what is
 * needed. The text is what the matcher sees: decoded from UTF-16 first if it is that.
 *
 * Threads: pure.
 */
#pragma once

#include "text/pattern.h"

/** Of the letter 'A' + i: bit i behind 0-9, bit TEXT_MARKS_SMALL + i behind a-z. */
#define TEXT_MARKS_LETTERS 26u
#define TEXT_MARKS_SMALL TEXT_MARKS_LETTERS
#define TEXT_MARKS_BEYOND ((uint64_t)1 << 2 * TEXT_MARKS_LETTERS) /* a byte from 0x80 on */
#define TEXT_MARKS_ALL (2 * TEXT_MARKS_BEYOND - 1)

#define TEXT_NEED_MAX 4u

struct text_need {
	uint32_t n;
	uint64_t any_of[TEXT_NEED_MAX]; /* [n] of each a mark; none is implied by another */
};

/** Of two bytes of ASCII side by side: a bit, or 0. */
static inline uint64_t
text_mark_of(unsigned char first, unsigned char second)
{
	unsigned letter = (unsigned)second - 'A';

	if (letter >= TEXT_MARKS_LETTERS)
		return 0;
	if ((unsigned)first - '0' < 10)
		return (uint64_t)1 << letter;
	return (unsigned)first - 'a' < TEXT_MARKS_LETTERS
	               ? (uint64_t)1 << (TEXT_MARKS_SMALL + letter)
	               : 0;
}

/** Has a text with these marks all of it? */
static inline bool
text_need_met(const struct text_need *need, uint64_t marks)
{
	bool met = true;

	for (uint32_t i = 0; i < need->n; i++)
		met = met && (marks & need->any_of[i]);
	return met;
}

/** What a match of the pattern needs. In any case no letters; of a path nothing. */
void text_need_of(const struct pattern *p, struct text_need *ret);
/** Both, or one of both, as far as there is room: less is asked for, never more. */
void text_need_and(struct text_need *to, const struct text_need *more);
void text_need_or(struct text_need *to, const struct text_need *other);
/** " & beyond ASCII & [0-9a-z]U", empty when nothing is needed: 0 or -ENOMEM. */
int text_need_print(const struct text_need *need, struct strbuf *out);
