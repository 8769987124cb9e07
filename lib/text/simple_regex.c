#include "text/simple_regex.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static char
peek(const struct simple_regex *r, size_t ahead)
{
	return r->at + ahead < r->text.len ? r->text.data[r->at + ahead] : '\0';
}

static bool
is_plain(char c)
{
	return isgraph((unsigned char)c) || c == ' ';
}

static void
add_beyond_ascii(struct simple_item *item)
{
	memset(item->has + 128, true, 128);
}

/* A character of ASCII, and without case what is equal to it: of k and s that is more than ASCII,
 * and it is not told apart which. */
static void
add_char(const struct simple_regex *r, struct simple_item *item, unsigned char c)
{
	item->has[c] = true;
	if (!r->fold)
		return;
	item->has[toupper(c)] = true;
	item->has[tolower(c)] = true;
	add_beyond_ascii(item);
}

/* \w, \d, an escaped mark: false for others. Past the backslash. */
static bool
add_escape(const struct simple_regex *r, struct simple_item *item, char c)
{
	bool known = c == 'w' || c == 'd';

	for (unsigned b = 0; b < 128 && known; b++)
		item->has[b] = item->has[b] || isdigit((int)b) ||
		               (c == 'w' && (isalpha((int)b) || b == '_'));
	if (known)
		add_beyond_ascii(item);
	if (ispunct((unsigned char)c))
		add_char(r, item, (unsigned char)c);
	return known || ispunct((unsigned char)c);
}

/* One thing in a class, which may be a range of letters or digits: false when it is not known. */
static bool
take_member(struct simple_regex *r, struct simple_item *item)
{
	char c = peek(r, 0), last = peek(r, 2);

	if (c == '\\') {
		c = peek(r, 1);
		r->at += 2;
		return peek(r, 0) != '-' && add_escape(r, item, c);
	}
	if (!is_plain(c) || c == '[')
		return false;
	if (peek(r, 1) == '-' && last != ']') {
		if (!isalnum((unsigned char)c) || !isalnum((unsigned char)last) || last < c)
			return false;
		for (; c <= last; c++)
			add_char(r, item, (unsigned char)c);
		r->at += 3;
		return true;
	}
	add_char(r, item, (unsigned char)c);
	r->at++;
	return true;
}

static bool
take_class(struct simple_regex *r, struct simple_item *item)
{
	r->at++;
	if (peek(r, 0) == '^' || peek(r, 0) == ']')
		return false;
	while (r->at < r->text.len && peek(r, 0) != ']') {
		if (!take_member(r, item))
			return false;
	}
	r->at++;
	return true;
}

static bool
take_escape(struct simple_regex *r, struct simple_item *item)
{
	char c = peek(r, 1);

	r->at += 2;
	item->known = c == '\0' || !strchr("sSWDbBhHvV", c);
	return !item->known || add_escape(r, item, c);
}

static bool
is_quantifier(char c)
{
	return c == '*' || c == '?' || c == '+' || c == '{';
}

/* Without its quantifier. */
static bool
take_atom(struct simple_regex *r, struct simple_item *item)
{
	char c = peek(r, 0);

	*item = (struct simple_item){.known = true, .least = 1};
	if (c == '\\')
		return take_escape(r, item);
	if (c == '[')
		return take_class(r, item);
	if (!is_plain(c) || strchr("()]}|", c) || is_quantifier(c))
		return false;
	r->at++;
	item->known = c != '.' && c != '^' && c != '$';
	if (item->known)
		add_char(r, item, (unsigned char)c);
	return true;
}

/* {2}, {2,}, {2,3}: how often at least; false when it is written otherwise. */
static bool
take_count(struct simple_regex *r, uint32_t *ret)
{
	uint32_t n = 0;

	if (!isdigit((unsigned char)peek(r, 1)))
		return false;
	for (r->at++; isdigit((unsigned char)peek(r, 0)); r->at++)
		n = MIN(n * 10 + (uint32_t)(peek(r, 0) - '0'), SIMPLE_LEAST_MAX);
	if (peek(r, 0) == ',') {
		for (r->at++; isdigit((unsigned char)peek(r, 0));)
			r->at++;
	}
	*ret = n;
	return peek(r, 0) == '}';
}

static bool
take_quantifier(struct simple_regex *r, struct simple_item *item)
{
	char c = peek(r, 0);

	if (!is_quantifier(c))
		return true;
	item->least = c == '+';
	if (c == '{' && !take_count(r, &item->least))
		return false;
	r->at++;
	r->at += peek(r, 0) == '?' || peek(r, 0) == '+'; /* lazy, possessive */
	return !is_quantifier(peek(r, 0));
}

int
simple_regex_next(struct simple_regex *r, struct simple_item *ret)
{
	if (r->at >= r->text.len)
		return 0;
	return take_atom(r, ret) && take_quantifier(r, ret) ? 1 : -EINVAL;
}
