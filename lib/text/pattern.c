#include "text/pattern.h"

#include <ctype.h>
#include <errno.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "text/fold.h"
#include "text/regex.h"

#define MATCH_LIMIT 1000000u
#define HEAP_LIMIT_KIB (20u << 10)
#define JIT_STACK_MIN_BYTES (64u << 10)
#define JIT_STACK_MAX_BYTES (1u << 20)
/* A shorter literal stands in too many lines for looking at them one by one to pay, when the whole
 * text can be matched at once. */
#define PREFILTER_MIN_BYTES 2u

enum strategy {
	BY_NEEDLE, /* the needle is the whole pattern */
	BY_PATH,   /* the text is one subject */
	BY_FILTER, /* lines that hold the needle, one by one */
	BY_TEXT,   /* the whole text at once: a match cannot leave its line */
	BY_LINE,   /* every line */
};

/* Const after pattern_create(). */
struct pattern {
	enum strategy strategy;
	bool utf, fold, jit;
	struct needle needle; /* len 0: none */
	/* PATTERN_PATH: of every match (regex.h). */
	struct pattern_piece piece[REGEX_MAX_PIECES];
	uint32_t n_pieces;
	struct strbuf piece_text;
	pcre2_code *code; /* NULL when BY_NEEDLE */
	/*
	 * The same without the conclusion from a leading ".*" that a match starts a line, NULL when
	 * there was none. It does not hold in a line that is not UTF-8: '.' does not match such
	 * bytes, so a match may start after them. Elsewhere it saves trying every start.
	 */
	pcre2_code *loose;
};

