#include "text/regex.h"

#include <ctype.h>
#include <errno.h>

#include "text/fold.h"
#include "text/scan.h"

/* Shorter texts stand in too many lines. */
#define GROUP_MIN_BYTES 3u

/* A group that must be matched, as long as its alternatives are plain texts. */
struct texts {
	bool plain;    /* so far */
	bool complete; /* it is closed; a quantifier may follow */
	size_t start;  /* of its last alternative */
	struct strbuf text;
	VEC(size_t) ends;
};

/* Where the reader is, and the literal characters that stand side by side outside of groups. */
struct reader {
	struct span text;
	size_t at;
	unsigned depth;
	bool top_choice; /* '|' outside of groups: no literal is in every match */
	bool unknown;    /* met what it does not know */
	struct strbuf run;
	size_t last_bytes;  /* of the run's last character: what a quantifier takes away */
	struct strbuf best; /* the longest run of the alternative */
	bool whole;         /* nothing but a run is in it */
	bool no_choice;     /* an alternative has no run */
	size_t copied;      /* of the text, to facts->safe */
	bool unsafe;        /* something can match a newline that cannot be written otherwise */
	bool starts;        /* the run stands right behind a '^' that the pattern begins with */
	struct texts group; /* the last one outside of others, until it is known to be needed */
	struct texts best_group;
	struct regex_facts *facts;
};

static bool
at_end(const struct reader *r)
{
	return r->at >= r->text.len;
}

static char
peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->text.len ? r->text.data[r->at + ahead] : '\0';
}

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Something that can match a newline, at [start, r->at), which is written as `instead` of a text of
 * one line. */
static void
replace(struct reader *r, size_t start, const char *instead)
{
	r->facts->line_safe = false;
	(void)strbuf_add(&r->facts->safe, r->text.data + r->copied, start - r->copied);
	(void)strbuf_puts(&r->facts->safe, instead);
	r->copied = r->at;
}

static void
not_safe(struct reader *r)
{
	r->facts->line_safe = false;
	r->unsafe = true;
}

static void
keep_piece(struct reader *r, struct span text, bool starts, bool ends)
{
	struct strbuf *all = &r->facts->piece_text;

	if (text.len == 0 || r->facts->n_pieces == REGEX_MAX_PIECES)
		return;
	r->facts->piece[r->facts->n_pieces++] = (struct pattern_piece){
		.text = {all->data + all->len, text.len}, .starts = starts, .ends = ends};
	(void)strbuf_span(all, text);
}

/* The longer one stands in fewer places, or that of rarer bytes. */
static bool
is_better(struct span a, struct span b)
{
	unsigned weight_a = 0, weight_b = 0;

	if (a.len != b.len)
		return a.len > b.len;
	for (size_t i = 0; i < a.len; i++) {
		weight_a += scan_byte_weight((unsigned char)a.data[i]);
		weight_b += scan_byte_weight((unsigned char)b.data[i]);
	}
	return weight_a < weight_b;
}

/* `ends`: so does the text. */
static void
keep_run(struct reader *r, bool ends)
{
	struct span run = strbuf_view(&r->run);

	if (is_better(run, strbuf_view(&r->facts->literal))) {
		strbuf_reset(&r->facts->literal);
		(void)strbuf_span(&r->facts->literal, run);
	}
	if (run.len > r->best.len) {
		strbuf_reset(&r->best);
		(void)strbuf_span(&r->best, run);
	}
	for (size_t start = 0, end; start < run.len; start = end + 1) {
		for (end = start; end < run.len && run.data[end] != '/';)
			end++;
		keep_piece(r, (struct span){run.data + start, end - start}, r->starts && start == 0,
			ends && end == run.len);
	}
	r->starts = false;
	strbuf_reset(&r->run);
	r->last_bytes = 0;
}

static void
texts_fini(struct texts *t)
{
	strbuf_fini(&t->text);
	VEC_FINI(&t->ends);
}

static size_t
shortest_text(const struct texts *t)
{
	size_t shortest = SIZE_MAX, at = 0;

	if (t->ends.len < 2)
		return 0;
	for (size_t i = 0; i < t->ends.len; at = t->ends.data[i++])
		shortest = MIN(shortest, t->ends.data[i] - at);
	return shortest;
}

static void
begin_group(struct reader *r)
{
	r->group.plain = true;
	r->group.complete = false;
	r->group.start = r->group.ends.len = 0;
	strbuf_reset(&r->group.text);
}

