/*
 * Patterns and texts that match them, made together from one grammar, changed a little, and held
 * against PCRE2: a text with a match must satisfy the pattern's query.
 */
#include "roll.h"
#include "test.h"

#include <stdio.h>

#include "gram/regex_grams.h"
#include "text/codepoint.h"

#define MAX_DEPTH 4u
#define TEXTS_A_PATTERN 20u
#define TEXT_MAX_BYTES 400u

#define PICK(array) ((array)[roll(ARRAY_LEN(array))])

/* A pattern, and a text that it matches if nothing around it says otherwise. */
struct pair {
	struct strbuf pattern, text;
	bool multi; /* the pattern's matches may span lines */
	bool fold, bytes;
	unsigned n_names;
};

static void roll_alt(struct pair *p, unsigned depth);

static void
puts_both(struct pair *p, const char *pattern, const char *text)
{
	CHECK_INT(strbuf_puts(&p->pattern, pattern), 0);
	CHECK_INT(strbuf_puts(&p->text, text), 0);
}

static void
put_char(struct strbuf *b, uint32_t cp)
{
	char bytes[4];

	CHECK_INT(strbuf_add(b, bytes, codepoint_encode(cp, bytes)), 0);
}

/* Few letters, so that they meet; those with partners that differ in length; other scripts. */
static uint32_t
roll_cp(void)
{
	static const uint32_t wide[] = {0xe9, 0xc9, 0x212a, 0x17f, 0xdf, 0x1e9e, 0x3c3, 0x3c2,
		0x3a3, 0x1c5, 0x130, 0x131, 0x4e2d, 0x6587, 0xd55c, 0x3042, 0x1f600, 0x20000, 0x663,
		0xa0, 0x3000, 0x2028, 0x85, 0x10428, 0x345, 0x23a, 0x2c65, 0xb5, 0x3bc, 0x2126};
	static const char plain[] = "aabbcckKsSeExyz0199  __-.,(){}[]*+?|^$\\/#<>=!\"'&:;\t\r\v";

	return roll(8) == 0 ? PICK(wide) : (unsigned char)plain[roll(sizeof(plain) - 1)];
}

/* The same character, or one that is equal without case. */
static uint32_t
roll_partner(const struct pair *p, uint32_t cp)
{
	uint32_t others[FOLD_MAX_OTHERS], folded = fold_codepoint(cp);
	size_t n;

	if (!p->fold || roll(2))
		return cp;
	n = fold_others(folded, others);
	return n == 0 || roll(2) ? folded : others[roll((uint32_t)n)];
}

static void
put_escaped(struct strbuf *b, uint32_t cp, bool in_class)
{
	char text[32];

	if (cp >= 0x80 || !strchr(in_class ? "]\\^-[" : "\\^$.[|()*+?{", (int)cp)) {
		put_char(b, cp);
		return;
	}
	(void)snprintf(text, sizeof(text), "\\%c", (int)cp);
	CHECK_INT(strbuf_puts(b, text), 0);
}

static void
roll_char(struct pair *p)
{
	static const char *const forms[] = {"\\x{%x}", "\\o{%o}", "\\x{00%X}"};
	uint32_t cp = roll_cp();
	char text[32];

	put_char(&p->text, roll_partner(p, cp));
	if (roll(10) || p->bytes) {
		put_escaped(&p->pattern, cp, false);
		return;
	}
	if (roll(4) == 0 && cp >= 0x20) {
		CHECK_INT(strbuf_puts(&p->pattern, "\\Q"), 0);
		put_char(&p->pattern, cp == '\\' ? 'a' : cp);
		CHECK_INT(strbuf_puts(&p->pattern, "\\E"), 0);
		return;
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text, sizeof(text), PICK(forms), cp);
#pragma GCC diagnostic pop
	CHECK_INT(strbuf_puts(&p->pattern, text), 0);
}

static void
roll_word(struct pair *p)
{
	static const char *const words[] = {"memory", "order", "kernel", "sky", "ask", "int", "foo",
		"bar", "the ", "x_y", "->", "abc", "bc", "ka"};
	const char *word = PICK(words);

	CHECK_INT(strbuf_puts(&p->pattern, word), 0);
	for (; *word; word++)
		put_char(&p->text, roll_partner(p, (unsigned char)*word));
}

