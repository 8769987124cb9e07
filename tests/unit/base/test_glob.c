#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/glob.h"

static bool
matches(const char *pattern, const char *text, enum glob_flags flags)
{
	struct glob g;
	size_t pos;

	CHECK_INT(glob_init(&g, span_of(pattern), flags, &pos), 0);
	return glob_match(&g, span_of(text));
}

TEST(glob, the_documented_forms)
{
	static const struct {
		const char *pattern, *text;
		enum glob_flags flags;
		bool expected;
	} cases[] = {
		{"", "", 0, true},
		{"", "a", 0, false},
		{"abc", "abc", 0, true},
		{"abc", "abcd", 0, false},
		{"*", "", 0, true},
		{"*", "abc", 0, true},
		{"*", "a/b", 0, false},
		{"*", "a/b", GLOB_SLASH, true},
		{"*.c", "main.c", 0, true},
		{"*.c", ".c", 0, true},
		{"*.c", "main.cc", 0, false},
		{"*.c", "src/main.c", 0, false},
		{"*.c", "src/main.c", GLOB_SLASH, true},
		{"a*b*c", "aXbXbXc", 0, true},
		{"a*b*c", "aXbXbX", 0, false},
		{"?", "a", 0, true},
		{"?", "/", 0, false},
		{"?", "/", GLOB_SLASH, true},
		{"?", "", 0, false},
		{"**", "a/b/c", 0, true},
		{"**", "", 0, true},
		{"a/**", "a/b/c", 0, true},
		{"a/**", "a", 0, false},
		{"**/c", "a/b/c", 0, true},
		{"**/c", "c", 0, true},
		{"**/c", "a/bc", 0, false},
		{"a/**/c", "a/c", 0, true},
		{"a/**/c", "a/b/b/c", 0, true},
		{"a/**/c", "ac", 0, false},
		{"a**c", "a/b/c", 0, true},
		{"**/*.c", "x/y.h/z.c", 0, true},
		{"**/*.c", "x/y.c/z.h", 0, false},
		{"**/a*/b*", "x/ab/c/ad/be", 0, true},
		{"**/a*/b*", "x/ab/c/ad/ce", 0, false},
		{"*/*", "a/b", 0, true},
		{"*/*", "a/b/c", 0, false},
		{"[a-c]x", "bx", 0, true},
		{"[a-c]x", "dx", 0, false},
		{"[!a-c]", "d", 0, true},
		{"[^a-c]", "a", 0, false},
		{"[!a]", "/", 0, false},
		{"[!a]", "/", GLOB_SLASH, true},
		{"[]]", "]", 0, true},
		{"[!]]", "]", 0, false},
		{"[!]]", "a", 0, true},
		{"[a-]", "-", 0, true},
		{"[-a]", "-", 0, true},
		{"[\\]a]", "]", 0, true},
		{"[c-a]", "b", 0, false},
		{"\\*", "*", 0, true},
		{"\\*", "a", 0, false},
		{"\\a", "a", 0, true},
		{"ABC", "abc", GLOB_FOLD, true},
		{"abc", "ABC", GLOB_FOLD, true},
		{"[a-c]", "B", GLOB_FOLD, true},
		{"[!a-c]", "B", GLOB_FOLD, false},
		{"[A-C]", "b", GLOB_FOLD, true},
		{"abc", "ABC", 0, false},
		{"@", "`", GLOB_FOLD, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_SAY(matches(cases[i].pattern, cases[i].text, cases[i].flags) ==
				  cases[i].expected,
			"\"%s\" on \"%s\" is not %d", cases[i].pattern, cases[i].text,
			cases[i].expected);
}

TEST(glob, a_question_mark_takes_a_whole_character_or_one_stray_byte)
{
	CHECK(matches("?", "\xc3\xa9", 0));
	CHECK(!matches("??", "\xc3\xa9", 0));
	CHECK(!matches("*??", "\xc3\xa9", 0));
	CHECK(matches("??", "\xff\xfe", 0));
	CHECK(matches("a?b",
		"a\xe2\x82\xac"
		"b",
		0));
	CHECK(matches("[\xc3\xa0-\xc3\xb0]", "\xc3\xa9", 0));
	CHECK(!matches("[\xc3\xa0-\xc3\xa8]", "\xc3\xa9", 0));
	CHECK(matches("[!a]", "\xff", 0));
}

TEST(glob, a_bad_pattern_is_refused_with_its_position)
{
	struct glob g;
	size_t pos = 99;

	CHECK_INT(glob_init(&g, span_of("ab[cd"), 0, &pos), -EINVAL);
	CHECK_INT(pos, 2);
	CHECK_INT(glob_init(&g, span_of("[]"), 0, &pos), -EINVAL);
	CHECK_INT(pos, 0);
	CHECK_INT(glob_init(&g, span_of("x[a\\"), 0, &pos), -EINVAL);
	CHECK_INT(pos, 1);
	CHECK_INT(glob_init(&g, span_of("abc\\"), 0, &pos), -EINVAL);
	CHECK_INT(pos, 3);
}

TEST(glob, an_escaped_star_makes_no_glob)
{
	CHECK(glob_is(span_of("a*")));
	CHECK(glob_is(span_of("?")));
	CHECK(glob_is(span_of("[a]")));
	CHECK(!glob_is(span_of("a\\*b")));
	CHECK(glob_is(span_of("a\\\\*b")));
	CHECK(!glob_is(span_of("plain.c")));
	CHECK(!glob_is(span_of("")));
}

/* The definition, tried every way: exponential, and so simple that it is right. Patterns here have
 * no sets and no escapes. */
static bool
reference(const char *p, const char *start, const char *t, bool slash)
{
	if (*p == '\0')
		return *t == '\0';
	if (*p == '*') {
		const char *end = p;
		bool deep;

		while (*end == '*')
			end++;
		deep = slash || end - p > 1;
		if (end - p > 1 && *end == '/' && (p == start || p[-1] == '/')) {
			/* Whole components, from none on. */
			if (reference(end + 1, start, t, slash))
				return true;
			for (; *t; t++) {
				if (*t == '/' && reference(end + 1, start, t + 1, slash))
					return true;
			}
			return false;
		}
		for (;; t++) {
			if (reference(end, start, t, slash))
				return true;
			if (*t == '\0' || (*t == '/' && !deep))
				return false;
		}
	}
	if (*t == '\0' || (*p == '?' ? *t == '/' && !slash : *p != *t))
		return false;
	return reference(p + 1, start, t + 1, slash);
}

static void
random_text(unsigned *seed, char *out, size_t max, const char *letters)
{
	size_t n = (size_t)rand_r(seed) % max;

	for (size_t i = 0; i < n; i++)
		out[i] = letters[(size_t)rand_r(seed) % strlen(letters)];
	out[n] = '\0';
}

TEST(glob, random_patterns_match_what_the_definition_matches)
{
	unsigned seed = 20240601;
	unsigned long n_true = 0, n = test_scale(100000000);

	for (unsigned long i = 0; i < n; i++) {
		enum glob_flags flags = i % 3 == 0 ? GLOB_SLASH : 0;
		char pattern[10], text[12];
		bool got, expected;

		random_text(&seed, pattern, sizeof(pattern), "ab/?***/");
		random_text(&seed, text, sizeof(text), "aab/");
		got = matches(pattern, text, flags);
		expected = reference(pattern, pattern, text, flags & GLOB_SLASH);
		CHECK_SAY(got == expected, "\"%s\" on \"%s\" (flags %u) is not %d", pattern, text,
			flags, expected);
		n_true += expected;
	}
	CHECK(n_true > n / 20);
}

/* A matcher that goes back to every star needs longer than the universe has for the first of these;
 * one that restarts the deep star at every byte needs minutes for the others. */
TEST(glob, time_is_bounded_by_pattern_times_text)
{
	static char text[4096], pattern[2048];
	usec_t begin = clock_mono();
	size_t n = 0;

	memset(text, 'a', sizeof(text) - 1);
	while (n + 3 < sizeof(pattern))
		n += (size_t)sprintf(pattern + n, "*a");
	pattern[n] = 'b';
	CHECK(!matches(pattern, text, 0));
	CHECK(!matches(pattern, text, GLOB_SLASH));
	memcpy(pattern, "**", 2);
	CHECK(!matches(pattern, text, 0));
	for (size_t i = 200; i < sizeof(text) - 1; i += 200)
		text[i] = '/';
	CHECK(!matches(pattern, text, 0));
	for (size_t i = 40; i < n; i += 40)
		pattern[i] = '/';
	CHECK(!matches(pattern, text, 0));
	CHECK(clock_mono() - begin < 10 * USEC_PER_SEC);
}