/* One of its alternatives ends. */
static void
end_text(struct texts *t)
{
	t->plain = t->plain && t->text.len > t->start;
	t->start = t->text.len;
	if (VEC_PUSH(&t->ends, t->start) < 0)
		t->text.failed = true;
}

/* The group that ended last is part of every match, or need not be. */
static void
settle_group(struct reader *r, bool needed)
{
	struct texts worse = r->best_group;

	if (!r->group.complete)
		return;
	r->group.complete = false;
	if (!needed || shortest_text(&r->group) <= shortest_text(&worse))
		return;
	r->best_group = r->group;
	r->group = worse;
}

/* The literal characters end here: something else follows. */
static void
end_run(struct reader *r)
{
	settle_group(r, true);
	r->facts->is_literal = r->whole = r->group.plain = false;
	keep_run(r, false);
}

/* An alternative outside of groups ends here. */
static void
end_choice(struct reader *r)
{
	struct regex_facts *f = r->facts;

	keep_run(r, false);
	f->choices_whole = f->choices_whole && r->whole;
	r->no_choice = r->no_choice || r->best.len == 0;
	(void)strbuf_span(&f->choice_text, strbuf_view(&r->best));
	if (VEC_PUSH(&f->choice_ends, f->choice_text.len) < 0)
		f->choice_text.failed = true;
	strbuf_reset(&r->best);
	r->whole = true;
}

/* A character that stands for itself; `bytes` of it from r->at. */
static void
take_char(struct reader *r, size_t bytes, bool in_class)
{
	struct span c = {r->text.data + r->at, bytes};

	settle_group(r, true);
	r->facts->any_literal = true;
	r->facts->any_upper = r->facts->any_upper || fold_has_upper(c);
	if ((unsigned char)c.data[0] < 0x20 && c.data[0] != '\t')
		not_safe(r);
	if (!in_class && r->depth == 0) {
		(void)strbuf_span(&r->run, c);
		r->last_bytes = bytes;
	}
	if (!in_class && r->depth == 1)
		(void)strbuf_span(&r->group.text, c);
	r->at += bytes;
}

static size_t
char_bytes(const struct reader *r)
{
	size_t n = utf8_step(r->text.data + r->at, r->text.len - r->at);

	return n ? n : 1;
}

/* \p{..}, \pL: the letters of a property's name. Of those named by one or two letters only the
 * categories that begin with C hold the newline. */
static void
take_property(struct reader *r, bool negated)
{
	size_t start = r->at, len = 1;

	if (peek(r, 0) == '{') {
		start++;
		while (!at_end(r) && peek(r, 0) != '}')
			r->at++;
		len = r->at - MIN(start, r->at);
	}
	if (negated || len > 2 || start >= r->text.len || !is_one_of(r->text.data[start], "LMNPSZ"))
		not_safe(r);
	r->at++;
}

/* \Q...\E */
static void
take_quoted(struct reader *r)
{
	while (!at_end(r)) {
		if (peek(r, 0) == '\\' && peek(r, 1) == 'E') {
			r->at += 2;
			return;
		}
		take_char(r, char_bytes(r), false);
	}
}

/* An escape without the newline that it can match; NULL: it matches none, or is not known so. */
static const char *
escape_without_lf(char c)
{
	switch (c) {
	case 's':
		return "[" REGEX_SPACE "]";
	case 'W':
		return "[^\\w\\n]";
	case 'D':
		return "[^\\d\\n]";
	case 'H':
		return "[^\\h\\n]";
	case 'v':
		return "[^\\V\\n]";
	default:
		return NULL;
	}
}

static void
take_escape(struct reader *r)
{
	char c = peek(r, 1);

	r->at++;
	if (at_end(r)) {
		r->unknown = true;
		return;
	}
	if (!isalnum((unsigned char)c)) {
		take_char(r, char_bytes(r), false);
		return;
	}
	r->at++;
	if (c == 'Q') {
		take_quoted(r);
		return;
	}
	if (c == 'E')
		return;
	end_run(r);
	if (c == 'p' || c == 'P')
		take_property(r, c == 'P');
	else if (escape_without_lf(c))
		replace(r, r->at - 2, escape_without_lf(c));
	else if (is_one_of(c, "nRX"))
		not_safe(r);
	else if (!is_one_of(c, "dwhSbBVtfear") && !(c == 'N' && peek(r, 0) != '{'))
		r->unknown = true;
}

