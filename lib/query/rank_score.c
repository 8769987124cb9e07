#include "query/rank_score.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

/* LANGUAGE.md, "Ranking". */
enum points {
	POINTS_NAME_IS = 40,
	POINTS_NAME_HOLDS = 20,
	POINTS_NAME_IN = 15, /* mutex.c for mutex_lock */
	POINTS_TESTS = -25,
	POINTS_FOREIGN = -40, /* vendored, or made by a program */
	POINTS_HIDDEN = -10,
	POINTS_DEPTH = -1, /* each component, at most DEPTH_MAX of them */
	POINTS_DEFINITION = 50,
	POINTS_WORD = 15,
	POINTS_BEGINS_LINE = 5,
};

#define DEPTH_MAX 20u
#define STEM_MIN_BYTES 3u
#define WORD_MAX_BYTES 24u

struct rank_scorer {
	const struct snapshot *snapshot;
	struct matcher *matcher; /* NULL: no pattern */
	struct span pattern;     /* its first text; of others nothing is asked */
	/* Of the directory asked last. */
	bool known;
	uint32_t layer, dir;
	int dir_score;
};

int
rank_scorer_create(
	const struct snapshot *s, const struct pattern *pattern, struct rank_scorer **ret)
{
	struct rank_scorer *r = calloc(1, sizeof(*r));
	int e = 0;

	if (!r)
		return -ENOMEM;
	r->snapshot = s;
	if (pattern) {
		r->pattern = pattern_text(pattern, 0);
		e = matcher_create(pattern, &r->matcher);
	}
	if (e < 0)
		rank_scorer_destroy(r);
	else
		*ret = r;
	return e;
}

void
rank_scorer_destroy(struct rank_scorer *r)
{
	if (!r)
		return;
	matcher_destroy(r->matcher);
	free(r);
}

static bool
is_in(struct span s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(words[i]) == s.len && strncasecmp(words[i], s.data, s.len) == 0)
			return true;
	}
	return false;
}

static int
component_score(struct span name)
{
	static const char *const tests[] = {"test", "tests", "testing", "testdata", "testsuite",
		"selftests", "__tests__", "spec", "specs", "mock", "mocks", "fixtures", "example",
		"examples", "sample", "samples", "demo", "demos", "bench", "benchmarks"};
	static const char *const foreign[] = {"vendor", "vendored", "third_party", "third-party",
		"thirdparty", "3rdparty", "external", "extern", "deps", "node_modules",
		"bower_components", "site-packages", "dist-packages", "dist", "build", "target",
		"generated"};

	if (is_in(name, foreign, ARRAY_LEN(foreign)))
		return POINTS_FOREIGN;
	if (is_in(name, tests, ARRAY_LEN(tests)))
		return POINTS_TESTS;
	return name.len > 1 && name.data[0] == '.' ? POINTS_HIDDEN : 0;
}

/* Of all components above: the worst kind counts once. */
static int
dir_score(const struct tree_cols *c, uint32_t dir)
{
	uint32_t entry = c->dir_entry[dir], depth = 0;
	int worst = 0;

	for (; entry != 0; entry = c->dir_entry[tree_parent(c, entry)]) {
		worst = MIN(worst, component_score(tree_name(c, entry)));
		depth++;
	}
	return worst + POINTS_DEPTH * (int)MIN(depth, DEPTH_MAX);
}

static bool
holds(struct span s, const char *part)
{
	return s.len > 0 && memmem(s.data, s.len, part, strlen(part)) != NULL;
}

static bool
is_test_name(struct span name)
{
	return span_starts(name, SPAN_LIT("test_")) || span_starts(name, SPAN_LIT("test-")) ||
	       holds(name, "_test.") || holds(name, "-test.") || holds(name, ".test.") ||
	       holds(name, ".spec.");
}

static bool
is_made_name(struct span name)
{
	return holds(name, ".min.") || span_ends(name, SPAN_LIT(".lock")) ||
	       span_ends(name, SPAN_LIT(".map")) || span_eq(name, SPAN_LIT("package-lock.json"));
}

static bool
holds_folded(struct span s, struct span part)
{
	for (size_t i = 0; part.len <= s.len && i <= s.len - part.len; i++) {
		if (strncasecmp(s.data + i, part.data, part.len) == 0)
			return true;
	}
	return false;
}

