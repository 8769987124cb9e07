#include "query/grep.h"

#include <errno.h>

#include "query/halt.h"

#define GREP_SLICE_BYTES (4u << 20)
#define GREP_LINE_BYTES 4096u

void
grep_lines_reset(struct grep_lines *g)
{
	g->lines.len = g->spans.len = 0;
	strbuf_reset(&g->text);
	g->n_unkept = 0;
}

size_t
grep_lines_bytes(const struct grep_lines *g)
{
	return g->lines.len * sizeof(g->lines.data[0]) + g->spans.len * sizeof(g->spans.data[0]) +
	       g->text.len;
}

void
grep_lines_fini(struct grep_lines *g)
{
	VEC_FINI(&g->lines);
	VEC_FINI(&g->spans);
	strbuf_fini(&g->text);
	g->n_unkept = 0;
}

/* Offset of the first byte of the line that holds `at`. A block at a time: whoever checks what
 * memrchr may read, as sanitizers do, checks all that it is given, not what it needs. */
static size_t
line_start(struct span text, size_t at)
{
	while (at > 0) {
		size_t block = MIN(at, GREP_LINE_BYTES);
		const char *lf = memrchr(text.data + at - block, '\n', block);

		if (lf)
			return (size_t)(lf - text.data) + 1;
		at -= block;
	}
	return 0;
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
	struct grep_bounds bounds;
	struct grep_place *place;
	struct grep_lines *out;
};

/* Of the line that begins at `at`, 1-based. */
static uint64_t
line_number(struct grep *g, size_t at)
{
	struct grep_place *p = g->place;

	while (p->counted < at) {
		size_t end = line_end(g->text, p->counted);

		if (end >= at)
			break;
		p->n_lf++;
		p->counted = end + 1;
	}
	return p->n_lf + 1;
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

/* The matches of the line [start, end), whose first is `m`, as far as they are within [lo, hi). */
static int
add_spans(struct grep *g, struct match m, size_t start, size_t end, size_t lo, size_t hi)
{
	unsigned max = g->opts->first_span_only ? 1 : HIT_MAX_SPANS;

	for (unsigned n = 1;; n++) {
		int r = add_span(g, m, lo, hi);

		if (r < 0 || n == max)
			return r;
		r = find_in_line(g, start, end, m.end > m.start ? m.end : m.end + 1, &m);
		if (r <= 0 || m.start > hi)
			return MIN(r, 0);
	}
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
	g->place->next = MIN(end + 1, g->text.len);
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

/* The next line that matches, and where the lines around it are. */
static int
seek(struct grep *g)
{
	struct grep_place *p = g->place;
	uint64_t max = g->opts->max_per_file ? g->opts->max_per_file : UINT64_MAX;
	size_t slice = p->from / GREP_SLICE_BYTES;
	int r = 0;

	/* More than are kept are looked for only to be counted. */
	if (!g->opts->count_exact)
		max = MIN(max, g->bounds.keep);
	if (p->n < max)
		r = grep_find(g->matcher, g->text, p->from, g->opts, &p->match);
	p->start = p->from = g->text.len;
	if (r <= 0)
		return r;
	p->found = true;
	p->n++;
	p->start = line_start(g->text, p->match.start);
	p->first = MAX(lines_back(g->text, p->start, g->opts->before),
		MAX(p->next, MIN(p->after_end, p->start)));
	p->from = MIN(line_end(g->text, p->match.start) + 1, g->text.len);
	return p->from / GREP_SLICE_BYTES == slice ? 0 : query_poll(g->opts);
}

static int
add_match(struct grep *g)
{
	struct grep_place *p = g->place;
	int r;

	p->found = false;
	if (p->n > g->bounds.keep) {
		g->out->n_unkept++;
		return 0;
	}
	r = add_line(g, p->start, &p->match, false);
	p->after_end = lines_on(g->text, p->next, g->opts->after);
	return r;
}

/* One line more: 1, 0 there is none, or an error. */
static int
step(struct grep *g)
{
	struct grep_place *p = g->place;
	int r = p->found ? 0 : seek(g);
	size_t before;

	if (r < 0)
		return r;
	before = MAX(p->next, p->first);
	if (p->n <= g->bounds.keep && p->next < MIN(p->after_end, p->start))
		r = add_line(g, p->next, NULL, false); /* as grep: a match past `max`, too */
	else if (!p->found)
		return 0;
	else if (p->n <= g->bounds.keep && before < p->start)
		r = add_line(g, before, NULL, true);
	else
		r = add_match(g);
	return r < 0 ? r : 1;
}

int
grep_text(struct matcher *m, struct span text, const struct cursor_opts *opts,
	struct grep_bounds bounds, struct grep_place *place, struct grep_lines *out)
{
	struct grep g = {m, text, opts, bounds, place, out};
	int r = 1;

	while (r > 0) {
		r = step(&g);
		if (r > 0 && grep_lines_bytes(out) >= bounds.room)
			break;
	}
	return r;
}
