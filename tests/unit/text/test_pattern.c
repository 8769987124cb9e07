#include "text/pattern.h"

#include "test.h"
#include "text/codepoint.h"
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CASED_END 0x1e944u

/* Every match as "start-end " in out; the error as "!code". */
static void
all_matches(struct span pattern, unsigned flags, struct span text, struct strbuf *out)
{
	struct pattern *p;
	struct matcher *m;
	struct match found;
	size_t from = 0;
	int r = pattern_create(pattern, flags, &p, NULL);

	strbuf_reset(out);
	CHECK_INT(strbuf_puts(out, ""), 0);
	if (r < 0) {
		(void)strbuf_printf(out, "!%d", r);
		return;
	}
	CHECK_INT(matcher_create(p, &m), 0);
	while ((r = matcher_find(m, text, from, &found)) == 1) {
		CHECK(found.start >= from && found.start <= found.end && found.end <= text.len);
		(void)strbuf_printf(out, "%zu-%zu ", found.start, found.end);
		from = found.end + (found.start == found.end);
	}
	if (r < 0)
		(void)strbuf_printf(out, "!%d", r);
	matcher_destroy(m);
	pattern_destroy(p);
}

static void
check_matches(const char *pattern, unsigned flags, const char *text, const char *want)
{
	struct strbuf out = {0};

	all_matches(span_of(pattern), flags, span_of(text), &out);
	CHECK(out.data != NULL);
	CHECK_SAY(strcmp(out.data, want) == 0, "/%s/ %#x in \"%.200s\": \"%s\", expected \"%s\"",
		pattern, flags, text, out.data, want);
	strbuf_fini(&out);
}

TEST(pattern, a_match_lies_within_one_line)
{
	check_matches("\\s+", PATTERN_REGEX, "a \n\n b", "1-2 4-5 ");
	check_matches("[^a]+", PATTERN_REGEX, "xa\ny", "0-1 3-4 ");
	check_matches("x[^a]*y", PATTERN_REGEX, "x\ny x-y", "4-7 ");
	check_matches("a\\nb", PATTERN_REGEX, "a\nb", "");
	check_matches("(?s).+", PATTERN_REGEX, "ab\ncd\n", "0-2 3-5 ");
	check_matches("a(?=\\s)", PATTERN_REGEX, "a\nb a ", "4-5 ");
	check_matches("(?<=\\n)b", PATTERN_REGEX, "a\nb", "");
	check_matches("\\W", PATTERN_REGEX, "a\nb-", "3-4 ");
	check_matches("[\\t-~]+", PATTERN_REGEX, "ab\ncd", "0-2 3-5 ");
}

TEST(pattern, lines_begin_and_end_at_line_feeds_alone)
{
	check_matches("^b", PATTERN_REGEX, "ab\nb\nxb", "3-4 ");
	check_matches("a$", PATTERN_REGEX, "a\nab\na\r\na", "0-1 8-9 ");
	check_matches("a.$", PATTERN_REGEX, "a\r\n", "0-2 ");
	check_matches("^", PATTERN_REGEX, "a\n\nb\n", "0-0 2-2 3-3 ");
	check_matches("$", PATTERN_REGEX, "a\n\nb", "1-1 2-2 4-4 ");
	check_matches("x*", PATTERN_REGEX, "ax\n", "0-0 1-2 2-2 ");
	check_matches("\\Ab", PATTERN_REGEX, "a\nb", "2-3 ");
}

TEST(pattern, an_empty_pattern_matches_everywhere_but_past_the_last_line)
{
	check_matches("", 0, "a\n\nb\n", "0-0 1-1 2-2 3-3 4-4 ");
	check_matches("", PATTERN_REGEX, "é", "0-0 2-2 ");
	check_matches("", 0, "", "");
	check_matches("", PATTERN_LINE, "a\n\nb", "2-2 ");
	check_matches("", PATTERN_PATH, "", "0-0 ");
}