/* Does the name match, without what follows its last dot, or does the pattern speak of it? */
static int
match_score(struct rank_scorer *r, struct span name)
{
	const char *dot = name.len ? memrchr(name.data, '.', name.len) : NULL;
	struct span stem = {name.data, dot > name.data ? (size_t)(dot - name.data) : name.len};
	struct match m;

	/* An error is a limit that was reached, which the search of the file will meet, too. */
	if (!r->matcher)
		return 0;
	if (matcher_find(r->matcher, stem, 0, &m) <= 0 || m.start == m.end)
		return stem.len >= STEM_MIN_BYTES && holds_folded(r->pattern, stem) ? POINTS_NAME_IN
		                                                                    : 0;
	return m.start == 0 && m.end == stem.len ? POINTS_NAME_IS : POINTS_NAME_HOLDS;
}

static int
name_score(struct rank_scorer *r, struct span name)
{
	int kind = is_made_name(name)                    ? POINTS_FOREIGN
	           : is_test_name(name)                  ? POINTS_TESTS
	           : name.len > 1 && name.data[0] == '.' ? POINTS_HIDDEN
	                                                 : 0;

	return kind + match_score(r, name);
}

int
rank_file(struct rank_scorer *r, uint32_t layer, uint32_t entry)
{
	const struct tree_cols *c = snapshot_cols(r->snapshot, layer);
	uint32_t dir = tree_parent(c, entry);

	if (entry == 0)
		return 0;
	if (!r->known || r->layer != layer || r->dir != dir) {
		r->known = true;
		r->layer = layer;
		r->dir = dir;
		r->dir_score = dir_score(c, dir);
	}
	return r->dir_score + name_score(r, tree_name(c, entry));
}

static bool
is_word_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

/* The word that ends before `at`, blanks between them left out; a '#' belongs to it. */
static struct span
word_before(struct span text, size_t at)
{
	size_t end = at, start;

	while (end > 0 && (text.data[end - 1] == ' ' || text.data[end - 1] == '\t'))
		end--;
	if (end == at)
		return (struct span){text.data, 0};
	for (start = end; start > 0 && is_word_byte(text.data[start - 1]);)
		start--;
	start -= start > 0 && text.data[start - 1] == '#';
	return (struct span){text.data + start, end - start};
}

static bool
is_keyword(struct span word)
{
	static const char *const words[] = {"#define", "def", "class", "struct", "union", "enum",
		"fn", "func", "function", "fun", "proc", "sub", "trait", "interface", "impl",
		"module", "mod", "package", "namespace", "type", "typedef", "record", "protocol",
		"macro", "macro_rules", "const", "let", "var", "val", "static", "define", "defun",
		"defmodule", "object", "message", "service", "config"};

	if (word.len == 0 || word.len > WORD_MAX_BYTES)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_eq(word, span_of(words[i])))
			return true;
	}
	return false;
}

static char
byte_at(struct span text, size_t at)
{
	return at < text.len ? text.data[at] : '\0';
}

/* "type name(...)" from the first column, and no ';' at the end: a function of C and its kin.
 * "name =", "name:": a variable, a rule. Also a macro of make or the shell: "name()". */
static bool
is_plain_definition(struct span text, struct match m)
{
	struct span line = span_trim(text);
	size_t at = m.end;

	if (text.len == 0 || !is_word_byte(text.data[0]) ||
		(m.start == 0 && byte_at(text, at) == '(' && !span_ends(line, SPAN_LIT("{")) &&
			!span_ends(line, SPAN_LIT(")"))))
		return false;
	if (byte_at(text, at) == '(')
		return !span_ends(line, SPAN_LIT(";"));
	while (byte_at(text, at) == ' ' || byte_at(text, at) == '\t')
		at++;
	return m.start == 0 && ((byte_at(text, at) == '=' && byte_at(text, at + 1) != '=') ||
				       (byte_at(text, at) == ':' && byte_at(text, at + 1) != ':'));
}

/* Behind a keyword. "struct foo;" and "struct foo *p" say that there is one, not what it is. */
static bool
is_declared(struct span text, struct match m)
{
	char next = byte_at(text, m.end);

	return is_keyword(word_before(text, m.start)) && next != ';' &&
	       !(next == ' ' && byte_at(text, m.end + 1) == '*');
}

int
rank_line(struct span text, struct match m)
{
	bool before, after, word;
	int score = 0;

	if (m.start > text.len || m.end > text.len || m.start == m.end)
		return 0;
	before = m.start > 0 && is_word_byte(text.data[m.start - 1]);
	after = m.end < text.len && is_word_byte(text.data[m.end]);
	word = !before && !after;
	if (word)
		score += POINTS_WORD;
	if (word && (is_declared(text, m) || is_plain_definition(text, m)))
		score += POINTS_DEFINITION;
	if (span_trim((struct span){text.data, m.start}).len == 0)
		score += POINTS_BEGINS_LINE;
	return score;
}
