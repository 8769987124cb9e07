/* What common patterns become. A change here is a change of what is read for them. */
#include "test.h"

#include "gram/regex_grams.h"

static void
check(unsigned n, const char *pattern, enum pattern_flags flags, const char *want)
{
	struct gram_query q;
	struct strbuf got = {0};

	gram_query_init(&q, n);
	CHECK_INT(grams_of_pattern(span_of(pattern), flags, &q), 0);
	CHECK_INT(gram_query_print(&q, q.root, &got), 0);
	CHECK_SAY(strcmp(got.data, want) == 0, "%s is %s, not %s", pattern, got.data, want);
	strbuf_fini(&got);
	gram_query_fini(&q);
}

static void
check_regex(const char *pattern, const char *want)
{
	check(4, pattern, PATTERN_REGEX, want);
}

TEST(regex_grams, words)
{
	check(4, "memory", 0, "\"emor\" & \"memo\" & \"mory\"");
	check(3, "memory", 0, "\"emo\" & \"mem\" & \"mor\" & \"ory\"");
	check(4, "MeMory", PATTERN_FOLD, "\"emor\" & \"memo\" & \"mory\"");
	check(4, "foo", 0, "\"foo\"*");
	check(3, "foo", 0, "\"foo\"");
	check(4, "fo", 0, "\"fo\"**");
	check(3, "f", 0, "\"f\"**");
	check(4, "f", 0, "ANY");
	check(3, "fo", 0, "\"fo\"*");
	check(4, "foo", PATTERN_WORD, "\"foo\"*");
	check(4, "foo", PATTERN_LINE, "\"\\nfoo\" & \"foo\\n\"");
	check(4, "a.c(", 0, "\"a.c(\"");
	check(4, "\xe4\xb8\xad\xe6\x96\x87", 0, "\"@[kx\"");
	check(4, "gr\xfcn", 0, "\"gr\\?n\"");
	check(4, "ab\xa9xyz", 0, "\"xyz\"*");
	check(4, "int main", PATTERN_PATH, "ANY");
}

TEST(regex_grams, sequences)
{
	check_regex("memory_order",
		"\"emor\" & \"memo\" & \"mory\" & \"orde\" & \"ory_\" & \"rder\" & "
		"\"ry_o\" & \"y_or\" & \"_ord\"");
	check_regex("foo.*bar", "\"bar\"* & \"foo\"*");
	check_regex("f.o", "ANY");
	check_regex("foo\\.c", "\"foo.\" & \"oo.c\"");
	check_regex("\\Qa.b(\\E", "\"a.b(\"");
	check_regex("\\x{66}\\o{157}o\\x20", "\"foo \"");
	check_regex("struct\\s+foo", "\"ruct\" & \"stru\" & \"truc\" & (\"\\nfoo\" | \" foo\" | "
				     "\"\\?foo\") & (\"uct\\n\" | \"uct \" | \"uct\\?\")");
}

TEST(regex_grams, alternatives)
{
	check_regex("foo|bar", "\"bar\"* | \"foo\"*");
	check_regex("foobar|foobaz", "\"foob\" & \"ooba\" & (\"obar\" | \"obaz\")");
	check_regex("foo|.", "ANY");
	check_regex("(ab|cd)ef", "\"abef\" | \"cdef\"");
	check_regex("gr[ae]y", "\"gray\" | \"grey\"");
	check_regex("foo[^x]", "\"foo\"*");
	check_regex("v\\d\\d\\.", "ANY");
	check_regex("int[0-9]", "\"int0\" | \"int1\" | \"int2\" | \"int3\" | \"int4\" | \"int5\" | "
				"\"int6\" | \"int7\" | \"int8\" | \"int9\"");
}

TEST(regex_grams, repeats)
{
	check_regex("a(bc)+d", "\"abc\"* & \"bcd\"*");
	check_regex("colou?r", "\"colo\" & (\"olor\" | (\"lour\" & \"olou\"))");
	check_regex("abc*d", "\"ab\"**");
	check_regex("abc*def", "\"def\"*"); /* what says more is enough */
	check_regex("abcd*", "\"abc\"*");
	check_regex("x{4}", "\"xxxx\"");
	check_regex("x{4,}y", "\"xxxx\" & \"xxxy\"");
	check_regex("(foo){0}bar", "\"bar\"*");
	check_regex("(foo){2}", "\"foof\" & \"ofoo\" & \"oofo\"");
	check_regex("foo++bar", "\"foo\"* & \"obar\"");
}

