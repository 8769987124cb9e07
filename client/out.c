#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

static struct {
	int fd;
	bool (*more)(void *ctx);
	void *ctx;
} meanwhile = {.fd = -1};

void
out_meanwhile(int fd, bool (*more)(void *ctx), void *ctx)
{
	meanwhile.fd = fd;
	meanwhile.more = more;
	meanwhile.ctx = ctx;
}

/* To write without blocking takes an open file of our own: the one that we were given is shared
 * with our parent and its other children. Where that is not possible, we block. */
static void
open_again(struct out *o)
{
	struct stat st;

	if (!o->terminal && (fstat(STDOUT_FILENO, &st) < 0 || !S_ISFIFO(st.st_mode)))
		return;
	o->fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	o->reopened = o->fd >= 0;
}

struct out
out_open(enum color_when when)
{
	struct out o = {.terminal = isatty(STDOUT_FILENO) != 0};
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool wanted =
		o.terminal && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);

	open_again(&o);
	o.color = when == COLOR_ALWAYS || (when == COLOR_AUTO && wanted);
	return o;
}

static void
wait_for_reader(int fd)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLOUT}, {.fd = meanwhile.fd, .events = POLLIN}};

	if (poll(p, 2, -1) > 0 && p[1].revents && !meanwhile.more(meanwhile.ctx))
		meanwhile.fd = -1;
}

static int
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EAGAIN)
			wait_for_reader(fd);
		else if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

void
out_flush(struct out *o)
{
	if (o->buf.failed && !o->error)
		o->error = -ENOMEM;
	if (!o->error && o->buf.len)
		o->error = write_all(o->reopened ? o->fd : STDOUT_FILENO, o->buf.data, o->buf.len);
	strbuf_reset(&o->buf);
}

int
out_close(struct out *o, int exit_code)
{
	out_flush(o);
	strbuf_fini(&o->buf);
	if (o->reopened)
		closep(&o->fd);
	o->reopened = false;
	if (!o->error)
		return exit_code;
	complain("could not write the answer: %s", err_reason(o->error));
	return EXIT_USAGE;
}

/* Does this character (the len bytes of one UTF-8 sequence) steer a terminal? Its code point, or 0:
 * C0, DEL, C1, and the overrides and isolates of the direction of writing. */
static uint32_t
steers(const unsigned char *p, size_t len)
{
	if (len == 1)
		return *p < 0x20 || *p == 0x7f ? *p + 1u : 0;
	if (len == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return p[1];
	if (len == 3 && p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae)
		return 0x2000u + (p[2] & 0x3fu);
	if (len == 3 && p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)
		return 0x2040u + (p[2] & 0x3fu);
	return 0;
}

static void
escape_byte(struct strbuf *b, unsigned char c)
{
	switch (c) {
	case '\n':
		(void)strbuf_puts(b, "\\n");
		break;
	case '\r':
		(void)strbuf_puts(b, "\\r");
		break;
	case '\t':
		(void)strbuf_puts(b, "\\t");
		break;
	default:
		(void)strbuf_printf(b, "\\x%02x", c);
	}
}

void
escape_into(struct strbuf *b, struct span s, const char *keep)
{
	const char *end = s.data + s.len, *plain = s.data;

	for (const char *p = s.data; p < end;) {
		size_t step = utf8_step(p, (size_t)(end - p));
		uint32_t code = step ? steers((const unsigned char *)p, step) : 0;

		if (step && (!code || (step == 1 && *p && strchr(keep, *p)))) {
			p += step;
			continue;
		}
		(void)strbuf_add(b, plain, (size_t)(p - plain));
		if (step > 1)
			(void)strbuf_printf(b, "\\u%04x", code);
		else
			escape_byte(b, (unsigned char)*p);
		p += step ? step : 1;
		plain = p;
	}
	(void)strbuf_add(b, plain, (size_t)(end - plain));
}

void
out_name(struct out *o, struct span s)
{
	if (o->terminal)
		escape_into(&o->buf, s, "");
	else
		(void)strbuf_span(&o->buf, s);
}

void
out_text(struct out *o, struct span s)
{
	if (o->terminal)
		escape_into(&o->buf, s, "\t");
	else
		(void)strbuf_span(&o->buf, s);
}

void
out_puts(struct out *o, const char *s)
{
	(void)strbuf_puts(&o->buf, s);
}

void
out_putc(struct out *o, char c)
{
	(void)strbuf_putc(&o->buf, c);
}

void
out_color(struct out *o, const char *sgr)
{
	if (!o->color || !*sgr)
		return;
	out_puts(o, "\033[");
	out_puts(o, sgr);
	out_putc(o, 'm');
}

void
out_plain(struct out *o)
{
	out_color(o, "0");
}

const char *
count_text(uint64_t n, char buf[32])
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	char *p = buf;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return buf;
}

const char *
duration_text(usec_t usec, char buf[32])
{
	static const struct {
		double usec;
		const char *unit;
		int digits;
	} units[] = {
		{86400e6, "d", 1}, /* days are told in tenths: "1.5 d" */
		{3600e6, "h", 1},  /* */
		{60e6, "min", 1},  /* */
		{1e6, "s", 2},     /* */
		{1e3, "ms", 2},    /* */
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if ((double)usec >= units[i].usec) {
			(void)snprintf(buf, 32, "%.*f %s", units[i].digits,
				(double)usec / units[i].usec, units[i].unit);
			return buf;
		}
	}
	(void)snprintf(buf, 32, "%u us", (unsigned)usec);
	return buf;
}

const char *
bytes_text(uint64_t n, char buf[32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)n;
	size_t i = 0;

	for (; v >= 1024 && i + 1 < ARRAY_LEN(units); i++)
		v /= 1024;
	(void)snprintf(buf, 32, "%.*f %s", i ? 1 : 0, v, units[i]);
	return buf;
}

const char *
size_text(uint64_t n, char buf[32])
{
	static const char units[] = "KMGTPE";
	unsigned shift = 0;
	uint64_t rest, tenths;

	if (n < 1024) {
		(void)snprintf(buf, 32, "%llu", (unsigned long long)n);
		return buf;
	}
	/* The unit of which there are, rounded up, fewer than 1,024. */
	do
		shift += 10;
	while (shift < 60 && n > 1023ull << shift);
	rest = n & ((1ull << shift) - 1);
	n >>= shift;
	tenths = n * 10 + (rest * 10 >> shift) + ((rest * 10 & ((1ull << shift) - 1)) != 0);
	if (tenths <= 99)
		(void)snprintf(buf, 32, "%llu.%llu%c", (unsigned long long)tenths / 10,
			(unsigned long long)tenths % 10, units[shift / 10 - 1]);
	else
		(void)snprintf(buf, 32, "%llu%c", (unsigned long long)n + (rest != 0),
			units[shift / 10 - 1]);
	return buf;
}
