/**
 * text_view: which entry of a root's tree has which content: a stack of tree segments beside a set
 * of text segments.
 *
 * An entry has a content when a text segment has a row for a file with its device, inode, size and
 * times. A regular file without one is *pending*: it was not read yet, could not be read, or its
 * times were too fresh to be believed. Who asks for contents looks into it himself, or says that he
 * did not.
 *
 *     content[entry]   a content number, or TEXT_NO_FILE, TEXT_TOO_LARGE, TEXT_PENDING
 *     by_content       entries that have a content, in ascending order of (content, entry)
 *
 * Dead entries (tree_dead.h) are in the maps like all others; only the sums of the view leave them
 * out.
 *
 * Ownership: counted (struct arc); a view holds its set, and its maps, which views of one root
 *            share where a segment of the tree stayed.
 * Threads:   immutable; any number of readers.
 * Errors:    -ENOMEM, -ECANCELED.
 * Limits:    8 bytes an entry, resident.
 */
#pragma once

#include "index/text_set.h"
#include "index/tree_stack.h"
#include "sync/pool.h"
#include "sync/stop.h"

#define TEXT_PENDING UINT32_MAX
#define TEXT_TOO_LARGE (UINT32_MAX - 1) /* for its root */
#define TEXT_NO_FILE (UINT32_MAX - 2)   /* no regular file */
/** Content numbers are below. */
#define TEXT_CONTENT_END (UINT32_MAX - 2)

/** Of one segment of the tree. */
struct text_map {
	struct arc arc;
	uint32_t n_entries, n_known, n_pending;
	const uint32_t *content;    /* [n_entries] */
	const uint32_t *by_content; /* [n_known] */
	const uint64_t *pending;    /* a bit an entry, in words of 64 */
};

struct text_view {
	struct arc arc;
	struct text_set *set; /* NULL: nothing was read yet */
	uint32_t n_layers;
	struct text_map *map[TREE_MAX_LAYERS]; /* as the stack's layers */
	/* Live entries. Links to one file count one by one. */
	uint64_t n_files, n_bytes; /* regular files that are not too large, and their sizes */
	uint64_t n_pending, pending_bytes;
};

struct text_view_opts {
	uint64_t max_bytes; /* larger files are not read; UINT64_MAX: none */
	/* A view of the same root, whose maps are taken over where segments of the tree stayed and
	 * the set only grew or was merged; NULL: none. */
	const struct text_view *before;
	struct pool *pool; /* may be NULL */
	struct stop *stop; /* may be NULL */
};

int text_view_create(const struct tree_stack *stack, struct text_set *set,
	const struct text_view_opts *opts, struct text_view **ret);
struct text_view *text_view_ref(struct text_view *v);
void text_view_unref(struct text_view *v); /* NULL is legal */

/** The entries of a map with a content: by_content [lo, hi). */
void text_map_entries(
	const struct text_map *m, uint32_t content, uint32_t *ret_lo, uint32_t *ret_hi);