TEST(pattern, words_have_no_word_character_on_either_side)
{
	check_matches(
		"foo", PATTERN_WORD, "foo food xfoo foo_ (foo) éfoo\nfoo", "0-3 20-23 31-34 ");
	check_matches("-x", PATTERN_WORD, "a-x -x -xy", "4-6 ");
	/* A superscript and an Ethiopic digit one (No) are none, a combining accent (Mn), a Roman
	 * numeral (Nl) and a joiner are. */
	check_matches(
		"x", PATTERN_WORD, "x\u00b2 x\u1369 x\u0301 x\u2160 x\u200d x\u203f", "0-1 4-5 ");
	check_matches("foo|foobar", PATTERN_WORD | PATTERN_REGEX, "foobar", "0-6 ");
	check_matches("a.b", PATTERN_WORD, "axb a.b", "4-7 ");
	check_matches("FOO", PATTERN_WORD | PATTERN_FOLD, "a Foo", "2-5 ");
}

TEST(pattern, lines_match_as_a_whole)
{
	check_matches("foo", PATTERN_LINE, "foo\nfoo \nfoo", "0-3 9-12 ");
	check_matches("a|ab", PATTERN_LINE | PATTERN_REGEX, "ab\na", "0-2 3-4 ");
	check_matches("-x", PATTERN_LINE | PATTERN_WORD, "-x\n", "0-2 ");
	check_matches("a+b", PATTERN_LINE, "aab\na+b", "4-7 ");
}

TEST(pattern, a_path_is_one_subject_with_newlines_in_it)
{
	check_matches("a.b$", PATTERN_REGEX | PATTERN_PATH, "a\nb", "0-3 ");
	check_matches("^b", PATTERN_REGEX | PATTERN_PATH, "a\nb", "");
	check_matches("b$", PATTERN_REGEX | PATTERN_PATH, "b\n", "");
	check_matches("a\nb", PATTERN_PATH, "xa\nb", "1-4 ");
	check_matches("a\nb", PATTERN_PATH | PATTERN_REGEX, "xa\nb", "1-4 ");
	check_matches("\\.c$", PATTERN_REGEX | PATTERN_PATH, "dir/x.c", "5-7 ");
}

TEST(pattern, smart_case_looks_at_what_stands_for_itself)
{
	const unsigned smart = PATTERN_SMART, regex = PATTERN_SMART | PATTERN_REGEX;

	check_matches("foo", smart, "Foo", "0-3 ");
	check_matches("Foo", smart, "foo", "");
	check_matches("École", smart, "école", "");
	check_matches("Foo", smart | PATTERN_FOLD, "foo", "0-3 ");
	check_matches("foo\\W", regex, "FOO-", "0-4 ");
	check_matches("foo\\D\\S", regex, "FOO--", "0-5 ");
	check_matches("fo[A-O]", regex, "FOO", "");
	check_matches("\\p{Lu}oo", regex, "FOO", "0-3 ");
	check_matches("\\p{Lu}", regex, "fF", "1-2 ");
	check_matches("(?<Name>foo)", regex, "FOO", "0-3 ");
	check_matches("\\Qfoo\\E.", regex, "FOO!", "0-4 ");
	check_matches("\\QFoo\\E.", regex, "FOO!", "");
}

TEST(pattern, bytes_that_are_not_utf8_match_no_character)
{
	check_matches("a.b", PATTERN_REGEX,
		"a\xff"
		"b a-b \xffxa.b",
		"4-7 10-13 ");
	check_matches("é", PATTERN_FOLD, "\xc3 \xc3\xa9 \xc3\x89", "2-4 5-7 ");
	check_matches("\xff", 0, "a\xff", "1-2 ");
	check_matches("\xff.", PATTERN_REGEX, "a\xff\xfe", "1-3 ");
	check_matches("x?", PATTERN_REGEX, "\xa9y", "1-1 2-2 ");
	/* A leading ".*" does not mean that a match starts a line. */
	check_matches(".*[xy]", PATTERN_REGEX, "a\xff-x\n-y", "2-4 5-7 ");
	check_matches(".*[xy]", PATTERN_REGEX | PATTERN_PATH, "\xff-x", "1-3 ");
}

static void
check_error(const char *text, unsigned flags, int code, uint32_t column, const char *part)
{
	struct pattern *p;
	struct err err = {0};

	CHECK_INT(pattern_create(span_of(text), flags, &p, &err), code);
	CHECK_INT(err.pos, column);
	CHECK_SAY(strstr(err.what, part) != NULL, "\"%s\" lacks \"%s\"", err.what, part);
}

