/**
 * sql_scan: the entries that a row of SQL may be made of, one after the other.
 *
 * First the live entries of the ranges that were added, then what questions of the query language
 * find.
 * Usually that is one question; where pieces of paths are asked for, whose meaning depends on the
 * root, there is one a root, each asked when the one before has ended.
 *
 * No word of the language matches a root itself, which has no name there but has one in SQL: the
 * roots are given as ranges, or, where that would break an order, the questions admit them.
 *
 * Ownership: the struct is the caller's; sql_scan_fini(). Borrows env.
 * Threads:   one at a time.
 * Errors:    those of cursor_next(), -ENOMEM.
 */
#pragma once

#include "base/vec.h"
#include "query/sql_terms.h"

struct sql_range {
	uint32_t layer, lo, hi;
	const struct tree_dead *dead; /* of the layer */
};

struct sql_scan {
	const struct sql_env *env;
	struct sql_terms terms;
	VEC(struct sql_range) bounds; /* a layer each, when a directory was named */
	VEC(struct sql_range) ranges;
	size_t at;        /* the range that is given, */
	uint32_t n_given; /* and how many entries of it were, or were passed over */

	struct cursor_opts opts; /* with the order asked for */
	uint32_t part, n_parts;
	struct cursor *cursor; /* of part - 1 */
	bool skip_roots;       /* they are among the ranges */
	struct hit hit;

	uint32_t layer, entry; /* the row */
};

void sql_scan_init(struct sql_scan *s, const struct sql_env *env);
void sql_scan_fini(struct sql_scan *s);
/** Empty, for another pass. */
void sql_scan_reset(struct sql_scan *s);
/** Only what is below a directory (as in:); may be said again, all hold. */
int sql_scan_below(struct sql_scan *s, struct span where);
/** Entries [lo, hi) of a layer. */
int sql_scan_add(struct sql_scan *s, uint32_t layer, uint32_t lo, uint32_t hi);
/** And all that s->terms admit, or the first `limit` of them, in this order (then no pieces of
 * paths were added). */
int sql_scan_ask(
	struct sql_scan *s, const struct query_sort *sort, uint32_t n_sort, uint64_t limit);
/** 1 the next in layer and entry, 0 the end. */
int sql_scan_next(struct sql_scan *s);
