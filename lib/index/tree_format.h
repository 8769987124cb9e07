/**
 * tree_format: the numbers of FORMAT.md, shared by the writer and the reader of tree segments.
 */
#pragma once

#include "index/tree.h"

#define TREE_MAGIC "TRAWLT\n" /* with its NUL: 8 bytes (FORMAT.md 2) */
#define TREE_MAGIC_BYTES 8u
#define TREE_VERSION 1u
#define TREE_HEADER_BYTES 64u
#define TREE_ROW_BYTES 32u
#define TREE_ALIGN 64u
#define TREE_MAX_SECTIONS 64u
#define TREE_SUM_AT 56u
#define TREE_SECTION_OPTIONAL 1u
#define TREE_MAX_ENTRIES (UINT32_MAX - 1)

_Static_assert(sizeof(TREE_MAGIC) == TREE_MAGIC_BYTES, "FORMAT.md 2: the magic has 8 bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "columns are mapped: FORMAT.md 2");

/** FORMAT.md 3. */
enum tree_section {
	SECTION_CLASSES = 1,
	SECTION_NAME_BASE,
	SECTION_NAME_REL,
	SECTION_NAMES,
	SECTION_PARENT,
	SECTION_CLS,
	SECTION_DIR,
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
	SECTION_LAST = SECTION_DIR_ENTRY,
};

_Static_assert(SECTION_LAST == 18, "FORMAT.md 3: ids are part of the format");
_Static_assert(sizeof(struct tree_class) == 24, "FORMAT.md 3.3");
_Static_assert((TREE_NAME_BLOCK - 1) * (TREE_NAME_MAX_BYTES + 1) <= UINT16_MAX,
	"FORMAT.md 3.1: a block's last start fits name_rel");

/** Bytes that a section must have, given the counts (H7). */
uint64_t tree_section_bytes(const struct tree_cols *c, enum tree_section id);
/** As in the table of FORMAT.md 3. */
const char *tree_section_name(enum tree_section id);

/** What tree_check() found wrong. */
struct tree_flaw {
	enum tree_section section;
	const char *rule; /* "N5: names out of order": static text */
};

/** Every invariant of FORMAT.md 3 over columns whose lengths are right: 0 or -EBADMSG. */
int tree_check(const struct tree_cols *c, struct tree_flaw *ret);
