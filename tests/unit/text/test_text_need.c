#include "roll.h"
#include "test.h"

#include <stdio.h>

#include "text/census.h"
#include "text/text_need.h"

static void
check(const char *pattern, enum pattern_flags flags, const char *want)
{
	struct strbuf got = {0};
	struct text_need need;
	struct pattern *p;
	struct err err = {0};

	CHECK_SAY(pattern_create(span_of(pattern), flags, &p, &err) == 0, "%s: %s", pattern,
		err.what);
	text_need_of(p, &need);
	CHECK_INT(strbuf_puts(&got, ""), 0);
	CHECK_INT(text_need_print(&need, &got), 0);
	CHECK_SAY(strcmp(got.data, want) == 0, "%s with %u needs%s, not%s", pattern,
		(unsigned)flags, got.data, want);
	CHECK_INT(need.n > 0, want[0] != '\0');
	strbuf_fini(&got);
	pattern_destroy(p);
}

static void
check_regex(const char *pattern, const char *want)
{
	check(pattern, PATTERN_REGEX, want);
}

TEST(text_need, of_two_bytes)
{
	CHECK_INT(text_mark_of('0', 'A'), 1);
	CHECK_INT(text_mark_of('9', 'Z'), 1u << 25);
	CHECK_INT(text_mark_of('a', 'A'), 1u << 26);
	CHECK_INT(text_mark_of('z', 'Z'), 1ull << 51);
	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			bool first = (a >= '0' && a <= '9') || (a >= 'a' && a <= 'z');
			bool second = b >= 'A' && b <= 'Z';
			uint64_t mark = text_mark_of((unsigned char)a, (unsigned char)b);

			CHECK_INT(mark != 0, first && second);
			CHECK_INT(mark & ~TEXT_MARKS_ALL, 0);
		}
	}
}

TEST(text_need, of_texts)
{
	check("plain", 0, "");
	check("fooBar", 0, " & [a-z]B");
	check("fooBarBaz", PATTERN_WORD, " & [a-z]B");
	check("f(0x12UL, aX)", PATTERN_LINE, " & [0-9]U & [a-z]X");
	check("aAbBcCdDeE", 0, " & [a-z]A & [a-z]B & [a-z]C & [a-z]D");
	check("fooBar", PATTERN_FOLD, "");
	check("fooBar", PATTERN_SMART, " & [a-z]B");
	check("9\nU", PATTERN_MULTI, "");
	check("a\n9U", PATTERN_MULTI, " & [0-9]U");
	check("9U", PATTERN_PATH, "");
}

TEST(text_need, of_texts_beyond_ascii)
{
	check("\xc3\xa9", 0, " & beyond ASCII");
	check("\xc3\xa9", PATTERN_FOLD, " & beyond ASCII");
	check("\xc3\xa9", PATTERN_WORD, " & beyond ASCII");
	check("\xc2\xb5s", PATTERN_SMART, " & beyond ASCII");
	check("\xff", PATTERN_FOLD, " & beyond ASCII");
	check("fooBar\xc3\xa9", 0, " & beyond ASCII & [a-z]B");
	/* These match k and s in any case. */
	check("\xe2\x84\xaa", 0, " & beyond ASCII");
	check("\xe2\x84\xaa", PATTERN_FOLD, "");
	check("x\xc5\xbfy", PATTERN_FOLD, "");
	check("\xc5\xbf", PATTERN_SMART, "");
	check("\xc5\xbf\xc3\x9f", PATTERN_FOLD, " & beyond ASCII");
	check_regex("\xc2\xb5s\\b", " & beyond ASCII");
	check_regex("(x|y)\xc3\xa9+", " & beyond ASCII");
	check_regex("[\xc3\xa9]", "");
	check("\xe2\x84\xaa\\d", PATTERN_REGEX | PATTERN_FOLD, "");
}