/* [:alpha:] inside a class; r->at is at the '['. */
static void
take_posix(struct reader *r, bool negated)
{
	static const char *const safe[] = {"alpha", "digit", "alnum", "upper", "lower", "punct",
		"xdigit", "word", "blank", "graph", "print"};
	size_t start = r->at + 2, end = start;
	bool known = false;

	while (end < r->text.len && islower((unsigned char)r->text.data[end]))
		end++;
	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		known = known ||
		        span_eq(span_of(safe[i]), (struct span){r->text.data + start, end - start});
	if (end + 1 >= r->text.len || r->text.data[end] != ':' || r->text.data[end + 1] != ']') {
		r->unknown = true; /* [:^alpha:], or no such thing */
		r->at++;
		return;
	}
	if (!known && !negated)
		not_safe(r);
	r->at = end + 2;
}

/* In a class that is negated all is safe, since the newline is added to it. */
static void
take_class_escape(struct reader *r, bool negated)
{
	bool unsafe = r->unsafe;
	char c = peek(r, 1);

	r->at++;
	if (at_end(r) || is_one_of(c, "QEc")) {
		r->unknown = true;
		return;
	}
	if (!isalnum((unsigned char)c)) {
		take_char(r, char_bytes(r), true);
		return;
	}
	r->at++;
	if (c == 'p' || c == 'P') {
		take_property(r, c == 'P');
		r->unsafe = negated ? unsafe : r->unsafe;
	} else if (negated || (is_one_of(c, "tfear") && peek(r, 0) != '-')) /* [\t-~] holds it */
		return;
	else if (c == 's' && peek(r, 0) != '-') /* as PCRE2 defines it, but the newline */
		replace(r, r->at - 2, REGEX_SPACE);
	else if (!is_one_of(c, "dwhSV"))
		not_safe(r);
}

static void
take_class(struct reader *r)
{
	bool negated = peek(r, 1) == '^';

	end_run(r);
	r->at += 1 + negated;
	if (negated)
		/* What follows stands for itself, and is no end and no range. */
		replace(r, r->at, is_one_of(peek(r, 0), "]-") ? "\\n\\" : "\\n");
	if (peek(r, 0) == ']')
		take_char(r, 1, true);
	while (!at_end(r) && peek(r, 0) != ']') {
		if (peek(r, 0) == '\\')
			take_class_escape(r, negated);
		else if (peek(r, 0) == '[' && peek(r, 1) == ':')
			take_posix(r, negated);
		else if (peek(r, 0) == '[' && is_one_of(peek(r, 1), ".="))
			r->unknown = true, r->at++;
		else if ((unsigned char)peek(r, 0) < 0x20) /* it may begin a range */
			not_safe(r), r->at++;
		else
			take_char(r, char_bytes(r), true);
	}
	r->at++;
}

/* (?<name>, (?'name', (?P<name>: the name is left out. */
static bool
take_group_name(struct reader *r)
{
	size_t ahead = peek(r, 0) == 'P' ? 1 : 0;
	char open = peek(r, ahead), first = peek(r, ahead + 1);

	if ((open != '<' && !(open == '\'' && ahead == 0)) ||
		!(isalpha((unsigned char)first) || first == '_' || (first & 0x80)))
		return false;
	r->at += ahead + 1;
	while (!at_end(r) && peek(r, 0) != (open == '<' ? '>' : '\''))
		r->at++;
	r->at++;
	return true;
}

static void
take_group(struct reader *r)
{
	end_run(r);
	if (r->depth++ == 0)
		begin_group(r);
	r->at++;
	if (peek(r, 0) == '*') {
		r->unknown = true;
	} else if (peek(r, 0) == '?') {
		r->at++;
		if (peek(r, 0) == ':')
			r->at++;
		else if (!take_group_name(r))
			r->unknown = true; /* looks around, sets options, recurses, ... */
	}
}

/* {2}, {2,}, {2,3}, and what newer versions take, {,3} and { 2 }: the number of bytes, 0 when it is
 * none. */
static size_t
counted_bytes(const struct reader *r)
{
	size_t n = 1;

	while (isdigit((unsigned char)peek(r, n)) || is_one_of(peek(r, n), ", "))
		n++;
	return n > 1 && peek(r, n) == '}' ? n + 1 : 0;
}

