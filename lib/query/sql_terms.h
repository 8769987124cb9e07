/**
 * sql_terms: comparisons of SQL as terms of the query language.
 *
 * Each term holds for every entry for which the comparison is true; it may hold for others. A
 * comparison that has no such term is left out. So a question made of these terms finds all rows
 * that SQLite may want, with everything that makes questions fast.
 *
 *     name LIKE 'init%.c'       name:"init" name:".c"     any case
 *     size > 1000000            size:>=1000001
 *     ext IN ('c', 'h')         ext:"c,h"
 *
 * Folding holds for the whole question: one comparison that needs it makes all texts fold.
 *
 * What has no root in it (paths have: they are matched below the root by the language, from the
 * file system's root by SQL) is in `text`; the pieces of paths are kept apart, for
 * sql_terms_of_root().
 *
 * Ownership: sql_terms_fini(). Errors: -ENOMEM.
 */
#pragma once

#include "query/sql_source.h"

#define SQL_MAX_PIECES 16u

struct sql_terms {
	struct strbuf scope;  /* in:, which holds for roots too */
	struct strbuf text;   /* joined by blanks */
	struct strbuf pieces; /* bytes of the pieces of paths, one after the other */
	uint32_t n_pieces;
	uint32_t piece_end[SQL_MAX_PIECES];
	uint32_t n_terms;
	bool fold;  /* ask with QUERY_CASE_FOLD, else QUERY_CASE_EXACT */
	bool words; /* a term that the root itself, which has no name there, never matches */
	bool none;  /* no entry can be admitted */
};

void sql_terms_fini(struct sql_terms *t);

/** What a column of SQL is to the language. Times are in nanoseconds, or whole seconds. */
struct sql_subject {
	enum field field;
	bool seconds;
};

/** column op one of the values. */
int sql_terms_add(struct sql_terms *t, const struct snapshot *s, struct sql_subject column,
	enum sql_op op, bool folds, const struct sql_arg *arg);
/** in:"WHERE", a whole table's argument. */
int sql_terms_below(struct sql_terms *t, struct span where);
/** Append what the pieces of paths mean below a root to `out`, and which root that is to `scope`.
 */
int sql_terms_of_root(const struct sql_terms *t, const struct snap_root *root, struct strbuf *out,
	struct strbuf *scope);
