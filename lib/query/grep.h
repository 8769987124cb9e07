/**
 * grep: the lines of one text that match, with lines of context, as grep -n -B -A shows them.
 *
 * Ownership: struct grep_lines is the caller's: zero-initialised is empty, grep_lines_fini(). It
 *            holds copies, so the text may go.
 * Threads:   any, on distinct objects.
 */
#pragma once

#include "base/vec.h"
#include "query/query.h"

struct grep_line {
	uint64_t line, offset;
	size_t text, len;     /* in grep_lines.text */
	size_t span, n_spans; /* in grep_lines.spans, within the kept text */
	uint32_t cut;
	bool cut_end, context, before;
};

struct grep_lines {
	VEC(struct grep_line) lines;
	VEC(struct match) spans;
	struct strbuf text;
	uint64_t n_unkept; /* matching lines beyond `keep` */
};

void grep_lines_fini(struct grep_lines *g);

/** As matcher_find(), but asks query_poll() every few MiB of a long text. */
int grep_find(struct matcher *m, struct span text, size_t from, const struct cursor_opts *opts,
	struct match *ret);

/** Lines that match, into out: their number, or an error of matcher_find() or query_poll(). Of
 *  matching lines beyond `keep` only the number is kept. */
int64_t grep_text(struct matcher *m, struct span text, const struct cursor_opts *opts,
	uint64_t keep, struct grep_lines *out);
