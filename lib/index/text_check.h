/**
 * text_check: the invariants of FORMAT-TEXT.md, in the order in which they make each other
 * checkable. Internal to lib/index.
 *
 * Nothing is believed before it was checked: what a check reads is inside of the mapping by H7 or
 * by a rule that was checked before.
 *
 * Threads: pure; shelves are checked side by side on the pool (may be NULL).
 */
#pragma once

#include "index/text_segment.h"
#include "sync/pool.h"

#define TEXT_FLAWS(X)                                                                      \
	X(TEXT_FLAW_DOC_FLAGS, TEXT_SECTION_DOCS, "D1: flags or marks of a document")      \
	X(TEXT_FLAW_DOC_DROPPED, TEXT_SECTION_DOCS, "D1: a dropped document has contents") \
	X(TEXT_FLAW_DOC_UNITS, TEXT_SECTION_DOCS, "D2: units out of order")                \
	X(TEXT_FLAW_HASHES, TEXT_SECTION_HASH_ORDER, "D3: hashes out of order")            \
	X(TEXT_FLAW_LIVE, TEXT_SECTION_HASH_ORDER, "D3: not the documents that are there") \
	X(TEXT_FLAW_KEYS, TEXT_SECTION_FILE_KEYS, "F1: keys out of order")                 \
	X(TEXT_FLAW_CONTENTS, TEXT_SECTION_FILE_CONTENTS, "F1: no such content")           \
	X(TEXT_FLAW_UNIT_DOC, TEXT_SECTION_UNIT_DOC, "U1: not the document of the unit")   \
	X(TEXT_FLAW_WINDOWS, TEXT_SECTION_WINDOWS, "U2: not the units that need one")      \
	X(TEXT_FLAW_WINDOW, TEXT_SECTION_WINDOWS, "U2: windows out of order")              \
	X(TEXT_FLAW_SHELF, TEXT_SECTION_SHELVES, "P1: not where it belongs")               \
	X(TEXT_FLAW_SHELF_BITS, TEXT_SECTION_SHELVES, "P1: wrong count of groups")         \
	X(TEXT_FLAW_SUM, TEXT_SECTION_POSTINGS, "P2: wrong checksum")                      \
	X(TEXT_FLAW_PAD, TEXT_SECTION_POSTINGS, "P2: no zeros behind the lists")           \
	X(TEXT_FLAW_GROUP, TEXT_SECTION_GROUPS, "P3: groups out of order")                 \
	X(TEXT_FLAW_LIST, TEXT_SECTION_POSTINGS, "P4: lists do not fill their group")      \
	X(TEXT_FLAW_SKIPS, TEXT_SECTION_POSTINGS, "P4: blocks do not fill their list")     \
	X(TEXT_FLAW_BITMAP, TEXT_SECTION_POSTINGS, "P5: a bit of no unit")                 \
	X(TEXT_FLAW_UNITS, TEXT_SECTION_POSTINGS, "P6: units of a list out of order")

#define TEXT_FLAW_NAME(name, section, rule) name,
enum text_flaw { TEXT_FLAW_NONE, TEXT_FLAWS(TEXT_FLAW_NAME) };
#undef TEXT_FLAW_NAME

/** D, F, U. */
enum text_flaw text_check_docs(const struct text_cols *c);
/** P1 and P3: what finding a group relies on. */
enum text_flaw text_check_shelves(const struct text_cols *c);
/** P2: a flaw or 0. */
int text_check_sums(const struct text_cols *c, struct pool *pool);
/** P4, P5; `deep`: P6, too. A flaw or 0. */
int text_check_lists(const struct text_cols *c, bool deep, struct pool *pool);

/** The section and the sentence of a flaw. */
unsigned text_flaw_section(int flaw);
const char *text_flaw_rule(int flaw);
