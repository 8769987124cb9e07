/**
 * text_live: which contents and which files of text segments are still somebody's: what a merge
 * keeps. Internal to lib/engine.
 *
 * A content is dropped when no live entry of the tree has it. A file's row is kept when there may
 * be such a file: a filter of two bytes a file is asked, which keeps one row in sixteen or more of
 * those that could go; they go with their content.
 *
 * A file that has changed since the walk may have a row and no entry yet: it is read once more.
 *
 * Ownership: create/destroy; stack and view are borrowed until then.
 * Threads:   one at a time.
 * Errors:    -ENOMEM.
 */
#pragma once

#include "index/text_view.h"

struct text_live;

/** view->set is not NULL. */
int text_live_create(
	const struct tree_stack *stack, const struct text_view *view, struct text_live **ret);
void text_live_destroy(struct text_live *l); /* NULL is legal */

/** Bits of the documents of segment i of the set that go now, and how many these are; those that
 *  were dropped before are not counted. Borrowed. */
const uint64_t *text_live_dropped(const struct text_live *l, uint32_t i);
uint32_t text_live_n_dropped(const struct text_live *l, uint32_t i);
/** Make the filter of files: 0 or -ENOMEM. */
int text_live_add_files(struct text_live *l);
/** After that: false: there is no such file for certain. */
bool text_live_has_file(const struct text_live *l, uint64_t key);
