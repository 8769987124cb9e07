#include "text/pattern.h"

#include <ctype.h>
#include <errno.h>

#include "text/pattern_impl.h"
#include "text/scan.h"

#define MATCH_LIMIT 1000000u
#define HEAP_LIMIT_KIB (20u << 10)
#define JIT_STACK_MIN_BYTES (64u << 10)
#define JIT_STACK_MAX_BYTES (1u << 20)
/* Of lines that are matched at once. */
#define WINDOW_MIN_BYTES 128u
#define WINDOW_MAX_BYTES (64u << 10)

/*
 * note: long lines
 *
 * Who asks for one match after the other in a line of megabytes would have its ends looked for, and
 * its bytes looked through, for each of them. So both are remembered, of a line or subject of
 * LONG_BYTES, until matcher_forget().
 */
#define LONG_BYTES 4096u

struct matcher {
	const struct pattern *pattern;
	const char *line, *line_end; /* the last long line; NULL: none */
	struct span subject;         /* the last long subject; no data: none */
	bool subject_ascii;
	struct pattern_code *subject_code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack; /* NULL: not needed so far */
};

static int
matcher_make(struct matcher *m)
{
	m->data = pcre2_match_data_create(1, NULL); /* only the match itself is asked for */
	m->context = pcre2_match_context_create(NULL);
	if (!m->data || !m->context)
		return -ENOMEM;
	(void)pcre2_set_match_limit(m->context, MATCH_LIMIT);
	(void)pcre2_set_heap_limit(m->context, HEAP_LIMIT_KIB);
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

const struct pattern *
matcher_pattern(const struct matcher *m)
{
	return m->pattern;
}

void
matcher_forget(struct matcher *m)
{
	m->line = NULL;
	m->subject = (struct span){0};
}

static struct pattern_code *
choose_code(const struct pattern *p, struct span subject, bool ascii)
{
	if (p->ascii && ascii)
		return p->ascii;
	return p->loose && !ascii && !utf8_valid(subject.data, subject.len) ? p->loose : p->code;
}

/* Look through a long subject once (note: long lines). */
static void
know_subject(struct matcher *m, struct span subject)
{
	if (m->subject.data == subject.data && m->subject.len == subject.len)
		return;
	m->subject = subject;
	m->subject_ascii = scan_ascii(subject.data, subject.len);
	m->subject_code = choose_code(m->pattern, subject, m->subject_ascii);
}

static bool
is_ascii(struct matcher *m, struct span subject)
{
	if (subject.len < LONG_BYTES)
		return scan_ascii(subject.data, subject.len);
	know_subject(m, subject);
	return m->subject_ascii;
}

static struct pattern_code *
code_for(struct matcher *m, struct span subject)
{
	const struct pattern *p = m->pattern;

	if (!p->ascii && !p->loose)
		return p->code;
	if (subject.len < LONG_BYTES)
		return choose_code(p, subject, scan_ascii(subject.data, subject.len));
	know_subject(m, subject);
	return m->subject_code;
}

/* Before the first match of a code by this matcher. */
static int
make_stack(struct matcher *m, struct pattern_code *c)
{
	pattern_code_ready(c);
	if (!c->jit || m->stack)
		return 0;
	m->stack = pcre2_jit_stack_create(JIT_STACK_MIN_BYTES, JIT_STACK_MAX_BYTES, NULL);
	if (!m->stack)
		return -ENOMEM;
	pcre2_jit_stack_assign(m->context, NULL, m->stack);
	return 0;
}

/* The first match in one subject, at or after `from`. */
static int
match_subject(struct matcher *m, struct span subject, size_t from, struct match *ret)
{
	PCRE2_SPTR data = (PCRE2_SPTR)subject.data;
	const PCRE2_SIZE *ends;
	struct pattern_code *c = code_for(m, subject);
	const pcre2_code *code = c->pcre;
	int r = make_stack(m, c);

	if (r < 0)
		return r;
	r = c->jit ? pcre2_jit_match(code, data, subject.len, from, 0, m->data, m->context)
	           : pcre2_match(code, data, subject.len, from, 0, m->data, m->context);

	/* The interpreter has a heap of its own, larger than the stack of compiled code; and a
	 * pattern may ask for it: "(*NO_JIT)". */
	if (r == PCRE2_ERROR_JIT_STACKLIMIT || r == PCRE2_ERROR_JIT_BADOPTION)
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

/* Is it in, or at the end of, the long line that is known, which is the text's? */
static bool
is_in_known(const struct matcher *m, struct span text, size_t at)
{
	return m->line && m->line >= text.data && m->line_end <= text.data + text.len &&
	       text.data + at >= m->line && text.data + at <= m->line_end;
}

static void
know_line(struct matcher *m, struct span text, size_t start, size_t end)
{
	if (end - start < LONG_BYTES)
		return;
	m->line = text.data + start;
	m->line_end = text.data + end;
}

/* Where the line of `at` starts; it is known not to start before `floor`. */
static size_t
line_start(const struct matcher *m, struct span text, size_t floor, size_t at)
{
	const char *lf;

	if (is_in_known(m, text, at))
		return MAX((size_t)(m->line - text.data), floor);
	if (at <= floor || text.data[at - 1] == '\n')
		return MAX(at, floor);
	lf = memrchr(text.data + floor, '\n', at - floor);
	return lf ? (size_t)(lf - text.data) + 1 : floor;
}

static size_t
line_end(const struct matcher *m, struct span text, size_t at)
{
	const char *lf;

	if (is_in_known(m, text, at))
		return (size_t)(m->line_end - text.data);
	lf = at < text.len ? memchr(text.data + at, '\n', text.len - at) : NULL;
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
	size_t start = line_start(m, text, 0, from), end;
	int r;

	for (; start < text.len; start = end + 1) {
		end = line_end(m, text, MAX(start, from));
		know_line(m, text, start, end);
		r = match_line(m, text, start, end, from, ret);
		if (r != 0)
			return r;
	}
	return 0;
}

/* The next place that the needle, one of the set, or the stretch stands at: -1 none. */
static ssize_t
filter_find(const struct pattern *p, struct span text, size_t at, size_t *ret_len)
{
	if (p->stretch.least > 0)
		return stretch_find(&p->stretch, text, at);
	return p->set ? litset_find(p->set, text, at, ret_len)
	              : needle_find(&p->needle, text, at, ret_len);
}

enum beside { BESIDE_NOTHING, BESIDE_WORD, BESIDE_UNKNOWN };

/* Outside of the text there is no word, also before it, at SIZE_MAX. */
static enum beside
beside(struct span text, size_t at)
{
	unsigned char c = at < text.len ? (unsigned char)text.data[at] : '\n';

	if (c & 0x80)
		return BESIDE_UNKNOWN;
	return isalnum(c) || c == '_' ? BESIDE_WORD : BESIDE_NOTHING;
}

/* Of a plain word the bytes at its sides decide, unless they are of a character beyond ASCII. */
static enum beside
beside_word(struct span text, size_t start, size_t end)
{
	enum beside before = beside(text, start - 1), after = beside(text, end);

	if (before == BESIDE_WORD || after == BESIDE_WORD)
		return BESIDE_WORD;
	return MAX(before, after);
}

static int
find_by_filter(struct matcher *m, struct span text, size_t from, struct match *ret)
{
	size_t at = from, floor = 0;

	for (;;) {
		size_t start, end;
		ssize_t hit = filter_find(m->pattern, text, at, &end);
		enum beside sides = BESIDE_UNKNOWN;
		int r;

		if (hit < 0)
			return 0;
		if (m->pattern->plain_word)
			sides = beside_word(text, (size_t)hit, (size_t)hit + end);
		if (sides == BESIDE_NOTHING) {
			*ret = (struct match){(size_t)hit, (size_t)hit + end};
			return 1;
		}
		if (sides == BESIDE_WORD) {
			at = (size_t)hit + 1;
			continue;
		}
		start = line_start(m, text, floor, (size_t)hit);
		end = line_end(m, text, (size_t)hit);
		know_line(m, text, start, end);
		r = match_line(m, text, start, end, from, ret);
		if (r != 0 || end == text.len)
			return r;
		at = floor = end + 1;
	}
}

/* All that a matcher for lines finds; the text is one subject, as a whole or as a part of a text.
 */
static int
find_in_text(struct matcher *m, struct span text, size_t from, struct match *ret)
{
	struct match found;
	int r;

	if (m->pattern->loose && !is_ascii(m, text))
		return find_by_line(m, text, from, ret);
	r = match_subject(m, text, from, &found);
	/* The limit is for one line, and here it was for many. */
	if (r == -EOVERFLOW && !m->pattern->multi)
		return find_by_line(m, text, from, ret);
	if (r <= 0)
		return r;
	assert_slow(m->pattern->multi || found.start == found.end ||
		    !memchr(text.data + found.start, '\n', found.end - found.start));
	if (is_past_last_line(text, found.start))
		return 0;
	*ret = found;
	return 1;
}

/* Of the lines [lo, end) the last one, if it is them all. */
static void
know_last_line(struct matcher *m, struct span text, size_t lo, size_t end)
{
	if (!is_in_known(m, text, lo) && !memchr(text.data + lo, '\n', end - lo))
		know_line(m, text, lo, end);
}

/* In windows of whole lines, small first, since a match may be near: in each of them the code for
 * ASCII is used where it can be. */
static int
find_by_text(struct matcher *m, struct span text, size_t from, struct match *ret)
{
	size_t window = WINDOW_MIN_BYTES, lo = line_start(m, text, 0, from), hi;

	for (; lo < text.len; from = lo = hi, window = MIN(2 * window, WINDOW_MAX_BYTES)) {
		int r;

		hi = text.len;
		if (hi - lo > window) {
			size_t end = line_end(m, text, MAX(lo + window, from));

			know_last_line(m, text, lo, end);
			hi = MIN(end + 1, text.len);
		}
		r = find_in_text(m, (struct span){text.data + lo, hi - lo}, from - lo, ret);
		if (r != 0) {
			ret->start += lo;
			ret->end += lo;
			return r;
		}
	}
	return 0;
}

static int
find_by_literal(struct matcher *m, struct span text, size_t from, struct match *ret)
{
	size_t len;
	ssize_t at = filter_find(m->pattern, text, from, &len);

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
	if (from == 0)
		matcher_forget(m);
	if (p->strategy == BY_NEEDLE || p->strategy == BY_SET)
		return find_by_literal(m, text, from, ret);
	/* No character starts at a continuation byte, so no match does. */
	while (p->utf && from < text.len && (text.data[from] & 0xc0) == 0x80)
		from++;
	if (from > text.len)
		return 0;
	switch (p->strategy) {
	case BY_WHOLE:
		return p->multi ? find_in_text(m, text, from, ret)
		                : match_subject(m, text, from, ret);
	case BY_FILTER:
		return find_by_filter(m, text, from, ret);
	case BY_TEXT:
		return is_past_last_line(text, from) ? 0 : find_by_text(m, text, from, ret);
	case BY_LINE:
	case BY_NEEDLE:
	case BY_SET:
		break;
	}
	return find_by_line(m, text, from, ret);
}
