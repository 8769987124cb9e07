#include "gram/regex_parse.h"

#include <ctype.h>
#include <errno.h>

#include "text/codepoint.h"

/* A range of more characters than this is any character. */
#define RANGE_MAX 1024u
#define HEX_MAX_DIGITS 6u
#define OCTAL_MAX_DIGITS 8u

struct parser {
	struct span text;
	size_t at;
	bool utf;
	bool quoted;  /* between \Q and \E */
	bool unknown; /* nothing is known of the pattern */
	bool failed;  /* out of memory */
	unsigned depth;
	struct arena *arena;
	const struct symbols *symbols;
	struct regex_node spare; /* what a failure is written to */
};

/* What a class holds. */
struct class
{
	symbol_mask set;
	uint32_t n_pairs;
	uint16_t pair[REGEX_CLASS_MAX_PAIRS];
	bool any; /* more than can be said */
};

static struct regex_node *parse_alt(struct parser *p);

static bool
at_end(const struct parser *p)
{
	return p->at >= p->text.len;
}

static char
peek(const struct parser *p, size_t ahead)
{
	return p->at + ahead < p->text.len ? p->text.data[p->at + ahead] : '\0';
}

static bool
looks_at(const struct parser *p, const char *what)
{
	size_t at = MIN(p->at, p->text.len);

	return span_starts((struct span){p->text.data + at, p->text.len - at}, span_of(what));
}

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static void
give_up(struct parser *p)
{
	p->unknown = true;
	p->at = p->text.len;
}

/* Past the next `close`. */
static void
skip_past(struct parser *p, char close)
{
	const char *end =
		at_end(p) ? NULL : memchr(p->text.data + p->at, close, p->text.len - p->at);

	if (end)
		p->at = (size_t)(end - p->text.data) + 1;
	else
		give_up(p);
}

static struct regex_node *
new_node(struct parser *p, enum regex_kind kind)
{
	struct regex_node *node = ARENA_NEW(p->arena, struct regex_node);

	if (!node) {
		p->failed = true;
		give_up(p);
		p->spare = (struct regex_node){.kind = REGEX_ANY_TEXT};
		return &p->spare;
	}
	node->kind = kind;
	return node;
}

/* Characters */

static void
class_add(struct parser *p, struct class *c, uint32_t cp)
{
	uint8_t s[SYMBOL_MAX];
	uint16_t pair;

	if (cp >= 0x80 && !p->utf) {
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
	struct regex_node *node = new_node(p, c->any ? REGEX_ANY_TEXT : REGEX_CLASS);

	if (node->kind == REGEX_CLASS) {
		node->set = c->set;
		node->n_pairs = c->n_pairs;
		memcpy(node->pair, c->pair, sizeof(node->pair));
	}
	return node;
}

static struct regex_node *
char_node(struct parser *p, uint32_t cp)
{
	struct class c = {0};

	class_add(p, &c, cp);
	return class_node(p, &c);
}

/* The character at hand; a byte when the pattern is no UTF-8. */
static uint32_t
take_char(struct parser *p)
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

/* Up to `max` digits of a base. */
static uint32_t
take_number(struct parser *p, unsigned base, unsigned max)
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
	uint32_t value = take_number(p, base, max);

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
		*ret = take_number(p, 8, 2);
	} else if (c == 'o') {
		if (peek(p, 0) != '{')
			give_up(p);
		*ret = take_braced(p, 8, OCTAL_MAX_DIGITS);
	} else if (c == 'x') {
		*ret = peek(p, 0) == '{' ? take_braced(p, 16, HEX_MAX_DIGITS)
		                         : take_number(p, 16, 2);
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
		skip_past(p, '}');
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
		skip_past(p, closes[strchr(opens, open) - opens]);
	else
		give_up(p);
}