TEST(pattern, a_wrong_pattern_is_refused_with_its_column)
{
	char huge[PATTERN_MAX_BYTES + 2];

	check_error("(foo", PATTERN_REGEX, -EINVAL, 5,
		"the pattern is wrong at column 5: missing closing parenthesis");
	check_error("(foo", PATTERN_REGEX | PATTERN_WORD, -EINVAL, 5, "column 5");
	check_error("a)(b", PATTERN_REGEX | PATTERN_WORD, -EINVAL, 2, "column 2");
	check_error("[a", PATTERN_REGEX | PATTERN_LINE, -EINVAL, 3, "column 3");
	check_error("\\C", PATTERN_REGEX, -EINVAL, 3, "column 3");
	check_error("a\nb", 0, -EINVAL, 2, "newline");
	check_error("\\Qfoo", PATTERN_REGEX | PATTERN_WORD, -EINVAL, 0, "whole word");
	memset(huge, 'a', sizeof(huge));
	huge[sizeof(huge) - 1] = '\0';
	check_error(huge, 0, -EOVERFLOW, 0, "longer than 1024");
}

TEST(pattern, a_catastrophic_pattern_ends_with_an_error)
{
	char text[4097];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	check_matches("(?:a+)+[xy]", PATTERN_REGEX, text, "!-75");
	check_matches("(*NO_JIT)(?:a+)+[xy]", PATTERN_REGEX, text, "!-75");
	check_matches("(*NO_JIT)fo+", PATTERN_REGEX, "a foo", "2-5 ");
	check_matches("(a*)*\\1[xy]", PATTERN_REGEX, text, "!-75");
	check_matches("(a|(?0))*b|(?0)", PATTERN_REGEX, "xx", "!-75");
	CHECK_INT(EOVERFLOW, 75);
}

TEST(pattern, a_lazy_repeat_within_an_atomic_group_is_not_leapt_over)
{
	check_matches("[a-z](?>.+?)b", PATTERN_REGEX, "foobar", "1-4 ");
	check_matches("[a-z](?:.+?){1}+b", PATTERN_REGEX, "foobar", "1-4 ");
}

TEST(pattern, a_long_line_does_not_run_out_of_compiled_code_s_stack)
{
	static char text[40001];

	memset(text, 'a', sizeof(text) - 1);
	check_matches("(?:a|b)*", PATTERN_REGEX, text, "0-40000 40000-40000 ");
	check_matches("(?:(a)|(b))*", PATTERN_REGEX, text, "0-40000 40000-40000 ");
}

TEST(pattern, limits_are_of_one_start_not_of_the_whole_text)
{
	struct strbuf text = {0}, out = {0};

	for (size_t i = 0; i < 300000; i++)
		(void)strbuf_puts(&text, "ab cd\n");
	(void)strbuf_puts(&text, "zed");
	all_matches(span_of("[a-z]+d$(?<=z.d)"), PATTERN_REGEX, strbuf_view(&text), &out);
	CHECK_STR(out.data, "1800000-1800003 ");
	all_matches(span_of("z[a-z]d$"), PATTERN_REGEX, strbuf_view(&text), &out);
	CHECK_STR(out.data, "1800000-1800003 ");
	all_matches(span_of("[x-z]+[a-z]d"), PATTERN_REGEX, strbuf_view(&text), &out);
	CHECK_STR(out.data, "1800000-1800003 ");
	strbuf_fini(&text);
	strbuf_fini(&out);
}

/* ---- one way of matching against another ---- */

static uint32_t seed = 4711;

static uint32_t
dice(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * n >> 32);
}

static const char *const pieces[] = {"a", "b", "foo", "Bar", "k", "s", "é", "ß", "x y", "\\.", "_",
	"[ab]", "[^a]", "[^ ]", "\\w", "\\W", "\\s", "\\S", "\\d", "\\D", "\\b", "\\B", ".", "^",
	"$", "\\bfoo", "[[:alpha:]]", "[[:space:]]", "[]x]", "[\\w.]", "\\Qo.b\\E", "\\h",
	"[\\t-~]", "\\p{L}", "\\p{Cc}", "\\t", "[k-s]", "1", "{", "\\n", "\\v", "\\R", "\\N", "-"};
