/**
 * record_make: the records of what a set of changes does.
 *
 * In two rounds through the set: the first finds which of what is gone has come elsewhere (a MOVE,
 * record.h), the second writes. So memory is some 24 bytes for each entry that comes or goes,
 * besides what is written.
 *
 * Threads: one, and nothing else uses the set meanwhile.
 * Errors:  -E2BIG more than RECORD_MAX records or RECORD_MAX_BYTES, or a path too long to be told;
 *          -ENOMEM; those of tree_change_tell().
 */
#pragma once

#include "index/record.h"
#include "index/tree_change.h"

/** Of one batch. */
#define RECORD_MAX 1000000u
#define RECORD_MAX_BYTES ((size_t)64 << 20)

/** *ret: packed, of malloc; *ret_n how many, 0: nothing that a record tells of has changed. */
int record_make(struct tree_change *c, struct strbuf *ret, uint64_t *ret_n);
