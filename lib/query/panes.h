/**
 * panes: of a large text that the index of contents knows, where a match can be, and how many lines
 * are before each part.
 *
 *     | pane 0      | pane 1      | pane 2 ...        each begins where a line does, and goes on to
 *       asked         not asked     asked             the next one, or to the end of the text
 *
 * A line lies in one pane as a whole, and that in one window of the index as a whole. So a pattern
 * whose matches do not span lines matches nowhere in a pane that is not asked, because the window
 * lacks some gram. A window that begins within a line is one pane with the one before, which is
 * asked: of a line in two windows neither says anything.
 *
 * Ownership: the caller's; zero-initialised has no panes: the text is one that nothing is known of.
 * Threads:   const once made: any.
 * Errors:    -ENOMEM, -ECANCELED.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"
#include "index/text_segment.h"

struct pane {
	uint64_t from, lines_before; /* offset in bytes */
	bool asked;
};

struct panes {
	VEC(struct pane) list; /* ascending, the first from 0 on; empty: nothing is known */
};

/* What is searched. */
struct subject {
	struct span text;
	const struct panes *panes; /* NULL: nothing is known */
};

/** Those of a document with several units; `units` has a bit for each unit of the segment that may
 *  hold a match, NULL: all may. */
int panes_make(const struct text_cols *c, uint32_t doc, const uint64_t *units, struct panes *ret);
void panes_fini(struct panes *p);
/** Those from *at on that have max_bytes to be searched, and not a pane more, as panes of their own
 *  (nothing else is asked of them), of a text of `size` bytes; *at: the next that is asked, or
 *  p->list.len. What all such parts find one after the other is what is found with `p`, as far as
 *  a row is of one line. */
int panes_part(
	const struct panes *p, uint64_t size, uint64_t max_bytes, size_t *at, struct panes *ret);

/** The part of the text that is to be searched next, from `from` on, if it is asked: asked panes in
 *  a row are one part. *ret_from: `from` or where it begins; text.len when there is none. */
void panes_next(struct subject s, size_t from, size_t *ret_from, size_t *ret_end);
/** The last place at or before `at` whose lines are known: how many are before it. */
uint64_t panes_lines(const struct panes *p, size_t at, size_t *ret_from);
/** Bytes of the text that are searched. */
uint64_t panes_bytes(struct subject s);
