#include "text/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "text/pattern_impl.h"
#include "text/scan.h"

/* For compile(), of what PCRE2 does not have as an option: no UTF, no properties. */
#define BYTES_ONLY PCRE2_NO_UTF_CHECK

/* A shorter literal stands in too many lines for looking at them one by one to pay, when the whole
 * text can be matched at once. */
#define PREFILTER_MIN_BYTES 2u
/* One byte is enough when it is rare: this is one in 600 bytes of source text (text/scan.h). */
#define RARE_BYTE_WEIGHT 140u

static void
free_compile_context(pcre2_compile_context **c)
{
	pcre2_compile_context_free(*c);
}

static void
free_code(pcre2_code **c)
{
	pcre2_code_free(*c);
}

static void
free_strbuf(struct strbuf *b)
{
	strbuf_fini(b);
}

/* The error of one text of several: which one it is stands in the sentence. */
struct teller {
	struct err *err;
	size_t at, n;  /* text number `at` of n */
	size_t before; /* bytes of those before it, and one each */
};

static int
refuse(const struct teller *t, size_t offset, const char *reason)
{
	char which[32] = "the pattern";

	if (t->n > 1)
		(void)snprintf(which, sizeof(which), "pattern %zu", t->at + 1);
	(void)err_set(t->err, -EINVAL, "%s is wrong at column %zu: %s", which, offset + 1, reason);
	if (t->err)
		t->err->pos = (uint32_t)(t->before + offset) + 1;
	return -EINVAL;
}

static uint32_t
compile_options(const struct pattern *p, enum pattern_flags flags, uint32_t more)
{
	uint32_t options = PCRE2_NEVER_BACKSLASH_C | (more & ~BYTES_ONLY);

	if (p->utf && !(more & BYTES_ONLY))
		options |= PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF;
	if (p->fold)
		options |= PCRE2_CASELESS;
	if (flags & PATTERN_PATH)
		return options | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY;
	if (p->multi)
		options |= PCRE2_NO_DOTSTAR_ANCHOR | (flags & PATTERN_DOTALL ? PCRE2_DOTALL : 0);
	return options | PCRE2_MULTILINE;
}

/*
 * The compiled code of PCRE2 10.42 leaps to a wrong place after "(?>x+?)": "[a-z](?>.+?)b" misses
 * "oob". It does not leap without its start optimisations. Possessive groups are made of the same.
 * A pattern that only looks like one of these loses a little speed.
 */
static uint32_t
start_options(struct span text)
{
	static const char *const risky[] = {"(?>", "(*atomic", "++", "*+", "?+", "}+"};

	for (size_t i = 0; i < ARRAY_LEN(risky); i++) {
		if (text.len > 0 && memmem(text.data, text.len, risky[i], strlen(risky[i])))
			return PCRE2_NO_START_OPTIMIZE;
	}
	return 0;
}

static int
compile(const struct pattern *p, struct span text, enum pattern_flags flags, uint32_t more,
	pcre2_code **ret, const struct teller *t)
{
	AUTO(free_compile_context)
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	PCRE2_UCHAR reason[128] = "";
	pcre2_code *code;
	PCRE2_SIZE offset;
	int r;

	if (!context)
		return -ENOMEM;
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	if (flags & PATTERN_LINE)
		(void)pcre2_set_compile_extra_options(context, PCRE2_EXTRA_MATCH_LINE);
	code = pcre2_compile((PCRE2_SPTR)text.data, text.len,
		compile_options(p, flags, more) | start_options(text), &r, &offset, context);
	if (!code && r == PCRE2_ERROR_HEAP_FAILED)
		return -ENOMEM;
	if (!code) {
		(void)pcre2_get_error_message(r, reason, sizeof(reason));
		return t ? refuse(t, offset, (const char *)reason) : -EINVAL;
	}
	*ret = code;
	return 0;
}

/* A literal as a regular expression: all but letters, digits and what is not ASCII is escaped. */
static void
add_escaped(struct strbuf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x80 && ispunct(c))
			(void)strbuf_putc(out, '\\');
		(void)strbuf_putc(out, text.data[i]);
	}
}

