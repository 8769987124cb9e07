#include "query/lex.h"

#include <ctype.h>
#include <errno.h>

#include "base/vec.h"

struct lexer {
	struct span text;
	size_t at;
	struct arena *arena;
	struct err *err;
	VEC(struct token) out;
};

static uint32_t
column(size_t at)
{
	return (uint32_t)at + 1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What ends a term: the end, a blank, ')' or '|'. */
static bool
ends_term(const struct lexer *lx, size_t at)
{
	char c;

	if (at >= lx->text.len)
		return true;
	c = lx->text.data[at];
	return is_blank(c) || c == ')' || c == '|';
}

struct span
lex_unescape(struct span raw, struct arena *arena)
{
	char *out;
	size_t n = 0;

	if (!memchr(raw.data, '\\', raw.len))
		return raw;
	out = arena_alloc(arena, raw.len + 1);
	if (!out)
		return (struct span){0};
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.data[i] == '\\' && i + 1 < raw.len)
			i++;
		out[n++] = raw.data[i];
	}
	return (struct span){out, n};
}

/* The opening quote is at lx->at. Inside, \" and \\ are escapes and any other backslash is itself.
 */
static int
lex_quoted(struct lexer *lx, struct token *t)
{
	size_t open = lx->at, i = open + 1, n = 0;
	const char *s = lx->text.data;
	char *out = arena_alloc(lx->arena, lx->text.len - open + 1);

	if (!out)
		return -ENOMEM;
	for (; i < lx->text.len && s[i] != '"'; i++) {
		if (s[i] == '\\' && i + 1 < lx->text.len && (s[i + 1] == '"' || s[i + 1] == '\\'))
			i++;
		out[n++] = s[i];
	}
	if (i >= lx->text.len) {
		(void)query_fail(lx->err, column(open), "unclosed quote");
		(void)err_hint(lx->err, "add \" at the end");
		return -EINVAL;
	}
	if (!ends_term(lx, i + 1)) {
		(void)query_fail(lx->err, column(i + 1), "text right after a closing quote");
		(void)err_hint(lx->err, "put a space after the quote, or write \\\" for a quote "
					"inside the phrase");
		return -EINVAL;
	}
	t->form = FORM_QUOTED;
	t->text = (struct span){out, n};
	t->text_pos = column(open + 1);
	lx->at = i + 1;
	return 0;
}

/* Offset of the slash that closes the expression opened at `open`, 0 when there is none. `blanks`:
 * it may hold blanks that are not escaped. */
static size_t
regex_close(const struct lexer *lx, size_t open, bool blanks)
{
	for (size_t i = open + 1; i < lx->text.len; i++) {
		char c = lx->text.data[i];

		if (c == '\\')
			i++;
		else if (c == '/' && ends_term(lx, i + 1))
			return i;
		else if (is_blank(c) && !blanks)
			return 0;
	}
	return 0;
}

/* 1 a regular expression was read, 0 it is something else. */
static int
lex_regex(struct lexer *lx, struct token *t)
{
	bool only = t->key == KEY_NAME || t->key == KEY_CONTENT;
	size_t open = lx->at, close;

	if (t->key != KEY_NONE && t->key != KEY_PATH && !only)
		return 0;
	close = regex_close(lx, open, only);
	if (close == 0 && !only)
		return 0; /* a word such as /usr/lib */
	if (close == 0) {
		(void)query_fail(lx->err, column(open), "unclosed regular expression");
		(void)err_hint(lx->err, "add / at the end, or quote the text to search for it as "
					"it is");
		return -EINVAL;
	}
	if (close == open + 1) {
		(void)query_fail(lx->err, column(open), "empty regular expression");
		(void)err_hint(lx->err, "write /something/, or \"//\" to search for two slashes");
		return -EINVAL;
	}
	t->form = FORM_REGEX;
	t->text = (struct span){lx->text.data + open + 1, close - open - 1};
	t->text_pos = column(open + 1);
	lx->at = close + 1;
	return 1;
}

static int
lex_plain(struct lexer *lx, struct token *t)
{
	size_t start = lx->at, i;

	for (i = start; !ends_term(lx, i); i++) {
		char c = lx->text.data[i];

		if (c == '(' || c == '"') {
			(void)query_fail(lx->err, column(i), "'%c' inside a word", c);
			(void)err_hint(
				lx->err, "quote the whole word, or put a space before '%c'", c);
			return -EINVAL;
		}
		if (c == '\\' && ++i >= lx->text.len) {
			(void)query_fail(lx->err, column(i - 1), "a lone backslash at the end");
			(void)err_hint(lx->err, "write \\\\ for a backslash");
			return -EINVAL;
		}
	}
	t->form = FORM_PLAIN;
	t->text = (struct span){lx->text.data + start, i - start};
	t->text_pos = column(start);
	lx->at = i;
	return 0;
}

