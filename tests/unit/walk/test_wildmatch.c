#include "test.h"

#include "base/clock.h"
#include "walk/wildmatch.h"

static void
yes(const char *pattern, const char *text)
{
	CHECK_SAY(
		wildmatch(span_of(pattern), span_of(text)), "\"%s\" misses \"%s\"", pattern, text);
}

static void
no(const char *pattern, const char *text)
{
	CHECK_SAY(!wildmatch(span_of(pattern), span_of(text)), "\"%s\" hits \"%s\"", pattern, text);
}

TEST(wildmatch, stars_and_questions_stay_within_a_component)
{
	yes("*.c", "a.c");
	no("*.c", "d/a.c");
	yes("d/*.c", "d/a.c");
	yes("*a*b*", "xaybz");
	no("a?c", "a/c");
	yes("a?c", "a\xff"
		   "c");
	no("a?c", "a\xc3\xa9"
		  "c"); /* two bytes: git knows no characters */
	yes("", "");
	no("", "a");
}

TEST(wildmatch, double_stars_between_slashes_are_whole_components)
{
	yes("a/**/b", "a/b");
	yes("a/**/b", "a/x/y/b");
	no("a/**/b", "a/xb");
	yes("**/b", "b");
	yes("**/b", "x/y/b");
	no("**/b", "x/yb");
	yes("a/**", "a/x/y");
	no("a/**", "a");
	yes("**/x/*/y/**/z", "q/x/1/x/2/y/z");
	yes("**", "a/b/c");
}

TEST(wildmatch, other_runs_of_stars_are_one_star)
{
	yes("a**c", "abbc");
	no("a**c", "ab/c");
	no("a**/c", "ab/x/c");
	yes("a***c", "axc");
}

TEST(wildmatch, sets_have_ranges_classes_and_negation)
{
	yes("[a-c]x", "bx");
	no("[!a-c]x", "bx");
	no("[^a-c]x", "bx");
	yes("[]a]", "]");
	yes("[!]a]", "b");
	yes("[[:digit:]z]", "7");
	yes("[[:digit:]z]", "z");
	no("[[:nothing:]]", "n");
	yes("[a\\]b]", "]");
	yes("[a-]", "-");
	yes("[--0]", ".");
	no("a[/]b", "a/b");
	no("[!x]", "/");
	no("[ab", "a");
	no("[a", "[a");
}

TEST(wildmatch, a_backslash_takes_the_next_byte_as_it_is)
{
	yes("\\*", "*");
	no("\\*", "a");
	yes("\\a\\?", "a?");
	no("a\\", "a");
	no("a\\", "a\\");
}

TEST(wildmatch, hostile_patterns_do_not_explode)
{
	char pattern[512], text[4096];
	usec_t start = clock_mono();
	size_t n = 0;

	for (; n + 2 < sizeof(pattern); n += 2)
		memcpy(pattern + n, "*a", 2);
	pattern[n - 1] = 'b';
	memset(text, 'a', sizeof(text));
	CHECK(!wildmatch((struct span){pattern, n}, (struct span){text, sizeof(text)}));
	for (n = 0; n + 5 < sizeof(pattern); n += 5)
		memcpy(pattern + n, "**/a/", 5);
	pattern[n - 2] = 'b';
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = '/';
	CHECK(!wildmatch((struct span){pattern, n - 1}, (struct span){text, sizeof(text) - 1}));
	CHECK(clock_mono() - start < 2 * USEC_PER_SEC); /* exponential would be years */
}