static void
add_text(const struct pattern *p, size_t i, struct strbuf *out)
{
	size_t start = i > 0 && p->safe_ends.len ? p->safe_ends.data[i - 1] : 0;

	if (p->safe_ends.len)
		(void)strbuf_add(out, p->safe.data + start, p->safe_ends.data[i] - start);
	else if (p->flags & PATTERN_REGEX)
		(void)strbuf_span(out, p->texts.data[i]);
	else
		add_escaped(out, p->texts.data[i]);
}

/* What ripgrep calls a word character, which is Unicode's \w. That of PCRE2 has all numbers
 * (superscripts, fractions), and before 10.43 no marks. */
#define WORD_CLASS "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]"

/* Half boundaries, as ripgrep has them: not \b, which would refuse "-x" after a space. "(?|":
 * groups of each alternative are numbered from 1. */
static int
compile_source(const struct pattern *p, struct strbuf *out)
{
	bool word = (p->flags & PATTERN_WORD) && !(p->flags & PATTERN_LINE);

	if (word)
		(void)strbuf_puts(out, p->utf ? "(?<!" WORD_CLASS ")(?:" : "(?<!\\w)(?:");
	if (p->texts.len == 1)
		add_text(p, 0, out);
	for (size_t i = 0; i < p->texts.len && p->texts.len > 1; i++) {
		(void)strbuf_puts(out, i ? "|(?:" : "(?|(?:");
		add_text(p, i, out);
		(void)strbuf_putc(out, ')');
	}
	if (p->texts.len > 1)
		(void)strbuf_putc(out, ')');
	if (word)
		(void)strbuf_puts(out, p->utf ? ")(?!" WORD_CLASS ")" : ")(?!\\w)");
	return out->failed ? -ENOMEM : 0;
}

/* Was the code found to match at starts of lines, or of the text, only? */
static bool
is_start_only(const struct pattern_code *code)
{
	uint32_t options = 0, first = 0;

	(void)pcre2_pattern_info(code->pcre, PCRE2_INFO_ALLOPTIONS, &options);
	(void)pcre2_pattern_info(code->pcre, PCRE2_INFO_FIRSTCODETYPE, &first);
	return first == 2 || (options & PCRE2_ANCHORED);
}

static void
code_destroy(struct pattern_code *c)
{
	if (!c)
		return;
	pcre2_code_free(c->pcre);
	free(c);
}

static int
code_create(const struct pattern *p, struct span text, uint32_t more, struct pattern_code **ret,
	const struct teller *t)
{
	struct pattern_code *c = calloc(1, sizeof(*c));
	int r = c ? compile(p, text, p->flags, more, &c->pcre, t) : -ENOMEM;

	if (r < 0)
		code_destroy(c);
	else
		*ret = c;
	return r;
}

/* Fails where memory may not be made executable. */
static int
make_jit(void *code)
{
	struct pattern_code *c = code;

	c->jit = pcre2_jit_compile(c->pcre, PCRE2_JIT_COMPLETE) == 0;
	return 0;
}

void
pattern_code_ready(struct pattern_code *c)
{
	(void)once_run(&c->once, make_jit, c); /* cannot fail */
}

/* Does every text compile by itself? Errors of what is made of them have columns that mean
 * nothing to the user. */
static int
check_texts(struct pattern *p, struct err *err)
{
	struct teller t = {.err = err, .n = p->texts.len};

	for (; t.at < t.n; t.at++) {
		AUTO(free_code) pcre2_code *code = NULL;
		struct span text = p->texts.data[t.at];
		int r = compile(p, text, p->flags & ~PATTERN_LINE, 0, &code, &t);

		if (r < 0)
			return r;
		t.before += text.len + 1;
	}
	return 0;
}

/* The code for texts that are ASCII, if the pattern is; what cannot be compiled so speaks of other
 * characters. */
static int
compile_ascii(struct pattern *p, struct span source)
{
	AUTO(free_strbuf) struct strbuf plain = {0};
	const char *at = source.data, *end = source.data + source.len, *space;
	int r;

	if (!p->utf || p->multi || p->flags & PATTERN_PATH || !scan_ascii(source.data, source.len))
		return 0;
	while ((space = memmem(at, (size_t)(end - at), REGEX_SPACE, strlen(REGEX_SPACE)))) {
		(void)strbuf_add(&plain, at, (size_t)(space - at));
		(void)strbuf_puts(&plain, REGEX_SPACE_ASCII);
		at = space + strlen(REGEX_SPACE);
	}
	(void)strbuf_add(&plain, at, (size_t)(end - at));
	if (plain.failed)
		return -ENOMEM;
	r = code_create(p, strbuf_view(&plain), BYTES_ONLY, &p->ascii, NULL);
	return r == -ENOMEM ? r : 0;
}

