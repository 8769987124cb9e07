#include "query/grep.h"

#include <errno.h>

#include "query/halt.h"
#include "text/scan.h"

#define GREP_SLICE_BYTES (4u << 20)
#define GREP_LINE_BYTES 4096u
#define COUNT_BYTES ((size_t)64 << 20) /* in which lines are counted without asking that */
#define WITHIN_PERIOD 64u              /* matches in one line, for one look at that */
#define NUMBER_BYTES 24u               /* of a line, with what stands around the line in a block */
/* Of a match that spans lines this many times as much is kept, and matches are joined up to so
 * much.
 */
#define GREP_MULTI_LINES 16u

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

/* Lines of the text that are searched without asking whether to stop. */
struct slice {
	size_t lo, hi;
};

/* As line_end(), where a line may have gigabytes: 0, or what query_poll() says. */
static int
far_line_end(struct span text, size_t at, const struct cursor_opts *opts, size_t *ret)
{
	int r = 0;

	for (*ret = text.len; at < text.len && r == 0; at += GREP_SLICE_BYTES) {
		size_t stop = MIN(text.len, at + GREP_SLICE_BYTES);
		size_t end = line_end((struct span){text.data, stop}, at);

		if (end < stop) {
			*ret = end;
			return 0;
		}
		r = query_poll(opts);
	}
	return r;
}

/* The slice for what is looked for from `from` on: 0, or what query_poll() says. */
static int
slice_at(struct span text, size_t from, const struct cursor_opts *opts, struct slice *ret)
{
	size_t lo = line_start(text, from), hi = text.len;
	int r = 0;

	if (text.len - lo > GREP_SLICE_BYTES)
		r = far_line_end(text, MAX(lo + GREP_SLICE_BYTES, from), opts, &hi);
	*ret = (struct slice){lo, MIN(hi + 1, text.len)};
	return r;
}

/* No match spans lines, so a text cut at line ends has the same matches. */
static int
find_in_slice(struct matcher *m, struct span text, struct slice s, size_t from, struct match *ret)
{
	int r = matcher_find(m, (struct span){text.data + s.lo, s.hi - s.lo}, from - s.lo, ret);

	ret->start += s.lo;
	ret->end += s.lo;
	return r;
}

static int
find_in_text(struct matcher *m, struct span text, size_t from, const struct cursor_opts *opts,
	struct match *ret)
{
	if (pattern_is_multi(matcher_pattern(m)))
		return text.len > GREP_MULTI_MAX_BYTES ? -EOVERFLOW
		                                       : matcher_find(m, text, from, ret);
	while (from < text.len || text.len == 0) {
		struct slice s;
		int r = slice_at(text, from, opts, &s);

		if (r == 0)
			r = find_in_slice(m, text, s, from, ret);
		if (r != 0 || s.hi == text.len)
			return r;
		r = query_poll(opts);
		if (r < 0)
			return r;
		from = s.hi;
	}
	return 0;
}

int
grep_find(struct matcher *m, struct span text, size_t from, const struct cursor_opts *opts,
	struct match *ret)
{
	matcher_forget(m);
	return find_in_text(m, text, from, opts, ret);
}

struct grep {
	struct matcher *matcher;
	struct span text;
	const struct panes *panes; /* may be NULL */
	const struct cursor_opts *opts;
	struct grep_bounds bounds;
	struct grep_place *place;
	struct grep_lines *out;
	bool multi;
	struct slice slice; /* searched last; unless `multi` */
	uint32_t n_within;  /* matches asked for in lines that have some */
	int ended;          /* lines are no longer counted: what query_poll() said */
};

/* Of the line that begins at `at`, 1-based. What is before it may be gigabytes: when the question
 * ends meanwhile, g->ended says so, and the number is of no use. */
static uint64_t
line_number(struct grep *g, size_t at)
{
	struct grep_place *p = g->place;
	size_t known;
	uint64_t n_lf = panes_lines(g->panes, at, &known);

	if (known > p->counted) {
		p->counted = known;
		p->n_lf = n_lf;
	}
	while (p->counted < at && g->ended == 0) {
		size_t n = MIN(at - p->counted, COUNT_BYTES);

		p->n_lf += scan_count(g->text.data + p->counted, n, '\n');
		p->counted += n;
		if (n == COUNT_BYTES)
			g->ended = query_poll(g->opts);
	}
	return p->n_lf + 1;
}