/* Behind \g: a back reference, or a call. */
static void
skip_reference(struct parser *p)
{
	if (peek(p, 0) == '{') {
		skip_past(p, '}');
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
		return new_node(p, REGEX_ANY_TEXT);
	if (is_one_of(c, "bBAzZGK"))
		return new_node(p, REGEX_EMPTY);
	if (c == 'p' || c == 'P')
		skip_property(p);
	else if (c == 'g')
		skip_reference(p);
	else if (c == 'k')
		skip_name(p);
	else if (!is_one_of(c, "123456789") || isdigit((unsigned char)peek(p, 0)))
		give_up(p); /* also \12: a back reference or octal */
	return new_node(p, REGEX_ANY_TEXT);
}

static struct regex_node *
parse_escape(struct parser *p)
{
	char c = peek(p, 1);
	uint32_t cp;

	p->at++;
	if (at_end(p))
		give_up(p);
	if (!isalnum((unsigned char)c))
		return char_node(p, take_char(p));
	p->at++;
	if (take_char_escape(p, c, &cp))
		return char_node(p, cp);
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
		*ret = take_char(p);
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
	*ret = take_char(p);
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

static struct regex_node *
parse_class(struct parser *p)
{
	struct class c = {0};
	bool first = true;

	if (looks_at(p, "[[:<:]]") || looks_at(p, "[[:>:]]")) { /* edges of words */
		p->at += strlen("[[:<:]]");
		return new_node(p, REGEX_EMPTY);
	}
	c.any = take_class_start(p);
	for (; !at_end(p) && (first || p->quoted || peek(p, 0) != ']'); first = false)
		take_class_range(p, &c);
	if (at_end(p))
		give_up(p);
	p->at++;
	return class_node(p, &c);
}

/* Groups */

/* Behind "(?" in front of options: true when they are those of a group. (?x) changes how the rest
 * is read, and letters that are not known may, too. */
static bool
take_options(struct parser *p)
{
	while (is_one_of(peek(p, 0), "imsnJU^-"))
		p->at++;
	if (!is_one_of(peek(p, 0), ":)"))
		give_up(p);
	return peek(p, 0) == ':';
}

/* What stands behind "(?": how far it is read, and what the group is. */
struct group_start {
	const char *text;
	enum { GROUP_PLAIN, GROUP_LOOK, GROUP_NOT, GROUP_NAMED } is;
};

static const struct group_start group_starts[] = {
	{":", GROUP_PLAIN},
	{">", GROUP_PLAIN},
	{"|", GROUP_PLAIN},
	{"=", GROUP_LOOK},
	{"*", GROUP_LOOK},
	{"<=", GROUP_LOOK},
	{"<*", GROUP_LOOK},
	{"!", GROUP_NOT},
	{"<!", GROUP_NOT},
	{"P<", GROUP_NAMED},
	{"<", GROUP_NAMED},
	{"'", GROUP_NAMED},
};

/* The rest of a group, up to its end. */
static struct regex_node *
parse_inside(struct parser *p)
{
	struct regex_node *node = parse_alt(p);

	if (peek(p, 0) != ')')
		give_up(p);
	p->at++;
	return node;
}

static struct regex_node *
parse_started(struct parser *p, const struct group_start *start)
{
	struct regex_node *inside, *look;

	p->at += strlen(start->text);
	if (start->is == GROUP_NAMED)
		skip_past(p, start->text[0] == '\'' ? '\'' : '>');
	inside = parse_inside(p);
	if (start->is == GROUP_NOT)
		return new_node(p, REGEX_EMPTY);
	if (start->is != GROUP_LOOK)
		return inside;
	look = new_node(p, REGEX_LOOK);
	if (look->kind == REGEX_LOOK)
		look->kid = inside;
	return look;
}

static struct regex_node *
parse_question(struct parser *p)
{
	if (looks_at(p, "P=")) {
		skip_past(p, ')');
		return new_node(p, REGEX_ANY_TEXT);
	}
	for (size_t i = 0; i < ARRAY_LEN(group_starts); i++) {
		if (looks_at(p, group_starts[i].text))
			return parse_started(p, &group_starts[i]);
	}
	if (isdigit((unsigned char)peek(p, 1))) /* (?-1) calls a group */
		give_up(p);
	if (take_options(p)) {
		p->at++;
		return parse_inside(p);
	}
	p->at++;
	return new_node(p, REGEX_EMPTY);
}

static struct regex_node *
parse_group(struct parser *p)
{
	struct regex_node *node;

	if (peek(p, 1) == '*' || p->depth == REGEX_MAX_DEPTH)
		give_up(p); /* a verb */
	p->at++;
	p->depth++;
	if (peek(p, 0) == '?') {
		p->at++;
		node = parse_question(p);
	} else {
		node = parse_inside(p);
	}
	p->depth--;
	return node;
}

/* Sequences */

/* Comments, \Q and \E are nothing: a quantifier behind them is that of what stands before. */
static void
skip_nothing(struct parser *p)
{
	for (;;) {
		if (looks_at(p, "\\E") || (!p->quoted && looks_at(p, "\\Q"))) {
			p->quoted = peek(p, 1) == 'Q';
			p->at += 2;
		} else if (!p->quoted && looks_at(p, "(?#")) {
			skip_past(p, ')');
		} else {
			return;
		}
	}
}

/* {2}, {2,}, {2,3}: false, and p->at where it was, when it is none. What newer versions take in
 * addition, {,3} and { 2 }, is not known. */
static bool
take_counts(struct parser *p, uint32_t *ret_min, uint32_t *ret_max)
{
	size_t start = p->at, end = start + 1;

	while (end < p->text.len &&
		(isdigit((unsigned char)p->text.data[end]) || is_one_of(p->text.data[end], ", \t")))
		end++;
	if (end == start + 1 || end >= p->text.len || p->text.data[end] != '}')
		return false;
	p->at++;
	*ret_min = *ret_max = take_number(p, 10, 5);
	if (p->at == start + 1)
		give_up(p);
	if (peek(p, 0) == ',') {
		p->at++;
		*ret_max = peek(p, 0) == '}' ? REGEX_UNBOUNDED : take_number(p, 10, 5);
	}
	if (p->at != end || *ret_min > *ret_max)
		give_up(p);
	p->at = p->unknown ? p->at : end + 1;
	return true;
}

static bool
take_quantifier(struct parser *p, uint32_t *ret_min, uint32_t *ret_max)
{
	char c = peek(p, 0);

	if (p->quoted)
		return false;
	if (c == '{') {
		if (!take_counts(p, ret_min, ret_max))
			return false;
	} else if (is_one_of(c, "*+?")) {
		*ret_min = c == '+';
		*ret_max = c == '?' ? 1 : REGEX_UNBOUNDED;
		p->at++;
	} else {
		return false;
	}
	if (is_one_of(peek(p, 0), "?+")) /* lazy, possessive */
		p->at++;
	return true;
}

static struct regex_node *
parse_atom(struct parser *p)
{
	char c = peek(p, 0);

	if (p->quoted)
		return char_node(p, take_char(p));
	switch (c) {
	case '\\':
		return parse_escape(p);
	case '[':
		return parse_class(p);
	case '(':
		return parse_group(p);
	case '.':
		p->at++;
		return new_node(p, REGEX_ANY_TEXT);
	case '^':
		p->at++;
		return new_node(p, REGEX_LINE_START);
	case '$':
		p->at++;
		return new_node(p, REGEX_LINE_END);
	case '*':
	case '+':
	case '?':
		give_up(p);
		return new_node(p, REGEX_ANY_TEXT);
	default:
		return char_node(p, take_char(p));
	}
}

static struct regex_node *
parse_item(struct parser *p)
{
	struct regex_node *node = parse_atom(p), *repeat;
	uint32_t min = 0, max = 0;

	skip_nothing(p);
	while (!p->unknown && take_quantifier(p, &min, &max)) {
		repeat = new_node(p, REGEX_REPEAT);
		if (repeat->kind != REGEX_REPEAT)
			break;
		*repeat = (struct regex_node){
			.kind = REGEX_REPEAT, .min = min, .max = max, .kid = node};
		node = repeat;
		skip_nothing(p);
	}
	return node;
}

static bool
ends_sequence(const struct parser *p)
{
	return at_end(p) || (!p->quoted && is_one_of(peek(p, 0), "|)"));
}

static struct regex_node *
parse_cat(struct parser *p)
{
	struct regex_node *cat = new_node(p, REGEX_CAT), **end = &cat->kid;

	skip_nothing(p);
	while (!p->unknown && !ends_sequence(p)) {
		*end = parse_item(p);
		end = &(*end)->next;
	}
	return cat;
}

static struct regex_node *
parse_alt(struct parser *p)
{
	struct regex_node *first = parse_cat(p), *alt, **end;

	if (p->unknown || peek(p, 0) != '|')
		return first;
	alt = new_node(p, REGEX_ALT);
	alt->kid = first;
	end = &first->next;
	while (!p->unknown && peek(p, 0) == '|') {
		p->at++;
		*end = parse_cat(p);
		end = &(*end)->next;
	}
	return alt;
}

int
regex_parse(struct span pattern, bool utf, struct arena *a, const struct regex_node **ret)
{
	struct parser p = {.text = pattern, .utf = utf, .arena = a, .symbols = symbols_get()};
	const struct regex_node *tree = parse_alt(&p);

	if (!p.unknown && !at_end(&p)) /* ')' */
		p.unknown = true;
	if (p.failed)
		return -ENOMEM;
	*ret = p.unknown ? NULL : tree;
	return 0;
}

/*
 * A byte that may begin a character, before one that cannot go on with it, is a character of no
 * text: it is one odd symbol wherever it stands. So words of Latin-1 are more than their ASCII.
 */
static bool
is_odd_byte(struct span text, size_t at)
{
	return (unsigned char)text.data[at] >= 0xc0 && at + 1 < text.len &&
	       ((unsigned char)text.data[at + 1] & 0xc0) != 0x80;
}

int
regex_of_literal(struct span text, bool utf, struct arena *a, const struct regex_node **ret)
{
	struct parser p = {.text = text, .utf = utf, .arena = a, .symbols = symbols_get()};
	struct regex_node *cat = new_node(&p, REGEX_CAT), **end = &cat->kid;

	while (!at_end(&p)) {
		if (!utf && is_odd_byte(text, p.at)) {
			*end = class_node(&p, &(struct class){.set = SYMBOL_BIT(SYMBOL_ODD)});
			p.at++;
		} else {
			*end = char_node(&p, take_char(&p));
		}
		end = &(*end)->next;
	}
	*ret = cat;
	return p.failed ? -ENOMEM : 0;
}