static int
pattern_compile(struct pattern *p, struct err *err)
{
	AUTO(free_strbuf) struct strbuf source = {0};
	struct teller alone = {.err = err, .n = 1};
	bool as_given = p->texts.len == 1 && p->safe_ends.len == 0 &&
	                !(p->flags & (PATTERN_WORD | PATTERN_LINE));
	struct span view;
	int r = compile_source(p, &source);

	view = strbuf_view(&source);
	if (r == 0 && p->flags & PATTERN_REGEX && !as_given)
		r = check_texts(p, err);
	if (r < 0)
		return r;
	r = code_create(p, view, 0, &p->code, as_given ? &alone : NULL);
	if (r == -EINVAL && !as_given)
		return err_set(err, r,
			"the pattern cannot be matched as a whole word or line, or beside others: "
			"it ends within a quotation or a comment, or begins with a verb");
	if (r == 0 && p->utf && !p->multi && is_start_only(p->code))
		r = code_create(p, view, PCRE2_NO_DOTSTAR_ANCHOR, &p->loose, NULL);
	if (p->loose && is_start_only(p->loose)) { /* '^' is written: the same code */
		code_destroy(p->loose);
		p->loose = NULL;
	}
	return r == 0 ? compile_ascii(p, view) : r;
}

/* Does it stand in so few lines that looking at them one by one pays? */
static bool
is_rare(struct span literal)
{
	return literal.len > 0 && !(literal.data[0] & 0x80) &&
	       scan_byte_weight((unsigned char)literal.data[0]) <= RARE_BYTE_WEIGHT;
}

/* Strategy and prefilter of what is compiled. */
static int
plan_compiled(struct pattern *p, struct span literal, bool line_safe)
{
	int r = 0;

	if (literal.len >= PREFILTER_MIN_BYTES || (!line_safe && literal.len > 0) ||
		is_rare(literal))
		r = needle_init(&p->needle, literal, p->fold);
	if (p->flags & PATTERN_REGEX && p->texts.len == 1 && p->needle.len == 0 && !p->set)
		stretch_of_regex(p->texts.data[0], p->fold, &p->stretch);
	p->strategy = p->flags & PATTERN_PATH || p->multi                   ? BY_WHOLE
	              : p->needle.len > 0 || p->set || p->stretch.least > 0 ? BY_FILTER
	              : line_safe && (!p->loose || p->ascii)                ? BY_TEXT
	                                                                    : BY_LINE;
	return r;
}

/* What a text adds to those before it. */
static int
add_choices(struct regex_facts *all, const struct regex_facts *one)
{
	size_t before = all->choice_text.len;

	if (one->choice_ends.len == 0 || all->choice_ends.len == 0) {
		all->choice_ends.len = 0;
		return 0;
	}
	if (VEC_RESERVE(&all->choice_ends, one->choice_ends.len) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < one->choice_ends.len; i++)
		all->choice_ends.data[all->choice_ends.len++] = before + one->choice_ends.data[i];
	all->choices_whole = all->choices_whole && one->choices_whole;
	return strbuf_span(&all->choice_text, strbuf_view(&one->choice_text));
}

/* What can be told of all texts. */
/* The text in the form for single lines; without one there is none for all of them. */
static int
add_safe(struct pattern *p, struct span text, const struct regex_facts *facts)
{
	struct span safe = facts->line_safe ? text : strbuf_view(&facts->safe);

	if (p->no_safe || safe.len < text.len) {
		p->no_safe = true;
		return 0;
	}
	(void)strbuf_span(&p->safe, safe);
	return p->safe.failed ? -ENOMEM : VEC_PUSH(&p->safe_ends, p->safe.len);
}

static int
inspect_text(struct pattern *p, struct span text, struct regex_facts *ret)
{
	if (p->flags & PATTERN_REGEX) {
		int r = regex_inspect(text, ret);

		return r < 0 ? r : add_safe(p, text, ret);
	}
	*ret = (struct regex_facts){.any_literal = true,
		.any_upper = fold_has_upper(text),
		.line_safe = text.len == 0 || !memchr(text.data, '\n', text.len),
		.is_literal = true,
		.choices_whole = true};
	(void)strbuf_span(&ret->choice_text, text);
	if (text.len > 0 && VEC_PUSH(&ret->choice_ends, text.len) < 0)
		return -ENOMEM;
	return ret->choice_text.failed ? -ENOMEM : strbuf_span(&ret->literal, text);
}

