/**
 * pending: which files of a root are to be read: those whose contents no text segment has.
 *
 *     pending_list(stack, view, &l);
 *     for (uint64_t i = 0; i < l.n; i++) ... l.at[i].layer, l.at[i].entry ...
 *     pending_fini(&l);
 *
 * Files stand in the order of the walk: those of one directory together, and directories as they
 * lie below each other, layer by layer. Links to one file are as many rows; the first one that is
 * read makes the others known.
 *
 * Ownership: pending_fini(); a zeroed one is empty. The stack and the view are borrowed by the call
 *            alone.
 * Threads:   any.
 * Errors:    -ENOMEM.
 * Units:     8 bytes a file that is pending.
 */
#pragma once

#include "index/text_view.h"

struct pending {
	struct tree_at *at;
	uint64_t n;
	uint64_t n_bytes; /* their sizes, by the index */
};

int pending_list(const struct tree_stack *stack, const struct text_view *view, struct pending *ret);
void pending_fini(struct pending *p);
