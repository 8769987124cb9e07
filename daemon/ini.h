/**
 * ini: a configuration file as (section, label, key, value), with line numbers.
 *
 *     # comment          ; comment          only at the start of a line: a value may hold either
 *     [section]          [section label]    the label may hold spaces
 *     key = value        white space around key and value does not count
 *
 * Lines end in LF or CRLF and hold at most INI_LINE_BYTES bytes; nothing is cut silently.
 *
 * Errors: the first one ends the reading; err->what begins with "file:line: ".
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define INI_LINE_BYTES 8192u
#define INI_FILE_BYTES (4u << 20)

/** One assignment; everything is borrowed until the callback returns. */
struct ini_item {
	const char *file;
	unsigned line;
	struct span section, label, key, value;
	bool opens; /* the section's own line: key and value are empty */
};

typedef int (*ini_fn)(void *ctx, const struct ini_item *item, struct err *err);

int ini_read(const char *file, ini_fn fn, void *ctx, struct err *err);
/** The sentence with "file:line: " in front; returns code. */
int ini_err(struct err *err, const struct ini_item *item, int code, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/** Words separated by white space, with "quoted words" and \" \\ in them. *ret: NULL-terminated, of
 * malloc, each word too. 0, -EINVAL an unclosed quote, -ENOMEM. */
int ini_words(struct span value, char ***ret);