static int
inspect(struct pattern *p, struct regex_facts *all)
{
	int r = inspect_text(p, p->texts.data[0], all);

	for (size_t i = 1; i < p->texts.len && r == 0; i++) {
		AUTO(regex_facts_fini) struct regex_facts one = {0};

		r = inspect_text(p, p->texts.data[i], &one);
		if (r == 0)
			r = add_choices(all, &one);
		all->any_literal = all->any_literal || one.any_literal;
		all->any_upper = all->any_upper || one.any_upper;
		all->line_safe = all->line_safe && one.line_safe;
	}
	if (p->texts.len > 1) {
		strbuf_reset(&all->literal);
		all->is_literal = false;
		all->n_pieces = 0;
	}
	return r;
}

static bool
pattern_folds(const struct pattern *p, const struct regex_facts *facts)
{
	if (p->flags & PATTERN_FOLD || !(p->flags & PATTERN_SMART))
		return p->flags & PATTERN_FOLD;
	return facts->any_literal && !facts->any_upper;
}

/* Texts that fold to k and s have forms that are not ASCII. */
static const struct fold_special {
	char letter;
	struct span form;
} fold_specials[] = {{'k', {"\xe2\x84\xaa", 3}}, {'s', {"\xc5\xbf", 2}}};

/* Adds what else a match may hold in place of a literal's letters; false when that is not known. */
static bool
add_specials(struct span all, struct span *literals, size_t *n)
{
	for (size_t i = 0; i < all.len; i++) {
		if (all.data[i] & 0x80)
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(fold_specials); i++) {
		char small = fold_specials[i].letter;

		if (memchr(all.data, small, all.len) || memchr(all.data, small & ~0x20, all.len))
			literals[(*n)++] = fold_specials[i].form;
	}
	return true;
}

/* The set of what the alternatives hold. */
static int
make_set(struct pattern *p, const struct regex_facts *facts)
{
	size_t n = facts->choice_ends.len, shortest = SIZE_MAX, at = 0;
	AUTO(freep) struct span *literals = NULL;
	int r;

	if (n < 2 || n > LITSET_MAX || p->flags & PATTERN_PATH || p->multi)
		return 0;
	literals = calloc(n + ARRAY_LEN(fold_specials), sizeof(*literals));
	if (!literals)
		return -ENOMEM;
	for (size_t i = 0; i < n; at = facts->choice_ends.data[i++]) {
		literals[i] = (struct span){
			facts->choice_text.data + at, facts->choice_ends.data[i] - at};
		shortest = MIN(shortest, literals[i].len);
	}
	if (shortest < PREFILTER_MIN_BYTES ||
		(p->fold && !add_specials(strbuf_view(&facts->choice_text), literals, &n)))
		return 0;
	r = litset_create(literals, n, p->fold, &p->set);
	return r == -ENOMEM ? r : 0;
}

static int
pattern_make(struct pattern *p, struct err *err)
{
	AUTO(regex_facts_fini) struct regex_facts facts = {0};
	bool whole = p->flags & (PATTERN_PATH | PATTERN_MULTI);
	int r = inspect(p, &facts);

	if (r < 0)
		return r;
	p->utf = utf8_valid(p->given.data, p->given.len);
	p->fold = pattern_folds(p, &facts);
	p->multi = p->flags & PATTERN_MULTI && (!facts.line_safe || p->flags & PATTERN_DOTALL);
	if (p->no_safe || facts.line_safe || p->multi || p->flags & PATTERN_PATH)
		p->safe_ends.len = 0;
	if (p->flags & PATTERN_PATH) {
		p->piece_text = facts.piece_text;
		facts.piece_text = (struct strbuf){0};
		p->n_pieces = facts.n_pieces;
		memcpy(p->piece, facts.piece, sizeof(p->piece));
	}
	if (facts.is_literal && facts.literal.len > 0 && (facts.line_safe || whole) &&
		!(p->flags & (PATTERN_WORD | PATTERN_LINE)))
		return needle_init(
			&p->needle, strbuf_view(&facts.literal), p->fold); /* BY_NEEDLE */
	p->plain_word = facts.is_literal && facts.literal.len > 0 && facts.line_safe && !whole &&
	                !p->fold && !(p->flags & PATTERN_LINE);
	r = make_set(p, &facts);
	if (r < 0)
		return r;
	if (p->set && facts.choices_whole && facts.line_safe && !p->fold &&
		!(p->flags & (PATTERN_WORD | PATTERN_LINE))) {
		p->strategy = BY_SET;
		return 0;
	}
	r = pattern_compile(p, err);
	return r < 0 ? r
	             : plan_compiled(p, strbuf_view(&facts.literal),
			       facts.line_safe || p->safe_ends.len > 0);
}

