#include "query/grep.h"

#include <errno.h>

#include "query/sweep.h"

#define GREP_SLICE_BYTES (4u << 20)
#define GREP_LINE_BYTES 4096u

void
grep_lines_fini(struct grep_lines *g)
{
	VEC_FINI(&g->lines);
	VEC_FINI(&g->spans);
	strbuf_fini(&g->text);
	g->n_unkept = 0;
}

/* Offset of the first byte of the line that holds `at`. */
static size_t
line_start(struct span text, size_t at)
{
	const char *lf = at ? memrchr(text.data, '\n', at) : NULL;

	return lf ? (size_t)(lf - text.data) + 1 : 0;
}

/* Offset of the line feed that ends it, or of the text's end. */
static size_t
line_end(struct span text, size_t at)
{
	const char *lf = at < text.len ? memchr(text.data + at, '\n', text.len - at) : NULL;

	return lf ? (size_t)(lf - text.data) : text.len;
}

int
grep_find(struct matcher *m, struct span text, size_t from, const struct cursor_opts *opts,
	struct match *ret)
{
	/* No match spans lines, so a text cut at line ends has the same matches. */
	while (from < text.len || text.len == 0) {
		size_t lo = line_start(text, from), hi = text.len;
		int r;

		if (text.len - lo > GREP_SLICE_BYTES)
			hi = MIN(text.len, line_end(text, MAX(lo + GREP_SLICE_BYTES, from)) + 1);
		r = matcher_find(m, (struct span){text.data + lo, hi - lo}, from - lo, ret);
		if (r > 0) {
			ret->start += lo;
			ret->end += lo;
		}
		if (r != 0 || hi == text.len)
			return r;
		r = query_poll(opts);
		if (r < 0)
			return r;
		from = hi;
	}
	return 0;
}

struct grep {
	struct matcher *matcher;
	struct span text;
	const struct cursor_opts *opts;
	struct grep_lines *out;
	size_t counted;   /* line numbers are known up to this offset */
	uint64_t line;    /* number of the line at it */
	size_t next;      /* first byte not given yet */
	size_t after_end; /* end of the context that follows the last match */
};

static uint64_t
line_number(struct grep *g, size_t at)
{
	while (g->counted < at) {
		size_t end = line_end(g->text, g->counted);

		if (end >= at)
			break;
		g->line++;
		g->counted = end + 1;
	}
	return g->line;
}

static bool
inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The part of a long line that is kept: a quarter of it stands before the match. */
static void
cut_line(const struct grep *g, size_t match, size_t *lo, size_t *hi)
{
	size_t max = g->opts->max_line_bytes ? g->opts->max_line_bytes : GREP_LINE_BYTES;

	if (*hi - *lo <= max)
		return;
	if (match - *lo > max / 4)
		*lo = MIN(match - max / 4, *hi - max);
	*hi = *lo + max;
	/* Both ends between characters; a match may start in mid-character, so never past it. */
	for (int i = 0; i < 3 && *lo < match && inside_character(g->text.data[*lo]); i++)
		(*lo)++;
	for (int i = 0; i < 3 && *hi > match + 1 && *hi < g->text.len &&
			inside_character(g->text.data[*hi]);
		i++)
		(*hi)--;
}

static int
add_span(struct grep *g, struct match m, size_t lo, size_t hi)
{
	if (m.start > hi || (m.start == hi && m.end > m.start))
		return 0;
	m = (struct match){m.start - lo, MIN(m.end, hi) - lo};
	return VEC_PUSH(&g->out->spans, m);
}

/* The next match of the line [start, end), so that '^' is looked for at its start alone. */
static int
find_in_line(struct grep *g, size_t start, size_t end, size_t from, struct match *ret)
{
	struct span line = {g->text.data + start, end - start};
	int r = from > end ? 0 : matcher_find(g->matcher, line, from - start, ret);

	ret->start += start;
	ret->end += start;
	return r;
}

/* Every match of the line [start, end), whose first is `m`, as far as it is within [lo, hi). */
static int
add_spans(struct grep *g, struct match m, size_t start, size_t end, size_t lo, size_t hi)
{
	int r = 1;

	for (unsigned n = 0; r > 0 && n < HIT_MAX_SPANS && m.start <= hi; n++) {
		r = add_span(g, m, lo, hi);
		if (r == 0)
			r = find_in_line(g, start, end, m.end > m.start ? m.end : m.end + 1, &m);
	}
	return MIN(r, 0);
}

/* One line from `start`; `m` NULL: of context. */
static int
add_line(struct grep *g, size_t start, const struct match *m, bool before)
{
	size_t end = line_end(g->text, start), lo = start, hi = end;
	struct grep_line line = {.line = line_number(g, start),
		.offset = start,
		.text = g->out->text.len,
		.span = g->out->spans.len,
		.context = m == NULL,
		.before = before};
	int r;

	cut_line(g, m ? m->start : start, &lo, &hi);
	line.len = hi - lo;
	line.cut = (uint32_t)MIN(lo - start, UINT32_MAX);
	line.cut_end = hi < end;
	r = strbuf_add(&g->out->text, g->text.data + lo, hi - lo);
	if (r == 0 && m)
		r = add_spans(g, *m, start, end, lo, hi);
	line.n_spans = g->out->spans.len - line.span;
	if (r == 0)
		r = VEC_PUSH(&g->out->lines, line);
	g->next = MIN(end + 1, g->text.len);
	return r;
}

/* Lines after the last match, up to its context's end and not past `limit`. */
static int
add_after(struct grep *g, size_t limit)
{
	int r = 0;

	while (r == 0 && g->next < MIN(g->after_end, limit))
		r = add_line(g, g->next, NULL, false);
	return r;
}

/* Offset of the line `n` lines before the one at `start`. */
static size_t
lines_back(struct span text, size_t start, uint32_t n)
{
	while (n-- > 0 && start > 0)
		start = line_start(text, start - 1);
	return start;
}

static size_t
lines_on(struct span text, size_t start, uint32_t n)
{
	while (n-- > 0 && start < text.len)
		start = MIN(line_end(text, start) + 1, text.len);
	return start;
}

static int
add_match(struct grep *g, const struct match *m)
{
	size_t start = line_start(g->text, m->start), first;
	int r = add_after(g, start);

	first = MAX(g->next, lines_back(g->text, start, g->opts->before));
	while (r == 0 && first < start) {
		r = add_line(g, first, NULL, true);
		first = g->next;
	}
	if (r == 0)
		r = add_line(g, start, m, false);
	g->after_end = lines_on(g->text, g->next, g->opts->after);
	return r;
}

int64_t
grep_text(struct matcher *m, struct span text, const struct cursor_opts *opts, uint64_t keep,
	struct grep_lines *out)
{
	struct grep g = {.matcher = m, .text = text, .opts = opts, .out = out, .line = 1};
	uint64_t max = opts->max_per_file ? opts->max_per_file : UINT64_MAX, n = 0;
	struct match match;
	size_t from = 0;
	int r = 0;

	while (n < max) {
		r = grep_find(m, text, from, opts, &match);
		if (r <= 0)
			break;
		r = n < keep ? add_match(&g, &match) : 0;
		if (r < 0)
			break;
		n++;
		from = line_end(text, match.start) + 1;
	}
	if (r >= 0 && n > 0 && n <= keep)
		r = MIN(add_after(&g, text.len), 0); /* as grep: also lines that match past `max` */
	if (r < 0)
		return r;
	out->n_unkept = n > keep ? n - keep : 0;
	return (int64_t)n;
}