TEST(text_need, of_expressions)
{
	check_regex("0x[0-9a-f]{8}UL", " & [0-9a-z]U");
	check_regex("0x[0-9a-f]+U?L", " & [0-9a-z][LU]");
	check_regex("_[0-9]*[a-f]?UL", "");
	check_regex("x[0-9]*UL", " & [0-9a-z]U");
	check_regex("[0-9]+[UL]+;", " & [0-9][LU]");
	check_regex("[0-9]U|x", "");
	check_regex("[0-9]\\bU", "");
	check_regex("[0-9].*[a-z]U?", "");
	check_regex("[0-9]{0}U", "");
	check_regex("[0-9_]U", "");
	check_regex("\\dU", "");
	check_regex("[0-9][Ua]", "");
	check_regex("(x)?fooBar\\s", " & [a-z]B");
	check_regex("get[A-Z]\\w+", " & [a-z][ABCDEFGHIJKLMNOPQRSTUVWXYZ]");
	check_regex("9[AB]?a{2,3}[AC]", " & [a-z][AC]");
	check("[0-9]UL", PATTERN_REGEX | PATTERN_FOLD, "");
	check("[0-9]u", PATTERN_REGEX | PATTERN_SMART, "");
	check("[0-9]U", PATTERN_REGEX | PATTERN_SMART, " & [0-9]U");
	check("[0-9]U", PATTERN_REGEX | PATTERN_PATH, "");
	check_regex("(?i)[0-9]U", "");
	check_regex("(?i)fooBar", "");
	check_regex("(?i:fooBar)", "");
	check_regex("foo(?i)Bar", "");
	check_regex("(?x)foo Bar9 U", "");
}

static void
check_any(const char *a, const char *b, enum pattern_flags flags, const char *want)
{
	struct span texts[] = {span_of(a), span_of(b)};
	struct strbuf got = {0};
	struct text_need need;
	struct pattern *p;

	CHECK_INT(pattern_create_any(texts, 2, flags, &p, NULL), 0);
	text_need_of(p, &need);
	CHECK_INT(strbuf_puts(&got, ""), 0);
	CHECK_INT(text_need_print(&need, &got), 0);
	CHECK_STR(got.data, want);
	strbuf_fini(&got);
	pattern_destroy(p);
}

TEST(text_need, of_several_texts_is_what_all_of_them_need)
{
	check_any("fooBar", "9U", 0, " & ([0-9]U | [a-z]B)");
	check_any("fooBar", "foobar", 0, "");
	check_any("\xc3\xa9", "\xc3\xa8", 0, " & beyond ASCII");
	check_any("\xc3\xa9", "e", 0, "");
	check_any("\xc3\xa9", "9U", 0, " & (beyond ASCII | [0-9]U)");
	check_any("[0-9]U", "[a-f]L", PATTERN_REGEX, " & ([0-9]U | [a-z]L)");
	check_any("fooBar", "bar", PATTERN_SMART, "");
	check_any("k", "fooBar", PATTERN_FOLD, "");
}

TEST(text_need, both_needs_have_the_few_that_say_most)
{
	struct text_need a = {.n = 1, .any_of = {7}}, b = {.n = 1, .any_of = {5}};

	text_need_and(&a, &b); /* 5 implies 7 */
	CHECK_INT(a.n, 1);
	CHECK_INT(a.any_of[0], 5);
	b.any_of[0] = 13;
	text_need_and(&a, &b);
	CHECK_INT(a.n, 1);
	for (unsigned i = 4; i < 20; i++) {
		b.any_of[0] = (uint64_t)7 << i;
		text_need_and(&a, &b);
	}
	CHECK_INT(a.n, TEXT_NEED_MAX);
	b.any_of[0] = TEXT_MARKS_BEYOND;
	text_need_and(&a, &b);
	CHECK_INT(a.n, TEXT_NEED_MAX);
	CHECK(text_need_met(&a, TEXT_MARKS_ALL) && !text_need_met(&a, TEXT_MARKS_BEYOND - 1));
	text_need_or(&a, &b);
	CHECK_INT(a.n, 1);
	CHECK_INT(a.any_of[0], TEXT_MARKS_BEYOND);
}