static void
take_quantifier(struct reader *r, size_t bytes, bool once_at_least)
{
	settle_group(r, once_at_least);
	if (!once_at_least && r->run.len > 0)
		strbuf_truncate(&r->run, r->run.len - r->last_bytes);
	end_run(r);
	r->at += bytes;
	if (is_one_of(peek(r, 0), "+?"))
		r->at++;
}

/* '|' or ')' of a group that is in no other. */
static void
take_bar(struct reader *r)
{
	bool closes = peek(r, 0) == ')', plain;

	end_text(&r->group);
	plain = r->group.plain;
	end_run(r);
	r->group.plain = plain;
	r->group.complete = closes && plain;
	r->depth -= closes;
	r->at++;
}

static void
take_token(struct reader *r)
{
	char c = peek(r, 0);

	if (c == '\\') {
		take_escape(r);
	} else if (c == '[') {
		take_class(r);
	} else if (c == '(') {
		take_group(r);
	} else if (c == '*' || c == '?' || c == '+') {
		take_quantifier(r, 1, c == '+');
	} else if (c == '{' && counted_bytes(r) > 0) {
		take_quantifier(r, counted_bytes(r), false);
	} else if (c == '$' && r->depth == 0 && r->at + 1 == r->text.len) {
		r->facts->is_literal = r->whole = false;
		keep_run(r, true);
		r->at++;
	} else if (c == '|' && r->depth == 0) {
		r->facts->is_literal = false;
		r->top_choice = true;
		r->starts = false;
		end_choice(r);
		r->at++;
	} else if (is_one_of(c, "|)") && r->depth == 1) {
		take_bar(r);
	} else if (is_one_of(c, "^$.|)")) {
		end_run(r);
		r->starts = c == '^' && r->at == 0;
		r->depth -= c == ')' && r->depth > 0;
		r->at++;
	} else {
		take_char(r, char_bytes(r), false);
	}
}

/* Where the only alternative holds little, the group that must be matched tells more. */
static void
choose_group(struct reader *r)
{
	struct regex_facts *f = r->facts;

	settle_group(r, true);
	if (r->top_choice || f->literal.len >= GROUP_MIN_BYTES ||
		shortest_text(&r->best_group) < GROUP_MIN_BYTES)
		return;
	f->choices_whole = r->no_choice = false;
	f->choice_ends.len = 0;
	strbuf_reset(&f->choice_text);
	(void)strbuf_span(&f->choice_text, strbuf_view(&r->best_group.text));
	VEC_EACH (&r->best_group.ends, end) {
		if (VEC_PUSH(&f->choice_ends, *end) < 0)
			f->choice_text.failed = true;
	}
}

int
regex_inspect(struct span pattern, struct regex_facts *ret)
{
	struct reader r = {.text = pattern, .facts = ret, .whole = true};
	bool failed;

	*ret = (struct regex_facts){.line_safe = true, .is_literal = true, .choices_whole = true};
	/* In a pattern that is not UTF-8 a quantifier takes one byte, not what we call a character.
	 */
	r.unknown = !utf8_valid(pattern.data, pattern.len);
	(void)strbuf_reserve(&ret->piece_text, pattern.len);
	while (!at_end(&r))
		take_token(&r);
	end_choice(&r);
	choose_group(&r);
	(void)strbuf_add(&ret->safe, pattern.data + r.copied, pattern.len - r.copied);
	failed = ret->safe.failed || r.run.failed || r.best.failed || ret->choice_text.failed ||
	         ret->literal.failed || ret->piece_text.failed || r.group.text.failed ||
	         r.best_group.text.failed;
	texts_fini(&r.group);
	texts_fini(&r.best_group);
	strbuf_fini(&r.run);
	strbuf_fini(&r.best);
	if (r.unknown)
		ret->line_safe = ret->is_literal = false;
	if (r.unknown || r.unsafe || ret->line_safe)
		strbuf_reset(&ret->safe);
	if (r.unknown || r.no_choice)
		ret->choice_ends.len = 0;
	if (r.unknown || r.top_choice) {
		strbuf_reset(&ret->literal);
		ret->n_pieces = 0;
	}
	return failed ? -ENOMEM : 0;
}

void
regex_facts_fini(struct regex_facts *f)
{
	strbuf_fini(&f->literal);
	strbuf_fini(&f->safe);
	strbuf_fini(&f->choice_text);
	VEC_FINI(&f->choice_ends);
	strbuf_fini(&f->piece_text);
}
