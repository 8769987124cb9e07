/**
 * gram: the distinct grams of a text: three or four symbols in a row, as one number.
 *
 *     symbols   0 m e m o r y 0 0            padded: one end before, two behind
 *     grams     0mem memo emor mory ory0 ry00
 *
 * The second end behind makes every run of n - 1 symbols of the text, the ends beside it included,
 * the beginning of a gram: texts with such a run are those of a range of N_SYMBOLS grams.
 *
 *     gram_maker_create(4, &m);
 *     gram_maker_add(m, piece);              as often as there are pieces of one text
 *     gram_maker_end(m, &grams, &n);         borrowed until the next add; m is ready for a new text
 *
 * Not an index, and no order: grams come as they were met, each once.
 *
 * Ownership: a maker is created and destroyed; what end() returns is the maker's.
 * Threads:   one thread at a time a maker; makers are independent.
 * Errors:    -ENOMEM; the maker is then empty and can be used again.
 * Units:     a maker holds 2 MiB (gram 4) or 32 KiB (gram 3), and 4 bytes a distinct gram of the
 *            richest text so far.
 */
#pragma once

#include "gram/symbol.h"

#define GRAM_MIN 3u
#define GRAM_MAX 4u
/** How many ends stand before and behind a text. */
#define GRAM_PAD_BEFORE 1u
#define GRAM_PAD_BEHIND 2u

/** One more than the largest gram of n symbols. */
#define GRAM_END(n) (1u << (SYMBOL_BITS * (n)))

struct gram_maker;

/** `n` is 3 or 4. 0 or -ENOMEM. */
int gram_maker_create(unsigned n, struct gram_maker **ret);
void gram_maker_destroy(struct gram_maker *m);

/** The next bytes of the text, of any length and cut anywhere: 0 or -ENOMEM. */
int gram_maker_add(struct gram_maker *m, struct span piece);
/** The text ends. Its grams, which are some even when it is empty (n = 3). */
int gram_maker_end(struct gram_maker *m, const uint32_t **ret_grams, size_t *ret_n);

/** As create(), with one of the ways that this processor has, the best one last. For tests. */
unsigned gram_maker_n_levels(void);
int gram_maker_create_by(unsigned n, unsigned level, struct gram_maker **ret);