TEST(regex_grams, anchors_and_what_looks_around)
{
	check_regex("^foo", "\"\\nfoo\"");
	check_regex("foo$", "\"foo\\n\"");
	check_regex("^ab$", "\"\\nab\\n\"");
	check_regex("^(foo|bar)$", "(\"\\nbar\" & \"bar\\n\") | (\"\\nfoo\" & \"foo\\n\")");
	check_regex("^q", "\"\\nq\"**");
	check_regex("q$", "ANY"); /* no gram begins so where the text ends */
	check_regex("zq|qz", "\"qz\"** | \"zq\"**");
	check_regex("a^b", "NONE");
	check_regex("\\bfoo\\b", "\"foo\"*");
	check_regex("abc(?=def)", "\"abc\"* & \"def\"*");
	check_regex("(?<=abc)def", "\"abc\"* & \"def\"*");
	check_regex("abc(?!def)", "\"abc\"*");
	check_regex("abc\\Kdef", "\"abcd\" & \"bcde\" & \"cdef\"");
}

TEST(regex_grams, what_is_not_known_is_any)
{
	static const char *const any[] = {"foo(*ACCEPT)bar", "(?x)f o o bar", "(foobar)(?1)",
		"(?R)?foobar", "(foobar)?(?(1)abcd|efgh)", "foobar{,3}", "foobar{ 2 }",
		"foobar(?C1)", "foo\\12bar", "(*UTF)foobar", "(?:foobar", "foobar)", "[foobar",
		"foobar\\", "fo\xff{2}obar\\R"};

	for (size_t i = 0; i < ARRAY_LEN(any) - 1; i++)
		check_regex(any[i], "ANY");
	check_regex("(foo)\\1bar", "\"bar\"* & \"foo\"*");
	check_regex("foo\\Rbar", "\"bar\"* & \"foo\"*");
	check_regex("foo\xff"
		    "barx",
		"\"barx\" & \"foo\"*");
}

TEST(regex_grams, matches_that_span_lines)
{
	enum pattern_flags multi = PATTERN_REGEX | PATTERN_MULTI;

	check(4, "foo\nbar", PATTERN_MULTI, "\"\\nbar\" & \"foo\\n\" & \"o\\nba\" & \"oo\\nb\"");
	check(4, "foo\\nbar", multi, "\"\\nbar\" & \"foo\\n\" & \"o\\nba\" & \"oo\\nb\"");
	check(4, "foo$\\n^bar", multi, "\"\\nbar\" & \"foo\\n\" & \"o\\nba\" & \"oo\\nb\"");
	check(4, "memory.*order", multi | PATTERN_DOTALL,
		"\"emor\" & \"memo\" & \"mory\" & \"orde\" & \"rder\"");
	check(4, "foo[^;]*bar", multi, "\"bar\"* & \"foo\"*");
	check(4, "a^b", multi, "NONE");
}

/* A pattern of 1,024 bytes is the largest: nothing grows beyond its limit. */
TEST(regex_grams, large_patterns_stay_within_the_limit)
{
	static const char *const pieces[] = {"x", "[a-p]", "(ab|cd|", "(?:", "((a{9}){9}){9}",
		"a?b?", "(ab?c|d?e)", "[ab][cd]", "(a|", "foo|bar\\d|", "\\d\\d\\d", "[^a]{2,}b",
		"(?:ab", "(a?", "(abc|", "(?=ab"};

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct strbuf pattern = {0};
		struct gram_query q;
		size_t n_open = 0;

		while (pattern.len + 4 * n_open + strlen(pieces[i]) + 4 < PATTERN_MAX_BYTES) {
			CHECK_INT(strbuf_puts(&pattern, pieces[i]), 0);
			n_open += pieces[i][0] == '(' && !strchr(pieces[i], ')');
		}
		for (; n_open > 0; n_open--)
			CHECK_INT(strbuf_puts(&pattern, n_open % 2 ? "){2}" : ")"), 0);
		gram_query_init(&q, 4);
		CHECK_INT(grams_of_pattern(strbuf_view(&pattern), PATTERN_REGEX, &q), 0);
		CHECK(q.n_nodes <= GRAM_QUERY_MAX_NODES && q.arena.total_bytes < 16u << 20);
		gram_query_fini(&q);
		strbuf_fini(&pattern);
	}
}
