/**
 * tree_format: the numbers of FORMAT.md, shared by the writer and the reader of tree segments.
 */
#pragma once

#include "index/segment_file.h"
#include "index/tree.h"
#include "index/tree_name.h"

#define TREE_MAGIC "TRAWLT\n" /* with its NUL: 8 bytes (FORMAT.md 2) */
#define TREE_MAGIC_BYTES SEGMENT_MAGIC_BYTES
#define TREE_VERSION 3u
#define TREE_HEADER_BYTES SEGMENT_HEADER_BYTES
#define TREE_ROW_BYTES SEGMENT_ROW_BYTES
#define TREE_ALIGN SEGMENT_ALIGN
#define TREE_MAX_SECTIONS SEGMENT_MAX_SECTIONS
#define TREE_SUM_AT SEGMENT_SUM_AT
#define TREE_SECTION_OPTIONAL SEGMENT_OPTIONAL
#define TREE_MAX_ENTRIES (UINT32_MAX - 1)

_Static_assert(sizeof(TREE_MAGIC) == TREE_MAGIC_BYTES, "FORMAT.md 2: the magic has 8 bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "columns are mapped: FORMAT.md 2");

/** FORMAT.md 3. */
enum tree_section {
	SECTION_CLASSES = 1,
	SECTION_FRAMES,
	SECTION_UNREAD,
	SECTION_NAMES,
	SECTION_PARENT,
	SECTION_CLS,
	SECTION_DIR_BITS,
	SECTION_SIZE,
	SECTION_BLOCKS,
	SECTION_MTIME,
	SECTION_CTIME,
	SECTION_INO,
	SECTION_NLINK,
	SECTION_FLAGS,
	SECTION_WIDE,
	SECTION_DIR_FIRST,
	SECTION_DIR_END,
	SECTION_DIR_ENTRY,
	SECTION_DIR_RANK,
	SECTION_DIR_ORDER,
	SECTION_SUMS,
	SECTION_LINKS,
	SECTION_LINK_SUMS,
	SECTION_NEEDED = SECTION_LINK_SUMS, /* all up to here must be there */
	SECTION_GRAM_NODES = 33,
	SECTION_GRAM_LISTS,
	SECTION_GRAM_ROWS = 36,
	SECTION_BELOW = 40, /* of a layer (FORMAT.md 5) */
	SECTION_DEAD,
	SECTION_LAST = SECTION_DEAD,
};

/** FORMAT.md 2. */
enum tree_kind { TREE_KIND_BASE, TREE_KIND_LAYER };

#define TREE_GRAM_ENTRIES (1u << 18) /* trees from this size on have a filter */
#define TREE_N_GRAMS (1u << 24)      /* of four symbols of 6 bits */
#define TREE_N_SYMBOLS 64u
#define TREE_GRAM_ROW TREE_N_SYMBOLS /* grams of a row */
#define TREE_GRAM_ROWS (TREE_N_GRAMS / TREE_GRAM_ROW)
#define TREE_GRAM_NODES (TREE_N_SYMBOLS + TREE_N_SYMBOLS * TREE_N_SYMBOLS)

_Static_assert(
	SECTION_NEEDED == 23 && SECTION_LAST == 41, "FORMAT.md 3: ids are part of the format");
_Static_assert(sizeof(struct tree_class) == 24, "FORMAT.md 3.4");
_Static_assert(sizeof(struct tree_block) == 16, "FORMAT.md 3.2");
_Static_assert(
	sizeof(struct tree_link) == 8 && sizeof(struct tree_link_sum) == 24, "FORMAT.md 3.7");
_Static_assert(sizeof(struct tree_gram_node) == 16, "FORMAT.md 3.8");
_Static_assert(sizeof(struct tree_below) == 16 && sizeof(struct tree_range) == 8, "FORMAT.md 5");

extern const struct segment_kind tree_kind;

/** As in the table of FORMAT.md 3; NULL for what has no row there. */
const char *tree_section_name(unsigned id);
/** The section of a packed column. */
enum tree_section tree_column_section(enum tree_column col);
/** Bytes that a section must have, given the counts (H7). Of a packed column: of its heads and the
 *  last word; of sections with a count of their own: of one element. */
uint64_t tree_section_bytes(const struct tree_cols *c, enum tree_section id);

/** The next component of a path, which moves past it and past the slashes around it. */
struct span tree_component(struct span *path);

/** The greatest value of a column (C3), in unsigned order: that of times is taken with the sign bit
 *  inverted. */
uint64_t tree_column_max(enum tree_column col);
static inline uint64_t
tree_column_bias(enum tree_column col)
{
	return col == TREE_MTIME || col == TREE_CTIME ? (uint64_t)1 << 63 : 0;
}

/** The number of blocks of a packed column. */
static inline uint32_t
tree_n_blocks(const struct tree_cols *c)
{
	return (c->n_entries - 1) / TREE_BLOCK + 1;
}

/** What tree_check() found wrong. */
struct tree_flaw {
	enum tree_section section;
	const char *rule; /* "N5: names out of order": static text */
};

/** The invariants of FORMAT.md 3 over sections whose lengths are right, on `pool` too (may be
 * NULL): 0 or -EBADMSG. `deep`: L2, L3 and G2 too, which may fail with -ENOMEM. */
int tree_check(const struct tree_cols *c, bool deep, struct pool *pool, struct tree_flaw *ret);
