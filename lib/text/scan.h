/**
 * scan: candidates of a literal in a text at memory speed. scan_count() apart, inside
 * lib/text only.
 *
 * A candidate is a start at which two chosen bytes of the literal, each in one of two forms (two
 * cases of a letter), stand where they must. The caller verifies the rest. AVX2 where the processor
 * has it, SSE2 on every x86-64, plain C elsewhere.
 *
 * Threads: pure functions.
 */
#pragma once

#include "base/defs.h"

#define SCAN_NONE SIZE_MAX

struct scan {
	size_t at[2];             /* offsets of the two bytes from the start, may be equal */
	unsigned char form[2][2]; /* the two forms of each, may be equal */
};

/** How common a byte is in source text: 0 rare to 255; logarithmic. */
unsigned scan_byte_weight(unsigned char c);

/** The first candidate in [from, end), or SCAN_NONE. Bytes of text up to end - 1 + the larger
 *  offset are read: they must exist. */
size_t scan_next(const struct scan *s, const char *text, size_t from, size_t end);

/** Is no byte 0x80 or above? */
bool scan_ascii(const char *text, size_t len);
/** How often a byte stands in the text. */
size_t scan_count(const char *text, size_t len, char byte);
