/**
 * sniff: is it text?
 *
 * A file is text when it holds no NUL byte, or starts with a UTF-16 byte order mark. Everything
 * else is binary. UTF-8 with or without mark, Latin-1 and other 8-bit text are kept as bytes.
 */
#pragma once

#include "base/str.h"

enum sniff { SNIFF_TEXT, SNIFF_UTF16LE, SNIFF_UTF16BE, SNIFF_BINARY };

enum sniff sniff_bytes(struct span data);
/** UTF-16 (after its mark) to UTF-8 into out; lone surrogates become U+FFFD. 0 or -ENOMEM. */
int sniff_decode(enum sniff kind, struct span data, struct strbuf *out);
