#include "roll.h"
#include "test.h"

#include "text/fold.h"
#include "text/pattern.h"
#include "text/regex.h"

static const char *const tokens[] = {"a", "b", "k", "S", "ab", "a.b", "\\.", "/", "\\/", "(?:ab)",
	"(a|b)", "(", ")", "[ab]", "[^a]", "[$]", "^", "$", ".", "*", "+", "?", "{0,2}", "{2}", "{",
	"|", "\\Qa.b\\E", "\\Qa", "\\E", "\xc3\xa9", "\xc3\x89", "\\b", "(?i)", "(?x)", "(?m)",
	"(*ACCEPT)", "(?=a)", "(?<!b)", "\\d", "\\w", "++", "*?", "(?#x)", "#", " ", "\\x61",
	"\\o{61}", "\\K", "\\A", "\\z", "\\Z", "(?<n>a)", "(?1)", "\\1", "(?(1)a|b)", "(?|a|b)",
	"\\R", "\\X", "[[:alpha:]]", "\\p{L}", "\\N", "(?-i)", "(?s:.)", "(?>a+)", "\n", "\xff",
	"(abk|kab)", "(?:aab|a\\.b|kkS)", "(?<m>abab|bab)", "(aab|b\\Qa.b\\E)"};
static const char *const pieces_of_text[] = {"a", "b", "k", "K", "s", "S", "ab", "aXb", "a.b", ".",
	"/", "\xc3\xa9", "\xc3\x89", "\xe2\x84\xaa", "\xc5\xbf", "1", "\n", "#", " ", "{", "$",
	"\xff"};

static void
roll_of(struct strbuf *out, const char *const *from, size_t n_from, uint32_t max)
{
	strbuf_reset(out);
	for (uint32_t n = 1 + roll(max); n > 0; n--)
		CHECK_INT(strbuf_puts(out, from[roll((uint32_t)n_from)]), 0);
}

static bool
stands_where_it_must(const struct pattern_piece *p, bool fold, struct span text)
{
	struct needle needle;
	size_t len;
	ssize_t at;
	bool found = false;

	CHECK_INT(needle_init(&needle, p->text, fold), 0);
	for (size_t from = 0; (at = needle_find(&needle, text, from, &len)) >= 0;
		from = (size_t)at + 1) {
		found = found ||
		        ((!p->starts || at == 0) && (!p->ends || (size_t)at + len == text.len));
	}
	needle_fini(&needle);
	return found;
}

static void
check_pieces(const struct pattern *p, struct matcher *m, const char *source, struct span text)
{
	const struct pattern_piece *piece;
	struct match match;
	bool fold;
	uint32_t n = pattern_pieces(p, &piece, &fold);

	if (matcher_find(m, text, 0, &match) != 1)
		return;
	for (uint32_t i = 0; i < n; i++)
		CHECK_SAY(stands_where_it_must(&piece[i], fold, text),
			"\"%s\" matches \"%.*s\" without \"%.*s\"", source, (int)text.len,
			text.data, (int)piece[i].text.len, piece[i].text.data);
}

TEST(regex, each_match_of_a_random_expression_holds_its_pieces)
{
	static const enum pattern_flags folds[] = {0, PATTERN_FOLD, PATTERN_SMART};
	unsigned long n = test_scale(2000000), n_compiled = 0, n_with = 0;
	struct strbuf source = {0}, text = {0};

	for (unsigned long i = 0; i < n; i++) {
		const struct pattern_piece *piece;
		struct pattern *p;
		struct matcher *m;
		bool fold;

		seed = i * 0x9e3779b97f4a7c15ull + 1;
		roll_of(&source, tokens, ARRAY_LEN(tokens), roll(4) ? 5 : 12);
		if (pattern_create(strbuf_view(&source),
			    PATTERN_REGEX | PATTERN_PATH | folds[roll(3)], &p, NULL) < 0)
			continue;
		CHECK_INT(matcher_create(p, &m), 0);
		n_compiled++;
		n_with += pattern_pieces(p, &piece, &fold) > 0;
		for (unsigned k = 0; k < 30; k++) {
			roll_of(&text, pieces_of_text, ARRAY_LEN(pieces_of_text), 8);
			check_pieces(p, m, source.data, strbuf_view(&text));
		}
		matcher_destroy(m);
		pattern_destroy(p);
	}
	/* It says something about many, and not about everything. */
	CHECK(n_with > n_compiled / 8 && n_with < n_compiled);
	strbuf_fini(&source);
	strbuf_fini(&text);
}

