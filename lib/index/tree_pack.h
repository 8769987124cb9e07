/**
 * tree_pack: values into a block of a packed column (FORMAT.md 3.2). Internal to lib/index.
 *
 * Threads: pure.
 */
#pragma once

#include "index/tree_format.h"

#define TREE_PACK_MAX_BYTES ((size_t)8 * TREE_BLOCK)

/** TREE_BLOCK values (a short block's are filled up with one of its own) as the least block that
 *  holds them; `at` stays 0. Returns the bytes written to `out`, which has room for
 *  TREE_PACK_MAX_BYTES. The values are overwritten. */
size_t tree_pack(enum tree_column col, uint64_t *values, struct tree_block *ret, char *out);
