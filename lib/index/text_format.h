/**
 * text_format: the numbers of FORMAT-TEXT.md, shared by the writers and the reader of text
 * segments.
 */
#pragma once

#include "base/defs.h"
#include "index/segment_file.h"

#define TEXT_MAGIC "TRAWLG\n" /* with its NUL: 8 bytes (FORMAT-TEXT.md 1) */
#define TEXT_VERSION 3u
#define TEXT_MAX_UNITS (UINT32_MAX - 1)
#define TEXT_BLOCK 128u /* FORMAT-TEXT.md 3 */
#define TEXT_GROUP 64u
#define TEXT_PAD 16u

_Static_assert(sizeof(TEXT_MAGIC) == SEGMENT_MAGIC_BYTES, "FORMAT-TEXT.md 1: 8 bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "sections are mapped: FORMAT.md 2");

/** FORMAT-TEXT.md 2. */
enum text_section {
	TEXT_SECTION_DOCS = 1,
	TEXT_SECTION_MARKS,
	TEXT_SECTION_HASH_ORDER,
	TEXT_SECTION_FILE_KEYS,
	TEXT_SECTION_FILE_CONTENTS,
	TEXT_SECTION_UNIT_DOC,
	TEXT_SECTION_WINDOWS,
	TEXT_SECTION_SHELVES,
	TEXT_SECTION_POSTINGS,
	TEXT_SECTION_GROUPS,
	TEXT_SECTION_LAST = TEXT_SECTION_GROUPS,
};

extern const struct segment_kind text_kind;

/** FORMAT-TEXT.md 2.1. */
struct text_doc {
	uint64_t hash_low, hash_high, size_bytes, n_lines;
	uint32_t first_unit, flags;
};

/** FORMAT-TEXT.md 2.3. */
#define TEXT_WINDOW_LINE 1u /* it begins where a line does */
struct text_window {
	uint32_t unit, flags;
	uint64_t offset_bytes, lines_before;
};

/** FORMAT-TEXT.md 3. */
struct text_shelf {
	uint64_t at, groups, sum;
	uint32_t rank, reserved;
};

_Static_assert(sizeof(struct text_doc) == 40, "FORMAT-TEXT.md 2.1");
_Static_assert(sizeof(struct text_window) == 24, "FORMAT-TEXT.md 2.3");
_Static_assert(sizeof(struct text_shelf) == 32, "FORMAT-TEXT.md 3");

/** Grams of a shelf, and how many shelves, by the number of symbols. */
static inline unsigned
text_shelf_bits(unsigned n_symbols)
{
	return n_symbols == 4 ? 12 : 9;
}

static inline uint32_t
text_n_shelves(unsigned n_symbols)
{
	return 1u << (6 * n_symbols - text_shelf_bits(n_symbols));
}

/** Bits of a unit among n_units, and the bytes of one in a head. */
static inline unsigned
text_unit_bits(uint32_t n_units)
{
	return n_units > 1 ? 32 - (unsigned)__builtin_clz(n_units - 1) : 0;
}

static inline unsigned
text_unit_bytes(uint32_t n_units)
{
	return MAX((text_unit_bits(n_units) + 7) / 8, 1u);
}
