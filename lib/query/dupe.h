/**
 * dupe: files that have the same bytes.
 *
 * Of the regular, not empty files that a question matches, those that share their size with another
 * are looked at; equal means equal in size and in a 128-bit hash of all bytes (content_hash()).
 * Hashes come from the cache (cursor_opts.hashes) where the file still is what it was when it was
 * read, else the file is read. What could not be read has no twin, and is counted.
 *
 * Names of one inode are one file: they are not each other's duplicates (as with fdupes and
 * jdupes), it is read once, and removing one of its names frees nothing.
 *
 * Ownership: dupes_find()/dupes_destroy(), dupe_set_create()/dupe_set_destroy().
 * Threads:   const after create.
 * Errors:    those of match_all(). What was hashed before a timeout stays in the cache, so asking
 *            again goes on from there.
 */
#pragma once

#include "query/content.h"
#include "query/query.h"

/** One name of a file that has a twin. */
struct dupe_name {
	uint32_t layer, entry;
	uint32_t file; /* within the group: names of one inode have the same number */
};

struct dupe_group {
	uint64_t size; /* bytes of each file */
	uint32_t n_files, n_names;
	size_t first; /* of dupes.name: n_names of them, by file, then in the order of the index */
};

/** All but one of the files could go. */
static inline uint64_t
dupe_waste(const struct dupe_group *g)
{
	return g->size * (g->n_files - 1);
}

struct dupe_stats {
	uint64_t by_fate[N_CONTENT_FATES]; /* files; what was not CONTENT_OK has no twin */
	uint64_t n_read, n_bytes;          /* files that were opened, bytes read */
	uint64_t n_cached;                 /* files whose hash was known */
};

struct dupes {
	struct dupe_group *group; /* [n_groups] the largest waste first */
	size_t n_groups;
	struct dupe_name *name; /* [n_names] */
	size_t n_names;
	struct dupe_stats stats;
	struct cursor_stats read; /* of the question itself */
};

/** Among the matches of q. */
int dupes_find(
	struct query *q, struct snapshot *s, const struct cursor_opts *opts, struct dupes **ret);
void dupes_destroy(struct dupes *d); /* NULL is legal */

/** Which entries of a snapshot have a twin anywhere in it: what `dupe:` asks. */
struct dupe_set {
	struct dupe_stats stats;
	uint32_t n_layers;
	uint64_t *layer[]; /* a bit an entry */
};

static inline bool
dupe_has(const struct dupe_set *d, uint32_t layer, uint32_t entry)
{
	return d->layer[layer][entry / 64] >> (entry % 64) & 1;
}

/** Into what a cursor tells. */
void dupe_add_stats(const struct dupe_stats *d, struct cursor_stats *ret);

int dupe_set_create(struct snapshot *s, const struct cursor_opts *opts, struct dupe_set **ret);
void dupe_set_destroy(struct dupe_set *d); /* NULL is legal */
