/**
 * sniff: is it text?
 *
 * A file is text when it holds no NUL byte, or starts with a UTF-16 byte order mark and holds no
 * U+0000. Everything else is binary. UTF-8, Latin-1 and other 8-bit text are kept as bytes. A mark
 * at the start, of UTF-8 too, is no part of the text.
 */
#pragma once

#include "base/str.h"

enum sniff { SNIFF_TEXT, SNIFF_UTF16LE, SNIFF_UTF16BE, SNIFF_BINARY };

/** What the mark at the start tells: a kind of UTF-16, or SNIFF_TEXT when there is none. */
enum sniff sniff_mark(struct span data);
/** All but a mark of UTF-8 at the start. */
struct span sniff_unmarked(struct span data);
enum sniff sniff_bytes(struct span data);
/** Is there a NUL in text of this kind? Of UTF-16, `data` begins with a whole unit. */
bool sniff_has_nul(enum sniff kind, struct span data);
/** UTF-16 to UTF-8, appended; a mark at the start is left out, lone surrogates and an odd last byte
 *  become U+FFFD. Other kinds are copied. 0 or -ENOMEM. */
int sniff_decode(enum sniff kind, struct span data, struct strbuf *out);
