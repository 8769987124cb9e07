/* Our matches against those of ripgrep and of grep -P, where these are installed. */
#include "test.h"
#include "text/pattern.h"
#include <stdio.h>
#include <unistd.h>

#define N_TEXTS 3

static uint32_t seed = 99;

static uint32_t
dice(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * n >> 32);
}

static const char *const words[] = {"int", "static", "struct", "foo", "Foo", "FOO", "foobar",
	"foo_bar", "x", "_", "42", "0x1f", "return", "kmalloc(", ")", "(", "{", "}", ";", "->",
	"-x", "é", "École", "école", "straße", "STRASSE", "\u212a", "\u017f", "привет", "ПРИВЕТ",
	"\t", "  ", ".", "\"str\"", "a.b", "c:\\d", "\xff", "\xe9t\xe9", "\r", "k", "s", "Kiss",
	"#include", "<stdio.h>", "\U0001f600", "*"};

enum content { ANY_BYTES, ONLY_UTF8, ONLY_ASCII };

static bool
is_wanted(const char *word, enum content content)
{
	if (content == ONLY_UTF8)
		return utf8_valid(word, strlen(word));
	for (; content == ONLY_ASCII && *word; word++) {
		if (*word & 0x80)
			return false;
	}
	return true;
}

static void
write_text(const char *path, enum content content, struct strbuf *out)
{
	FILE *f = fopen(path, "w");

	strbuf_reset(out);
	for (unsigned i = 0; i < 3000; i++) {
		const char *word = words[dice(ARRAY_LEN(words))];

		(void)strbuf_puts(out, is_wanted(word, content) ? word : "");
		(void)strbuf_puts(out, dice(9) == 0 ? "\n" : dice(2) ? " " : "");
	}
	CHECK(f != NULL);
	CHECK_INT(fwrite(out->data, 1, out->len, f), out->len);
	CHECK_INT(fclose(f), 0);
}

static void
our_matches(const char *pattern, unsigned flags, struct span text, struct strbuf *out)
{
	struct pattern *p;
	struct matcher *m;
	struct match found;
	struct err err;
	size_t from = 0;

	strbuf_reset(out);
	(void)strbuf_puts(out, "");
	CHECK_SAY(pattern_create(span_of(pattern), flags, &p, &err) == 0, "/%s/: %s", pattern,
		err.what);
	CHECK_INT(matcher_create(p, &m), 0);
	while (matcher_find(m, text, from, &found) == 1) {
		CHECK(found.end > found.start);
		(void)strbuf_printf(out, "%zu-%zu\n", found.start, found.end);
		from = found.end;
	}
	matcher_destroy(m);
	pattern_destroy(p);
}

/* Lines "OFFSET:MATCH" of the program become "START-END". */
static void
their_matches(const char *program, const char *pattern, const char *path, struct strbuf *out)
{
	struct strbuf cmd = {0};
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	FILE *f;

	(void)strbuf_printf(&cmd, "LC_ALL=C.UTF-8 %s -e '", program);
	for (const char *c = pattern; *c; c++)
		(void)strbuf_puts(&cmd, *c == '\'' ? "'\\''" : (char[]){*c, 0});
	(void)strbuf_printf(&cmd, "' %s", path);
	f = popen(cmd.data, "r");
	CHECK(f != NULL);
	strbuf_reset(out);
	(void)strbuf_puts(out, "");
	while ((len = getline(&line, &cap, f)) > 0) {
		char *colon;
		unsigned long start = strtoul(line, &colon, 10);
		long bytes = len - 1 - (colon + 1 - line);

		CHECK_SAY(*colon == ':', "%s: %s", cmd.data, line);
		(void)strbuf_printf(out, "%lu-%lu\n", start, start + (unsigned long)bytes);
	}
	CHECK(pclose(f) >= 0);
	free(line);
	strbuf_fini(&cmd);
}

struct peer_option {
	const char *text;
	unsigned flags;
};

static void
compare(const char *program, struct peer_option option, const char *pattern, const char *path,
	struct span text)
{
	struct strbuf ours = {0}, theirs = {0}, cmd = {0};

	(void)strbuf_printf(&cmd, "%s %s", program, option.text);
	our_matches(pattern, option.flags, text, &ours);
	their_matches(cmd.data, pattern, path, &theirs);
	if (strcmp(ours.data, theirs.data) != 0) {
		size_t i = 0;

		while (ours.data[i] && ours.data[i] == theirs.data[i])
			i++;
		while (i > 0 && ours.data[i - 1] != '\n')
			i--;
		CHECK_SAY(false, "%s '%s' %s: ours goes on %.40s, theirs %.40s", cmd.data, pattern,
			path, ours.data + i, theirs.data + i);
	}
	strbuf_fini(&ours);
	strbuf_fini(&theirs);
	strbuf_fini(&cmd);
}

static void
compare_all(enum content content, const char *program, const char *const *patterns, size_t n,
	const struct peer_option *options, size_t n_options)
{
	char *dir = test_dir(), path[4096];
	struct strbuf text = {0};

	for (size_t t = 0; t < MIN(N_TEXTS, 1 + test_scale(N_TEXTS * 50)); t++) {
		(void)snprintf(path, sizeof(path), "%s/text%zu", dir, t);
		write_text(path, content, &text);
		for (size_t i = 0; i < n; i++) {
			for (size_t k = 0; k < n_options; k++)
				compare(program, options[k], patterns[i], path, strbuf_view(&text));
		}
	}
	strbuf_fini(&text);
	test_dir_remove(dir);
}