static const char *const suffixes[] = {"", "", "", "", "", "*", "+", "?", "{2}", "{0,1}", "{1,}",
	"*?", "+?", "?+", "*+", "++", "{,2}"};

static void
add_pattern(struct strbuf *out, unsigned depth)
{
	unsigned n = 1 + dice(4);

	for (unsigned i = 0; i < n; i++) {
		unsigned kind = dice(12);

		if (kind == 0 && i > 0)
			(void)strbuf_puts(out, "|");
		if (kind < 3 && depth < 2) {
			static const char *const opens[] = {
				"(", "(?:", "(?<N>", "(?>", "(?=", "(?!"};

			(void)strbuf_puts(out, opens[dice(dice(4) ? 2 : ARRAY_LEN(opens))]);
			add_pattern(out, depth + 1);
			(void)strbuf_puts(out, ")");
		} else {
			(void)strbuf_puts(out, pieces[dice(ARRAY_LEN(pieces))]);
		}
		(void)strbuf_puts(out, suffixes[dice(ARRAY_LEN(suffixes))]);
	}
}

static const char *const words[] = {"a", "b", "foo", "FOO", "bar", "Bar", "k", "\u212a", "s",
	"\u017f", "é", "É", "ß", "ẞ", "x y", ".", "_", " ", "\n", "\n", "\t", "o.b", "1", "\xff",
	"\xc3", "{", "\r", "-", "z"};

static void
add_text(struct strbuf *out, unsigned n, bool broken)
{
	for (unsigned i = 0; i < n; i++) {
		const char *word = words[dice(ARRAY_LEN(words))];

		(void)strbuf_puts(out, broken || utf8_valid(word, strlen(word)) ? word : "");
	}
}

static bool
ran_out(const struct strbuf *matches)
{
	return strstr(matches->data, "!-75") != NULL;
}

/* "(?=)" is unknown to the reader of patterns, so each line is a subject of its own. */
TEST(pattern, every_way_of_matching_gives_what_line_by_line_gives)
{
	struct strbuf pattern = {0}, plain = {0}, text = {0}, want = {0}, got = {0};
	size_t n_matched = 0, n_wrong = 0;

	for (unsigned long i = 0; i < 2000 + test_scale(1000000); i++) {
		unsigned flags = PATTERN_REGEX | (dice(2) ? PATTERN_FOLD : 0);

		strbuf_reset(&pattern);
		strbuf_reset(&plain);
		strbuf_reset(&text);
		add_pattern(&pattern, 0);
		(void)strbuf_printf(&plain, "(?=)(?:%s)", pattern.data);
		add_text(&text, dice(60), true);
		flags |= dice(8) == 0 ? PATTERN_WORD : dice(8) == 0 ? PATTERN_LINE : 0;
		all_matches(strbuf_view(&plain), flags, strbuf_view(&text), &want);
		all_matches(strbuf_view(&pattern), flags, strbuf_view(&text), &got);
		if (ran_out(&want))
			continue; /* lines that lack the literal are not even tried */
		n_wrong += got.data[0] == '!';
		n_matched += got.data[0] != '!' && got.data[0] != '\0';
		CHECK_SAY(strcmp(want.data, got.data) == 0,
			"/%s/ %#x in \"%s\": \"%s\", not \"%s\"", pattern.data, flags,
			text.data ? text.data : "", got.data, want.data);
	}
	CHECK(n_matched > 500);
	CHECK(n_wrong < n_matched);
	strbuf_fini(&pattern);
	strbuf_fini(&plain);
	strbuf_fini(&text);
	strbuf_fini(&want);
	strbuf_fini(&got);
}

