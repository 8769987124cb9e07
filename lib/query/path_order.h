/**
 * path_order: which of two entries comes first by path, without making paths.
 *
 * The entries are of one root, of any of its layers: the same directories stand in each under the
 * same names.
 *
 * Threads: any.
 */
#pragma once

#include "index/tree.h"

/** As the bytes of the two paths: -1, 0, 1. */
int path_compare_bytes(
	const struct tree_cols *xc, uint32_t x, const struct tree_cols *yc, uint32_t y);
/** As they are listed depth first: everything below a directory before its next sibling. "a/b" is
 *  then before "a-b", which as bytes it is not. */
int path_compare_depth_first(
	const struct tree_cols *xc, uint32_t x, const struct tree_cols *yc, uint32_t y);