/* Copies of the texts; the block does not move when it is complete. */
static int
keep_texts(struct pattern *p, const struct span *texts, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		(void)strbuf_span(&p->given, texts[i]);
	if (p->given.failed || VEC_RESERVE(&p->texts, n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; at += texts[i++].len)
		p->texts.data[p->texts.len++] =
			(struct span){strbuf_view(&p->given).data + at, texts[i].len};
	return 0;
}

/* Sizes, and what can never match. */
static int
check_given(const struct span *texts, size_t n, enum pattern_flags flags, struct err *err)
{
	bool newlines = flags & (PATTERN_REGEX | PATTERN_PATH | PATTERN_MULTI);
	struct teller t = {.err = err, .n = n};

	if (n == 0 || n > PATTERN_MAX_TEXTS)
		return err_set(err, -EOVERFLOW, "more than %u patterns", PATTERN_MAX_TEXTS);
	for (; t.at < n; t.at++) {
		struct span text = texts[t.at];
		const char *newline = text.len ? memchr(text.data, '\n', text.len) : NULL;

		if (text.len > PATTERN_MAX_BYTES)
			return err_set(err, -EOVERFLOW, "%s pattern is longer than %u bytes",
				n > 1 ? "a" : "the", PATTERN_MAX_BYTES);
		if (newline && !newlines)
			return refuse(&t, (size_t)(newline - text.data),
				"it holds a newline, and a match lies within one line");
		t.before += text.len + 1;
	}
	if (t.before > PATTERN_MAX_ALL_BYTES + n)
		return err_set(err, -EOVERFLOW, "the patterns have more than %u bytes together",
			PATTERN_MAX_ALL_BYTES);
	return 0;
}

int
pattern_create_any(const struct span *texts, size_t n, enum pattern_flags flags,
	struct pattern **ret, struct err *err)
{
	struct pattern *p;
	int r = check_given(texts, n, flags, err);

	if (r < 0)
		return r;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->flags = flags;
	r = keep_texts(p, texts, n);
	if (r == 0)
		r = pattern_make(p, err);
	if (r < 0)
		pattern_destroy(p);
	else
		*ret = p;
	return r;
}

int
pattern_create(struct span text, enum pattern_flags flags, struct pattern **ret, struct err *err)
{
	return pattern_create_any(&text, 1, flags, ret, err);
}

void
pattern_destroy(struct pattern *p)
{
	if (!p)
		return;
	code_destroy(p->code);
	code_destroy(p->loose);
	code_destroy(p->ascii);
	needle_fini(&p->needle);
	litset_destroy(p->set);
	strbuf_fini(&p->piece_text);
	strbuf_fini(&p->given);
	strbuf_fini(&p->safe);
	VEC_FINI(&p->safe_ends);
	VEC_FINI(&p->texts);
	free(p);
}

size_t
pattern_n_texts(const struct pattern *p)
{
	return p->texts.len;
}

struct span
pattern_text(const struct pattern *p, size_t i)
{
	return p->texts.data[i];
}

enum pattern_flags
pattern_flags(const struct pattern *p)
{
	return p->flags;
}

bool
pattern_is_multi(const struct pattern *p)
{
	return p->multi;
}

uint32_t
pattern_pieces(const struct pattern *p, const struct pattern_piece **ret, bool *ret_fold)
{
	*ret = p->piece;
	*ret_fold = p->fold;
	return p->n_pieces;
}

bool
pattern_is_jit(const struct pattern *p)
{
	if (!p->code)
		return false;
	pattern_code_ready(p->code);
	return p->code->jit;
}
