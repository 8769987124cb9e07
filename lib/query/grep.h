/**
 * grep: the lines of one text that match, with lines of context, as grep -n -B -A shows them.
 *
 * A text is searched in pieces, so that what is kept of it at once is bounded: a piece ends when
 * `room` is taken, and struct grep_place says where the next goes on. All pieces together are what
 * one without bound would have been. The place holds offsets, no pointers: the text may be closed
 * in between and opened again, provided that it is the same.
 *
 * Ownership: struct grep_lines is the caller's: zero-initialised is empty, grep_lines_fini(). It
 *            holds copies, so the text may go.
 * Threads:   any, on distinct objects.
 */
#pragma once

#include "base/vec.h"
#include "query/panes.h"
#include "query/query.h"

/** As struct hit has them. */
struct grep_line {
	uint64_t line, offset, column;
	size_t text, len; /* in grep_lines.text */
	size_t span;      /* in grep_lines.spans, within the kept text */
	uint32_t n_spans, cut, n_lines;
	bool cut_end, last, context, before;
};

struct grep_lines {
	VEC(struct grep_line) lines;
	VEC(struct match) spans;
	struct strbuf text;
	uint64_t n_unkept; /* matching lines beyond `keep` */
};

/** Empty, memory kept. */
void grep_lines_reset(struct grep_lines *g);
void grep_lines_fini(struct grep_lines *g);
/** Bytes in use, of all three. */
size_t grep_lines_bytes(const struct grep_lines *g);

/* How far a text has been searched; all zero is its beginning. Offsets are in the text. */
struct grep_place {
	size_t next;        /* first byte not given yet */
	size_t from;        /* first byte not searched yet */
	size_t after_end;   /* end of the context that follows the last match */
	size_t counted;     /* line feeds are counted up to this offset */
	uint64_t n_lf;      /* before it */
	uint64_t n;         /* matching lines found */
	bool found;         /* the last of them is not given yet: */
	struct match match; /* where its first match is; that itself is given of GREP_MATCHES */
	size_t start, end;  /* its bytes, or those of all lines of its match; without one the end of
	                       the text */
	size_t first;       /* where the context before it begins */
	bool ahead;         /* what follows those lines is known: */
	struct match next_match; /* start: the text's length when there is none */
	bool block;              /* opts->invert: the next lines that do match are known: */
	size_t block_start, block_end;
};

/** A block ends with the line that passes this. */
#define GREP_BLOCK_BYTES (8u << 10)

/** A longer text is not searched for a match that spans lines, since nothing can end that early. */
#define GREP_MULTI_MAX_BYTES (64u << 20)

/** As matcher_find(), but asks query_poll() every few MiB of a long text. */
int grep_find(struct matcher *m, struct span text, size_t from, const struct cursor_opts *opts,
	struct match *ret);

/** Is there an answer in the text? 1, 0 or an error as of grep_text(). */
int grep_any(struct matcher *m, struct subject s, const struct cursor_opts *opts);
/** How many lines match, or how many matches they hold, by opts->answer; no more than
 *  opts->max_per_file lines: 0 or an error as of grep_text(). */
int grep_count(struct matcher *m, struct subject s, const struct cursor_opts *opts, uint64_t *ret);

struct grep_bounds {
	uint64_t keep; /* of matching lines beyond it only the number is kept */
	size_t room;   /* bytes of grep_lines that end a piece; it passes them by a line at most */
	uint64_t n_lines; /* rows that end a piece; 0: as many as there are */
};

/** The lines from *place on, appended to out: 1 the room is taken, 0 the text is at its end, or an
 *  error of matcher_find() or query_poll(). Each piece but the last gives at least one line. */
int grep_text(struct matcher *m, struct subject s, const struct cursor_opts *opts,
	struct grep_bounds bounds, struct grep_place *place, struct grep_lines *out);
