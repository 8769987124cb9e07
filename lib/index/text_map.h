/**
 * text_map: which entry of a segment of a tree has which content, and the inverse.
 *
 *     content[entry]   a content number, or TEXT_NO_FILE, TEXT_TOO_LARGE, TEXT_PENDING
 *     by_content       entries that have a content, in ascending order of (content, entry)
 *
 * Computed, never stored: keys of files are looked up in the rows of text segments.
 *
 * Ownership: counted (struct arc); holds nothing but its memory.
 * Threads:   immutable; any number of readers.
 * Errors:    -ENOMEM, -ECANCELED.
 */
#pragma once

#include "index/text_set.h"
#include "index/tree.h"
#include "sync/pool.h"
#include "sync/stop.h"

#define TEXT_PENDING UINT32_MAX
#define TEXT_TOO_LARGE (UINT32_MAX - 1) /* for its root */
#define TEXT_NO_FILE (UINT32_MAX - 2)   /* no regular file */
/** Content numbers are below. */
#define TEXT_CONTENT_END (UINT32_MAX - 2)

/** Links to one file count one by one. */
struct text_sums {
	uint64_t n_files, n_bytes; /* regular files that are not too large, and their sizes */
	uint64_t n_pending, pending_bytes;
	uint64_t n_too_large;
};

#define TEXT_MARK 64u /* entries of by_content between two marks */

struct text_map {
	struct arc arc;
	/* What it was made of. */
	uint64_t tree_sum, max_bytes;
	uint32_t n_entries, n_known;
	const uint32_t *content;    /* [n_entries] */
	const uint32_t *by_content; /* [n_known] */
	/* Where the entries of a content end in by_content, [end - first], when at least every
	 * other content of [first, end) has some; else NULL, and `marks` are there: the contents of
	 * by_content[0], [TEXT_MARK], .. */
	uint32_t first, end;
	const uint32_t *ends, *marks;
	/* A bit an entry, in words of 64. */
	const uint64_t *pending;
	const uint64_t *text;   /* its content is known, and no binary */
	const uint64_t *large;  /* TEXT_TOO_LARGE; NULL: none */
	const uint64_t *binary; /* its content is known, and binary; NULL: none */
	struct text_sums all;   /* of all entries, dead ones too */
};

struct text_map_opts {
	uint64_t max_bytes;
	struct pool *pool;
	struct stop *stop;
	/* A map of the same tree with the same max_bytes, or NULL. Then only what is pending in it
	 * is looked up, in segments [from, set->n); when it has contents that the set has not, all
	 * is looked up anew. */
	struct text_map *old;
	uint32_t from;
	bool check_old; /* it may have such contents */
};

/** `set` may be NULL. *ret may be `old`, with a reference more. */
int text_map_create(const struct tree *t, const struct text_set *set,
	const struct text_map_opts *opts, struct text_map **ret);
void text_map_unref(struct text_map *m); /* NULL is legal */

/** The entries of a map with a content: by_content [lo, hi). */
void text_map_entries(
	const struct text_map *m, uint32_t content, uint32_t *ret_lo, uint32_t *ret_hi);
/** The same for who asks for ascending contents: none of its entries is before `from`, and the
 *  nearer they are the sooner they are found. */
void text_map_entries_from(const struct text_map *m, uint32_t from, uint32_t content,
	uint32_t *ret_lo, uint32_t *ret_hi);
/** What the entries of a range have: sums of `all`, in time proportional to the range. */
void text_map_sum(const struct text_map *m, const struct tree_cols *c, uint32_t lo, uint32_t hi,
	struct text_sums *ret);
