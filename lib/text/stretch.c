#include "text/stretch.h"

#include <ctype.h>
#include <string.h>

/* What a byte of a set says, in tenths of a bit, by how many of the characters of ASCII are in it;
 * and what all of a stretch must say, so that few lines have one. */
#define WORTH_LEAST 160u
#define LEAST_MAX 4096u

/* Items that stand side by side, and the best of them so far. */
struct reader {
	struct span text;
	size_t at;
	bool fold;
	bool any_item;
	struct stretch item; /* read last: a quantifier may follow */
	struct stretch run;  /* those before it */
	struct stretch best;
	uint32_t best_worth;
};

static uint32_t
worth_of(const struct stretch *s)
{
	static const struct {
		uint32_t n, tenths;
	} worths[] = {{11, 30}, {23, 20}, {32, 15}, {47, 10}, {63, 6}};
	uint32_t n = 0;

	for (unsigned c = 0; c < 128; c++)
		n += s->has[c];
	for (size_t i = 0; i < ARRAY_LEN(worths); i++) {
		if (n <= worths[i].n)
			return MIN(s->least, LEAST_MAX) * worths[i].tenths;
	}
	return 0;
}

static void
keep_best(struct reader *r, const struct stretch *s)
{
	uint32_t worth = worth_of(s);

	if (worth <= r->best_worth)
		return;
	r->best = *s;
	r->best_worth = worth;
}

static void
add_byte(const struct reader *r, struct stretch *s, unsigned char c)
{
	s->has[c] = true;
	if (!r->fold)
		return;
	s->has[toupper(c)] = true;
	s->has[tolower(c)] = true;
}

/* No quantifier follows the item any more: it belongs to the run. */
static void
end_item(struct reader *r)
{
	if (!r->any_item)
		return;
	r->any_item = false;
	keep_best(r, &r->item);
	for (unsigned c = 0; c < ARRAY_LEN(r->run.has); c++)
		r->run.has[c] = r->run.has[c] || r->item.has[c];
	r->run.least = MIN(r->run.least + r->item.least, LEAST_MAX);
	keep_best(r, &r->run);
}

/* Something follows that is not known, or need not be there. */
static void
end_run(struct reader *r)
{
	end_item(r);
	r->run = (struct stretch){0};
}

static void
begin_item(struct reader *r)
{
	end_item(r);
	r->any_item = true;
	r->item = (struct stretch){.least = 1};
	memset(r->item.has + 128, true, 128);
}

static char
peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->text.len ? r->text.data[r->at + ahead] : '\0';
}

static bool
is_plain(char c)
{
	return isgraph((unsigned char)c) || c == ' ';
}

/* \w, \d, an escaped mark: false for others. Past the backslash. */
static bool
add_escape(struct reader *r, struct stretch *s, char c)
{
	for (unsigned b = 0; b < 128 && (c == 'w' || c == 'd'); b++)
		s->has[b] =
			s->has[b] || isdigit((int)b) || (c == 'w' && (isalpha((int)b) || b == '_'));
	if (ispunct((unsigned char)c))
		add_byte(r, s, (unsigned char)c);
	return c == 'w' || c == 'd' || ispunct((unsigned char)c);
}

/* One thing in a class, which may be a range of letters or digits: false when it is not known. */
static bool
take_member(struct reader *r)
{
	char c = peek(r, 0), last = peek(r, 2);

	if (c == '\\') {
		c = peek(r, 1);
		r->at += 2;
		return peek(r, 0) != '-' && add_escape(r, &r->item, c);
	}
	if (!is_plain(c) || c == '[')
		return false;
	if (peek(r, 1) == '-' && last != ']') {
		if (!isalnum((unsigned char)c) || !isalnum((unsigned char)last) || last < c)
			return false;
		for (; c <= last; c++)
			add_byte(r, &r->item, (unsigned char)c);
		r->at += 3;
		return true;
	}
	add_byte(r, &r->item, (unsigned char)c);
	r->at++;
	return true;
}