/* What may stand in a pattern, and what it matches. */
static const struct {
	const char *source, *texts[3];
} atoms[] = {{"0", {"0"}}, {"9", {"9"}}, {"a", {"a", "A"}}, {"k", {"k", "K", "\xe2\x84\xaa"}},
	{"s", {"s", "S", "\xc5\xbf"}}, {"K", {"K", "k", "\xe2\x84\xaa"}},
	{"S", {"S", "s", "\xc5\xbf"}}, {"U", {"U", "u"}}, {"L", {"L"}}, {"_", {"_"}},
	{"\xc3\xa9", {"\xc3\xa9", "\xc3\x89"}}, {"\xc5\xbf", {"\xc5\xbf", "s", "S"}},
	{"\xe2\x84\xaa", {"\xe2\x84\xaa", "k", "K"}}, {"aU", {"aU", "au", "AU"}},
	{"9K", {"9K", "9k", "9\xe2\x84\xaa"}}, /* so many may stand in a literal */
	{"[0-9]", {"0", "9"}}, {"[a-f0-9]", {"a", "f", "9"}}, {"[A-Z]", {"A", "K", "Z"}},
	{"[KS]", {"K", "S", "\xc5\xbf"}}, {"[ks]", {"k", "s", "S"}}, {"[0-9A-F]", {"0", "F"}},
	{"\\d", {"0", "9", "\xd9\xa3"}}, {"\\w", {"0", "a", "\xc3\xa9"}}, {"[UL]", {"U", "L", "u"}},
	{"[a-z_]", {"a", "_", "K"}}, {".", {"9", "k", "\xc3\xa9"}}, {"\\b", {"", " "}},
	{"\\.", {"."}}, {"[\\dU]", {"9", "U"}}, {"(a|9U)", {"a", "9U"}}, {"(?i)", {""}},
	{"(kS)?", {"kS", ""}}, {"|", {"", " "}}, {"(?:U)", {"U"}}, {"^", {"\n", ""}},
	{"$", {"\n", ""}}, {"\\s", {" ", "\n"}}, {"\\x55", {"U"}}, {"\\Qa\\E", {"a"}},
	{"[^0]", {"9", "K"}}};
#define N_LITERAL 15u
#define N_SIMPLE 29u

static const struct {
	const char *source;
	uint32_t least;
} counts[] = {{"", 1}, {"", 1}, {"", 1}, {"+", 1}, {"*", 0}, {"?", 0}, {"{2}", 2}, {"{1,}", 1},
	{"{0,2}", 0}, {"{0}", 0}, {"+?", 1}, {"*+", 0}, {"{3}?", 3}};

/* A pattern, and a text that it may match. */
static void
roll_pattern(bool regex, struct strbuf *source, struct strbuf *text)
{
	strbuf_reset(source);
	CHECK_INT(strbuf_puts(source, ""), 0);
	for (uint32_t n = 1 + roll(4); n > 0; n--) {
		uint32_t at = roll(!regex     ? N_LITERAL
				   : roll(10) ? N_SIMPLE
					      : (uint32_t)ARRAY_LEN(atoms));
		uint32_t how = regex ? roll(ARRAY_LEN(counts)) : 0, least = counts[how].least;
		uint32_t n_texts = 1 + (atoms[at].texts[1] != NULL) + (atoms[at].texts[2] != NULL);

		CHECK_INT(strbuf_puts(source, atoms[at].source), 0);
		CHECK_INT(strbuf_puts(source, counts[how].source), 0);
		for (uint32_t k = MAX(least, roll(2)); k > 0; k--)
			CHECK_INT(
				strbuf_puts(text, atoms[at].texts[roll(3) ? 0 : roll(n_texts)]), 0);
	}
}

