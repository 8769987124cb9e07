/**
 * line: bytes in, lines out, with a limit.
 *
 * Ownership: struct line_reader is the caller's; a line is valid until the next call with the
 * reader. Errors:    -EOVERFLOW the line is longer than max_bytes (the connection is to be ended),
 * -ENOMEM.
 */
#pragma once

#include "base/str.h"

struct line_reader {
	struct strbuf buf;
	size_t scanned;   /* bytes of buf already known to hold no newline */
	size_t consumed;  /* bytes of buf already given out */
	size_t max_bytes; /* may be raised between calls */
};

void line_reader_init(struct line_reader *l, size_t max_bytes);
void line_reader_fini(struct line_reader *l);
int line_reader_feed(struct line_reader *l, const void *data, size_t len);
/** The next whole line without its LF or CRLF: 1, 0 none yet, -EOVERFLOW. */
int line_reader_next(struct line_reader *l, struct span *ret);
/** What is left without a newline at the end of input: 1 or 0. */
int line_reader_rest(struct line_reader *l, struct span *ret);
