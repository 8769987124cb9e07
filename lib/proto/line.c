#include "proto/line.h"

#include <errno.h>

void
line_reader_init(struct line_reader *l, size_t max_bytes)
{
	*l = (struct line_reader){.max_bytes = max_bytes};
}

void
line_reader_fini(struct line_reader *l)
{
	strbuf_fini(&l->buf);
	l->scanned = l->consumed = 0;
}

int
line_reader_feed(struct line_reader *l, const void *data, size_t len)
{
	if (l->consumed > 0) {
		size_t left = l->buf.len - l->consumed;

		memmove(l->buf.data, l->buf.data + l->consumed, left);
		strbuf_truncate(&l->buf, left);
		l->scanned -= l->consumed;
		l->consumed = 0;
	}
	return strbuf_add(&l->buf, data, len);
}

/* No newline yet: is what waits already longer than any line may be? A CR at its end may still turn
 * out to be half of the line's end. */
static int
check_pending(const struct line_reader *l)
{
	size_t n = l->buf.len - l->consumed;

	if (n <= l->max_bytes)
		return 0;
	if (n == l->max_bytes + 1 && l->buf.data[l->buf.len - 1] == '\r')
		return 0;
	return -EOVERFLOW;
}

int
line_reader_next(struct line_reader *l, struct span *ret)
{
	const char *start, *newline;
	size_t len;

	if (l->consumed == l->buf.len) {
		line_reader_fini(l); /* an idle reader holds no memory */
		return 0;
	}
	start = l->buf.data + l->consumed;
	newline = memchr(l->buf.data + l->scanned, '\n', l->buf.len - l->scanned);
	if (!newline) {
		l->scanned = l->buf.len;
		return check_pending(l);
	}
	len = (size_t)(newline - start);
	l->consumed = l->scanned = l->consumed + len + 1;
	if (len > 0 && start[len - 1] == '\r')
		len--;
	if (len > l->max_bytes)
		return -EOVERFLOW;
	*ret = (struct span){start, len};
	return 1;
}

int
line_reader_rest(struct line_reader *l, struct span *ret)
{
	if (l->consumed == l->buf.len)
		return 0;
	*ret = (struct span){l->buf.data + l->consumed, l->buf.len - l->consumed};
	l->consumed = l->scanned = l->buf.len;
	return 1;
}
