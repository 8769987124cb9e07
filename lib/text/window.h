/**
 * window: a long text cut into windows that overlap, so that every short piece of it lies whole in
 * one.
 *
 *     for (struct window w = {0}; window_next(text, kind, &w);)
 *             use(text.data + w.from, w.to - w.from);      new since the last: from w.fresh on
 *
 * A window has WINDOW_BYTES and ends behind the end of a line where one is near, else between two
 * characters. It begins WINDOW_OVERLAP bytes before the end of the one before, or a little earlier,
 * at the beginning of a line where one is near. So any WINDOW_OVERLAP bytes in a row are in one
 * window (twice as many in UTF-16). A text that is not longer than WINDOW_BYTES is one window.
 *
 * The text is looked at near the ends of windows alone, as they come: it may be a mapping.
 *
 * Threads: pure.
 */
#pragma once

#include "text/sniff.h"

#define WINDOW_BYTES ((size_t)1 << 20)
#define WINDOW_OVERLAP ((size_t)4096)
/** How far a line's end or beginning is looked for. */
#define WINDOW_LINE_BYTES (16u << 10)

struct window {
	size_t from, to; /* this window */
	size_t fresh;    /* its part that no window before had begins here */
	bool begun;
};

/** The first one when w is zeroed, else the next: false when the last one reached the end. An empty
 *  text has one window. */
bool window_next(struct span text, enum sniff kind, struct window *w);
