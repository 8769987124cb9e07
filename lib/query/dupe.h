/**
 * dupe: which files of a snapshot have a twin with the same bytes.
 *
 * Regular files that are not empty, in all roots that may be searched. Only files that share their
 * size with another are read; equal means equal in size and in a 128-bit hash of all bytes. What
 * could not be read is no twin, and is counted.
 *
 * Ownership: dupe_set_create()/dupe_set_destroy().
 * Threads:   const after create.
 */
#pragma once

#include "query/content.h"
#include "query/query.h"

struct dupe_set {
	uint64_t by_fate[N_CONTENT_FATES], n_read, n_bytes;
	uint32_t n_roots;
	uint64_t *root[]; /* a bit an entry; NULL for a root without a tree */
};

static inline bool
dupe_has(const struct dupe_set *d, uint32_t root, uint32_t entry)
{
	return d->root[root][entry / 64] >> (entry % 64) & 1;
}

/** Reads every file that has another of its size. -ECANCELED, -ETIMEDOUT, -ENOMEM. */
int dupe_set_create(
	const struct snapshot *s, const struct cursor_opts *opts, struct dupe_set **ret);
void dupe_set_destroy(struct dupe_set *d); /* NULL is legal */
