/**
 * codepoint: simple case folding of single code points, and its inverse. For lib/text, and for
 * the grams of lib/index.
 *
 * The folding of CaseFolding.txt, status C and S, from the tables of utf8proc. U+0130 and U+0131
 * have none of these and fold to themselves.
 *
 * Threads: any; the table of the inverse is made at the first call of fold_others().
 */
#pragma once

#include "base/str.h"

/** What a byte that belongs to no UTF-8 sequence is decoded to: equals nothing but itself. */
#define CODEPOINT_BYTE 0x80000000u
/** Most code points that fold to one (U+03B8 has three besides itself). */
#define FOLD_MAX_OTHERS 4u

/** One unit of text: a code point, or CODEPOINT_BYTE | byte. The number of bytes, at least 1. */
size_t codepoint_decode(const char *p, size_t len, uint32_t *ret);
/** UTF-8 of a code point, or the byte of CODEPOINT_BYTE. */
size_t codepoint_encode(uint32_t cp, char out[4]);

uint32_t fold_codepoint(uint32_t cp);
/** The code points other than `folded` that fold to it. */
size_t fold_others(uint32_t folded, uint32_t ret[FOLD_MAX_OTHERS]);

/** What the general category says that grams want to know. */
enum codepoint_kind {
	CODEPOINT_OTHER,
	CODEPOINT_DIGIT,      /* Nd: a decimal digit of any script */
	CODEPOINT_UNASSIGNED, /* Cn: a later version of Unicode may make it anything */
};
enum codepoint_kind codepoint_kind(uint32_t cp);