static int
unknown_key(struct lexer *lx, struct span word)
{
	const char *near = key_nearest(word);

	(void)query_fail(lx->err, column(lx->at), "unknown field \"%.*s:\"",
		(int)MIN(word.len, 40u), word.data);
	if (near)
		(void)err_hint(lx->err,
			"did you mean \"%s:\"? To search for the text itself put it in quotes",
			near);
	else
		(void)err_hint(lx->err,
			"to search for the text itself put it in quotes: \"%.*s:...\"",
			(int)MIN(word.len, 40u), word.data);
	return -EINVAL;
}

/* Read "key:" when the term starts with one. */
static int
lex_key(struct lexer *lx, struct token *t)
{
	const char *s = lx->text.data + lx->at;
	size_t left = lx->text.len - lx->at, n = 0;

	if (!isalpha((unsigned char)s[0]))
		return 0;
	while (n < left && (isalnum((unsigned char)s[n]) || s[n] == '_'))
		n++;
	if (n >= left || s[n] != ':')
		return 0;
	if (key_find((struct span){s, n}, &t->key) < 0)
		return unknown_key(lx, (struct span){s, n});
	lx->at += n + 1;
	return 0;
}

static void
take_keyword(struct token *t)
{
	if (t->key != KEY_NONE || t->form != FORM_PLAIN)
		return;
	if (span_eq(t->text, SPAN_LIT("AND")))
		t->kind = TOKEN_AND;
	else if (span_eq(t->text, SPAN_LIT("OR")))
		t->kind = TOKEN_OR;
	else if (span_eq(t->text, SPAN_LIT("NOT")))
		t->kind = TOKEN_NOT;
}

static int
lex_term(struct lexer *lx, struct token *t)
{
	char c = lx->text.data[lx->at];
	int r = 0;

	t->kind = TOKEN_TERM;
	if (c != '"') {
		r = lex_key(lx, t);
		if (r < 0)
			return r;
		c = lx->at < lx->text.len ? lx->text.data[lx->at] : ' ';
	}
	if (c == '"')
		return lex_quoted(lx, t);
	if (c == '/')
		r = lex_regex(lx, t);
	if (r == 0)
		r = lex_plain(lx, t);
	take_keyword(t);
	return MIN(r, 0);
}

static int
lex_not(struct lexer *lx, struct token *t)
{
	char c = lx->text.data[lx->at];

	if (ends_term(lx, lx->at + 1)) {
		(void)query_fail(lx->err, column(lx->at), "nothing after '%c'", c);
		(void)err_hint(lx->err,
			"write %cword to leave out what matches, or \"%c\" for the character", c,
			c);
		return -EINVAL;
	}
	t->kind = TOKEN_NOT;
	lx->at++;
	return 0;
}

static int
lex_one(struct lexer *lx, struct token *t)
{
	switch (lx->text.data[lx->at]) {
	case '(':
		t->kind = TOKEN_OPEN;
		break;
	case ')':
		t->kind = TOKEN_CLOSE;
		break;
	case '|':
		t->kind = TOKEN_OR;
		break;
	case '-':
	case '!':
		return lex_not(lx, t);
	default:
		return lex_term(lx, t);
	}
	lx->at++;
	return 0;
}

static int
lex_all(struct lexer *lx)
{
	for (;;) {
		struct token t = {.kind = TOKEN_END};
		int r = 0;

		while (lx->at < lx->text.len && is_blank(lx->text.data[lx->at]))
			lx->at++;
		t.pos = column(lx->at);
		if (lx->at < lx->text.len)
			r = lex_one(lx, &t);
		if (r == 0)
			r = VEC_PUSH(&lx->out, t);
		if (r < 0 || t.kind == TOKEN_END)
			return r;
	}
}

int
lex(struct span text, struct arena *arena, struct token **ret, struct err *err)
{
	const char *nul = text.len ? memchr(text.data, '\0', text.len) : NULL;
	struct lexer lx = {.text = text, .arena = arena, .err = err};
	struct token *tokens = NULL;
	int r;

	if (nul) {
		(void)query_fail(err, column((size_t)(nul - text.data)), "a NUL byte");
		(void)err_hint(err, "no name and no line of text holds one; leave it out");
		return -EINVAL;
	}
	r = lex_all(&lx);
	if (r == 0) {
		tokens = ARENA_ARRAY(arena, struct token, lx.out.len);
		r = tokens ? 0 : -ENOMEM;
	}
	if (r == 0) {
		memcpy(tokens, lx.out.data, lx.out.len * sizeof(*tokens));
		*ret = tokens;
	}
	VEC_FINI(&lx.out);
	return r;
}
