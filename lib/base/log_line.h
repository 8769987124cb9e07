/**
 * log_line: one log event as bytes, for a terminal or for the journal. No I/O; internal to log.
 *
 * A value may hold anything, also bytes that an attacker chose as a file name: on a line for people
 * control characters and bytes that are not UTF-8 are escaped, so no line can be forged and no
 * terminal be steered; the journal gets the exact bytes.
 */
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

/** "HH:MM:SS.mmm level message key=value ...\n", the time of day local. */
void log_line_terminal(struct strbuf *out, enum log_level level, usec_t real,
	const struct log_field *fields, struct span message);
/** "<6>message key=value ...\n": a line of stderr that the journal reads, priority first. */
void log_line_stream(struct strbuf *out, enum log_level level, const struct log_field *fields,
	struct span message);
/** The datagram of the journal's native protocol. */
void log_line_journal(struct strbuf *out, enum log_level level, const struct log_field *fields,
	struct span message);
