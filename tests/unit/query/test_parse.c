#include "query/query.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static struct strbuf printed;

/* 2026-03-10 12:00:00 UTC. */
#define NOW_NS (1773144000ll * NSEC_PER_SEC)

static void
use_utc(void)
{
	CHECK(setenv("TZ", "UTC", 1) == 0);
	tzset();
}

static void
forget(void)
{
	strbuf_fini(&printed);
}

TestSuite(parse, .init = use_utc, .fini = forget);

static int
parse(const char *text, enum query_case cas, struct err *err)
{
	struct query_env env = {.now_ns = NOW_NS, .cas = cas};
	struct query *q = NULL;
	int r = query_parse(span_of(text), &env, &q, err);

	strbuf_reset(&printed);
	if (r == 0) {
		CHECK_INT(query_print(q, &printed), 0);
		query_unref(q);
	}
	return r;
}

static void
check_all(const char *const (*rows)[2], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct err err = {0};
		int r = parse(rows[i][0], QUERY_CASE_SMART, &err);

		CHECK_SAY(r == 0, "%s: %s (column %u)", rows[i][0], err.what, err.pos);
		CHECK_SAY(strcmp(printed.data, rows[i][1]) == 0, "%s: is %s, expected %s",
			rows[i][0], printed.data, rows[i][1]);
	}
}

#define CHECK_ALL(rows) check_all(rows, ARRAY_LEN(rows))

TEST(parse, joins_words_by_and_below_or_below_not)
{
	static const char *const rows[][2] = {
		{"", "(all)"},
		{" \t ", "(all)"},
		{"a", "(word a)"},
		{"a b", "(and (word a) (word b))"},
		{"a AND b", "(and (word a) (word b))"},
		{"a|b c", "(or (word a) (and (word b) (word c)))"},
		{"a OR b | c", "(or (word a) (word b) (word c))"},
		{"(a | b) c", "(and (or (word a) (word b)) (word c))"},
		{"(a|b)c", "(and (or (word a) (word b)) (word c))"},
		{"-a b", "(and (not (word a)) (word b))"},
		{"NOT a", "(not (word a))"},
		{"!a", "(not (word a))"},
		{"-!a", "(not (not (word a)))"},
		{"-(a b)", "(not (and (word a) (word b)))"},
		{"((a))", "(word a)"},
		{"a-b", "(word a-b)"},
		{"and or not", "(and (word and) (word or) (word not))"},
		{"\"AND\"", "(word AND exact)"},
	};

	CHECK_ALL(rows);
}

TEST(parse, tells_words_phrases_globs_and_regular_expressions_apart)
{
	static const char *const rows[][2] = {
		{"foo.c", "(word foo.c)"},
		{"Foo", "(word Foo exact)"},
		{"\"a b\"", "(word \"a b\")"},
		{"\"say \\\"hi\\\" \\\\ \\n\"", "(word \"say \\\"hi\\\" \\\\ \\\\n\")"},
		{"a\\ b", "(word \"a b\")"},
		{"a\\*b", "(word a*b)"},
		{"\\(x\\)", "(word \"(x)\")"},
		{"\\-x", "(word -x)"},
		{"a\\:b", "(word a:b)"},
		{"12:30", "(word 12:30)"},
		{"*.c", "(name-glob *.c)"},
		{"src/*.c", "(glob src/*.c)"},
		{"/src/**", "(glob /src/**)"},
		{"path:*.C", "(name-glob *.C exact)"},
		{"\"*.c\"", "(word *.c)"},
		{"src/lib", "(word src/lib)"},
		{"/usr/lib", "(word /usr/lib)"},
		{"/usr/lib/", "(regex usr/lib)"},
		{"\"/usr/lib/\"", "(word /usr/lib/)"},
		{"/", "(word /)"},
		{"name:foo", "(name foo)"},
		{"n:\"a b\"", "(name \"a b\")"},
		{"name:f?o", "(name-glob f?o)"},
		{"path:a/b", "(word a/b)"},
		{"content:foo", "(content foo)"},
		{"content:\"a b\"", "(content \"a b\")"},
		{"content:f*", "(content f*)"},
	};

	CHECK_ALL(rows);
}