/* A raw byte: the pattern is then no UTF-8. */
static void
roll_byte(struct pair *p)
{
	char byte = (char)(0x80 + roll(128));

	CHECK_INT(strbuf_putc(&p->pattern, byte), 0);
	CHECK_INT(strbuf_putc(&p->text, byte), 0);
}

/* What may stand in a class, and a character of it. */
static void
roll_class_item(struct strbuf *pattern, uint32_t *ret_cp)
{
	static const struct {
		const char *text;
		uint32_t cp;
	} sets[] = {{"\\d", '7'}, {"\\s", 0x2028}, {"\\w", 0x4e2d}, {"[:alpha:]", 'k'},
		{"[:digit:]", 0x663}, {"[:space:]", '\t'}, {"[:^upper:]", '-'}, {"\\p{L}", 's'},
		{"\\h", 0x3000}, {"\\W", '-'}, {"\\Qx-\\E", '-'}, {"\\x41-\\x{43}", 'B'},
		{"\\b", '\b'}, {"\\n", '\n'}, {"\\101", 'A'}, {"+--", ','}, {"[:punct:]", '!'},
		{"[:blank:]", 0xa0}, {"\\E", 'x'}, {"\\t-\\r", '\v'}, {"\\Q]\\E", ']'},
		{"\\N{U+212A}", 'k'}, {"\\x{4e00}-\\x{4e2d}", 0x4e01}, {"a-\\d", '-'}};
	uint32_t first = roll_cp(), n = 1 + (roll(3) ? 0 : roll(6));
	uint32_t which = roll(2 * ARRAY_LEN(sets));

	if (which < ARRAY_LEN(sets)) {
		CHECK_INT(strbuf_puts(pattern, sets[which].text), 0);
		*ret_cp = sets[which].cp;
		return;
	}
	put_escaped(pattern, first, true);
	if (n > 1) {
		CHECK_INT(strbuf_putc(pattern, '-'), 0);
		put_escaped(pattern, first + n - 1, true);
	}
	*ret_cp = first + roll(n);
}

static void
roll_class(struct pair *p)
{
	static const char *const opens[] = {
		"[", "[", "[", "[", "[]", "[^", "[^]", "[\\E", "[\\E]", "[\\Q\\E^", "[\\E^\\E]"};
	uint32_t n = 1 + roll(4), chosen = roll(n), cp;

	CHECK_INT(strbuf_puts(&p->pattern, PICK(opens)), 0);
	for (uint32_t i = 0; i < n; i++) {
		roll_class_item(&p->pattern, &cp);
		if (i == chosen)
			put_char(&p->text, roll_partner(p, roll(8) ? cp : roll_cp()));
	}
	CHECK_INT(strbuf_putc(&p->pattern, ']'), 0);
}

static void
roll_escape(struct pair *p)
{
	static const char *const both[][2] = {{"\\d", "7"}, {"\\d", "\xd9\xa3"}, {"\\D", "x"},
		{"\\s", " "}, {"\\s", "\xc2\xa0"}, {"\\s", "\t"}, {"\\S", "k"}, {"\\w", "s"},
		{"\\w", "\xe4\xb8\xad"}, {"\\W", "-"}, {"\\h", "\t"}, {"\\H", "b"}, {"\\v", "\v"},
		{"\\V", "b"}, {"\\R", "\r"}, {"\\X", "e\xcc\x81"}, {".", "q"},
		{".", "\xe4\xb8\xad"}, {"\\N", "q"}, {"\\pL", "a"}, {"\\p{Lu}", "K"},
		{"\\P{Lu}", "k"}, {"\\p{^L}", "1"}, {"\\t", "\t"}, {"\\e", "\x1b"},
		{"\\cA", "\x01"}, {"\\x41", "A"}, {"\\061", "1"}, {"\\N{U+212A}", "\xe2\x84\xaa"},
		{"\\r", "\r"}, {"\\xe9", "\xc3\xa9"}};
	const char *const *one = PICK(both);

	puts_both(p, one[0], one[1]);
}

