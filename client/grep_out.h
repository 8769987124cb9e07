/**
 * grep_out: rows of grep as ripgrep prints them, byte for byte but for what is said in trawl(1).
 *
 * Ownership: struct grep_out is the caller's, zero-initialised but for `out` and `style`;
 *            grep_out_fini(), which leaves `out` to out_close().
 */
#pragma once

#include "base/vec.h"
#include "out.h"
#include "proto/msg.h"

/** In the order of the protocol's words (grep_answers). */
enum grep_show {
	SHOW_LINES,
	SHOW_MATCHES,
	SHOW_FILES,
	SHOW_FILES_WITHOUT,
	SHOW_COUNTS,
	SHOW_COUNTS_OF_MATCHES,
};
extern const char *const grep_answers[];

struct grep_style {
	unsigned show; /* enum grep_show */
	bool heading, no_name, no_line_number, column, offset, null, trim, invert;
	bool each;    /* a line for each of its matches (--vimgrep) */
	bool context; /* lines of context were asked for */
	bool omit;    /* lines over max_columns are not printed */
	uint64_t max_columns;
};

/* Matches lie at [start, end) of the text. */
struct grep_span {
	size_t start, end;
};

/** A row as it came. */
struct grep_row {
	struct span path, text;
	uint64_t line, offset, count, cut;
	uint64_t column; /* 0: context */
	bool cut_end, last;
	const struct grep_span *spans;
	size_t n_spans;
};

struct grep_out {
	struct out out;
	struct grep_style style;
	struct strbuf path; /* of the row before */
	bool any;
	uint64_t last_line; /* of the row before */
};

/** Can rows be printed by copying: nothing is shown but paths, numbers and lines as they are? */
bool grep_out_copies(const struct grep_out *g);
/** Lines of one file, "12:text\n" each; grep_out_copies(). */
void grep_out_block(struct grep_out *g, struct span path, struct span lines);
void grep_out_row(struct grep_out *g, const struct grep_row *row);
void grep_out_fini(struct grep_out *g);
