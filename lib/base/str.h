/**
 * str: borrowed bytes (struct span) and a growing buffer (struct strbuf).
 *
 * A file name is bytes, not text: nothing here stops at NUL or expects UTF-8.
 */
#pragma once

#include <stdarg.h>
#include <string.h>

#include "base/defs.h"

/** Borrowed bytes: who owns them is said where a span is handed out. */
struct span {
	const char *data;
	size_t len;
};

#define SPAN_LIT(s) ((struct span){(s), sizeof(s) - 1})

static inline struct span
span_of(const char *cstr)
{
	return (struct span){cstr, cstr ? strlen(cstr) : 0};
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/** Byte order, a prefix first: <0, 0, >0. */
int span_cmp(struct span a, struct span b);
bool span_starts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
/** Without white space (space, tab, CR, LF) at both ends. */
struct span span_trim(struct span s);

/**
 * A buffer that grows. `data` is always followed by a NUL that `len` does not count, once anything
 * was appended. Zero-initialised is empty. After a failed allocation `failed` stays set, further
 * appends do nothing, and whoever takes the result asks once.
 *
 * Ownership: the caller; strbuf_fini() or strbuf_take().
 */
struct strbuf {
	char *data;
	size_t len, cap;
	bool failed;
};

/** 0 or -ENOMEM, here and below. */
int strbuf_reserve(struct strbuf *b, size_t extra);
int strbuf_add(struct strbuf *b, const void *data, size_t len);
int strbuf_puts(struct strbuf *b, const char *cstr);
int strbuf_putc(struct strbuf *b, char c);
int strbuf_span(struct strbuf *b, struct span s);
int strbuf_u64(struct strbuf *b, uint64_t v);
int strbuf_i64(struct strbuf *b, int64_t v);
int strbuf_printf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
int strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void strbuf_truncate(struct strbuf *b, size_t len);
/** Empty, memory kept. */
void strbuf_reset(struct strbuf *b);
/** Memory released, zero-initialised again. */
void strbuf_fini(struct strbuf *b);
/** The bytes as a C string of malloc, and an empty buffer; NULL after a failed append. */
char *strbuf_take(struct strbuf *b);

static inline struct span
strbuf_view(const struct strbuf *b)
{
	return (struct span){b->data ? b->data : "", b->len};
}

/** Length in bytes of the UTF-8 sequence at p (1..4), 0 when it is not one. Overlong forms,
 *  surrogates and values past U+10FFFF are not UTF-8. */
size_t utf8_step(const char *p, size_t len);
/** Bytes from the first on that are sequences of UTF-8. */
size_t utf8_prefix(const char *p, size_t len);
bool utf8_valid(const char *p, size_t len);

/** Decimal digits only, whole string: 0, or -EINVAL, -ERANGE. */
int parse_u64(struct span s, uint64_t *ret);
/** Bytes with an optional suffix k m g t p (powers of 1024, also kb, kib; upper case too) and an
 *  optional fraction ("1.5g"): 0, -EINVAL, -ERANGE. */
int parse_size(struct span s, uint64_t *ret);
/** yes no true false on off 1 0: 0 or -EINVAL. */
int parse_bool(struct span s, bool *ret);