static void
roll_text(struct strbuf *out)
{
	static const char *const pieces[] = {"0", "9", "a", "f", "k", "s", "K", "S", "U", "L", "A",
		"_", ".", " ", "\n", "\xc3\xa9", "\xc5\xbf", "\xe2\x84\xaa", "\xd9\xa3", "\xff"};
	uint32_t most = roll(2) ? 15 : ARRAY_LEN(pieces);

	for (uint32_t n = roll(6); n > 0; n--)
		CHECK_INT(strbuf_puts(out, pieces[roll(most)]), 0);
}

struct tried {
	unsigned long n_asked, n_matched, n_refused;
};

static void
try_text(struct matcher *m, const struct text_need *need, struct span text, struct tried *sum)
{
	const struct pattern *p = matcher_pattern(m);
	struct span source = pattern_text(p, 0);
	struct census c = CENSUS_NONE;
	struct match found;
	bool matches, met;

	census_add(&c, text);
	matches = matcher_find(m, text, 0, &found) == 1;
	met = text_need_met(need, c.marks);
	CHECK_SAY(met || !matches, "%.*s with %u in \"%.*s\"", (int)source.len, source.data,
		(unsigned)pattern_flags(p), (int)text.len, text.data);
	sum->n_matched += matches;
	sum->n_refused += !met;
	sum->n_asked++;
}

/* Texts that hold `like`, or what is left of it. */
static void
try_texts(const struct pattern *p, struct span like, struct tried *sum)
{
	struct strbuf text = {0};
	struct text_need need;
	struct matcher *m;

	text_need_of(p, &need);
	CHECK_INT(matcher_create(p, &m), 0);
	for (unsigned k = 0; k < 20 && need.n > 0; k++) {
		size_t len = roll(3) ? like.len : roll((uint32_t)like.len + 1);

		strbuf_reset(&text);
		roll_text(&text);
		CHECK_INT(strbuf_add(&text, like.data, len), 0);
		roll_text(&text);
		try_text(m, &need, strbuf_view(&text), sum);
	}
	matcher_destroy(m);
	strbuf_fini(&text);
}

TEST(text_need, whatever_matches_has_them)
{
	static const enum pattern_flags more[] = {0, 0, PATTERN_FOLD, PATTERN_SMART, PATTERN_WORD,
		PATTERN_LINE, PATTERN_MULTI, PATTERN_MULTI | PATTERN_DOTALL};
	struct strbuf source = {0}, other = {0}, like = {0};
	unsigned long n = 30000 + test_scale(1000000);
	struct tried sum = {0};

	for (unsigned long i = 0; i < n; i++) {
		enum pattern_flags flags;
		struct span texts[2];
		struct pattern *p;

		seed = i * 0x9e3779b97f4a7c15ull + 1;
		flags = more[roll(ARRAY_LEN(more))] | (roll(3) ? PATTERN_REGEX : 0);
		strbuf_reset(&like);
		CHECK_INT(strbuf_puts(&like, ""), 0);
		roll_pattern(flags & PATTERN_REGEX, &other, &like);
		if (roll(2))
			strbuf_reset(&like);
		roll_pattern(flags & PATTERN_REGEX, &source, &like);
		texts[0] = strbuf_view(&source);
		texts[1] = strbuf_view(&other);
		if (pattern_create_any(texts, roll(4) ? 1 : 2, flags, &p, NULL) < 0)
			continue;
		try_texts(p, strbuf_view(&like), &sum);
		pattern_destroy(p);
	}
	CHECK_SAY(sum.n_asked > 3 * n && sum.n_matched > n / 2 && sum.n_refused > n,
		"%lu texts, %lu with a match, %lu refused", sum.n_asked, sum.n_matched,
		sum.n_refused);
	strbuf_fini(&source);
	strbuf_fini(&other);
	strbuf_fini(&like);
}