/* What is at both sides of a plain word is looked at without the pattern. */
TEST(pattern, a_plain_word_is_found_as_its_pattern_finds_it)
{
	static const char *const parts[] = {
		"a", "a", "b", "_", "-", " ", "\n", "\xc3\xa9", "\xff", "\xc2\xb2"};
	struct strbuf word = {0}, plain = {0}, text = {0}, want = {0}, got = {0};
	size_t n_matched = 0;

	for (unsigned long i = 0; i < 2000 + test_scale(1000000); i++) {
		strbuf_reset(&word);
		strbuf_reset(&plain);
		strbuf_reset(&text);
		for (uint32_t n = 1 + dice(3); n > 0; n--)
			(void)strbuf_puts(&word, parts[dice(dice(8) ? 5 : 8)]);
		for (uint32_t n = dice(40); n > 0; n--)
			(void)strbuf_puts(
				&text, dice(4) ? parts[dice(ARRAY_LEN(parts))] : word.data);
		if (memchr(word.data, '\n', word.len))
			continue;
		(void)strbuf_printf(&plain, "(?=)(?:%s)", word.data);
		all_matches(strbuf_view(&plain), PATTERN_REGEX | PATTERN_WORD, strbuf_view(&text),
			&want);
		all_matches(strbuf_view(&word), PATTERN_WORD, strbuf_view(&text), &got);
		n_matched += want.len > 0;
		CHECK_SAY(strcmp(want.data, got.data) == 0, "\"%s\" in \"%s\": %s, not %s",
			word.data, text.data ? text.data : "", got.data, want.data);
	}
	CHECK(n_matched > 500);
	strbuf_fini(&word);
	strbuf_fini(&plain);
	strbuf_fini(&text);
	strbuf_fini(&want);
	strbuf_fini(&got);
}

/* "(?:c)" is compiled, "c" is a needle: they must agree on who is whose case partner. */
static void
compare_folding(uint32_t cp, struct span text, struct strbuf *want, struct strbuf *got)
{
	char c[4], group[16];
	size_t len = codepoint_encode(cp, c);

	(void)snprintf(group, sizeof(group), "(?:%.*s)", (int)len, c);
	all_matches(span_of(group), PATTERN_REGEX | PATTERN_FOLD, text, want);
	all_matches((struct span){c, len}, PATTERN_FOLD, text, got);
	CHECK_SAY(strcmp(want->data, got->data) == 0, "U+%04X: %s, not %s", cp, got->data,
		want->data);
}

static bool
is_cased(uint32_t cp)
{
	uint32_t others[FOLD_MAX_OTHERS];

	return fold_codepoint(cp) != cp || fold_others(cp, others) > 0;
}

static bool
is_plain(uint32_t cp)
{
	return (cp < 0x80 && !(cp >= 'a' && cp <= 'z') && !(cp >= 'A' && cp <= 'Z')) ||
	       (cp >= 0xd800 && cp <= 0xdfff);
}

TEST(pattern, case_partners_are_those_of_the_compiled_pattern)
{
	struct strbuf cased = {0}, all = {0}, want = {0}, got = {0};
	uint32_t stride = (uint32_t)MAX(1, 200000 / test_scale(200000));
	size_t n_cased = 0;

	for (uint32_t cp = 'A'; cp < CASED_END; cp++) {
		char c[4];
		size_t len = codepoint_encode(cp, c);

		if (is_plain(cp))
			continue;
		(void)strbuf_add(&all, c, len);
		if (is_cased(cp))
			(void)strbuf_add(&cased, c, len);
	}
	for (uint32_t cp = 'A'; cp < CASED_END; cp++) {
		if (is_plain(cp))
			continue;
		n_cased += is_cased(cp);
		if (is_cased(cp) && (cp < 0x250 || stride == 1 || cp % 4 == 0))
			compare_folding(cp, strbuf_view(&cased), &want, &got);
		else if (cp % stride == 7 % stride)
			compare_folding(cp, strbuf_view(&all), &want, &got);
	}
	CHECK(n_cased > 2700);
	strbuf_fini(&cased);
	strbuf_fini(&all);
	strbuf_fini(&want);
	strbuf_fini(&got);
}

#ifndef PR_SET_MDWE
#	define PR_SET_MDWE 65
#	define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