TEST(parse, reads_regular_expressions_to_their_closing_slash)
{
	static const char *const rows[][2] = {
		{"/a(b|c)+/", "(regex \"a(b|c)+\")"},
		{"(/a/ | /b/)", "(or (regex a) (regex b))"},
		{"/a/|/b/", "(or (regex a) (regex b))"},
		{"content:/a\\/ b/", "(content-regex \"a\\\\/ b\")"},
		{"/a\\ b/ c", "(and (regex \"a\\\\ b\") (word c))"},
		{"/a b/", "(and (word /a) (word b/))"},
		{"name:/^a.*b$/", "(name-regex ^a.*b$)"},
		{"content:/foo bar/ x", "(and (content-regex \"foo bar\") (word x))"},
		{"/\\W/", "(regex \"\\\\W\")"},
		{"/A/", "(regex A)"},
		{"case:yes /A/", "(regex A exact)"},
	};

	CHECK_ALL(rows);
}

TEST(parse, reads_each_field)
{
	static const char *const rows[][2] = {
		{"ext:c,.H,tar.gz", "(ext c h tar.gz)"},
		{"e:c", "(ext c)"},
		{"type:f", "(type f)"},
		{"type:dl", "(type dl)"},
		{"type:file,link,Socket", "(type fls)"},
		{"t:fdlpsbc", "(type fdlpsbc)"},
		{"in:/home//x/", "(in /home/x)"},
		{"in:\"a b/\"", "(in \"a b\")"},
		{"in:/", "(in /)"},
		{"depth:2", "(depth 2..2)"},
		{"depth:>2", "(depth 3..)"},
		{"depth:>=2", "(depth 2..)"},
		{"depth:<2", "(depth ..1)"},
		{"depth:<=2", "(depth ..2)"},
		{"depth:<0", "(none)"},
		{"depth:1..3", "(depth 1..3)"},
		{"depth:2..", "(depth 2..)"},
		{"depth:..2", "(depth ..2)"},
		{"size:>10k", "(size 10241..)"},
		{"size:..2M", "(size ..2097152)"},
		{"size:1M..1.5M", "(size 1048576..1572864)"},
		{"size:100", "(size 100..100)"},
		{"size:empty", "(size ..0)"},
		{"size:>18446744073709551615", "(none)"},
		{"user:0", "(user 0)"},
		{"user:root", "(user 0)"},
		{"gid:7", "(group 7)"},
		{"perm:644", "(perm =644)"},
		{"perm:-022", "(perm -22)"},
		{"perm:/111", "(perm /111)"},
		{"mode:04755", "(perm =4755)"},
		{"links:>1", "(links 2..)"},
		{"inode:12", "(inode 12..12)"},
		{"empty:", "(empty)"},
		{"empty:no", "(not (empty))"},
		{"dupe:yes", "(dupe)"},
		{"root:home", "(root home)"},
		{"lang:C,python", "(lang c python)"},
		{"SIZE:1", "(size 1..1)"},
	};

	CHECK_ALL(rows);
}

