#include "query/rank_score.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

/* LANGUAGE.md, "Ranking". */
enum points {
	POINTS_NAME_IS = 40,
	POINTS_NAME_HOLDS = 20,
	POINTS_NAME_IN = 15, /* mutex.c for mutex_lock */
	POINTS_DEFINITION = 50,
	POINTS_WORD = 15,
	POINTS_BEGINS_LINE = 5,
};

#define STEM_MIN_BYTES 3u
#define WORD_MAX_BYTES 24u

_Static_assert(POINTS_NAME_IS == RANK_NAME_MAX, "the most");

struct rank_scorer {
	struct matcher *matcher; /* NULL: no pattern */
	struct span pattern;     /* its first text; of others nothing is asked */
	size_t least;            /* bytes of a match, at least */
	bool has[256];           /* bytes of the pattern, in lower case */
};

/* Of a text that stands for itself; in another case a character may have a third of its bytes. */
static size_t
least_match(const struct pattern *p)
{
	enum pattern_flags flags = pattern_flags(p);

	if ((flags & PATTERN_REGEX) || pattern_n_texts(p) > 1)
		return 0;
	return pattern_text(p, 0).len / (flags & (PATTERN_FOLD | PATTERN_SMART) ? 3 : 1);
}

int
rank_scorer_create(const struct pattern *pattern, struct rank_scorer **ret)
{
	struct rank_scorer *r = calloc(1, sizeof(*r));
	int e = 0;

	if (!r)
		return -ENOMEM;
	if (pattern) {
		r->pattern = pattern_text(pattern, 0);
		r->least = least_match(pattern);
		e = matcher_create(pattern, &r->matcher);
	}
	for (size_t i = 0; i < r->pattern.len; i++)
		r->has[tolower((unsigned char)r->pattern.data[i])] = true;
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
holds_folded(struct span s, struct span part)
{
	for (size_t i = 0; part.len <= s.len && i <= s.len - part.len; i++) {
		/* Mostly the first byte tells. */
		if (((s.data[i] ^ part.data[0]) & ~0x20) == 0 &&
			strncasecmp(s.data + i, part.data, part.len) == 0)
			return true;
	}
	return false;
}

/* Mostly the first bytes tell that it does not. */
static bool
stands_in_pattern(const struct rank_scorer *r, struct span stem)
{
	if (stem.len < STEM_MIN_BYTES || stem.len > r->pattern.len)
		return false;
	for (size_t i = 0; i < STEM_MIN_BYTES; i++) {
		if (!r->has[tolower((unsigned char)stem.data[i])])
			return false;
	}
	return holds_folded(r->pattern, stem);
}

int
rank_name(struct rank_scorer *r, struct span name)
{
	const char *dot = name.len ? memrchr(name.data, '.', name.len) : NULL;
	struct span stem = {name.data, dot > name.data ? (size_t)(dot - name.data) : name.len};
	struct match m;
	int e;

	if (!r->matcher)
		return 0;
	/* An error is a limit that was reached, which the search of the file will meet, too. */
	e = stem.len >= r->least ? matcher_find(r->matcher, stem, 0, &m) : 0;
	if (e <= 0 || m.start == m.end)
		return stands_in_pattern(r, stem) ? POINTS_NAME_IN : 0;
	return m.start == 0 && m.end == stem.len ? POINTS_NAME_IS : POINTS_NAME_HOLDS;
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
