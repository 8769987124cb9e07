/**
 * tree_check: the invariants of FORMAT.md 3, in the order in which they make each other checkable.
 * Internal to lib/index.
 *
 * Nothing is believed before it was checked: what a check reads is inside of the mapping by H7 or
 * by a rule that was checked before. Each function returns 0 or the flaw it found; the rule's
 * number leads to FORMAT.md.
 *
 * Threads: pure; chunks are checked side by side.
 */
#pragma once

#include "index/tree_format.h"

#define TREE_FLAWS(X)                                                                 \
	X(FLAW_COLUMN, 0, "C1: a block is not where it belongs")                      \
	X(FLAW_HEAD, 0, "C2: no such width or unit")                                  \
	X(FLAW_BOUNDS, 0, "C3: bounds past the column's greatest value")              \
	X(FLAW_UNREAD, SECTION_UNREAD, "E7: list not exact")                          \
	X(FLAW_SLASH, SECTION_NAMES, "N2: a slash in a name")                         \
	X(FLAW_LENGTH, SECTION_NAMES, "N3: length of a name out of range")            \
	X(FLAW_WIDE, SECTION_WIDE, "N4: list not exact")                              \
	X(FLAW_ORDER, SECTION_NAMES, "N5: names out of order")                        \
	X(FLAW_COVER, SECTION_DIR_FIRST, "D1: blocks do not cover the entries")       \
	X(FLAW_ASCEND, SECTION_DIR_FIRST, "D1: blocks do not ascend")                 \
	X(FLAW_PARENT, SECTION_PARENT, "D2: not the directory of its block")          \
	X(FLAW_ROOT, SECTION_DIR_ENTRY, "D3: the root is not directory 0")            \
	X(FLAW_ENTRY, SECTION_DIR_ENTRY, "D3: no such entry")                         \
	X(FLAW_BITS, SECTION_DIR_BITS, "D3: bits and directories disagree")           \
	X(FLAW_RANK, SECTION_DIR_RANK, "D3: wrong count of bits")                     \
	X(FLAW_DIR_ORDER, SECTION_DIR_ORDER, "D3: not in the order of their entries") \
	X(FLAW_NUMBERS, SECTION_DIR_ORDER, "D4: numbers do not ascend")               \
	X(FLAW_RANGE_ALL, SECTION_DIR_END, "D5: the root's range is not everything")  \
	X(FLAW_RANGE, SECTION_DIR_END, "D5: not in its parent's range")               \
	X(FLAW_NEST, SECTION_DIR_END, "D5: ranges do not nest")                       \
	X(FLAW_CLS, SECTION_CLS, "E1: no such class")                                 \
	X(FLAW_FLAGS, SECTION_FLAGS, "E3: flags on what is no directory")             \
	X(FLAW_NUMBER, SECTION_CLS, "E3: number on what is no directory")             \
	X(FLAW_DIR_FLAGS, SECTION_FLAGS, "E4: flags of a directory")                  \
	X(FLAW_CLASS, SECTION_CLASSES, "3.4: reserved field in use")                  \
	X(FLAW_SKELETON, SECTION_FLAGS, "E6: flags of a skeleton")                    \
	X(FLAW_SUMS, SECTION_SUMS, "S1: wrong sums")                                  \
	X(FLAW_LINKS, SECTION_LINKS, "L1: list not ascending")                        \
	X(FLAW_PAIR, SECTION_LINKS, "L1: no links to one inode")                      \
	X(FLAW_LINK_DIR, SECTION_LINK_SUMS, "L3: list not ascending")                 \
	X(FLAW_GRAM_NODES, SECTION_GRAM_NODES, "G1: wrong count of bits")             \
	X(FLAW_GRAM_ROWS, SECTION_GRAM_ROWS, "G1: rows do not ascend")                \
	X(FLAW_GRAM_ROW, SECTION_GRAM_LISTS, "G1: lists do not fill their row")       \
	X(FLAW_BELOW, SECTION_BELOW, "Y2: no such segment")                           \
	X(FLAW_DEAD, SECTION_DEAD, "Y2: ranges do not ascend")                        \
	X(FLAW_DEAD_COUNT, SECTION_DEAD, "Y2: not as many as the segments have")      \
	X(FLAW_LINKS_DEEP, SECTION_LINKS, "L2: list not exact")                       \
	X(FLAW_LINK_SUMS, SECTION_LINK_SUMS, "L3: wrong sums")                        \
	X(FLAW_GRAMS, SECTION_GRAM_LISTS, "G2: list not exact")

#define FLAW_NAME(name, section, rule) name,
enum flaw { FLAW_NONE, TREE_FLAWS(FLAW_NAME) };
#undef FLAW_NAME

/** C1 to C3, of a column. */
enum flaw check_packed(const struct tree_cols *c, enum tree_column col);
/** The lists of entries ascend: half of E7 and N4, before check_names(). */
enum flaw check_lists(const struct tree_cols *c);
/** N2 to N5 of the entries [lo, hi), whose parents are in `parents`; lo is a multiple of 64, and
 *  hi too or the end. */
enum flaw check_names(const struct tree_cols *c, uint32_t lo, uint32_t hi, const uint64_t *parents);
/** D1 and D3, which make tree_dir() safe. */
enum flaw check_dir_tables(const struct tree_cols *c);
/** D4 and D5, when D2 holds. */
enum flaw check_depth_first(const struct tree_cols *c);
/** L1, and of L3 what keeps tree_sum_dir() inside. */
enum flaw check_links(const struct tree_cols *c);
/** G1 of the nodes, and that there are as many rows as they say. */
enum flaw check_gram_nodes(const struct tree_cols *c);
/** G1 of the rows [lo, hi). */
enum flaw check_gram_rows(const struct tree_cols *c, uint32_t lo, uint32_t hi);

/** Y2 */
enum flaw check_layer(const struct tree_cols *c);

/** L2, L3: 0, a flaw, -ENOMEM. */
int check_links_deep(const struct tree_cols *c, struct pool *pool);
/** G2: 0, a flaw, -ENOMEM. */
int check_grams_deep(const struct tree_cols *c, struct pool *pool);
