#include "gram/regex_parser.h"

#include <ctype.h>

#include "text/codepoint.h"

/* A range of more characters than this is any character. */
#define RANGE_MAX 1024u
#define HEX_MAX_DIGITS 6u
#define OCTAL_MAX_DIGITS 8u

/* What a class holds. */
struct class
{
	symbol_mask set;
	uint32_t n_pairs;
	uint16_t pair[REGEX_CLASS_MAX_PAIRS];
	bool any; /* more than can be said */
};

/* Characters */

static void
class_add(struct parser *p, struct class *c, uint32_t cp)
{
	uint8_t s[SYMBOL_MAX];
	uint16_t pair;

	if (cp >= 0x80 && !(cp & CODEPOINT_BYTE) && !p->utf) {
		c->any = true; /* a byte, perhaps of a character */
		return;
	}
	if (symbols_of(p->symbols, cp, s) == 1) {
		c->set |= SYMBOL_BIT(s[0]);
		return;
	}
	pair = (uint16_t)(s[0] << SYMBOL_BITS | s[1]);
	for (uint32_t i = 0; i < c->n_pairs; i++) {
		if (c->pair[i] == pair)
			return;
	}
	if (c->n_pairs == REGEX_CLASS_MAX_PAIRS)
		c->any = true;
	else
		c->pair[c->n_pairs++] = pair;
}

static void
class_add_range(struct parser *p, struct class *c, uint32_t first, uint32_t last)
{
	if (last < first || last - first > RANGE_MAX) {
		c->any = true;
		return;
	}
	for (uint32_t cp = first; cp <= last && !c->any; cp++)
		class_add(p, c, cp);
}

static struct regex_node *
class_node(struct parser *p, const struct class *c)
{
	struct regex_node *node = regex_new_node(p, c->any ? REGEX_ANY_TEXT : REGEX_CLASS);

	if (node->kind == REGEX_CLASS) {
		node->set = c->set;
		node->n_pairs = c->n_pairs;
		memcpy(node->pair, c->pair, sizeof(node->pair));
	}
	return node;
}

struct regex_node *
regex_char_node(struct parser *p, uint32_t cp)
{
	struct class c = {0};

	class_add(p, &c, cp);
	return class_node(p, &c);
}

uint32_t
regex_take_char(struct parser *p)
{
	uint32_t cp = (unsigned char)peek(p, 0);

	if (cp >= 0x80 && p->utf)
		p->at += codepoint_decode(p->text.data + p->at, p->text.len - p->at, &cp);
	else
		p->at++;
	return cp;
}

/* Escapes */

static unsigned
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

uint32_t
regex_take_number(struct parser *p, unsigned base, unsigned max)
{
	uint32_t value = 0;

	for (; max > 0 && digit_value(peek(p, 0)) < base; max--)
		value = value * base + digit_value(p->text.data[p->at++]);
	return value;
}

/* The number in braces; p->at is at the brace. Blanks in it, which some versions take, are not
 * known here. */
static uint32_t
take_braced(struct parser *p, unsigned base, unsigned max)
{
	size_t start = ++p->at;
	uint32_t value = regex_take_number(p, base, max);

	if (peek(p, 0) != '}' || p->at == start || value > 0x10ffff)
		give_up(p);
	else
		p->at++;
	return value;
}

/* Escapes that are one character, in a class or not; p->at is behind the letter `c`. */
static bool
take_char_escape(struct parser *p, char c, uint32_t *ret)
{
	static const char letters[] = "aefnrt", values[] = "\a\x1b\f\n\r\t";

	if (is_one_of(c, letters)) {
		*ret = (unsigned char)values[strchr(letters, c) - letters];
	} else if (c == '0') {
		*ret = regex_take_number(p, 8, 2);
	} else if (c == 'o') {
		if (peek(p, 0) != '{')
			give_up(p);
		*ret = take_braced(p, 8, OCTAL_MAX_DIGITS);
	} else if (c == 'x') {
		*ret = peek(p, 0) == '{' ? take_braced(p, 16, HEX_MAX_DIGITS)
		                         : regex_take_number(p, 16, 2);
	} else if (c == 'N' && looks_at(p, "{U+")) {
		p->at += strlen("{U");
		*ret = take_braced(p, 16, HEX_MAX_DIGITS);
	} else if (c == 'c') {
		*ret = (uint32_t)toupper((unsigned char)peek(p, 0)) ^ 0x40;
		p->at++;
	} else {
		return false;
	}
	return true;
}

/* \pL and \p{..}, behind the letter p. */
static void
skip_property(struct parser *p)
{
	if (peek(p, 0) == '{')
		regex_skip_past(p, '}');
	else
		p->at++;
}

/* What \d, \s, \h and \v can be. */
static symbol_mask
letter_class(char c)
{
	return c == 'd' ? SYMBOLS_DIGIT : SYMBOLS_SPACE;
}

/* Behind \k: <name>, 'name', {name}. */
static void
skip_name(struct parser *p)
{
	static const char opens[] = "<'{", closes[] = ">'}";
	char open = peek(p, 0);

	p->at++;
	if (is_one_of(open, opens))
		regex_skip_past(p, closes[strchr(opens, open) - opens]);
	else
		give_up(p);
}

/* Behind \g: a back reference, or a call. */
static void
skip_reference(struct parser *p)
{
	if (peek(p, 0) == '{') {
		regex_skip_past(p, '}');
	} else if (is_one_of(peek(p, 0), "<'")) {
		give_up(p);
	} else {
		p->at += is_one_of(peek(p, 0), "+-");
		while (isdigit((unsigned char)peek(p, 0)))
			p->at++;
	}
}

