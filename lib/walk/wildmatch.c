#include "walk/wildmatch.h"

#include <ctype.h>

static const struct {
	struct span name;
	int (*has)(int c);
} classes[] = {
	{SPAN_LIT("alnum"), isalnum},
	{SPAN_LIT("alpha"), isalpha},
	{SPAN_LIT("blank"), isblank},
	{SPAN_LIT("cntrl"), iscntrl},
	{SPAN_LIT("digit"), isdigit},
	{SPAN_LIT("graph"), isgraph},
	{SPAN_LIT("lower"), islower},
	{SPAN_LIT("print"), isprint},
	{SPAN_LIT("punct"), ispunct},
	{SPAN_LIT("space"), isspace},
	{SPAN_LIT("upper"), isupper},
	{SPAN_LIT("xdigit"), isxdigit},
};

/* -1: no such class. Bytes above 127 are in none. */
static int
class_has(struct span name, unsigned char c)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (span_eq(classes[i].name, name))
			return c < 128 && classes[i].has(c);
	return -1;
}

/* One byte of a set, which may be escaped: the index after it, 0 when the set ends too early. */
static size_t
set_byte(struct span p, size_t i, unsigned char *ret)
{
	if (i < p.len && p.data[i] == '\\')
		i++;
	if (i >= p.len)
		return 0;
	*ret = (unsigned char)p.data[i];
	return i + 1;
}

/* "[:name:]" at p[i]: the index after it, 0 when it is none, SIZE_MAX when the set is broken. */
static size_t
set_class(struct span p, size_t i, unsigned char c, bool *hit)
{
	size_t start = i + 2, end;
	int r;

	if (i + 1 >= p.len || p.data[i] != '[' || p.data[i + 1] != ':')
		return 0;
	for (end = start; end < p.len && p.data[end] != ']'; end++)
		;
	if (end >= p.len)
		return SIZE_MAX;
	if (end == start || p.data[end - 1] != ':')
		return 0; /* no ":]": the '[' is a byte like any other */
	r = class_has((struct span){p.data + start, end - 1 - start}, c);
	if (r < 0)
		return SIZE_MAX;
	*hit |= r;
	return end + 1;
}

/* The set that opens at p[i]. Returns the index after ']', 0 when it is never closed. */
static size_t
set_match(struct span p, size_t i, unsigned char c, bool *ret_hit)
{
	bool invert = false, hit = false, first = true;

	i++;
	if (i < p.len && (p.data[i] == '!' || p.data[i] == '^')) {
		invert = true;
		i++;
	}
	for (; i < p.len && (first || p.data[i] != ']'); first = false) {
		size_t next = set_class(p, i, c, &hit);
		unsigned char low, high;

		if (next == SIZE_MAX)
			return 0;
		if (next > 0) {
			i = next;
			continue;
		}
		i = set_byte(p, i, &low);
		if (i == 0)
			return 0;
		high = low;
		if (i + 1 < p.len && p.data[i] == '-' && p.data[i + 1] != ']') {
			i = set_byte(p, i + 1, &high);
			if (i == 0)
				return 0;
		}
		hit |= low <= c && c <= high;
	}
	*ret_hit = hit != invert;
	return i < p.len ? i + 1 : 0;
}

/* One step of the pattern that takes one byte: the index after it when it takes c, else 0. */
static size_t
step_match(struct span p, size_t i, unsigned char c)
{
	bool hit = false;
	size_t next;

	switch (p.data[i]) {
	case '?':
		return c == '/' ? 0 : i + 1;
	case '[':
		next = set_match(p, i, c, &hit);
		return hit && c != '/' ? next : 0;
	case '\\':
		i++;
		return i < p.len && (unsigned char)p.data[i] == c ? i + 1 : 0;
	default:
		return (unsigned char)p.data[i] == c ? i + 1 : 0;
	}
}

/* Where the run of stars at p[i] ends, and whether it stands for whole components. */
static size_t
star_run(struct span p, size_t i, bool *ret_components)
{
	size_t end = i;

	while (end < p.len && p.data[end] == '*')
		end++;
	*ret_components = end - i >= 2 && (i == 0 || p.data[i - 1] == '/') &&
	                  (end == p.len || p.data[end] == '/');
	return end;
}

/* A point to come back to when what follows a star does not match. */
struct retry {
	bool set;
	size_t p, t;
};

/* Let the last star take one byte more, else the last "**" one component more. The last of each
 * kind is enough: had an earlier one to take more, the later would find its match further right,
 * and what the later could reach from there it also reaches from here. */
static bool
retry_later(struct span text, struct retry *star, struct retry *deep, size_t *p, size_t *t)
{
	if (star->set && star->t < text.len && text.data[star->t] != '/') {
		*p = star->p;
		*t = ++star->t;
		return true;
	}
	star->set = false;
	if (deep->set) {
		const char *slash = memchr(text.data + deep->t, '/', text.len - deep->t);

		if (slash) {
			deep->t = (size_t)(slash + 1 - text.data);
			*p = deep->p;
			*t = deep->t;
			return true;
		}
	}
	return false;
}

bool
wildmatch(struct span pattern, struct span text)
{
	struct retry star = {0}, deep = {0};
	size_t p = 0, t = 0;

	for (;;) {
		size_t next;

		if (p < pattern.len && pattern.data[p] == '*') {
			bool components;

			next = star_run(pattern, p, &components);
			if (components && next == pattern.len)
				return true;
			if (components) {
				p = next + 1;
				deep = (struct retry){true, p, t};
				star.set = false;
			} else {
				p = next;
				star = (struct retry){true, p, t};
			}
			continue;
		}
		if (p == pattern.len && t == text.len)
			return true;
		next = p < pattern.len && t < text.len
		               ? step_match(pattern, p, (unsigned char)text.data[t])
		               : 0;
		if (next > 0) {
			p = next;
			t++;
			continue;
		}
		if (!retry_later(text, &star, &deep, &p, &t))
			return false;
	}
}