static void
check_said(const char *source, const char *wanted)
{
	struct strbuf said = {0};
	const struct pattern_piece *piece;
	struct pattern *p;
	bool fold;
	uint32_t n;

	CHECK_INT(pattern_create(span_of(source), PATTERN_REGEX | PATTERN_PATH, &p, NULL), 0);
	n = pattern_pieces(p, &piece, &fold);
	for (uint32_t i = 0; i < n; i++) {
		CHECK_INT(strbuf_puts(&said, i ? " " : ""), 0);
		CHECK_INT(strbuf_puts(&said, piece[i].starts ? "^" : ""), 0);
		CHECK_INT(strbuf_span(&said, piece[i].text), 0);
		CHECK_INT(strbuf_puts(&said, piece[i].ends ? "$" : ""), 0);
	}
	CHECK_SAY(strcmp(said.data ? said.data : "", wanted) == 0, "%s says \"%s\", not \"%s\"",
		source, said.data, wanted);
	strbuf_fini(&said);
	pattern_destroy(p);
}

static bool
holds_a_choice(const struct regex_facts *f, struct span text)
{
	for (size_t i = 0, at = 0; i < f->choice_ends.len; at = f->choice_ends.data[i++]) {
		size_t len = f->choice_ends.data[i] - at;

		if (text.len >= len && memmem(text.data, text.len, f->choice_text.data + at, len))
			return true;
	}
	return f->choice_ends.len == 0;
}

TEST(regex, each_match_of_a_random_expression_holds_one_of_its_choices)
{
	unsigned long n = test_scale(400000), n_compiled = 0, n_held = 0;
	struct strbuf source = {0}, text = {0};

	for (unsigned long i = 0; i < n; i++) {
		struct regex_facts facts;
		struct pattern *p;
		struct matcher *m;

		seed = i * 0x9e3779b97f4a7c15ull + 7;
		roll_of(&source, tokens, ARRAY_LEN(tokens), roll(4) ? 3 : 9);
		(void)strbuf_puts(&source, tokens[ARRAY_LEN(tokens) - 1 - roll(4)]);
		roll_of(&text, tokens, ARRAY_LEN(tokens), 3);
		(void)strbuf_span(&source, strbuf_view(&text));
		/* PATTERN_PATH: choices are not made use of. */
		if (pattern_create(strbuf_view(&source), PATTERN_REGEX | PATTERN_PATH, &p, NULL) <
			0)
			continue;
		CHECK_INT(regex_inspect(strbuf_view(&source), &facts), 0);
		CHECK_INT(matcher_create(p, &m), 0);
		n_compiled++;
		n_held += facts.choice_ends.len > 1;
		for (unsigned k = 0; k < 30; k++) {
			struct match match;

			roll_of(&text, pieces_of_text, ARRAY_LEN(pieces_of_text), 8);
			if (matcher_find(m, strbuf_view(&text), 0, &match) == 1)
				CHECK_SAY(holds_a_choice(&facts, strbuf_view(&text)),
					"\"%s\" matches \"%s\"", source.data, text.data);
		}
		matcher_destroy(m);
		pattern_destroy(p);
		regex_facts_fini(&facts);
	}
	CHECK(n_held > n_compiled / 20 && n_held < n_compiled);
	strbuf_fini(&source);
	strbuf_fini(&text);
}

static void
check_choices(const char *source, const char *wanted)
{
	struct regex_facts facts;
	struct strbuf said = {0};

	CHECK_INT(regex_inspect(span_of(source), &facts), 0);
	for (size_t i = 0, at = 0; i < facts.choice_ends.len; at = facts.choice_ends.data[i++]) {
		CHECK_INT(strbuf_puts(&said, i ? " " : ""), 0);
		CHECK_INT(strbuf_add(&said, facts.choice_text.data + at,
				  facts.choice_ends.data[i] - at),
			0);
	}
	CHECK_SAY(strcmp(said.data ? said.data : "", wanted) == 0, "%s says \"%s\", not \"%s\"",
		source, said.data, wanted);
	CHECK(facts.choice_ends.len < 2 || !facts.choices_whole || strchr(source, '(') == NULL);
	strbuf_fini(&said);
	regex_facts_fini(&facts);
}

