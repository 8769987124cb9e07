/**
 * text_view: which entry of a root's tree has which content: a stack of tree segments beside a set
 * of text segments.
 *
 * An entry has a content when a text segment has a row for a file with its device, inode, size and
 * times. A regular file without one is *pending*: it was not read yet, could not be read, or its
 * times were too fresh to be believed. Who asks for contents looks into it himself, or says that he
 * did not.
 *
 * Dead entries (tree_dead.h) are in the maps like all others; only the sums of the view leave them
 * out.
 *
 * Ownership: counted (struct arc); a view holds its set, and its maps, which views of one root
 *            share where a segment of the tree stayed.
 * Threads:   immutable; any number of readers.
 * Errors:    -ENOMEM, -ECANCELED.
 * Limits:    8 bytes and two bits an entry, resident.
 */
#pragma once

#include "index/text_map.h"
#include "index/tree_stack.h"

struct text_view {
	struct arc arc;
	struct text_set *set; /* NULL: nothing was read yet */
	uint32_t n_layers;
	struct text_map *map[TREE_MAX_LAYERS]; /* as the stack's layers */
	struct text_sums sums;                 /* of live entries */
};

struct text_view_opts {
	uint64_t max_bytes; /* larger files are not read; UINT64_MAX: none */
	/* A view of the same root, whose maps are taken over where segments of the tree stayed;
	 * NULL: none. Then only what was pending is looked up, in segments that came since. */
	const struct text_view *before;
	struct pool *pool; /* may be NULL */
	struct stop *stop; /* may be NULL */
};

/** The view holds references of its own to the set and to maps, none to the stack. `set` may be
 *  NULL: everything is pending. */
int text_view_create(const struct tree_stack *stack, struct text_set *set,
	const struct text_view_opts *opts, struct text_view **ret);
struct text_view *text_view_ref(struct text_view *v);
void text_view_unref(struct text_view *v); /* NULL is legal */