static void
roll_anchor(struct pair *p)
{
	static const char *const both[][2] = {{"^", "\n"}, {"^", ""}, {"$", ""}, {"$", "\n"},
		{"\\b", ""}, {"\\B", ""}, {"\\A", ""}, {"\\z", ""}, {"\\Z", ""}, {"\\G", ""},
		{"\\K", ""}, {"(?#a)b)", ""}, {"(?#c)", ""}, {"\\Q\\E", ""}, {"\\E", ""},
		{"(?i)", ""}, {"(?-i)", ""}, {"(?s)", ""}, {"(?-m)", ""}, {"(?m)", ""},
		{"(?U)", ""}, {"(?^)", ""}, {"(?!q)", ""}, {"(?<!q)", ""}, {"[[:<:]]", ""},
		{"[[:>:]]", ""}, {"()", ""}};
	const char *const *one = PICK(both);

	puts_both(p, one[0], one[1]);
}

/* What makes the whole pattern unknown, mostly; and what is rare. */
static void
roll_odd(struct pair *p)
{
	static const char *const both[][2] = {{"(*ACCEPT)", ""}, {"(*SKIP)", ""},
		{"(?x) a b ", "ab"}, {"(?R)?", ""}, {"(a)(?1)", "aa"}, {"(a)?(?(1)b|c)", "ab"},
		{"(?C1)", ""}, {"(?|(a)|(b))", "b"}, {"(*pla:a)", "a"}, {"(?&n)", ""},
		{"(a)\\1", "aa"}, {"(b)\\g{-1}", "bb"}, {"(c)\\g-1", "cc"}, {"(?<q>c)\\g<q>", "cc"},
		{"(?P<z>c)(?P=z)", "cc"}, {"(?'y'k)\\k'y'", "kk"}, {"{,3}", "{,3}"}, {"{", "{"},
		{"a{ 1 }", "a{ 1 }"}, {"(*F)?", ""}, {"|", ""}};
	const char *const *one = PICK(both);

	puts_both(p, one[0], one[1]);
}

static void
roll_look(struct pair *p, unsigned depth)
{
	static const char *const behind[][2] = {
		{"(?<=ab)", "ab"}, {"(?<=a|bc)", "bc"}, {"(?<=^x)", "\nx"}, {"(?<=[ks])", "K"}};
	size_t pattern_at, text_at;
	const char *const *one = PICK(behind);

	if (roll(2)) { /* behind what makes it true */
		CHECK_INT(strbuf_puts(&p->text, one[1]), 0);
		CHECK_INT(strbuf_puts(&p->pattern, roll(2) ? "\\w*" : ".*"), 0);
		CHECK_INT(strbuf_puts(&p->pattern, one[0]), 0);
		return;
	}
	CHECK_INT(strbuf_puts(&p->pattern, "(?="), 0);
	pattern_at = p->pattern.len;
	text_at = p->text.len;
	roll_alt(p, depth);
	CHECK_INT(strbuf_putc(&p->pattern, ')'), 0);
	if (roll(2)) { /* and taken, too */
		struct strbuf again = {0};

		CHECK_INT(strbuf_add(&again, p->pattern.data + pattern_at,
				  p->pattern.len - pattern_at - 1),
			0);
		CHECK_INT(strbuf_span(&p->pattern, strbuf_view(&again)), 0);
		strbuf_fini(&again);
	} else if (roll(2)) {
		strbuf_truncate(&p->text, text_at);
	}
}

static void
roll_group(struct pair *p, unsigned depth)
{
	static const char *const opens[] = {
		"(", "(?:", "(?>", "(?i:", "(?s-i:", "(?|", "(?m:", "(?-s:"};
	size_t text_at = p->text.len;
	char name[32];

	if (roll(6) == 0) {
		(void)snprintf(name, sizeof(name), "(?<n%u>", p->n_names);
		CHECK_INT(strbuf_puts(&p->pattern, name), 0);
		roll_alt(p, depth);
		(void)snprintf(name, sizeof(name), ")\\k<n%u>", p->n_names++);
		CHECK_INT(strbuf_puts(&p->pattern, name), 0);
		CHECK_INT(strbuf_reserve(&p->text, p->text.len - text_at), 0);
		CHECK_INT(strbuf_add(&p->text, p->text.data + text_at, p->text.len - text_at), 0);
		return;
	}
	CHECK_INT(strbuf_puts(&p->pattern, PICK(opens)), 0);
	roll_alt(p, depth);
	CHECK_INT(strbuf_putc(&p->pattern, ')'), 0);
}

