#include "text/pattern.h"

#include "test.h"
#include <errno.h>
#include <stdio.h>

/* Texts end with NULL. */
static int
make(const char *const *texts, unsigned flags, struct pattern **ret, struct err *err)
{
	struct span span[8];
	size_t n = 0;

	for (; texts[n]; n++)
		span[n] = span_of(texts[n]);
	return pattern_create_any(span, n, flags, ret, err);
}

static void
check_any(const char *const *texts, unsigned flags, const char *text, const char *want)
{
	struct strbuf out = {0};
	struct err err = {0};
	struct pattern *p;
	struct matcher *m;
	struct match found;
	size_t from = 0;

	CHECK_SAY(make(texts, flags, &p, &err) == 0, "%s", err.what);
	CHECK_INT(matcher_create(p, &m), 0);
	CHECK_INT(strbuf_puts(&out, ""), 0);
	while (matcher_find(m, span_of(text), from, &found) == 1) {
		(void)strbuf_printf(&out, "%zu-%zu ", found.start, found.end);
		from = found.end + (found.start == found.end);
	}
	CHECK_STR(out.data, want);
	strbuf_fini(&out);
	matcher_destroy(m);
	pattern_destroy(p);
}

#define ANY(...)                  \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

TEST(matcher, any_of_several_patterns_matches)
{
	check_any(ANY("foo", "bar"), 0, "a bar, a foo", "2-5 9-12 ");
	check_any(ANY("fo", "foo"), 0, "foo", "0-2 ");
	check_any(ANY("foo", "fo"), 0, "foo fo", "0-3 4-6 ");
	check_any(ANY("a.c", "(x)\\1"), PATTERN_REGEX, "abc xx a.c", "0-3 4-6 7-10 ");
	check_any(ANY("(a)\\1", "(b)\\1"), PATTERN_REGEX, "ab aa bb", "3-5 6-8 ");
	check_any(ANY("a.c", "b"), 0, "abc a.c", "1-2 4-7 ");
	check_any(ANY("foo", "b[a]r"), PATTERN_REGEX | PATTERN_WORD, "foobar bar", "7-10 ");
	check_any(ANY("foo", "bar"), PATTERN_LINE, "foo bar\nbar\n", "8-11 ");
	check_any(ANY("(?i)foo", "bar"), PATTERN_REGEX, "FOO BAR bar", "0-3 8-11 ");
	check_any(ANY("foo", "bar"), PATTERN_SMART, "FOO Bar", "0-3 4-7 ");
	check_any(ANY("foo", "Bar"), PATTERN_SMART, "FOO Bar", "4-7 ");
	check_any(ANY("", "b"), 0, "ab", "0-0 1-1 2-2 ");
}

TEST(matcher, a_pattern_with_multi_spans_lines)
{
	unsigned flags = PATTERN_REGEX | PATTERN_MULTI;

	check_any(ANY("a\\s+b"), flags, "a\n\nb a b", "0-4 5-8 ");
	check_any(ANY("a.b"), flags, "a\nb", "");
	check_any(ANY("a.b"), flags | PATTERN_DOTALL, "a\nb", "0-3 ");
	check_any(ANY("^b$"), flags, "a\nb\nc", "2-3 ");
	check_any(ANY("\\n"), flags, "a\nb\n", "1-2 3-4 ");
	check_any(ANY("a\nb"), PATTERN_MULTI, "xa\nb", "1-4 ");
	check_any(ANY("x*$"), flags | PATTERN_DOTALL, "a\nx\n", "1-1 2-3 3-3 ");
	check_any(ANY("(?s)a.*b", "c"), flags, "c a\n\xff\nb", "0-1 ");
}

TEST(matcher, what_a_pattern_was_made_of_can_be_asked)
{
	struct pattern *p;

	CHECK_INT(make(ANY("foo", "", "bar"), PATTERN_WORD, &p, NULL), 0);
	CHECK_INT(pattern_n_texts(p), 3);
	CHECK(span_eq(pattern_text(p, 0), SPAN_LIT("foo")) && pattern_text(p, 1).len == 0);
	CHECK(span_eq(pattern_text(p, 2), SPAN_LIT("bar")));
	CHECK(pattern_flags(p) == PATTERN_WORD && !pattern_is_multi(p));
	pattern_destroy(p);
	CHECK_INT(make(ANY("abc"), PATTERN_REGEX | PATTERN_MULTI, &p, NULL), 0);
	CHECK(!pattern_is_multi(p));
	pattern_destroy(p);
	CHECK_INT(make(ANY("a[^b]"), PATTERN_REGEX | PATTERN_MULTI, &p, NULL), 0);
	CHECK(pattern_is_multi(p));
	pattern_destroy(p);
}

static void
check_error(const char *const *texts, unsigned flags, uint32_t pos, const char *part)
{
	struct pattern *p;
	struct err err = {0};

	CHECK_INT(make(texts, flags, &p, &err), -EINVAL);
	CHECK_INT(err.pos, pos);
	CHECK_SAY(strstr(err.what, part) != NULL, "\"%s\" lacks \"%s\"", err.what, part);
}

TEST(matcher, of_several_patterns_the_wrong_one_is_named_with_its_own_column)
{
	check_error(ANY("foo", "(b"), PATTERN_REGEX, 7, "pattern 2 is wrong at column 3: missing");
	check_error(ANY("a)", "b"), PATTERN_REGEX, 2, "pattern 1 is wrong at column 2");
	check_error(
		ANY("a", "[b"), PATTERN_REGEX | PATTERN_WORD, 5, "pattern 2 is wrong at column 3");
	check_error(ANY("a", "b\nc"), 0, 4, "pattern 2 is wrong at column 2: it holds a newline");
	check_error(ANY("a", "\\Qb"), PATTERN_REGEX, 0, "beside others");
}

TEST(matcher, too_many_patterns_are_refused)
{
	static struct span many[PATTERN_MAX_TEXTS + 1];
	static char long_text[PATTERN_MAX_BYTES];
	struct pattern *p;
	struct err err = {0};

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = SPAN_LIT("x");
	CHECK_INT(pattern_create_any(many, ARRAY_LEN(many), 0, &p, &err), -EOVERFLOW);
	CHECK(strstr(err.what, "more than 1000 patterns") != NULL);
	CHECK_INT(pattern_create_any(many, PATTERN_MAX_TEXTS, 0, &p, &err), 0);
	pattern_destroy(p);
	memset(long_text, 'a', sizeof(long_text));
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct span){long_text, sizeof(long_text)};
	CHECK_INT(pattern_create_any(many, 40, 0, &p, &err), -EOVERFLOW);
	CHECK(strstr(err.what, "together") != NULL);
}
