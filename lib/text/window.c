#include "text/window.h"

/* So each window begins behind where the one before began. */
_Static_assert(WINDOW_BYTES > 2 * (size_t)WINDOW_LINE_BYTES + 2 * WINDOW_OVERLAP + 8, "");

static bool
is_wide(enum sniff kind)
{
	return kind == SNIFF_UTF16LE || kind == SNIFF_UTF16BE;
}

static unsigned
high_byte(const char *unit, enum sniff kind)
{
	return (unsigned char)unit[kind == SNIFF_UTF16LE];
}

/* Would a decoder take the unit for a mark that is not text? */
static bool
is_mark(const char *unit)
{
	unsigned a = (unsigned char)unit[0], b = (unsigned char)unit[1];

	return a + b == 0xfe + 0xff && (a == 0xfe || a == 0xff);
}

/* The nearest place at or before `at` that is between two characters, if the text has any; and, of
 * UTF-16, not before a mark. */
static size_t
char_start(struct span text, enum sniff kind, size_t at)
{
	const char *p = text.data;

	if (is_wide(kind)) {
		at -= at % 2;
		while (at >= 2 && at + 2 <= text.len &&
			((high_byte(p + at, kind) & 0xfcu) == 0xdc || is_mark(p + at)))
			at -= 2;
		return at;
	}
	for (unsigned i = 0; i < 3 && at > 0 && ((unsigned char)p[at] & 0xc0u) == 0x80; i++)
		at--;
	return at;
}

/* The same, but where a line begins if one does within WINDOW_LINE_BYTES. */
static size_t
line_start(struct span text, enum sniff kind, size_t at)
{
	size_t lo = at > WINDOW_LINE_BYTES ? at - WINDOW_LINE_BYTES : 0;
	const char *end = is_wide(kind) ? NULL : memrchr(text.data + lo, '\n', at - lo);

	return end ? (size_t)(end - text.data) + 1 : char_start(text, kind, at);
}

bool
window_next(struct span text, enum sniff kind, struct window *w)
{
	if (w->begun && w->to >= text.len)
		return false;
	w->fresh = w->to;
	w->from = w->begun
	                  ? line_start(text, kind, w->to - WINDOW_OVERLAP * (is_wide(kind) ? 2 : 1))
	                  : 0;
	w->to = text.len - w->from <= WINDOW_BYTES ? text.len
	                                           : line_start(text, kind, w->from + WINDOW_BYTES);
	w->begun = true;
	return true;
}
