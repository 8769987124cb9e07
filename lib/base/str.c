#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

int
span_cmp(struct span a, struct span b)
{
	size_t n = MIN(a.len, b.len);
	int r = n ? memcmp(a.data, b.data, n) : 0;

	if (r != 0)
		return r;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool
span_starts(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_eq((struct span){s.data, prefix.len}, prefix);
}

bool
span_ends(struct span s, struct span suffix)
{
	return s.len >= suffix.len &&
	       span_eq((struct span){s.data + (s.len - suffix.len), suffix.len}, suffix);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span s)
{
	while (s.len > 0 && is_blank(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

int
strbuf_reserve(struct strbuf *b, size_t extra)
{
	size_t need, cap;
	char *data;

	if (b->failed)
		return -ENOMEM;
	if (__builtin_add_overflow(b->len, extra, &need) || need > SIZE_MAX / 4)
		goto fail;
	if (need + 1 <= b->cap)
		return 0;
	cap = MAX(ALIGN_UP(need + 1, 64), b->cap + b->cap / 2);
	data = realloc(b->data, cap);
	if (!data)
		goto fail;
	b->data = data;
	b->cap = cap;
	return 0;
fail:
	b->failed = true;
	return -ENOMEM;
}

int
strbuf_add(struct strbuf *b, const void *data, size_t len)
{
	int r = strbuf_reserve(b, len);

	if (r < 0)
		return r;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int
strbuf_puts(struct strbuf *b, const char *cstr)
{
	return strbuf_add(b, cstr, strlen(cstr));
}

int
strbuf_putc(struct strbuf *b, char c)
{
	return strbuf_add(b, &c, 1);
}

int
strbuf_span(struct strbuf *b, struct span s)
{
	return strbuf_add(b, s.data, s.len);
}

int
strbuf_u64(struct strbuf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return strbuf_add(b, digits + at, sizeof(digits) - at);
}

int
strbuf_i64(struct strbuf *b, int64_t v)
{
	if (v < 0) {
		(void)strbuf_putc(b, '-');
		return strbuf_u64(b, 0 - (uint64_t)v);
	}
	return strbuf_u64(b, (uint64_t)v);
}

int
strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n, r;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return -EINVAL;
	r = strbuf_reserve(b, (size_t)n);
	if (r < 0)
		return r;
	(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
	return 0;
}

int
strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = strbuf_vprintf(b, fmt, ap);
	va_end(ap);
	return r;
}

void
strbuf_truncate(struct strbuf *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
	if (b->data)
		b->data[len] = '\0';
}

void
strbuf_reset(struct strbuf *b)
{
	b->failed = false;
	strbuf_truncate(b, 0);
}

void
strbuf_fini(struct strbuf *b)
{
	free(b->data);
	*b = (struct strbuf){0};
}

char *
strbuf_take(struct strbuf *b)
{
	char *data;

	(void)strbuf_reserve(b, 0);
	if (b->failed) {
		strbuf_fini(b);
		return NULL;
	}
	data = b->data;
	data[b->len] = '\0';
	*b = (struct strbuf){0};
	return data;
}

size_t
utf8_step(const char *p, size_t len)
{
	const unsigned char *s = (const unsigned char *)p;
	size_t n;

	if (len == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	n = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
	    : (s[0] & 0xf0) == 0xe0        ? 3
	    : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
	                                   : 0;
	if (n == 0 || len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

size_t
utf8_prefix(const char *p, size_t len)
{
	size_t i = 0;

	while (i < len) {
		uint64_t word;
		size_t n;

		/* Eight ASCII bytes at a time: nearly every name. */
		if (len - i >= sizeof(word)) {
			memcpy(&word, p + i, sizeof(word));
			if (!(word & 0x8080808080808080ull)) {
				i += sizeof(word);
				continue;
			}
		}
		n = utf8_step(p + i, len - i);
		if (n == 0)
			break;
		i += n;
	}
	return i;
}

bool
utf8_valid(const char *p, size_t len)
{
	return utf8_prefix(p, len) == len;
}

int
parse_u64(struct span s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10u, &v) ||
			__builtin_add_overflow(v, (uint64_t)(s.data[i] - '0'), &v))
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

/* The power of 1024 of a suffix, -1 when it is none. */
static int
size_suffix(struct span s)
{
	static const char letters[] = "kmgtp";
	const char *at;

	if (s.len == 0 || (s.len == 1 && (s.data[0] | 0x20) == 'b'))
		return 0;
	at = strchr(letters, s.data[0] | 0x20);
	if (!at || !*at)
		return -1;
	if (s.len == 1 || (s.len == 2 && (s.data[1] | 0x20) == 'b') ||
		(s.len == 3 && (s.data[1] | 0x20) == 'i' && (s.data[2] | 0x20) == 'b'))
		return (int)(at - letters) + 1;
	return -1;
}

int
parse_size(struct span s, uint64_t *ret)
{
	size_t whole = 0, end;
	uint64_t v, scale;
	double fraction = 0, place = 0.1;
	int power, r;

	while (whole < s.len && s.data[whole] >= '0' && s.data[whole] <= '9')
		whole++;
	r = parse_u64((struct span){s.data, whole}, &v);
	if (r < 0)
		return r;
	end = whole;
	if (end < s.len && s.data[end] == '.') {
		for (end++; end < s.len && s.data[end] >= '0' && s.data[end] <= '9'; end++) {
			fraction += place * (s.data[end] - '0');
			place /= 10;
		}
		if (end == whole + 1)
			return -EINVAL;
	}
	power = size_suffix((struct span){s.data + end, s.len - end});
	if (power < 0 || (power == 0 && fraction > 0))
		return -EINVAL;
	scale = 1ull << (10 * power);
	if (__builtin_mul_overflow(v, scale, &v) ||
		__builtin_add_overflow(v, (uint64_t)(fraction * (double)scale), &v))
		return -ERANGE;
	*ret = v;
	return 0;
}

int
parse_bool(struct span s, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{"yes", true},
		{"true", true},
		{"on", true},
		{"1", true},
		{"no", false},
		{"false", false},
		{"off", false},
		{"0", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strlen(words[i].word) == s.len &&
			strncasecmp(words[i].word, s.data, s.len) == 0) {
			*ret = words[i].value;
			return 0;
		}
	}
	return -EINVAL;
}
