/**
 * grep_json: rows of grep as the messages of ripgrep's --json, one a line.
 *
 * `begin` before the first row of a file, `match` and `context` for rows, `end` after the last one,
 * `summary` at the end. Of the statistics only those are there that the client can know. Text that
 * is not UTF-8 is {"bytes": base 64}. Of a line that was cut, "cut" and "cut_end" say so.
 *
 * Ownership: zero-initialised but for `out`, which is borrowed; grep_json_fini().
 */
#pragma once

#include "base/clock.h"
#include "grep_out.h"

struct grep_json_stats {
	uint64_t matched_lines, matches, bytes_printed, searches_with_match;
};

struct grep_json {
	struct out *out;
	bool open; /* `path` is begun and not ended */
	struct strbuf path;
	struct grep_json_stats file, all;
};

void grep_json_row(struct grep_json *g, const struct grep_row *row);
/** The end of the last file, and the summary. `end` is the daemon's. */
void grep_json_end(struct grep_json *g, const struct msg_val *end, usec_t took_usec);
void grep_json_fini(struct grep_json *g);
