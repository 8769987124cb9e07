/**
 * sql_guess: how many entries a comparison leaves, for the planner of SQL.
 *
 * Of columns with bounds (tree_bounds()) a few dozen blocks, evenly spread, are looked at: most are
 * decided by their bounds, the others are read. Everything else is a guess by the kind of
 * comparison.
 */
#pragma once

#include "query/sql_terms.h"

/** Entries of all roots. */
uint64_t sql_guess_all(const struct snapshot *s);
/** The share (0..1, never 0) of entries for which the comparison may be true. */
double sql_guess_share(
	const struct snapshot *s, struct sql_subject column, const struct sql_asked *asked);