TEST(parse, reads_times_in_the_local_zone)
{
	static const char *const rows[][2] = {
		{"mtime:<7d", "(mtime 1772539200000000001..)"},
		{"mtime:<=7d", "(mtime 1772539200000000000..)"},
		{"mtime:>1y", "(mtime ..1741607999999999999)"},
		{"mtime:1d..7d", "(mtime 1772539200000000000..1773057600000000000)"},
		{"mtime:7d..1d", "(mtime 1772539200000000000..1773057600000000000)"},
		{"mtime:..2h", "(mtime 1773136800000000000..)"},
		{"mtime:2026-01-01", "(mtime 1767225600000000000..1767311999999999999)"},
		{"mtime:2026-01-01..", "(mtime 1767225600000000000..)"},
		{"ctime:..2026-02", "(ctime ..1772323199999999999)"},
		{"mtime:2026", "(mtime 1767225600000000000..1798761599999999999)"},
		{"mtime:>2026-01-01", "(mtime 1767312000000000000..)"},
		{"mtime:<2026-01-01", "(mtime ..1767225599999999999)"},
		{"mtime:today", "(mtime 1773100800000000000..1773187199999999999)"},
		{"mtime:yesterday", "(mtime 1773014400000000000..1773100799999999999)"},
		{"mtime:2026-01-01T10:30", "(mtime 1767263400000000000..1767263459999999999)"},
		{"mtime:2026-01-01T10:30:05Z", "(mtime 1767263405000000000..1767263405999999999)"},
	};

	CHECK_ALL(rows);
	CHECK(setenv("TZ", "EST5", 1) == 0);
	tzset();
	CHECK_INT(parse("mtime:2026-01-01", QUERY_CASE_SMART, NULL), 0);
	CHECK_STR(printed.data, "(mtime 1767243600000000000..1767329999999999999)");
}

TEST(parse, case_rules_the_whole_query)
{
	static const char *const rows[][2] = {
		{"case:yes foo", "(word foo exact)"},
		{"Foo case:no", "(word Foo)"},
		{"Foo | (bar case:no)", "(or (word Foo) (word bar))"},
		{"case:yes", "(all)"},
	};

	CHECK_ALL(rows);
	CHECK_INT(parse("foo", QUERY_CASE_EXACT, NULL), 0);
	CHECK_STR(printed.data, "(word foo exact)");
	CHECK_INT(parse("FOO", QUERY_CASE_FOLD, NULL), 0);
	CHECK_STR(printed.data, "(word FOO)");
}

static const struct {
	const char *text;
	uint32_t pos;
	const char *what, *hint; /* parts of them */
} refused[] = {
	{"a \"b", 3, "unclosed quote", "add \""},
	{"\"a\"b", 4, "closing quote", "space"},
	{"a\"b\"", 2, "'\"' inside", "quote"},
	{"foo(x)", 4, "'(' inside", "quote"},
	{"a\\", 2, "backslash", "\\\\"},
	{"name:/ab", 6, "unclosed regular", "add /"},
	{"a //", 3, "empty regular", "\"//\""},
	{"(a", 1, "unclosed paren", "add )"},
	{"a (", 3, "unclosed paren", "add )"},
	{"a ()", 3, "hold nothing", "remove"},
	{"a)", 2, "unmatched ')'", "remove"},
	{")", 1, "unmatched ')'", "remove"},
	{"| a", 1, "missing", "'|'"},
	{"a |", 3, "missing after", "write one"},
	{"a || b", 3, "missing after", "quote"},
	{"(a | )", 4, "missing after", "write one"},
	{"a AND", 3, "AND", "remove"},
	{"AND a", 1, "AND", "remove"},
	{"a NOT", 3, "NOT", "quotes"},
	{"a - b", 3, "nothing after '-'", "\"-\""},
	{"a -", 3, "nothing after '-'", "\"-\""},
	{"-case:yes a", 2, "negated", "case:"},
	{"case:maybe", 1, "neither yes nor no", "case:yes"},
	{"a \"\"", 3, "hold nothing", "between"},
	{"x name:", 3, "name: without", "right after"},
	{"size: 5", 1, "size: without", "blank"},
	{"name:a/b", 6, "no slash", "path:"},
	{"ab[c", 3, "without its end", "]"},
	{"x foo/ab[c", 9, "without its end", "]"},
	{"siez:5", 1, "unknown field \"siez:\"", "did you mean \"size:\"?"},
	{"a naem:5", 3, "unknown field", "\"name:\""},
	{"http://x", 1, "unknown field \"http:\"", "quotes"},
	{"C:", 1, "unknown field", "quotes"},
	{"std::vector", 1, "unknown field", "quotes"},
	{"size:abc", 6, "not a size", "10k"},
	{"size:>x", 7, "not a size", "10k"},
	{"size:1..x", 9, "not a size", "10k"},
	{"size:2..1", 6, "ends before", "smaller"},
	{"size:..", 6, "without ends", "A..B"},
	{"size:99999999999999999999", 6, "too large", "number"},
	{"depth:x", 7, "not a number", "digits"},
	{"mtime:7d", 7, "age without", "<7d"},
	{"mtime:2026-13", 7, "not a time", "2026-01-31"},
	{"mtime:2026-02-30", 7, "not a time", "2026-01-31"},
	{"mtime:<7q", 8, "not a time", "<7d"},
	{"mtime:2026-02..2026-01", 7, "ends before", "smaller"},
	{"user:no-such-user-here", 6, "unknown user", "number"},
	{"group:no-such-group-here", 7, "unknown group", "number"},
	{"perm:8", 6, "not permission", "octal"},
	{"perm:77777", 6, "not permission", "octal"},
	{"perm:-", 6, "not permission", "octal"},
	{"type:fx", 7, "file type 'x'", "f (file)"},
	{"type:file,y", 11, "file type 'y'", "f (file)"},
	{"ext:c,,h", 7, "empty item", "ext:a,b"},
	{"lang:pyhton", 6, "unknown language", "python"},
	{"lang:c,py", 8, "unknown language", "python"},
	{"empty:maybe", 7, "neither yes nor no", "empty:yes"},
	{"name:/a(/", 6, "", ""},
};