struct matcher {
	const struct pattern *pattern;
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

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

static int
refuse(int code, size_t offset, struct err *err)
{
	PCRE2_UCHAR message[128] = "";

	(void)pcre2_get_error_message(code, message, sizeof(message));
	(void)err_set(err, -EINVAL, "the pattern is wrong at column %zu: %s", offset + 1,
		(const char *)message);
	if (err)
		err->pos = (uint32_t)offset + 1;
	return -EINVAL;
}

static uint32_t
compile_options(const struct pattern *p, enum pattern_flags flags)
{
	uint32_t options = PCRE2_NEVER_BACKSLASH_C;

	if (p->utf)
		options |= PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF;
	if (p->fold)
		options |= PCRE2_CASELESS;
	if (flags & PATTERN_PATH)
		return options | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY;
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
	pcre2_code **ret, struct err *err)
{
	AUTO(free_compile_context)
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code;
	PCRE2_SIZE offset;
	int r;

	if (!context)
		return -ENOMEM;
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	if (flags & PATTERN_LINE)
		(void)pcre2_set_compile_extra_options(context, PCRE2_EXTRA_MATCH_LINE);
	code = pcre2_compile((PCRE2_SPTR)text.data, text.len,
		compile_options(p, flags) | start_options(text) | more, &r, &offset, context);
	if (!code)
		return r == PCRE2_ERROR_HEAP_FAILED ? -ENOMEM : refuse(r, offset, err);
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

/* Half boundaries, as ripgrep has them: not \b, which would refuse "-x" after a space. */
static int
compile_source(struct span text, enum pattern_flags flags, struct strbuf *out)
{
	bool word = (flags & PATTERN_WORD) && !(flags & PATTERN_LINE);

	if (word)
		(void)strbuf_puts(out, "(?<!\\w)(?:");
	if (flags & PATTERN_REGEX)
		(void)strbuf_span(out, text);
	else
		add_escaped(out, text);
	if (word)
		(void)strbuf_puts(out, ")(?!\\w)");
	return out->failed ? -ENOMEM : 0;
}

/* Was the code found to match at starts of lines, or of the text, only? */
static bool
is_start_only(const pcre2_code *code)
{
	uint32_t options = 0, first = 0;

	(void)pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
	(void)pcre2_pattern_info(code, PCRE2_INFO_FIRSTCODETYPE, &first);
	return first == 2 || (options & PCRE2_ANCHORED);
}

/* True on success: fails where memory may not be made executable. */
static bool
compile_jit(pcre2_code *code)
{
	return pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
}

static int
pattern_compile(struct pattern *p, struct span text, enum pattern_flags flags, struct err *err)
{
	AUTO(free_strbuf) struct strbuf source = {0};
	AUTO(free_code) pcre2_code *plain = NULL;
	int r = compile_source(text, flags, &source);

	/* The user's own text first: its errors have columns that mean something. */
	if (r == 0 && flags & PATTERN_REGEX && flags & (PATTERN_WORD | PATTERN_LINE)) {
		r = compile(p, text, flags & ~PATTERN_LINE, 0, &plain, err);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = compile(p, strbuf_view(&source), flags, 0, &p->code, plain ? NULL : err);
	if (r == -EINVAL && plain)
		return err_set(err, r,
			"the pattern cannot be matched as a whole word or line: it "
			"ends within a quotation or a comment, or begins with a verb");
	if (r == 0 && p->utf && is_start_only(p->code))
		r = compile(
			p, strbuf_view(&source), flags, PCRE2_NO_DOTSTAR_ANCHOR, &p->loose, err);
	if (r == 0)
		p->jit = compile_jit(p->code) && (!p->loose || compile_jit(p->loose));
	return r;
}

/* Strategy and prefilter of what is compiled. */
static int
plan_compiled(struct pattern *p, struct span literal, bool line_safe, enum pattern_flags flags)
{
	int r = 0;

	if (literal.len >= PREFILTER_MIN_BYTES || (!line_safe && literal.len > 0))
		r = needle_init(&p->needle, literal, p->fold);
	p->strategy = flags & PATTERN_PATH     ? BY_PATH
	              : p->needle.len > 0      ? BY_FILTER
	              : line_safe && !p->loose ? BY_TEXT
	                                       : BY_LINE;
	return r;
}

static bool
pattern_folds(struct span text, enum pattern_flags flags, const struct regex_facts *facts)
{
	if (flags & PATTERN_FOLD || !(flags & PATTERN_SMART))
		return flags & PATTERN_FOLD;
	if (flags & PATTERN_REGEX)
		return facts->any_literal && !facts->any_upper;
	return !fold_has_upper(text);
}

static int
pattern_make(struct pattern *p, struct span text, enum pattern_flags flags, struct err *err)
{
	AUTO(regex_facts_fini) struct regex_facts facts = {0};
	struct span literal = text;
	bool is_literal = true, line_safe = true;
	int r;

	if (flags & PATTERN_REGEX) {
		r = regex_inspect(text, &facts);
		if (r < 0)
			return r;
		literal = strbuf_view(&facts.literal);
		line_safe = facts.line_safe;
		is_literal = facts.is_literal && (line_safe || flags & PATTERN_PATH);
	}
	p->utf = utf8_valid(text.data, text.len);
	p->fold = pattern_folds(text, flags, &facts);
	if (flags & PATTERN_PATH) {
		p->piece_text = facts.piece_text;
		facts.piece_text = (struct strbuf){0};
		p->n_pieces = facts.n_pieces;
		memcpy(p->piece, facts.piece, sizeof(p->piece));
	}
	if (is_literal && literal.len > 0 && !(flags & (PATTERN_WORD | PATTERN_LINE)))
		return needle_init(&p->needle, literal, p->fold); /* BY_NEEDLE */
	r = pattern_compile(p, text, flags, err);
	return r < 0 ? r : plan_compiled(p, literal, line_safe, flags);
}

int
pattern_create(struct span text, enum pattern_flags flags, struct pattern **ret, struct err *err)
{
	const char *newline = text.len ? memchr(text.data, '\n', text.len) : NULL;
	struct pattern *p;
	int r;

	if (text.len > PATTERN_MAX_BYTES)
		return err_set(
			err, -EOVERFLOW, "the pattern is longer than %u bytes", PATTERN_MAX_BYTES);
	if (newline && !(flags & (PATTERN_REGEX | PATTERN_PATH))) {
		(void)err_set(err, -EINVAL,
			"the pattern cannot match: it holds a newline, and a "
			"match lies within one line");
		if (err)
			err->pos = (uint32_t)(newline - text.data) + 1;
		return -EINVAL;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	r = pattern_make(p, text, flags, err);
	if (r < 0)
		pattern_destroy(p);
	else
		*ret = p;
	return r;
}

void
pattern_destroy(struct pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	pcre2_code_free(p->loose);
	needle_fini(&p->needle);
	strbuf_fini(&p->piece_text);
	free(p);
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
	return p->jit;
}

static int
matcher_make(struct matcher *m)
{
	m->data = pcre2_match_data_create(1, NULL); /* only the match itself is asked for */
	m->context = pcre2_match_context_create(NULL);
	if (!m->data || !m->context)
		return -ENOMEM;
	(void)pcre2_set_match_limit(m->context, MATCH_LIMIT);
	(void)pcre2_set_heap_limit(m->context, HEAP_LIMIT_KIB);
	if (!m->pattern->jit)
		return 0;
	m->stack = pcre2_jit_stack_create(JIT_STACK_MIN_BYTES, JIT_STACK_MAX_BYTES, NULL);
	if (!m->stack)
		return -ENOMEM;
	pcre2_jit_stack_assign(m->context, NULL, m->stack);
	return 0;
}

int
matcher_create(const struct pattern *p, struct matcher **ret)
{
	struct matcher *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->pattern = p;
	r = p->code ? matcher_make(m) : 0;
	if (r < 0)
		matcher_destroy(m);
	else
		*ret = m;
	return r;
}

void
matcher_destroy(struct matcher *m)
{
	if (!m)
		return;
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->context);
	pcre2_jit_stack_free(m->stack);
	free(m);
}

/* The first match in one subject, at or after `from`. */
static int
match_subject(struct matcher *m, struct span subject, size_t from, struct match *ret)
{
	const struct pattern *p = m->pattern;
	const pcre2_code *code =
		p->loose && !utf8_valid(subject.data, subject.len) ? p->loose : p->code;
	PCRE2_SPTR data = (PCRE2_SPTR)subject.data;
	const PCRE2_SIZE *ends;
	int r = pcre2_match(code, data, subject.len, from, 0, m->data, m->context);

	/* The interpreter has a heap of its own, larger than the stack of compiled code. */
	if (r == PCRE2_ERROR_JIT_STACKLIMIT)
		r = pcre2_match(code, data, subject.len, from, PCRE2_NO_JIT, m->data, m->context);
	if (r == PCRE2_ERROR_NOMATCH)
		return 0;
	if (r == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	if (r < 0)
		return -EOVERFLOW; /* a limit, or a recursion that does not advance */
	ends = pcre2_get_ovector_pointer(m->data);
	*ret = (struct match){ends[0], MAX(ends[0], ends[1])};
	return 1;
}

/* The line [start, end) of the text, without its newline. */
static int
match_line(struct matcher *m, struct span text, size_t start, size_t end, size_t from,
	struct match *ret)
{
	struct span line = {text.data + start, end - start};
	int r = match_subject(m, line, from > start ? from - start : 0, ret);

	if (r == 1) {
		ret->start += start;
		ret->end += start;
	}
	return r;
}

/* Where the line of `at` starts; it is known not to start before `floor`. */
static size_t
line_start(struct span text, size_t floor, size_t at)
{
	const char *lf = at > floor ? memrchr(text.data + floor, '\n', at - floor) : NULL;

	return lf ? (size_t)(lf - text.data) + 1 : floor;
}

static size_t
line_end(struct span text, size_t at)
{
	const char *lf = at < text.len ? memchr(text.data + at, '\n', text.len - at) : NULL;

	return lf ? (size_t)(lf - text.data) : text.len;
}

/* After the newline that ends the text there is no line. */
static bool
is_past_last_line(struct span text, size_t at)
{
	return at == text.len && (text.len == 0 || text.data[text.len - 1] == '\n');
}

static int
find_by_line(struct matcher *m, struct span text, size_t from, struct match *ret)
{
	size_t start = line_start(text, 0, from), end;
	int r;

	for (; start < text.len; start = end + 1) {
		end = line_end(text, MAX(start, from));
		r = match_line(m, text, start, end, from, ret);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
find_by_filter(struct matcher *m, struct span text, size_t from, struct match *ret)
{
	size_t at = from, floor = 0;

	for (;;) {
		ssize_t hit = needle_find(&m->pattern->needle, text, at, NULL);
		size_t start, end;
		int r;

		if (hit < 0)
			return 0;
		start = line_start(text, floor, (size_t)hit);
		end = line_end(text, (size_t)hit);
		r = match_line(m, text, start, end, from, ret);
		if (r != 0 || end == text.len)
			return r;
		at = floor = end + 1;
	}
}

static int
find_by_text(struct matcher *m, struct span text, size_t from, struct match *ret)
{
	struct match found;
	int r = match_subject(m, text, from, &found);

	if (r <= 0)
		return r;
	assert_slow(found.start == found.end ||
		    !memchr(text.data + found.start, '\n', found.end - found.start));
	if (is_past_last_line(text, found.start))
		return 0;
	*ret = found;
	return 1;
}

static int
find_by_needle(struct matcher *m, struct span text, size_t from, struct match *ret)
{
	size_t len;
	ssize_t at = needle_find(&m->pattern->needle, text, from, &len);

	if (at < 0)
		return 0;
	*ret = (struct match){(size_t)at, (size_t)at + len};
	return 1;
}

int
matcher_find(struct matcher *m, struct span text, size_t from, struct match *ret)
{
	const struct pattern *p = m->pattern;

	if (!text.data)
		text.data = "";
	if (p->strategy == BY_NEEDLE)
		return find_by_needle(m, text, from, ret);
	/* No character starts at a continuation byte, so no match does. */
	while (p->utf && from < text.len && (text.data[from] & 0xc0) == 0x80)
		from++;
	if (from > text.len)
		return 0;
	switch (p->strategy) {
	case BY_PATH:
		return match_subject(m, text, from, ret);
	case BY_FILTER:
		return find_by_filter(m, text, from, ret);
	case BY_TEXT:
		return is_past_last_line(text, from) ? 0 : find_by_text(m, text, from, ret);
	case BY_LINE:
	case BY_NEEDLE:
		break;
	}
	return find_by_line(m, text, from, ret);
}