/* What takes a line feed, where matches may span lines. */
static void
roll_newline(struct pair *p)
{
	static const char *const both[][2] = {{"\\n", "\n"}, {"\n", "\n"}, {"\\s", "\n"},
		{"[^a]", "\n"}, {"\\R", "\r\n"}, {"\\v", "\n"}, {"\\W", "\n"}, {"(?s:.)", "\n"},
		{"\\x0a", "\n"}, {"\\012", "\n"}, {"\\cJ", "\n"}, {"$\\n", "\n"}, {"\\n^", "\n"},
		{"$\\s^", "\n"}, {"[\\n ]", "\n"}, {"[\\s;]+", "\n \n"}, {"[[:space:]]", "\n"},
		{"[[:cntrl:]]", "\n"}, {"[\\t-\\r]", "\n"}, {"\\s*", "\n\n"}, {"\\n*", ""},
		{"(?=\\n)", "\n"}, {"(?<=\\n)", "\n"}, {"\\n\\Z", "\n"}, {"\\D", "\n"},
		{".", "\n"}};
	const char *const *one = PICK(both);

	puts_both(p, one[0], one[1]);
}

static void
roll_atom(struct pair *p, unsigned depth)
{
	uint32_t kind = roll(40);

	if (p->multi && roll(6) == 0) {
		roll_newline(p);
		return;
	}
	if (kind < 12)
		roll_char(p);
	else if (kind < 18)
		roll_word(p);
	else if (kind < 22)
		roll_class(p);
	else if (kind < 26)
		roll_escape(p);
	else if (kind < 29)
		roll_anchor(p);
	else if (kind == 29)
		roll(3) ? roll_char(p) : roll_odd(p);
	else if (kind == 30 && p->bytes)
		roll_byte(p);
	else if (depth == 0)
		roll_char(p);
	else if (kind < 33)
		roll_look(p, depth - 1);
	else
		roll_group(p, depth - 1);
}

/* An atom, perhaps with a quantifier: the text has the atom's so many times. */
static void
roll_item(struct pair *p, unsigned depth)
{
	static const struct {
		const char *text;
		unsigned min, max;
	} counts[] = {{"*", 0, 4}, {"+", 1, 5}, {"?", 0, 1}, {"{2}", 2, 2}, {"{0}", 0, 0},
		{"{1,3}", 1, 3}, {"{2,}", 2, 5}, {"{0,2}", 0, 2}, {"{7}", 7, 7}, {"(?#c)+", 1, 2},
		{"\\E*", 0, 2}};
	static const char *const kinds[] = {"", "", "?", "+"};
	size_t at = p->text.len, len;
	unsigned which = roll(ARRAY_LEN(counts)), times;

	roll_atom(p, depth);
	if (roll(3))
		return;
	len = p->text.len - at;
	times = counts[which].min + roll(counts[which].max - counts[which].min + 1);
	CHECK_INT(strbuf_puts(&p->pattern, counts[which].text), 0);
	CHECK_INT(strbuf_puts(&p->pattern, PICK(kinds)), 0);
	if (times == 0)
		strbuf_truncate(&p->text, at);
	for (; times > 1 && p->text.len + len < TEXT_MAX_BYTES; times--) {
		CHECK_INT(strbuf_reserve(&p->text, len), 0);
		CHECK_INT(strbuf_add(&p->text, p->text.data + at, len), 0);
	}
}

static void
roll_cat(struct pair *p, unsigned depth)
{
	for (uint32_t n = roll(5) + (depth == MAX_DEPTH); n > 0; n--)
		roll_item(p, depth);
}

/* The text is that of one alternative. */
static void
roll_alt(struct pair *p, unsigned depth)
{
	uint32_t n = roll(3) ? 1 : 1 + roll(3), chosen = roll(n);

	for (uint32_t i = 0; i < n; i++) {
		size_t at = p->text.len;

		if (i > 0)
			CHECK_INT(strbuf_putc(&p->pattern, '|'), 0);
		roll_cat(p, depth);
		if (i != chosen)
			strbuf_truncate(&p->text, at);
	}
}

static void
roll_around(struct strbuf *out)
{
	static const char *const some[] = {"\n", "\r\n", "\xff", "\xe4", "\xc3", " ", "x", "ab",
		"\n\n", "\xe4\xb8", "k", "int ", "\xf0\x9f\x98\x80", "\xa9"};

	for (uint32_t n = roll(4); n > 0; n--) {
		if (roll(2))
			CHECK_INT(strbuf_puts(out, PICK(some)), 0);
		else
			put_char(out, roll_cp());
	}
}

