#include "base/log_line.h"

#include <ctype.h>
#include <endian.h>

#define LOG_IDENTIFIER "trawld"

/* syslog(3): err, warning, info, debug. */
static const char priorities[] = {'3', '4', '6', '7'};
static const char *const names[] = {"error", "warn", "info", "debug"};

/* C1 control characters are two bytes of UTF-8, 0xc2 0x80..0x9f. */
static bool
is_printable(const char *p, size_t len)
{
	unsigned char c = (unsigned char)p[0];

	if (len == 1)
		return c >= 0x20 && c < 0x7f;
	return len > 2 || c != 0xc2 || (unsigned char)p[1] >= 0xa0;
}

static void
put_escaped_byte(struct strbuf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	switch (c) {
	case '\n':
		(void)strbuf_puts(out, "\\n");
		break;
	case '\t':
		(void)strbuf_puts(out, "\\t");
		break;
	case '\r':
		(void)strbuf_puts(out, "\\r");
		break;
	default:
		(void)strbuf_puts(out, "\\x");
		(void)strbuf_putc(out, hex[c >> 4]);
		(void)strbuf_putc(out, hex[c & 15]);
	}
}

/* `special`: printable characters that get a backslash too. */
static void
put_escaped(struct strbuf *out, struct span s, const char *special)
{
	for (size_t i = 0; i < s.len;) {
		size_t n = utf8_step(s.data + i, s.len - i);
		bool plain = n > 0 && is_printable(s.data + i, n);

		n = MAX(n, (size_t)1);
		if (plain && n == 1 && strchr(special, s.data[i]))
			(void)strbuf_putc(out, '\\');
		if (plain) {
			(void)strbuf_add(out, s.data + i, n);
		} else {
			for (size_t k = 0; k < n; k++)
				put_escaped_byte(out, (unsigned char)s.data[i + k]);
		}
		i += n;
	}
}

static bool
needs_quotes(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (strchr(" \"=\\", s.data[i]) || (unsigned char)s.data[i] < 0x20)
			return true;
	}
	return s.len == 0;
}

static void
put_line(struct strbuf *out, const struct log_field *fields, struct span message)
{
	put_escaped(out, message, "");
	for (; fields && fields->key; fields++) {
		struct span value = span_of(fields->value ? fields->value : "");

		(void)strbuf_printf(out, " %s=", fields->key);
		if (!needs_quotes(value)) {
			put_escaped(out, value, "");
			continue;
		}
		(void)strbuf_putc(out, '"');
		put_escaped(out, value, "\"\\");
		(void)strbuf_putc(out, '"');
	}
	(void)strbuf_putc(out, '\n');
}

void
log_line_terminal(struct strbuf *out, enum log_level level, usec_t real,
	const struct log_field *fields, struct span message)
{
	time_t sec = (time_t)(real / USEC_PER_SEC);
	struct tm tm = {0};

	(void)localtime_r(&sec, &tm);
	(void)strbuf_printf(out, "%02d:%02d:%02d.%03u %s ", tm.tm_hour, tm.tm_min, tm.tm_sec,
		(unsigned)(real % USEC_PER_SEC / USEC_PER_MSEC), names[level]);
	put_line(out, fields, message);
}

void
log_line_stream(struct strbuf *out, enum log_level level, const struct log_field *fields,
	struct span message)
{
	(void)strbuf_putc(out, '<');
	(void)strbuf_putc(out, priorities[level]);
	(void)strbuf_putc(out, '>');
	put_line(out, fields, message);
}

/* "KEY=value\n", or, when a line end is inside, "KEY\n", the length as 64 bits little endian, the
 * bytes and "\n" (systemd: JOURNAL_NATIVE_PROTOCOL). */
static void
put_journal_value(struct strbuf *out, struct span value)
{
	uint64_t len = htole64(value.len);

	if (memchr(value.data, '\n', value.len)) {
		(void)strbuf_putc(out, '\n');
		(void)strbuf_add(out, &len, sizeof(len));
	} else {
		(void)strbuf_putc(out, '=');
	}
	(void)strbuf_span(out, value);
	(void)strbuf_putc(out, '\n');
}

void
log_line_journal(struct strbuf *out, enum log_level level, const struct log_field *fields,
	struct span message)
{
	(void)strbuf_puts(out, "MESSAGE");
	put_journal_value(out, message);
	(void)strbuf_printf(
		out, "PRIORITY=%c\nSYSLOG_IDENTIFIER=" LOG_IDENTIFIER "\n", priorities[level]);
	for (; fields && fields->key; fields++) {
		(void)strbuf_puts(out, "TRAWL_");
		for (const char *k = fields->key; *k; k++)
			(void)strbuf_putc(out, isalnum((unsigned char)*k)
						       ? (char)toupper((unsigned char)*k)
						       : '_');
		put_journal_value(out, span_of(fields->value ? fields->value : ""));
	}
}