TEST(regex, what_is_said_of_choices)
{
	check_choices("foo|bar", "foo bar");
	check_choices("(foo|bars):", "foo bars");
	check_choices("(?:foo|bars)", "foo bars");
	check_choices("(?<name>foo|bars)+", "foo bars");
	check_choices("(foo|bars)?:", ":");
	check_choices("(foo|bars)*", "");
	check_choices("(foo|bars){0,1}", "");
	check_choices("(foo|bars)\\E?x", "x");
	check_choices("(foo|bars)\\Q\\E*", "");
	check_choices("(foo|bars)\\Q.\\E?", "foo bars");
	check_choices("(foo|ba)", "");
	check_choices("(foo|bar|)", "");
	check_choices("(foo|ba.)", "");
	check_choices("(foo|(bar))", "");
	check_choices("(foo|bar)|x", "");
	check_choices("(foo|bar)?(some|other)", "some other");
	check_choices("(foo|bar)(some|other)", "some other");
	check_choices("(foo|bar)function", "function");
	check_choices("(foo|bar)(?=x)", "");
}

TEST(regex, what_is_said_of_plain_expressions)
{
	check_said("drivers.*usb.*\\.c$", "drivers usb .c$");
	check_said("^src/lib/x$", "^src lib x$");
	check_said("^/a", "a");
	check_said("ab+c?d", "ab d");
	check_said("(foo|bar)baz", "baz");
	check_said("foo|bar", "");
	check_said("a{2}b", "b");
	check_said("foo(?=bar)", "");
	check_said("foo(*ACCEPT)bar", "");
	check_said("(?x)f o o", "");
	check_said("\\Qa.c\\E$", "a.c$");
	check_said("a\\$", "a$");
	check_said("x$y", "x y");
}

/* Matches as "start-end ". */
static bool
list_matches(struct span source, enum pattern_flags flags, struct span text, struct strbuf *out)
{
	struct pattern *p;
	struct matcher *m;
	struct match found;

	strbuf_reset(out);
	if (pattern_create(source, flags, &p, NULL) < 0)
		return false;
	CHECK_INT(matcher_create(p, &m), 0);
	for (size_t from = 0; matcher_find(m, text, from, &found) == 1;
		from = found.end + (found.end == found.start))
		(void)strbuf_printf(out, "%zu-%zu ", found.start, found.end);
	matcher_destroy(m);
	pattern_destroy(p);
	return true;
}

/* Behind a comment nothing is known of an expression, and every line is matched by itself. */
TEST(regex, what_is_matched_in_many_lines_at_once_is_what_each_line_matches)
{
	static const char *const parts[] = {"\\s", "\\S", "\\W", "\\D", "\\H", "\\v", "\\V", "\\w",
		"\\d", "[^a]", "[^\\s]", "[\\s,]", "[\\S]", "[^-a]", "[^]a]", "[a\\s-]", "[\\s-a]",
		"[^\\W]", "[^\\pL]", "[[:space:]]", "[^[:alpha:]]", "[^\\n]", "\\n", "a", "b", "-",
		"\xc3\xa9", "+", "*", "?", "+?", "{2}", "|", "^", "$", ".", "\\b", "(", ")",
		"(?:", ".*"};
	static const char *const texts[] = {"a", "b", "ab", " ", "\n", "\n", "\t", "\r", "\v", "-",
		"]", ",", "1", "\xc2\x85", "\xe2\x80\xa8", "\xe1\x9a\x80", "\xc2\xa0",
		"\xe1\xa0\x8e", "\xff", "\xc3\xa9"};
	static const enum pattern_flags flags[] = {0, PATTERN_FOLD, PATTERN_WORD, PATTERN_LINE};
	struct strbuf source = {0}, plain = {0}, text = {0}, a = {0}, b = {0};
	unsigned long n = test_scale(2000000), n_same = 0;

	for (unsigned long i = 0; i < n; i++) {
		enum pattern_flags f = PATTERN_REGEX | flags[roll(ARRAY_LEN(flags))];

		seed = i * 0x9e3779b97f4a7c15ull + 1;
		strbuf_reset(&plain);
		roll_of(&source, parts, ARRAY_LEN(parts), 5);
		roll_of(&text, texts, roll(2) ? ARRAY_LEN(texts) : 13, 24);
		(void)strbuf_printf(&plain, "(?#)%s", source.data);
		if (!list_matches(strbuf_view(&source), f, strbuf_view(&text), &a) ||
			!list_matches(strbuf_view(&plain), f, strbuf_view(&text), &b))
			continue;
		CHECK_SAY(span_eq(strbuf_view(&a), strbuf_view(&b)),
			"/%s/ %#x in \"%s\": %s, not %s", source.data, f, text.data,
			a.data ? a.data : "", b.data ? b.data : "");
		n_same++;
	}
	CHECK(n_same > n / 3);
	strbuf_fini(&source);
	strbuf_fini(&plain);
	strbuf_fini(&text);
	strbuf_fini(&a);
	strbuf_fini(&b);
}
