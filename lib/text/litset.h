/**
 * litset: which of a set of literals stands first in a text, at the speed of memory for small sets.
 *
 * As Teddy of Hyperscan: the first bytes of 32 starts at a time are looked up by their nibbles in
 * eight buckets of literals; what is left is looked up in a table by those bytes, and compared.
 * AVX2 where the processor has it, else a table of first bytes.
 *
 * With `fold` the letters of ASCII match in both cases; nothing else does.
 *
 * Ownership: create/destroy; the literals are copied.
 * Threads:   const after create: any number.
 * Limits:    LITSET_MAX literals of 1 to LITSET_MAX_BYTES bytes.
 */
#pragma once

#include "base/str.h"

#define LITSET_MAX 4096u
#define LITSET_MAX_BYTES 1024u

struct litset;

/** 0, -ENOMEM, or -EINVAL: none, too many, or one that is empty or too long. */
int litset_create(const struct span *literals, size_t n, bool fold, struct litset **ret);
void litset_destroy(struct litset *s); /* NULL is legal */
/** Where the leftmost literal at or after `from` starts, -1 none; of those that start together the
 *  one that was given first, whose length is in *ret_len. */
ssize_t litset_find(const struct litset *s, struct span text, size_t from, size_t *ret_len);