static const char *const literals[] = {"foo", "Foo", "kiss", "é", "straße", "привет", "École", "-x",
	"k", "s", "->", "a.b", "c:\\d", "struct foo", "(", "*", "it's", "\t", "foo_", "\U0001f600"};

static const char *const regexes[] = {"foo", "foo.*bar", "[fF]oo\\w*", "\\bfoo\\b", "\\w+", "\\s+",
	"\\S+", "\\W+", "[^a-z]+", "^\\s*\\w", "\\w$", ".$", "é|É", "foo|foobar", "(foo|bar)+",
	"\\d+", "0x[0-9a-f]+", "k\\S*s", "[к-я]+", "\\p{L}+", "\"[^\"]*\"", "\\(.*?\\)",
	"#include\\s*<", "a\\.b", "(?:int|struct)\\s+\\w+", "x{1,3}", ".+", "[^\\s]+;",
	"\\w+\\s*\\(", "fo{2}", "[\\w.]+", "\\{|\\}", "(?i)FOO", "stra(ß|ss)e", "\\pL\\d", "e\\b",
	"Foo\\W", "\xc3\xa9t\xc3\xa9", "(foo|static|return)\\b", "x?(int|Foo|struct)\\W",
	"(foo|int)?x", "(foo|int)*s", "((foo|bar)|int)s?", "(foo|ba[rz])_", "(?:struct|return)+ ",
	"(foo|int){2}", "\\w(kiss|int|École)", "(foo|static)+?\\w"};

static const struct peer_option rg_literal[] = {
	{"-s -F", 0},
	{"-i -F", PATTERN_FOLD},
	{"-S -F", PATTERN_SMART},
	{"-s -F -x", PATTERN_LINE},
};

static const struct peer_option rg_word[] = {
	{"-s -F -w", PATTERN_WORD},
	{"-i -F -w", PATTERN_FOLD | PATTERN_WORD},
};

static const struct peer_option rg_regex[] = {
	{"-s", PATTERN_REGEX},
	{"-i", PATTERN_REGEX | PATTERN_FOLD},
	{"-S", PATTERN_REGEX | PATTERN_SMART},
	{"-s -x", PATTERN_REGEX | PATTERN_LINE},
};

#define RG "/usr/bin/rg --no-config -a -b -o --no-filename --no-line-number --color never"

TEST(pattern_peers, literals_match_where_ripgrep_matches)
{
	if (access("/usr/bin/rg", X_OK) < 0)
		cr_skip_test("ripgrep is not installed");
	compare_all(
		ANY_BYTES, RG, literals, ARRAY_LEN(literals), rg_literal, ARRAY_LEN(rg_literal));
}

TEST(pattern_peers, regular_expressions_match_where_ripgrep_matches)
{
	if (access("/usr/bin/rg", X_OK) < 0)
		cr_skip_test("ripgrep is not installed");
	compare_all(ANY_BYTES, RG, regexes, ARRAY_LEN(regexes), rg_regex, ARRAY_LEN(rg_regex));
}

/* Not beside broken bytes: ripgrep 13 wants a character there that is no word's, we want no
 * character that is a word's. Nor literals that end in no letter: it takes the character before a
 * match for itself, so "((" has one "(". */
static const char *const word_literals[] = {"foo", "Foo", "kiss", "é", "straße", "привет", "École",
	"k", "s", "a.b", "struct foo", "foo_", "\U0001f600 x", "42"};

TEST(pattern_peers, words_match_where_ripgrep_matches)
{
	if (access("/usr/bin/rg", X_OK) < 0)
		cr_skip_test("ripgrep is not installed");
	compare_all(ONLY_UTF8, RG, word_literals, ARRAY_LEN(word_literals), rg_word,
		ARRAY_LEN(rg_word));
}

/* Not other alphabets: \w of grep -P is ASCII. */
static const char *const perl_only[] = {"foo(?=bar)", "(?<!\\w)foo", "(?<=\\s)\\w+", "(\\w)\\1",
	"foo(?!bar)\\w*", "(?>\\w+)\\(", "\\w++ ", "(?i:foo)Bar|x", "(\\((?:[^()]|(?1))*\\))",
	"\\Qa.b\\E", "\\h+\\w"};
static const struct peer_option grep_options[] = {
	{"", PATTERN_REGEX},
	{"-i", PATTERN_REGEX | PATTERN_FOLD},
	{"-x", PATTERN_REGEX | PATTERN_LINE},
};

TEST(pattern_peers, what_only_pcre2_knows_matches_where_grep_p_matches)
{
	if (system("echo x | grep -qP 'x' 2>/dev/null") != 0)
		cr_skip_test("grep -P is not there");
	compare_all(ONLY_ASCII, "grep -P -a -b -o", perl_only, ARRAY_LEN(perl_only), grep_options,
		ARRAY_LEN(grep_options));
}