TEST(parse, each_error_points_at_its_column_and_says_what_to_write)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct err err = {0};

		CHECK_SAY(parse(refused[i].text, QUERY_CASE_SMART, &err) == -EINVAL,
			"%s: accepted as %s", refused[i].text, printed.data);
		CHECK_SAY(err.code == -EINVAL && strstr(err.what, refused[i].what),
			"%s: said \"%s\", expected \"%s\"", refused[i].text, err.what,
			refused[i].what);
		CHECK_SAY(strstr(err.hint, refused[i].hint) && err.hint[0],
			"%s: hinted \"%s\", expected \"%s\"", refused[i].text, err.hint,
			refused[i].hint);
		if (refused[i].what[0])
			CHECK_SAY(err.pos == refused[i].pos, "%s: column %u, expected %u",
				refused[i].text, err.pos, refused[i].pos);
		else
			CHECK(err.pos >= refused[i].pos);
	}
}

TEST(parse, refuses_a_nul_byte)
{
	struct query_env env = {0};
	struct query *q;
	struct err err = {0};

	CHECK_INT(query_parse((struct span){"ab\0c", 4}, &env, &q, &err), -EINVAL);
	CHECK_INT(err.pos, 3);
}

TEST(parse, holds_its_limits)
{
	struct query_env env = {0};
	struct strbuf text = {0};
	struct query *q;
	struct err err = {0};

	for (unsigned i = 0; i < QUERY_MAX_TERMS; i++)
		CHECK_INT(strbuf_puts(&text, "a "), 0);
	CHECK_INT(query_parse(strbuf_view(&text), &env, &q, &err), 0);
	query_unref(q);
	CHECK_INT(strbuf_puts(&text, "b"), 0);
	CHECK_INT(query_parse(strbuf_view(&text), &env, &q, &err), -EOVERFLOW);
	CHECK_INT(err.code, -EOVERFLOW);
	CHECK_INT(err.pos, 2 * QUERY_MAX_TERMS + 1);

	strbuf_reset(&text);
	for (unsigned i = 0; i < QUERY_MAX_DEPTH; i++)
		CHECK_INT(strbuf_putc(&text, '('), 0);
	CHECK_INT(strbuf_putc(&text, 'a'), 0);
	CHECK_INT(query_parse(strbuf_view(&text), &env, &q, &err), -EOVERFLOW);
	CHECK_INT(err.pos, QUERY_MAX_DEPTH + 1);

	strbuf_reset(&text);
	for (unsigned i = 0; i <= QUERY_MAX_BYTES; i++)
		CHECK_INT(strbuf_putc(&text, 'a'), 0);
	CHECK_INT(query_parse(strbuf_view(&text), &env, &q, &err), -EOVERFLOW);
	CHECK_INT(err.pos, QUERY_MAX_BYTES + 1);
	strbuf_fini(&text);
}

