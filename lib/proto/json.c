#include "proto/json.h"

#include <errno.h>
#include <stdio.h>

struct json
json_to(struct strbuf *out)
{
	return (struct json){.out = out};
}

/* Every value begins here. After a key `comma` is false, so the value follows the colon. */
static void
begin_value(struct json *j)
{
	if (j->comma)
		(void)strbuf_putc(j->out, ',');
	j->comma = true;
}

/* A value as it stands, with its comma in one go: rows are full of short ones. */
static void
put_value(struct json *j, const char *data, size_t len)
{
	struct strbuf *out = j->out;

	if (strbuf_reserve(out, len + 1) < 0)
		return;
	if (j->comma)
		out->data[out->len++] = ',';
	j->comma = true;
	(void)strbuf_add(out, data, len);
}

void
json_open(struct json *j, char bracket)
{
	put_value(j, &bracket, 1);
	j->comma = false;
}

void
json_close(struct json *j, char bracket)
{
	(void)strbuf_putc(j->out, bracket);
	j->comma = true;
}

/* What stands after the backslash for the bytes that JSON escapes; 'u' is the \u00xx form. */
static const char escapes[256] = {
	/* clang-format off */
	['\0'] = 'u', [1] = 'u', [2] = 'u', [3] = 'u', [4] = 'u', [5] = 'u', [6] = 'u', [7] = 'u',
	['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [11] = 'u', ['\f'] = 'f', ['\r'] = 'r',
	[14] = 'u', [15] = 'u', [16] = 'u', [17] = 'u', [18] = 'u', [19] = 'u', [20] = 'u',
	[21] = 'u', [22] = 'u', [23] = 'u', [24] = 'u', [25] = 'u', [26] = 'u', [27] = 'u',
	[28] = 'u', [29] = 'u', [30] = 'u', [31] = 'u', [127] = 'u', ['"'] = '"', ['\\'] = '\\',
	/* clang-format on */
};

/* Room for six more. */
static char *
put_escape(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	*to++ = '\\';
	*to++ = escapes[c];
	if (escapes[c] != 'u')
		return to;
	to[0] = to[1] = '0';
	to[2] = hex[c >> 4];
	to[3] = hex[c & 15];
	return to + 4;
}

/* The top bit of each of eight bytes that needs an escape. The usual arithmetic on all lanes at
 * once: a borrow can only make a lane above one that does look so, too, so the lowest is right. */
static uint64_t
escaped_lanes(const char *p)
{
	const uint64_t ones = 0x0101010101010101ull, tops = ones * 0x80;
	uint64_t w, quote, slash, del;

	memcpy(&w, p, sizeof(w));
	quote = w ^ ones * '"';
	slash = w ^ ones * '\\';
	del = w ^ ones * 127;
	return (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
		       ((del - ones) & ~del)) &
	       tops;
}

#define LANES 8u

/* Not 0 when one of them does, or is not ASCII. */
static uint64_t
unplain_lanes(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return escaped_lanes(p) | (w & 0x8080808080808080ull);
}

#define PIECE_BYTES ((size_t)1024)

/* `to` has room for six times as much and LANES more. */
static char *
escape_piece(char *to, const char *data, size_t len)
{
	while (len >= LANES) {
		uint64_t lanes = escaped_lanes(data);
		size_t n = lanes ? (size_t)__builtin_ctzll(lanes) / 8 : LANES;

		memcpy(to, data, LANES);
		to += n;
		data += n;
		len -= n;
		if (lanes) {
			to = put_escape(to, (unsigned char)*data++);
			len--;
		}
	}
	for (; len > 0; len--, data++) {
		if (escapes[(unsigned char)*data])
			to = put_escape(to, (unsigned char)*data);
		else
			*to++ = *data;
	}
	return to;
}

/* The inside of a string, of valid UTF-8. */
static void
put_escaped(struct strbuf *out, const char *data, size_t len)
{
	while (len > 0) {
		size_t n = MIN(len, PIECE_BYTES);
		char *end;

		if (strbuf_reserve(out, 6 * n + LANES) < 0)
			return;
		end = escape_piece(out->data + out->len, data, n);
		out->len = (size_t)(end - out->data);
		*end = '\0';
		data += n;
		len -= n;
	}
}

#define PLAIN_BLOCK 16u

/* Nothing but ASCII that stands for itself: without a branch a byte, so many at once. */
static bool
block_is_plain(const char *p)
{
	unsigned char bad = 0;

	for (unsigned i = 0; i < PLAIN_BLOCK; i++) {
		unsigned char c = (unsigned char)p[i];

		bad |= (unsigned char)((c < 0x20) | (c >= 0x7f) | (c == '"') | (c == '\\'));
	}
	return bad == 0;
}

/* Of less than a block: two words, or halves of one, that meet or overlap. */
static bool
short_is_plain(struct span s)
{
	char half[LANES] = "        ";

	if (s.len >= LANES)
		return !(unplain_lanes(s.data) | unplain_lanes(s.data + s.len - LANES));
	if (s.len >= LANES / 2) {
		memcpy(half, s.data, LANES / 2);
		memcpy(half + LANES / 2, s.data + s.len - LANES / 2, LANES / 2);
	} else {
		for (size_t i = 0; i < s.len; i++)
			half[i] = s.data[i];
	}
	return !unplain_lanes(half);
}

static bool
is_plain(struct span s)
{
	if (s.len < PLAIN_BLOCK)
		return short_is_plain(s);
	for (size_t i = 0; i + PLAIN_BLOCK <= s.len; i += PLAIN_BLOCK) {
		if (!block_is_plain(s.data + i))
			return false;
	}
	return block_is_plain(s.data + s.len - PLAIN_BLOCK);
}

bool
json_escape(struct strbuf *out, struct span s)
{
	size_t i = 0, n;

	if (is_plain(s)) {
		(void)strbuf_span(out, s);
		return true;
	}
	while ((n = utf8_prefix(s.data + i, s.len - i)) < s.len - i) {
		put_escaped(out, s.data + i, n);
		(void)strbuf_add(out, "\xef\xbf\xbd", 3);
		i += n + 1;
	}
	put_escaped(out, s.data + i, n);
	return i == 0;
}

void
json_key(struct json *j, const char *key)
{
	if (j->comma)
		(void)strbuf_putc(j->out, ',');
	(void)strbuf_putc(j->out, '"');
	put_escaped(j->out, key, strlen(key));
	(void)strbuf_add(j->out, "\":", 2);
	j->comma = false;
}

typedef signed char lanes16 __attribute__((vector_size(JSON_SLACK)));

bool
json_copy_plain(char *to, struct span s)
{
	static const lanes16 place = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	lanes16 bad = {0};
	uint64_t half[2];

	for (size_t i = 0; i < s.len; i += JSON_SLACK) {
		lanes16 b;

		memcpy(&b, s.data + i, sizeof(b));
		memcpy(to + i, &b, sizeof(b));
		/* As signed numbers, bytes >= 0x80 are below the space, too. */
		bad |= (lanes16)((b < ' ') | (b == 127) | (b == '"') | (b == '\\')) &
		       (lanes16)(place < (signed char)MIN(s.len - i, JSON_SLACK));
	}
	memcpy(half, &bad, sizeof(half));
	return (half[0] | half[1]) == 0;
}

/* Most texts: false, out of memory, which the buffer notes. */
static bool
put_plain(struct json *j, struct span s)
{
	struct strbuf *out = j->out;
	char *at;

	if (strbuf_reserve(out, s.len + 3) < 0)
		return false;
	at = out->data + out->len;
	if (j->comma)
		*at++ = ',';
	*at++ = '"';
	if (s.len > 0)
		memcpy(at, s.data, s.len);
	at += s.len;
	*at++ = '"';
	*at = '\0';
	out->len = (size_t)(at - out->data);
	j->comma = true;
	return true;
}

void
json_str(struct json *j, struct span s)
{
	if (is_plain(s)) {
		(void)put_plain(j, s);
		return;
	}
	begin_value(j);
	if (utf8_valid(s.data, s.len)) {
		(void)strbuf_putc(j->out, '"');
		put_escaped(j->out, s.data, s.len);
		(void)strbuf_putc(j->out, '"');
		return;
	}
	(void)strbuf_puts(j->out, "{\"s\":\"");
	(void)json_escape(j->out, s);
	(void)strbuf_puts(j->out, "\",\"b64\":\"");
	(void)base64_encode(j->out, s);
	(void)strbuf_puts(j->out, "\"}");
}

void
json_cstr(struct json *j, const char *s)
{
	json_str(j, span_of(s));
}

void
json_u64(struct json *j, uint64_t v)
{
	begin_value(j);
	(void)strbuf_u64(j->out, v);
}

void
json_i64(struct json *j, int64_t v)
{
	begin_value(j);
	(void)strbuf_i64(j->out, v);
}

void
json_double(struct json *j, double v)
{
	char text[40];
	size_t len;

	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	if (v - v != 0) { /* infinite, or not a number */
		json_cstr(j, v != v ? "nan" : v < 0 ? "-inf" : "inf");
		return;
	}
	len = strlen(text);
	if (!strpbrk(text, ".e")) {
		text[len++] = '.';
		text[len++] = '0';
	}
	put_value(j, text, len);
}

void
json_bool(struct json *j, bool v)
{
	put_value(j, v ? "true" : "false", v ? 4 : 5);
}

void
json_put_null(struct json *j)
{
	put_value(j, "null", 4);
}

void
json_raw(struct json *j, struct span s)
{
	put_value(j, s.data, s.len);
}

/* Six bytes, the first of them the highest, as eight digits, the first the lowest. The digits are
 * spread over the lanes in three steps; what is added to a lane depends on how many of the bounds
 * between the runs of digits it has passed, and no sum carries into the next lane. */
static uint64_t
base64_word(uint64_t six)
{
	const uint64_t ones = 0x0101010101010101ull;
	uint64_t v = (six & 0xffffff000000ull) << 8 | (six & 0xffffffull);

	v = (v & 0x00fff00000fff000ull) << 4 | (v & 0x00000fff00000fffull);
	v = (v & 0x0fc00fc00fc00fc0ull) << 2 | (v & 0x003f003f003f003full);
#define FROM(bound) ((v + ones * (128 - (bound))) >> 7 & ones)
	v += ones * 'A' + FROM(26) * ('a' - 'Z' - 1) - FROM(52) * ('z' + 1 - '0') -
	     FROM(62) * ('9' + 1 - '+') + FROM(63) * ('/' - '+' - 1);
#undef FROM
	return __builtin_bswap64(v);
}

/* The first of n bytes, the first of them the highest; zeros for what is not there. */
static uint64_t
six_bytes(const char *p, size_t n)
{
	uint64_t v = 0;

	if (n >= sizeof(v))
		memcpy(&v, p, sizeof(v)); /* a length that is known costs no call */
	else
		memcpy(&v, p, MIN(n, 6u));
	return __builtin_bswap64(v) >> 16;
}

int
base64_encode(struct strbuf *out, struct span s)
{
	size_t len = (s.len + 2) / 3 * 4, n_pad = (3 - s.len % 3) % 3;
	char *to;

	if (strbuf_reserve(out, len + 4) < 0)
		return -ENOMEM;
	to = out->data + out->len;
	for (size_t i = 0; i < s.len; i += 6, to += 8) {
		uint64_t digits = base64_word(six_bytes(s.data + i, s.len - i));

		memcpy(to, &digits, sizeof(digits));
	}
	out->len += len;
	memset(out->data + out->len - n_pad, '=', n_pad);
	out->data[out->len] = '\0';
	return 0;
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four digits, the last `n_pad` of them '=': the number of bytes, or -EINVAL. The bits that padding
 * leaves over must be zero, so that one value has one spelling. */
static int
decode_quad(const char *quad, size_t n_pad, char bytes[3])
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = i < 4 - n_pad ? base64_value(quad[i]) : 0;

		if (digit < 0)
			return -EINVAL;
		v = v << 6 | (uint32_t)digit;
	}
	if (v & ((1u << (8 * n_pad)) - 1))
		return -EINVAL;
	bytes[0] = (char)(v >> 16);
	bytes[1] = (char)(v >> 8);
	bytes[2] = (char)v;
	return 3 - (int)n_pad;
}

int
base64_decode(struct strbuf *out, struct span s)
{
	size_t n_pad = 0, start = out->len;

	if (s.len % 4 != 0)
		return -EINVAL;
	while (n_pad < 2 && n_pad < s.len && s.data[s.len - 1 - n_pad] == '=')
		n_pad++;
	if (strbuf_reserve(out, s.len / 4 * 3) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < s.len; i += 4) {
		char bytes[3];
		int n = decode_quad(s.data + i, i + 4 == s.len ? n_pad : 0, bytes);

		if (n < 0) {
			strbuf_truncate(out, start);
			return n;
		}
		(void)strbuf_add(out, bytes, (size_t)n);
	}
	return 0;
}