/* An escape with a letter that is no character. */
static struct regex_node *
parse_letter(struct parser *p, char c)
{
	if (is_one_of(c, "dshv") && p->utf)
		return class_node(p, &(struct class){.set = letter_class(c)});
	if (is_one_of(c, "dshvDSHVwWNRX"))
		return regex_new_node(p, REGEX_ANY_TEXT);
	if (is_one_of(c, "bBAzZGK"))
		return regex_new_node(p, REGEX_EMPTY);
	if (c == 'p' || c == 'P')
		skip_property(p);
	else if (c == 'g')
		skip_reference(p);
	else if (c == 'k')
		skip_name(p);
	else if (!is_one_of(c, "123456789") || isdigit((unsigned char)peek(p, 0)))
		give_up(p); /* also \12: a back reference or octal */
	return regex_new_node(p, REGEX_ANY_TEXT);
}

struct regex_node *
regex_parse_escape(struct parser *p)
{
	char c = peek(p, 1);
	uint32_t cp;

	p->at++;
	if (at_end(p))
		give_up(p);
	if (!isalnum((unsigned char)c))
		return regex_char_node(p, regex_take_char(p));
	p->at++;
	if (take_char_escape(p, c, &cp))
		return regex_char_node(p, cp);
	return parse_letter(p, c);
}

/* Classes */

enum class_item { ITEM_CHAR, ITEM_SET, ITEM_NONE };

/* [:alpha:] inside a class; p->at is at its '['. Of the names only those that stand for few
 * characters say something. */
static void
take_posix(struct parser *p, struct class *c)
{
	static const char *const spaces[] = {"space", "blank"};
	size_t start, end;
	struct span name;

	p->at += 2;
	start = end = p->at;
	c->any = c->any || peek(p, 0) == '^';
	end += peek(p, 0) == '^';
	while (end < p->text.len && islower((unsigned char)p->text.data[end]))
		end++;
	name = (struct span){p->text.data + start, end - start};
	p->at = end;
	if (!looks_at(p, ":]")) {
		give_up(p);
		return;
	}
	p->at += 2;
	if (p->utf && span_eq(name, SPAN_LIT("digit")))
		c->set |= SYMBOLS_DIGIT;
	else if (p->utf && (span_eq(name, span_of(spaces[0])) || span_eq(name, span_of(spaces[1]))))
		c->set |= SYMBOLS_SPACE;
	else
		c->any = true;
}

static enum class_item
take_class_escape(struct parser *p, struct class *c, uint32_t *ret)
{
	char letter = peek(p, 1);

	p->at++;
	if (at_end(p))
		give_up(p);
	if (!isalnum((unsigned char)letter)) {
		*ret = regex_take_char(p);
		return ITEM_CHAR;
	}
	p->at++;
	if (take_char_escape(p, letter, ret))
		return ITEM_CHAR;
	if (letter == 'b') {
		*ret = '\b';
		return ITEM_CHAR;
	}
	if (letter == 'p' || letter == 'P')
		skip_property(p);
	else if (is_one_of(letter, "dshv") && p->utf)
		c->set |= letter_class(letter);
	else if (!is_one_of(letter, "dshvDSHVwW123456789"))
		give_up(p);
	c->any = c->any || !is_one_of(letter, "dshv") || !p->utf;
	return ITEM_SET;
}

/* One item. \Q and \E change what '-' means: with them the class is any character. */
static enum class_item
take_class_item(struct parser *p, struct class *c, uint32_t *ret)
{
	if (!p->quoted && peek(p, 0) == '[' && is_one_of(peek(p, 1), ":.=")) {
		take_posix(p, c);
		return ITEM_SET;
	}
	if (looks_at(p, "\\E") || (!p->quoted && looks_at(p, "\\Q"))) {
		p->quoted = peek(p, 1) == 'Q';
		p->at += 2;
		c->any = true;
		return ITEM_NONE;
	}
	if (!p->quoted && peek(p, 0) == '\\')
		return take_class_escape(p, c, ret);
	*ret = regex_take_char(p);
	return ITEM_CHAR;
}

/* An item, or two with a hyphen between. */
static void
take_class_range(struct parser *p, struct class *c)
{
	uint32_t first, last;

	if (take_class_item(p, c, &first) != ITEM_CHAR)
		return;
	class_add(p, c, first);
	if (peek(p, 0) != '-' || peek(p, 1) == ']' || p->quoted || p->at + 1 >= p->text.len)
		return;
	p->at++;
	if (take_class_item(p, c, &last) == ITEM_CHAR)
		class_add_range(p, c, first, last);
	else
		class_add(p, c, '-'); /* [a-\d]: a hyphen */
}

/* \E and \Q\E may stand before the '^', and before a ']' that is the first character. */
static bool
take_class_start(struct parser *p)
{
	bool negated = false;

	p->at++;
	for (;;) {
		if (looks_at(p, "\\E"))
			p->at += strlen("\\E");
		else if (looks_at(p, "\\Q\\E"))
			p->at += strlen("\\Q\\E");
		else if (!negated && peek(p, 0) == '^')
			negated = true, p->at++;
		else
			return negated;
	}
}

struct regex_node *
regex_parse_class(struct parser *p)
{
	struct class c = {0};
	bool first = true;

	if (looks_at(p, "[[:<:]]") || looks_at(p, "[[:>:]]")) { /* edges of words */
		p->at += strlen("[[:<:]]");
		return regex_new_node(p, REGEX_EMPTY);
	}
	c.any = take_class_start(p);
	for (; !at_end(p) && (first || p->quoted || peek(p, 0) != ']'); first = false)
		take_class_range(p, &c);
	if (at_end(p))
		give_up(p);
	p->at++;
	return class_node(p, &c);
}