TEST(parse, knows_whether_contents_are_read)
{
	static const struct {
		const char *text;
		bool content;
	} rows[] = {{"a b", false}, {"content:a", true}, {"a | -(b content:c)", true}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct query_env env = {0};
		struct query *q;

		CHECK_INT(query_parse(span_of(rows[i].text), &env, &q, NULL), 0);
		CHECK(query_has_content(q) == rows[i].content);
		query_unref(q);
	}
}

TEST(parse, reads_sort_keys)
{
	struct query_sort keys[QUERY_MAX_SORT_KEYS];
	struct err err = {0};

	CHECK_INT(query_sort_parse(span_of(""), keys, &err), 0);
	CHECK_INT(query_sort_parse(span_of("mtime:desc,name"), keys, &err), 2);
	CHECK(keys[0].field == FIELD_MTIME && keys[0].descending);
	CHECK(keys[1].field == FIELD_NAME && !keys[1].descending);
	CHECK_INT(query_sort_parse(span_of("size:asc"), keys, &err), 1);
	CHECK_INT(query_sort_parse(span_of("name,bogus"), keys, &err), -EINVAL);
	CHECK_INT(err.pos, 6);
	CHECK_INT(query_sort_parse(span_of("name:up"), keys, &err), -EINVAL);
	CHECK_INT(query_sort_parse(span_of("name,"), keys, &err), -EINVAL);
	CHECK_INT(query_sort_parse(span_of("a,b,c,d,e"), keys, &err), -EINVAL);
	CHECK_INT(query_sort_parse(span_of("name,name,name,name,name"), keys, &err), -EINVAL);
}

/* Pieces of the language in any order: accepted or refused with a column inside the text, and what
 * is printed of what was accepted is never empty. */
TEST(parse, any_text_is_accepted_or_refused_at_a_column_in_it)
{
	static const char *const pieces[] = {"a", "(", ")", "|", "-", "!", " ", "\"", "\\", "/",
		"*", "[", "]", "..", ":", "size:", ">", "10k", "mtime:", "<7d", "2026-01",
		"name:", "content:", "/a+/", "AND ", "NOT ", " OR ", "ext:", ",", "\xff",
		"perm:", "case:yes", "empty:", "user:", "depth:", "type:", "\n", "Z",
		"lang:", "in:", "dupe:no"};
	uint64_t seed = 42;
	unsigned long n = test_scale(5000000);

	for (unsigned long i = 0; i < n; i++) {
		char text[256] = "";
		struct err err = {0};
		size_t len = 0;
		int r;

		for (unsigned k = 0; k < i % 12; k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			(void)snprintf(text + len, sizeof(text) - len, "%s",
				pieces[(seed >> 33) % ARRAY_LEN(pieces)]);
			len = strlen(text);
		}
		r = parse(text, QUERY_CASE_SMART, &err);
		if (r == 0)
			CHECK(printed.len > 2);
		else
			CHECK_SAY((r == -EINVAL || r == -EOVERFLOW) && err.pos >= 1 &&
					  err.pos <= len + 1 && err.what[0] && err.hint[0],
				"%s: %d, column %u, %s (%s)", text, r, err.pos, err.what, err.hint);
	}
}