TEST(pattern, where_memory_may_not_be_executable_the_interpreter_matches)
{
	static struct pattern *held[10000];
	size_t n = 0;

	CHECK_INT(pattern_create(span_of("[a-c]+d"), PATTERN_REGEX, &held[n++], NULL), 0);
	CHECK(pattern_is_jit(held[0]));
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0) {
		/* Memory that was granted before serves a few more patterns. */
		while (n < ARRAY_LEN(held) && pattern_is_jit(held[n - 1])) {
			CHECK_INT(pattern_create(span_of("[a-c]+d"), PATTERN_REGEX, &held[n], NULL),
				0);
			n++;
		}
		CHECK(!pattern_is_jit(held[n - 1]));
	}
	check_matches("[a-c]+d", PATTERN_REGEX, "xabd\n-cd", "1-4 6-8 ");
	while (n > 0)
		pattern_destroy(held[--n]);
}

/* But for broken bytes: the two take the place between two of them for different ones (\\B). */
TEST(pattern, compiled_code_and_interpreter_agree)
{
	struct strbuf pattern = {0}, plain = {0}, text = {0}, want = {0}, got = {0};

	for (unsigned long i = 0; i < 300 + test_scale(100000); i++) {
		strbuf_reset(&pattern);
		strbuf_reset(&plain);
		strbuf_reset(&text);
		add_pattern(&pattern, 0);
		(void)strbuf_printf(&plain, "(*NO_JIT)%s", pattern.data);
		add_text(&text, dice(60), false);
		all_matches(strbuf_view(&plain), PATTERN_REGEX, strbuf_view(&text), &want);
		all_matches(strbuf_view(&pattern), PATTERN_REGEX, strbuf_view(&text), &got);
		if (ran_out(&want) || ran_out(&got))
			continue; /* they count differently what their limits limit */
		CHECK_SAY(strcmp(want.data, got.data) == 0, "/%s/: \"%s\", not \"%s\"",
			pattern.data, got.data, want.data);
	}
	strbuf_fini(&pattern);
	strbuf_fini(&plain);
	strbuf_fini(&text);
	strbuf_fini(&want);
	strbuf_fini(&got);
}

/* A short line, one of 30,000 bytes, a short one; beyond ASCII in the long one, or not, or broken.
 */
static void
make_long(struct strbuf *out, const char *odd)
{
	strbuf_reset(out);
	CHECK_INT(strbuf_puts(out, "a foo\n"), 0);
	for (unsigned i = 0; i < 3000; i++)
		CHECK_INT(strbuf_printf(out, "x%u %s ", i, i % 7 ? "foo" : "bar"), 0);
	CHECK_INT(strbuf_puts(out, odd), 0);
	CHECK_INT(strbuf_puts(out, " foo end\nlast foo\n"), 0);
}

static void
check_long(struct matcher *m, struct matcher *fresh, struct span text)
{
	struct match a, b;
	int r = 1;

	for (size_t from = 0; r == 1; from = a.end + (a.start == a.end)) {
		r = matcher_find(m, text, from, &a);
		matcher_forget(fresh);
		CHECK_INT(matcher_find(fresh, text, from, &b), r);
		CHECK(r != 1 || (a.start == b.start && a.end == b.end));
	}
	CHECK_INT(r, 0);
}

TEST(pattern, what_is_remembered_of_a_long_line_changes_no_match)
{
	static const char *const patterns[] = {"fo+", "foo", "\\w+", "[^a-z ]+", "x\\d+7",
		"foo|bar", "end$", "^a|^last", "\\x{e9}|o "};
	static const char *const odd[] = {"plain", "\xc3\xa9t\xc3\xa9", "\xe9\xff", "n"};
	AUTO(strbuf_fini) struct strbuf text = {0};

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct matcher *m, *fresh;
		struct pattern *p;

		CHECK_INT(pattern_create(span_of(patterns[i]), PATTERN_REGEX, &p, NULL), 0);
		CHECK_INT(matcher_create(p, &m), 0);
		/* One after the other where the one before was, of the same length, too. */
		for (size_t k = 0; k < ARRAY_LEN(odd); k++) {
			make_long(&text, odd[k]);
			CHECK_INT(matcher_create(p, &fresh), 0);
			check_long(m, fresh, strbuf_view(&text));
			matcher_destroy(fresh);
		}
		matcher_destroy(m);
		pattern_destroy(p);
	}
}
