#include "text/sniff.h"

#include <errno.h>

#include "text/codepoint.h"

#define REPLACEMENT 0xfffdu

enum sniff
sniff_mark(struct span data)
{
	if (span_starts(data, SPAN_LIT("\xff\xfe")))
		return SNIFF_UTF16LE;
	if (span_starts(data, SPAN_LIT("\xfe\xff")))
		return SNIFF_UTF16BE;
	return SNIFF_TEXT;
}

struct span
sniff_unmarked(struct span data)
{
	size_t n = span_starts(data, SPAN_LIT("\xef\xbb\xbf")) ? 3 : 0;

	return (struct span){data.data + n, data.len - n};
}

bool
sniff_has_nul(enum sniff kind, struct span data)
{
	if (data.len == 0)
		return false;
	if (kind == SNIFF_TEXT)
		return memchr(data.data, 0, data.len) != NULL;
	for (size_t i = 0; i + 2 <= data.len; i += 2) {
		if (data.data[i] == 0 && data.data[i + 1] == 0)
			return true;
	}
	return false;
}

enum sniff
sniff_bytes(struct span data)
{
	enum sniff kind = sniff_mark(data);

	return sniff_has_nul(kind, data) ? SNIFF_BINARY : kind;
}

static uint32_t
unit_at(enum sniff kind, const unsigned char *p)
{
	return kind == SNIFF_UTF16LE ? (uint32_t)p[0] | (uint32_t)p[1] << 8
	                             : (uint32_t)p[1] | (uint32_t)p[0] << 8;
}

/* One code point from at least two bytes: the number of bytes taken. */
static size_t
utf16_step(enum sniff kind, const unsigned char *p, size_t len, uint32_t *ret)
{
	uint32_t low, unit = unit_at(kind, p);

	*ret = unit;
	if (unit < 0xd800 || unit > 0xdfff)
		return 2;
	*ret = REPLACEMENT;
	if (unit > 0xdbff || len < 4)
		return 2;
	low = unit_at(kind, p + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return 2;
	*ret = 0x10000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
	return 4;
}

int
sniff_decode(enum sniff kind, struct span data, struct strbuf *out)
{
	const unsigned char *p = (const unsigned char *)data.data;
	size_t i = 0;

	if (kind != SNIFF_UTF16LE && kind != SNIFF_UTF16BE)
		return strbuf_span(out, data);
	if (sniff_mark(data) == kind)
		i = 2;
	while (i < data.len) {
		uint32_t cp = REPLACEMENT; /* of an odd byte at the end, too */
		char bytes[4];

		i += data.len - i < 2 ? 1 : utf16_step(kind, p + i, data.len - i, &cp);
		if (strbuf_add(out, bytes, codepoint_encode(cp, bytes)) < 0)
			return -ENOMEM;
	}
	return 0;
}
