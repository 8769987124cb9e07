#include "base/glob.h"

#include <errno.h>

#define NOWHERE SIZE_MAX

/* One element of the text for '?', '*' and sets: a UTF-8 sequence, else a byte. Bytes that are not
 * UTF-8 are told from code points by the high bit. */
struct glyph {
	uint32_t code;
	size_t len;
};

#define GLYPH_RAW 0x80000000u

static struct glyph
glyph_at(struct span s, size_t at)
{
	const unsigned char *p = (const unsigned char *)s.data + at;
	size_t n = utf8_step(s.data + at, s.len - at);
	uint32_t code;

	if (n == 0)
		return (struct glyph){GLYPH_RAW | p[0], 1};
	if (n == 1)
		return (struct glyph){p[0], 1};
	code = p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++)
		code = code << 6 | (p[i] & 0x3f);
	return (struct glyph){code, n};
}

static uint32_t
fold(uint32_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static uint32_t
unfold(uint32_t c)
{
	return c >= 'a' && c <= 'z' ? c & ~0x20u : c;
}

/* A member of a set at *at, which moves past it; false when the pattern ends first. */
static bool
set_member(struct span pattern, size_t *at, uint32_t *ret)
{
	struct glyph g;

	if (*at < pattern.len && pattern.data[*at] == '\\')
		(*at)++;
	if (*at >= pattern.len)
		return false;
	g = glyph_at(pattern, *at);
	*at += g.len;
	*ret = g.code;
	return true;
}

/* Walks the set whose '[' is at `at`: returns the position after its ']', NOWHERE when it is not
 * closed. *ret_in: does it hold c? */
static size_t
set_scan(struct span pattern, size_t at, uint32_t c, enum glob_flags flags, bool *ret_in)
{
	bool negated = false, in = false;

	at++;
	if (at < pattern.len && (pattern.data[at] == '!' || pattern.data[at] == '^')) {
		negated = true;
		at++;
	}
	for (size_t first = at; at < pattern.len && (pattern.data[at] != ']' || at == first);) {
		uint32_t low, high;

		if (!set_member(pattern, &at, &low))
			return NOWHERE;
		high = low;
		if (at + 1 < pattern.len && pattern.data[at] == '-' &&
			pattern.data[at + 1] != ']') {
			at++;
			if (!set_member(pattern, &at, &high))
				return NOWHERE;
		}
		in = in || (low <= c && c <= high);
		if (flags & GLOB_FOLD)
			in = in || (low <= fold(c) && fold(c) <= high) ||
			     (low <= unfold(c) && unfold(c) <= high);
	}
	if (at >= pattern.len)
		return NOWHERE;
	*ret_in = in != negated;
	return at + 1;
}

int
glob_init(struct glob *g, struct span pattern, enum glob_flags flags, size_t *ret_pos)
{
	size_t at = 0;

	while (at < pattern.len) {
		size_t next = at + 1;
		bool in;

		if (pattern.data[at] == '[')
			next = set_scan(pattern, at, 0, flags, &in);
		else if (pattern.data[at] == '\\')
			next = at + 1 < pattern.len ? at + 2 : NOWHERE;
		if (next == NOWHERE) {
			*ret_pos = at;
			return -EINVAL;
		}
		at = next;
	}
	*g = (struct glob){pattern, flags};
	return 0;
}

/*
 * Where to go on when what follows a star did not match.
 *
 * A star is retried from the next position only while nothing after it failed for good: reaching a
 * later star of the same or a stronger kind at the earliest position is as good as any later one,
 * so only the last "**" (deep) and the last '*' after it (shallow) are remembered.
 *
 * After a deep star the match consists of components. Once a '/' was consumed, or a shallow star
 * was met, every other start in the same component of the text leads to the same next '/', or gives
 * that star less to choose from: all of them fail too, and the deep star leaps to the next
 * component. So each byte of the text is tried at most once a component of the pattern, and the
 * whole is O(pattern x text).
 */
struct star {
	size_t pattern, text; /* after the star; NOWHERE when there is none */
};

struct state {
	size_t p, t;
	struct star deep, shallow;
	bool by_component; /* the deep star is a component of its own, "**" and '/' */
	bool leap;         /* a '/' or a shallow star since the deep one */
};

/* The run of stars at s->p. */
static void
meet_stars(const struct glob *g, struct state *s)
{
	struct span p = g->pattern;
	size_t start = s->p, n = 0;

	while (s->p < p.len && p.data[s->p] == '*') {
		s->p++;
		n++;
	}
	if (n == 1 && !(g->flags & GLOB_SLASH)) {
		s->shallow = (struct star){s->p, s->t};
		s->leap = true;
		return;
	}
	s->by_component = n > 1 && s->p < p.len && p.data[s->p] == '/' &&
	                  (start == 0 || p.data[start - 1] == '/');
	if (s->by_component)
		s->p++;
	s->deep = (struct star){s->p, s->t};
	s->shallow.pattern = NOWHERE;
	s->leap = s->by_component;
}

/* One element of the pattern that is no star, against the text at s->t. */
static bool
step(const struct glob *g, struct span text, struct state *s)
{
	struct span p = g->pattern;
	size_t next = s->p + 1;
	bool in = true;
	struct glyph c;

	if (s->t >= text.len)
		return false;
	if (p.data[s->p] == '?' || p.data[s->p] == '[') {
		c = glyph_at(text, s->t);
		if (c.code == '/' && !(g->flags & GLOB_SLASH))
			return false;
		if (p.data[s->p] == '[')
			next = set_scan(p, s->p, c.code, g->flags, &in);
	} else {
		unsigned char a, b = (unsigned char)text.data[s->t];

		if (p.data[s->p] == '\\')
			next++;
		a = (unsigned char)p.data[next - 1];
		in = a == b || ((g->flags & GLOB_FOLD) && fold(a) == fold(b));
		c.len = 1;
		if (b == '/' && !(g->flags & GLOB_SLASH))
			s->leap = true;
	}
	if (!in)
		return false;
	s->p = next;
	s->t += c.len;
	return true;
}

/* Give the last star more of the text; false when no star can take more. */
static bool
retry(struct span text, struct state *s)
{
	const char *slash;

	if (s->shallow.pattern != NOWHERE && s->shallow.text < text.len &&
		text.data[s->shallow.text] != '/') {
		s->shallow.text += glyph_at(text, s->shallow.text).len;
		s->p = s->shallow.pattern;
		s->t = s->shallow.text;
		return true;
	}
	if (s->deep.pattern == NOWHERE || s->deep.text >= text.len)
		return false;
	if (s->leap) {
		slash = memchr(text.data + s->deep.text, '/', text.len - s->deep.text);
		if (!slash)
			return false;
		s->deep.text = (size_t)(slash - text.data) + 1;
	} else {
		s->deep.text += glyph_at(text, s->deep.text).len;
	}
	s->p = s->deep.pattern;
	s->t = s->deep.text;
	s->shallow.pattern = NOWHERE;
	s->leap = s->by_component;
	return true;
}

bool
glob_match(const struct glob *g, struct span text)
{
	struct state s = {.deep.pattern = NOWHERE, .shallow.pattern = NOWHERE};
	struct span p = g->pattern;

	while (s.p < p.len || s.t < text.len) {
		if (s.p < p.len && p.data[s.p] == '*')
			meet_stars(g, &s);
		else if ((s.p >= p.len || !step(g, text, &s)) && !retry(text, &s))
			return false;
	}
	return true;
}

bool
glob_is(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '*' || text.data[i] == '?' || text.data[i] == '[')
			return true;
		if (text.data[i] == '\\')
			i++;
	}
	return false;
}
