/**
 * out: what goes to standard output: buffered, coloured on request, safe on a terminal.
 *
 * In a pipe bytes are exact. On a terminal control characters, bytes that are not UTF-8 and the
 * characters that turn the direction of writing are shown as escapes (\n, \x1b, \u202e): a file's
 * name must not be able to steer the terminal. A backslash stands for itself, so only --json and a
 * pipe are unambiguous.
 *
 * Ownership: struct out is the caller's; out_close() writes what is left.
 * Errors:    kept; out_close() says the first one on stderr. SIGPIPE keeps its default, so a closed
 *            pipe just ends us.
 */
#pragma once

#include "args.h"
#include "base/str.h"

struct out {
	struct strbuf buf;
	bool terminal; /* escape what could steer it */
	bool color;
	int error; /* -errno of the first failed write */
	bool reopened;
	int fd; /* if so: standard output once more, and it does not block */
};

struct out out_open(enum color_when when);
void out_flush(struct out *o);
/** While what we write is not read, a pager's pipe is full, call `more` whenever `fd` can be read,
 *  until it returns false. -1: nothing. Of the process. */
void out_meanwhile(int fd, bool (*more)(void *ctx), void *ctx);
/** Flush and release; exit_code, or EXIT_USAGE after a failed write. */
int out_close(struct out *o, int exit_code);

/** A name or a path: escaped on a terminal. */
void out_name(struct out *o, struct span s);
/** Text of a file: tabs stay. */
void out_text(struct out *o, struct span s);
void out_puts(struct out *o, const char *s);
void out_putc(struct out *o, char c);
/** Nothing unless colours are on. `sgr` is the inside of the escape: "1;31"; "" writes nothing. */
void out_color(struct out *o, const char *sgr);
void out_plain(struct out *o);

/** The same escapes into any buffer; `keep` are control characters that stay. */
void escape_into(struct strbuf *b, struct span s, const char *keep);
/** "1,234,567" */
const char *count_text(uint64_t n, char buf[32]);
/** "1.8 ms", "3.2 s", "4 min", "2 d" */
const char *duration_text(usec_t usec, char buf[32]);
/** "12.3 MiB" */
const char *bytes_text(uint64_t n, char buf[32]);
/** As du -h and ls -h: "512", "1.2K", "34M", rounded up, powers of 1024. */
const char *size_text(uint64_t n, char buf[32]);
