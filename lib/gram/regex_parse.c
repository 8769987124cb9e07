#include "gram/regex_parse.h"

#include <ctype.h>
#include <errno.h>

#include "gram/regex_parser.h"
#include "text/codepoint.h"

static struct regex_node *parse_alt(struct parser *p);

void
regex_skip_past(struct parser *p, char close)
{
	const char *end =
		at_end(p) ? NULL : memchr(p->text.data + p->at, close, p->text.len - p->at);

	if (end)
		p->at = (size_t)(end - p->text.data) + 1;
	else
		give_up(p);
}

struct regex_node *
regex_new_node(struct parser *p, enum regex_kind kind)
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
		regex_skip_past(p, start->text[0] == '\'' ? '\'' : '>');
	inside = parse_inside(p);
	if (start->is == GROUP_NOT)
		return regex_new_node(p, REGEX_EMPTY);
	if (start->is != GROUP_LOOK)
		return inside;
	look = regex_new_node(p, REGEX_LOOK);
	if (look->kind == REGEX_LOOK)
		look->kid = inside;
	return look;
}

static struct regex_node *
parse_question(struct parser *p)
{
	if (looks_at(p, "P=")) {
		regex_skip_past(p, ')');
		return regex_new_node(p, REGEX_ANY_TEXT);
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
	return regex_new_node(p, REGEX_EMPTY);
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
			regex_skip_past(p, ')');
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
	*ret_min = *ret_max = regex_take_number(p, 10, 5);
	if (p->at == start + 1)
		give_up(p);
	if (peek(p, 0) == ',') {
		p->at++;
		*ret_max = peek(p, 0) == '}' ? REGEX_UNBOUNDED : regex_take_number(p, 10, 5);
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
		return regex_char_node(p, regex_take_char(p));
	switch (c) {
	case '\\':
		return regex_parse_escape(p);
	case '[':
		return regex_parse_class(p);
	case '(':
		return parse_group(p);
	case '.':
		p->at++;
		return regex_new_node(p, REGEX_ANY_TEXT);
	case '^':
		p->at++;
		return regex_new_node(p, REGEX_LINE_START);
	case '$':
		p->at++;
		return regex_new_node(p, REGEX_LINE_END);
	case '*':
	case '+':
	case '?':
		give_up(p);
		return regex_new_node(p, REGEX_ANY_TEXT);
	default:
		return regex_char_node(p, regex_take_char(p));
	}
}

static struct regex_node *
parse_item(struct parser *p)
{
	struct regex_node *node = parse_atom(p), *repeat;
	uint32_t min = 0, max = 0;

	skip_nothing(p);
	while (!p->unknown && take_quantifier(p, &min, &max)) {
		repeat = regex_new_node(p, REGEX_REPEAT);
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
	struct regex_node *cat = regex_new_node(p, REGEX_CAT), **end = &cat->kid;

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
	alt = regex_new_node(p, REGEX_ALT);
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
	struct regex_node *cat = regex_new_node(&p, REGEX_CAT), **end = &cat->kid;

	while (!at_end(&p)) {
		bool odd = !utf && is_odd_byte(text, p.at);

		*end = regex_char_node(&p, (odd ? CODEPOINT_BYTE : 0) | regex_take_char(&p));
		end = &(*end)->next;
	}
	*ret = cat;
	return p.failed ? -ENOMEM : 0;
}