static bool
take_class(struct reader *r)
{
	begin_item(r);
	r->at++;
	if (peek(r, 0) == '^' || peek(r, 0) == ']')
		return false;
	while (r->at < r->text.len && peek(r, 0) != ']') {
		if (!take_member(r))
			return false;
	}
	r->at++;
	return true;
}

/* {2}, {2,}, {2,3}: how often at least; false when it is written otherwise. */
static bool
take_count(struct reader *r, uint32_t *ret)
{
	uint32_t n = 0;

	if (!isdigit((unsigned char)peek(r, 1)))
		return false;
	for (r->at++; isdigit((unsigned char)peek(r, 0)); r->at++)
		n = MIN(n * 10 + (uint32_t)(peek(r, 0) - '0'), LEAST_MAX);
	if (peek(r, 0) == ',') {
		for (r->at++; isdigit((unsigned char)peek(r, 0));)
			r->at++;
	}
	*ret = n;
	return peek(r, 0) == '}';
}

static bool
is_quantifier(char c)
{
	return c == '*' || c == '?' || c == '+' || c == '{';
}

static bool
take_quantifier(struct reader *r)
{
	uint32_t n = peek(r, 0) == '+';

	if (!r->any_item || (peek(r, 0) == '{' && !take_count(r, &n)))
		return false;
	r->at++;
	r->at += peek(r, 0) == '?' || peek(r, 0) == '+'; /* lazy, possessive */
	r->item.least = n;
	if (n == 0) { /* it need not be there */
		r->any_item = false;
		end_run(r);
	}
	end_item(r);
	return !is_quantifier(peek(r, 0));
}

/* What stands for itself. */
static bool
take_char(struct reader *r)
{
	char c = peek(r, 0);

	if (!is_plain(c) || strchr("()[]{}|", c))
		return false;
	begin_item(r);
	add_byte(r, &r->item, (unsigned char)c);
	r->at++;
	return true;
}

static bool
take_escape(struct reader *r)
{
	char c = peek(r, 1);

	r->at += 2;
	if (c != '\0' && strchr("sSWDbBhHvV", c)) {
		end_run(r);
		return true;
	}
	begin_item(r);
	return add_escape(r, &r->item, c);
}

static bool
take_token(struct reader *r)
{
	char c = peek(r, 0);

	if (c == '\\')
		return take_escape(r);
	if (c == '[')
		return take_class(r);
	if (r->any_item && is_quantifier(c))
		return take_quantifier(r);
	if (c == '.' || c == '^' || c == '$' || is_quantifier(c)) {
		end_run(r);
		r->at++;
		return c != '{';
	}
	return take_char(r);
}

void
stretch_of_regex(struct span pattern, bool fold, struct stretch *ret)
{
	struct reader r = {.text = pattern, .fold = fold};
	bool known = true;

	while (known && r.at < pattern.len)
		known = take_token(&r);
	end_run(&r);
	*ret = (struct stretch){0};
	if (known && r.best_worth >= WORTH_LEAST)
		*ret = r.best;
}

ssize_t
stretch_find(const struct stretch *s, struct span text, size_t from)
{
	const unsigned char *p = (const unsigned char *)text.data;
	size_t at = from;

	/* The stretch at hand would begin at `at`. */
	while (at < text.len && text.len - at >= s->least) {
		size_t last = at + s->least - 1, first = last;

		if (!s->has[p[last]]) {
			at = last + 1;
			continue;
		}
		while (first > at && s->has[p[first - 1]])
			first--;
		if (first == at)
			return (ssize_t)at;
		/* It begins at `first`, or nowhere before the byte that ends what is there. */
		for (at = first;
			last + 1 < text.len && last + 1 - at < s->least && s->has[p[last + 1]];)
			last++;
		if (last + 1 - at >= s->least)
			return (ssize_t)at;
		at = last + 1;
	}
	return -1;
}