static bool
inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t
max_line_bytes(const struct grep *g)
{
	return g->opts->max_line_bytes ? g->opts->max_line_bytes : GREP_LINE_BYTES;
}

/* The part of a long line that is kept: a quarter of it stands before the match. */
static void
cut_line(const struct grep *g, size_t match, size_t *lo, size_t *hi)
{
	size_t max = max_line_bytes(g);

	if (g->multi)
		max *= GREP_MULTI_LINES;
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

/* The match after `m` within the lines [start, end), or anywhere when matches span lines. As for
 * ripgrep, none is empty at the end of the one before. */
static int
find_within(struct grep *g, size_t start, size_t end, struct match m, struct match *ret)
{
	struct span line = {g->text.data + start, end - start};
	size_t from = m.end > m.start ? m.end : m.end + 1;
	int r = 0;

	/* A line may have millions of them. */
	if (++g->n_within % WITHIN_PERIOD == 0)
		r = query_poll(g->opts);
	if (r < 0)
		return r;
	for (; from <= (g->multi ? g->text.len : end); from = ret->end + 1) {
		/* The line alone, so that '^' is looked for at its start alone. */
		r = g->multi ? find_in_text(g->matcher, g->text, from, g->opts, ret)
		             : matcher_find(g->matcher, line, from - start, ret);
		if (r <= 0)
			return r;
		if (!g->multi) {
			ret->start += start;
			ret->end += start;
		}
		if (ret->end > ret->start || ret->start != m.end)
			return 1;
	}
	return 0;
}

/* The matches of the lines [start, end), whose first is `m`, as far as they are within [lo, hi). */
static int
add_spans(struct grep *g, struct match m, size_t start, size_t end, size_t lo, size_t hi)
{
	for (;;) {
		int r = 0;

		if (m.start > hi || (m.start == hi && m.end > m.start))
			return 0;
		if (m.end >= lo)
			r = VEC_PUSH(&g->out->spans,
				(struct match){MAX(m.start, lo) - lo, MIN(m.end, hi) - lo});
		if (r < 0 || g->opts->first_span_only)
			return r;
		r = find_within(g, start, end, m, &m);
		if (r <= 0 || m.start > end || (m.start == end && g->multi))
			return MIN(r, 0);
	}
}

/* The bytes [start, end) as a row, which is context unless there is an answer in it. */
static int
add_row(struct grep *g, size_t start, size_t end, const struct match *m, struct grep_line line)
{
	size_t lo = start, hi = end;
	int r;

	line.offset = start;
	line.text = g->out->text.len;
	line.span = g->out->spans.len;
	cut_line(g, m ? m->start : start, &lo, &hi);
	line.len = hi - lo;
	line.cut = (uint32_t)MIN(lo - start, UINT32_MAX);
	line.cut_end = hi < end;
	line.last = end == g->text.len;
	r = strbuf_add(&g->out->text, g->text.data + lo, hi - lo);
	if (r == 0 && m)
		r = add_spans(g, *m, start, end, lo, hi);
	line.n_spans = (uint32_t)(g->out->spans.len - line.span);
	return r < 0 ? r : VEC_PUSH(&g->out->lines, line);
}

/* The line from `start` that is no answer. */
static int
add_context(struct grep *g, size_t start, bool before)
{
	size_t end = line_end(g->text, start);
	struct grep_line line = {.line = line_number(g, start), .context = true, .before = before};

	g->place->next = MIN(end + 1, g->text.len);
	return add_row(g, start, end, NULL, line);
}

/* The bytes before the line feed that ends them, if one does. */
static size_t
without_lf(struct span text, size_t start, size_t end)
{
	return end > start && text.data[end - 1] == '\n' ? end - 1 : end;
}

static int
add_lines(struct grep *g)
{
	struct grep_place *p = g->place;
	size_t end = without_lf(g->text, p->start, p->end);
	struct grep_line line = {.line = line_number(g, p->start), .column = 1};

	if (g->opts->invert)
		return add_row(g, p->start, end, NULL, line);
	line.column = p->match.start - p->start + 1;
	return add_row(g, p->start, end, &p->match, line);
}

/* The match alone. */
static int
add_one(struct grep *g)
{
	struct grep_place *p = g->place;
	struct match m = p->match;
	size_t start = g->multi ? line_start(g->text, m.start) : p->start;
	size_t lo = m.start, hi = m.end;
	struct grep_line line = {.line = line_number(g, start),
		.offset = m.start,
		.column = m.start - start + 1,
		.text = g->out->text.len,
		.span = g->out->spans.len,
		.n_spans = 1,
		.last = p->end == g->text.len && g->text.data[p->end - 1] != '\n'};
	int r;

	cut_line(g, m.start, &lo, &hi);
	line.len = hi - lo;
	line.cut_end = hi < m.end;
	r = strbuf_add(&g->out->text, g->text.data + lo, hi - lo);
	if (r == 0)
		r = VEC_PUSH(&g->out->spans, (struct match){0, hi - lo});
	return r < 0 ? r : VEC_PUSH(&g->out->lines, line);
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

/* End of the lines of a match, the last line feed included. */
static size_t
lines_end(struct span text, struct match m)
{
	size_t last = m.end > m.start ? m.end - 1 : m.end;

	return MIN(line_end(text, last) + 1, text.len);
}

/* The slice for what is looked for from *from on, which moves to the next place that may hold a
 * match: 1, 0 there is none, or an error. */
static int
next_slice(struct grep *g, size_t *from)
{
	struct subject s = {g->text, g->panes};
	size_t end;
	int r = g->slice.hi > 0 ? query_poll(g->opts) : 0;

	if (r < 0)
		return r;
	panes_next(s, *from, from, &end);
	if (*from == g->text.len)
		return 0;
	r = slice_at((struct span){g->text.data, end}, *from, g->opts, &g->slice);
	return r < 0 ? r : 1;
}

/* As grep_find() from the beginning of a line, many times in one text. */
static int
find_from(struct grep *g, size_t from, struct match *ret)
{
	while (from < g->text.len) {
		int r;

		if (from >= g->slice.hi || from < g->slice.lo) {
			r = next_slice(g, &from);
			if (r <= 0)
				return r;
		}
		r = find_in_slice(g->matcher, g->text, g->slice, from, ret);
		if (r != 0)
			return r;
		from = g->slice.hi;
	}
	return 0;
}

/* The next match at or after `from`: 1, 0, or an error. */
static int
next_match(struct grep *g, size_t from, struct match *ret)
{
	struct grep_place *p = g->place;

	if (!g->multi)
		return find_from(g, from, ret);
	if (!p->ahead)
		return find_in_text(g->matcher, g->text, from, g->opts, ret);
	p->ahead = false;
	*ret = p->next_match;
	return ret->start < g->text.len;
}

/* Matches that span lines, and begin in those of the one before or in the line after them, are one
 * answer; the latter only as long as it is not too large. */
static int
join_matches(struct grep *g, struct match m, size_t start, size_t *end)
{
	struct grep_place *p = g->place;

	for (;;) {
		size_t room = start + (size_t)GREP_MULTI_LINES * GREP_LINE_BYTES;
		int r = find_within(g, start, *end, m, &m);

		p->ahead = true;
		p->next_match = r > 0 ? m : (struct match){g->text.len, g->text.len};
		if (r <= 0)
			return r;
		if (m.start >= *end && (line_start(g->text, m.start) > *end || *end > room))
			return 0;
		*end = lines_end(g->text, m);
		r = query_poll(g->opts);
		if (r < 0)
			return r;
	}
}

/* The lines of the next match, from p->from on: 1, 0 there is none, or an error. */
static int
find_lines(struct grep *g, struct match *match, size_t *start, size_t *end)
{
	bool join = g->multi && (g->opts->invert || g->opts->answer != GREP_MATCHES);
	int r = next_match(g, g->place->from, match);

	if (r <= 0)
		return r;
	*start = g->place->from == match->start && !g->multi ? match->start
	                                                     : line_start(g->text, match->start);
	*end = lines_end(g->text, *match);
	r = join ? join_matches(g, *match, *start, end) : 0;
	return r < 0 ? r : 1;
}

/* The next line that no match touches: 1, 0 there is none, or an error. */
static int
find_other(struct grep *g)
{
	struct grep_place *p = g->place;

	while (p->from < g->text.len) {
		struct match m;
		int r = p->block ? 1 : find_lines(g, &m, &p->block_start, &p->block_end);

		if (r < 0)
			return r;
		if (r == 0)
			p->block_start = p->block_end = g->text.len;
		p->block = p->from < p->block_start;
		if (p->block) {
			p->start = p->from;
			p->end = MIN(line_end(g->text, p->from) + 1, g->text.len);
			return 1;
		}
		p->from = p->block_end;
	}
	return 0;
}

/* One more match in the lines of the one before: 1, 0 there is none, or an error. */
static int
find_another(struct grep *g)
{
	struct grep_place *p = g->place;
	size_t end = without_lf(g->text, p->start, p->end);
	struct match m = p->match;
	int r = find_within(g, p->start, end, p->match, &m);

	if (r < 0)
		return r;
	if (g->multi && (r == 0 || m.start >= p->end)) {
		p->ahead = true;
		p->next_match = r > 0 ? m : (struct match){g->text.len, g->text.len};
		return 0;
	}
	if (r == 0)
		return 0;
	p->match = m;
	if (g->multi)
		p->end = MAX(p->end, lines_end(g->text, m));
	return 1;
}

/* Is each match an answer, rather than the lines that hold it? */
static bool
is_each(const struct grep *g)
{
	switch (g->opts->answer) {
	case GREP_MATCHES:
	case GREP_COUNT_MATCHES:
		return !g->opts->invert;
	case GREP_COUNT_LINES:
		return !g->opts->invert && g->multi; /* as ripgrep counts them */
	case GREP_LINES:
	case GREP_FILES:
	case GREP_FILES_WITHOUT:
		break;
	}
	return false;
}

/* The next lines that match: 1, 0 or an error. */
static int
find_next(struct grep *g)
{
	struct grep_place *p = g->place;
	int r = g->opts->invert ? find_other(g) : find_lines(g, &p->match, &p->start, &p->end);

	if (r <= 0)
		p->start = p->end = p->from = g->text.len;
	else
		p->from = p->end;
	return r;
}

/* The next answer, and where the lines around it are. */
static int
seek(struct grep *g)
{
	struct grep_place *p = g->place;
	uint64_t max = g->opts->max_per_file ? g->opts->max_per_file : UINT64_MAX;
	int r = is_each(g) && p->n > 0 ? find_another(g) : 0;

	p->found = r > 0;
	if (r != 0)
		return MIN(r, 0);
	/* More than are kept are looked for only to be counted. */
	if (!g->opts->count_exact)
		max = MIN(max, g->bounds.keep);
	if (p->n < max)
		r = find_next(g);
	else
		p->start = p->end = p->from = g->text.len;
	if (r <= 0)
		return r;
	p->found = true;
	p->n++;
	p->first = MAX(lines_back(g->text, p->start, g->opts->before),
		MAX(p->next, MIN(p->after_end, p->start)));
	return 0;
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
	r = g->opts->answer == GREP_MATCHES && !g->opts->invert ? add_one(g) : add_lines(g);
	p->next = p->end;
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
		r = add_context(g, p->next, false); /* as grep: a match past `max`, too */
	else if (!p->found)
		return 0;
	else if (p->n <= g->bounds.keep && before < p->start)
		r = add_context(g, before, true);
	else
		r = add_match(g);
	return r < 0 ? r : 1;
}

/* Is so much found that the piece ends? */
static bool
is_piece(const struct grep *g)
{
	return grep_lines_bytes(g->out) >= g->bounds.room ||
	       (g->bounds.n_lines > 0 && g->out->lines.len >= g->bounds.n_lines);
}

static bool
gives_blocks(const struct grep *g)
{
	const struct cursor_opts *o = g->opts;

	return o->blocks && o->answer == GREP_LINES && !o->invert && !g->multi && o->before == 0 &&
	       o->after == 0;
}

/* The block that has room for a line more: NULL, out of memory. */
static struct grep_line *
open_block(struct grep *g, struct grep_line first)
{
	struct grep_lines *out = g->out;
	struct grep_line *last = out->lines.len ? &out->lines.data[out->lines.len - 1] : NULL;

	if (last && last->n_lines > 0 && last->len < GREP_BLOCK_BYTES)
		return last;
	first.text = out->text.len;
	first.span = out->spans.len;
	return VEC_PUSH(&out->lines, first) < 0 ? NULL : &out->lines.data[out->lines.len - 1];
}

/* The line at hand, at the end of a block. */
static int
add_to_block(struct grep *g, size_t end)
{
	struct strbuf *text = &g->out->text;
	size_t start = g->place->start;
	struct grep_line line = {.line = line_number(g, start), .offset = start};
	struct grep_line *block = open_block(g, line);

	if (!block || strbuf_reserve(text, end - start + NUMBER_BYTES) < 0)
		return -ENOMEM;
	(void)strbuf_u64(text, line.line);
	text->data[text->len++] = ':';
	memcpy(text->data + text->len, g->text.data + start, end - start);
	text->len += end - start;
	text->data[text->len++] = '\n';
	block->len = text->len - block->text;
	block->n_lines++;
	return 0;
}

/* As grep_text(). A line that is cut is a row by itself. */
static int
add_blocks(struct grep *g)
{
	uint64_t max = g->opts->max_per_file ? g->opts->max_per_file : UINT64_MAX;
	size_t max_line = max_line_bytes(g);
	struct grep_place *p = g->place;

	while (p->n < max) {
		int r = find_lines(g, &p->match, &p->start, &p->end);
		size_t end;

		if (r <= 0)
			return r;
		end = without_lf(g->text, p->start, p->end);
		r = end - p->start > max_line ? add_lines(g) : add_to_block(g, end);
		if (r < 0)
			return r;
		p->n++;
		p->from = p->end;
		if (is_piece(g))
			return 1;
	}
	return 0;
}

static struct grep
grep_of(struct matcher *m, struct subject s, const struct cursor_opts *opts,
	struct grep_place *place)
{
	matcher_forget(m);
	return (struct grep){.matcher = m,
		.text = s.text,
		.panes = s.panes,
		.opts = opts,
		.bounds = {UINT64_MAX, SIZE_MAX, 0},
		.place = place,
		.multi = pattern_is_multi(matcher_pattern(m))};
}

int
grep_text(struct matcher *m, struct subject s, const struct cursor_opts *opts,
	struct grep_bounds bounds, struct grep_place *place, struct grep_lines *out)
{
	struct grep g = grep_of(m, s, opts, place);
	int r = 1;

	g.bounds = bounds;
	g.out = out;
	if (gives_blocks(&g)) {
		r = add_blocks(&g);
		return g.ended < 0 ? g.ended : r;
	}
	while (r > 0 && g.ended == 0) {
		r = step(&g);
		if (r > 0 && is_piece(&g))
			break;
	}
	return g.ended < 0 ? g.ended : r;
}

int
grep_any(struct matcher *m, struct subject s, const struct cursor_opts *opts)
{
	struct grep_place place = {0};
	struct grep g = grep_of(m, s, opts, &place);
	int r = seek(&g);

	return r < 0 ? r : place.found;
}

/* Most is counted so: nothing of a line but its end is asked for. */
static int
count_lines(struct grep *g, uint64_t *ret)
{
	uint64_t max = g->opts->max_per_file ? g->opts->max_per_file : UINT64_MAX, n = 0;
	struct match m;
	size_t from = 0;
	int r = 0;

	while (n < max && (r = find_from(g, from, &m)) > 0) {
		n++;
		from = lines_end(g->text, m);
	}
	*ret = n;
	return MIN(r, 0);
}

int
grep_count(struct matcher *m, struct subject s, const struct cursor_opts *opts, uint64_t *ret)
{
	struct grep_place place = {0};
	struct grep g = grep_of(m, s, opts, &place);
	int r;

	if (!opts->invert && !is_each(&g))
		return count_lines(&g, ret);
	r = seek(&g);
	for (*ret = 0; r == 0 && place.found; r = seek(&g))
		++*ret;
	return r;
}