/* The text with something around it, and sometimes a byte or a character changed. */
static void
roll_text(const struct pair *p, struct strbuf *out)
{
	strbuf_reset(out);
	roll_around(out);
	for (size_t i = 0; i < p->text.len; i++) {
		uint32_t change = roll(6) ? UINT32_MAX : roll((uint32_t)(4 * p->text.len));
		char c = p->text.data[i];

		if (change == 0)
			continue;
		if (change == 1)
			roll_around(out);
		if (change == 2 && ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
			c ^= 0x20;
		CHECK_INT(strbuf_putc(out, c), 0);
	}
	roll_around(out);
	for (size_t i = 0; i < out->len; i++) {
		if (out->data[i] == '\0')
			out->data[i] = 'a';
	}
}

static int
gram_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

struct judge {
	struct gram_maker *maker[GRAM_MAX + 1];
	unsigned long n_pairs, n_matched, n_any, n_queries, n_refused;
};

static bool
satisfies(struct judge *j, const struct gram_query *q, struct span text)
{
	static uint32_t sorted[4096];
	const uint32_t *grams;
	size_t n;

	CHECK_INT(gram_maker_add(j->maker[q->n], text), 0);
	CHECK_INT(gram_maker_end(j->maker[q->n], &grams, &n), 0);
	CHECK(n <= ARRAY_LEN(sorted));
	if (n > 0)
		memcpy(sorted, grams, n * sizeof(*grams));
	qsort(sorted, n, sizeof(*sorted), gram_cmp);
	return gram_query_holds(q->root, sorted, n);
}

static void
check_text(struct judge *j, struct matcher *m, const struct gram_query *q, const struct pair *p,
	enum pattern_flags flags, struct span text)
{
	struct match match;
	bool matches = matcher_find(m, text, 0, &match) == 1;

	j->n_pairs++;
	j->n_matched += matches;
	for (unsigned i = 0; i < 2; i++) {
		struct strbuf said = {0};

		if (satisfies(j, &q[i], text))
			continue;
		j->n_refused++;
		if (!matches)
			continue;
		(void)gram_query_print(&q[i], q[i].root, &said);
		CHECK_SAY(false, "flags %x: \"%s\" matches \"%.*s\" at %zu, without %s", flags,
			p->pattern.data, (int)text.len, text.data, match.start, said.data);
	}
}

static void
check_pair(struct judge *j, const struct pair *p, enum pattern_flags flags)
{
	struct gram_query q[2];
	struct pattern *pattern;
	struct strbuf text = {0};
	struct matcher *m;

	if (pattern_create(strbuf_view(&p->pattern), flags, &pattern, NULL) < 0)
		return;
	CHECK_INT(matcher_create(pattern, &m), 0);
	for (unsigned i = 0; i < 2; i++) {
		gram_query_init(&q[i], GRAM_MIN + i);
		CHECK_INT(grams_of_pattern(strbuf_view(&p->pattern), flags, &q[i]), 0);
		j->n_any += q[i].root->op == GRAM_ANY;
		j->n_queries++;
	}
	for (unsigned i = 0; i < TEXTS_A_PATTERN; i++) {
		roll_text(p, &text);
		text.len = MIN(text.len, TEXT_MAX_BYTES);
		check_text(j, m, q, p, flags, strbuf_view(&text));
	}
	gram_query_fini(&q[0]);
	gram_query_fini(&q[1]);
	matcher_destroy(m);
	pattern_destroy(pattern);
	strbuf_fini(&text);
}

static void
judge_begin(struct judge *j)
{
	*j = (struct judge){0};
	for (unsigned i = GRAM_MIN; i <= GRAM_MAX; i++)
		CHECK_INT(gram_maker_create(i, &j->maker[i]), 0);
}

static void
judge_end(struct judge *j)
{
	(void)printf("%lu pairs, %lu match; %lu queries, %lu ANY; %lu refused\n", j->n_pairs,
		j->n_matched, j->n_queries, j->n_any, j->n_refused);
	for (unsigned i = GRAM_MIN; i <= GRAM_MAX; i++)
		gram_maker_destroy(j->maker[i]);
}

TEST(regex_grams, a_text_that_matches_satisfies_the_query)
{
	static const enum pattern_flags more[] = {0, 0, 0, PATTERN_WORD, PATTERN_LINE,
		PATTERN_SMART, PATTERN_MULTI, PATTERN_MULTI | PATTERN_DOTALL,
		PATTERN_MULTI | PATTERN_LINE, PATTERN_MULTI | PATTERN_WORD | PATTERN_DOTALL};
	unsigned long n = test_scale(600000);
	struct judge j;
	struct pair p = {0};

	judge_begin(&j);
	for (unsigned long i = 0; i < n; i++) {
		unsigned flags;

		seed = (i + 1) * 0x9e3779b97f4a7c15u;
		flags = PICK(more) | (roll(10) ? PATTERN_REGEX : 0u);
		strbuf_reset(&p.pattern);
		strbuf_reset(&p.text);
		p.fold = roll(2);
		p.bytes = roll(8) == 0;
		p.multi = flags & PATTERN_MULTI;
		p.n_names = 0;
		roll_alt(&p, MAX_DEPTH);
		if (!(flags & PATTERN_REGEX)) { /* the text itself is searched for */
			strbuf_reset(&p.pattern);
			CHECK_INT(strbuf_span(&p.pattern, strbuf_view(&p.text)), 0);
		}
		check_pair(&j, &p, (enum pattern_flags)(flags | (p.fold ? PATTERN_FOLD : 0u)));
	}
	/* It says something about many patterns, and much about the texts. */
	CHECK(j.n_matched > j.n_pairs / 4 && j.n_any < j.n_queries * 3 / 4);
	CHECK(j.n_refused > (j.n_pairs - j.n_matched) / 4);
	judge_end(&j);
	strbuf_fini(&p.pattern);
	strbuf_fini(&p.text);
}

/* Any order of what patterns are made of: most of it no grammar would write. */
TEST(regex_grams, so_does_one_that_matches_a_heap_of_tokens)
{
	static const char *const tokens[] = {"a", "b", "k", "S", "abc", "\\.", "(?:abc)", "(ab|cd)",
		"(", ")", "(", ")", "[ab]", "[^a]", "[$]", "[", "]", "^", "$", ".", "*", "+", "?",
		"{0,2}", "{2}", "{", "}", "|", "\\Qa.b\\E", "\\Q", "\\E", "\xc3\xa9", "\xc3\x89",
		"\\b", "(?i)", "(?x)", "(?-m)", "(*ACCEPT)", "(?=a)", "(?<!b)", "\\d", "\\w", "\\s",
		"++", "*?", "(?#x)", "#", " ", "\\x61", "\\o{61}", "\\K", "\\A", "\\z", "\\Z",
		"(?<n>a)", "(?1)", "\\1", "(?(1)a|b)", "(?|a|b)", "\\R", "\\X", "[:alpha:]",
		"\\p{L}", "\\N", "(?-i)", "(?s:.)", "(?>a+)", "\n", "\xff", "-", "^", "\\", "1",
		",", "(?>", "(?=", "(?<=", "(?!"};
	static const char *const pieces[] = {"a", "b", "k", "K", "s", "S", "abc", "aXb", "a.b", ".",
		"cd", "\xc3\xa9", "\xc3\x89", "\xe2\x84\xaa", "\xc5\xbf", "1", "\n", "#", " ", "{",
		"$", "\xff", "-", "]", "\\", "2", "61", "x", "ab"};
	struct judge j;
	struct pair p = {0};

	judge_begin(&j);
	for (unsigned long i = 0, n = test_scale(1000000); i < n; i++) {
		unsigned flags;

		seed = (i + 1) * 0x2545f4914f6cdd1du;
		flags = PATTERN_REGEX | (roll(2) ? PATTERN_FOLD : 0u) |
		        (roll(6) ? 0u : PATTERN_LINE) | (roll(3) ? 0u : PATTERN_MULTI) |
		        (roll(6) ? 0u : PATTERN_DOTALL);
		strbuf_reset(&p.pattern);
		strbuf_reset(&p.text);
		for (uint32_t k = 1 + roll(roll(4) ? 6 : 14); k > 0; k--)
			CHECK_INT(strbuf_puts(&p.pattern, PICK(tokens)), 0);
		for (uint32_t k = roll(10); k > 0; k--)
			CHECK_INT(strbuf_puts(&p.text, PICK(pieces)), 0);
		check_pair(&j, &p, (enum pattern_flags)flags);
	}
	CHECK(j.n_matched > j.n_pairs / 8 && j.n_refused > j.n_pairs / 8);
	judge_end(&j);
	strbuf_fini(&p.pattern);
	strbuf_fini(&p.text);
}
