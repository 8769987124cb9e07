#include "grep_out.h"

const char *const grep_answers[] = {
	[SHOW_LINES] = "lines",
	[SHOW_MATCHES] = "matches",
	[SHOW_FILES] = "files",
	[SHOW_FILES_WITHOUT] = "files_without",
	[SHOW_COUNTS] = "count",
	[SHOW_COUNTS_OF_MATCHES] = "count_matches",
};

/* One line of a row, which is all of it unless matches span lines. */
struct part {
	const struct grep_row *row;
	struct span text;
	size_t at; /* of the text in the row's */
	uint64_t line, offset;
	size_t span, n_spans; /* the row's spans that are shown */
	bool last;            /* of the row */
};

/* As ripgrep colours, which is compared with: each style begins by ending the one before. */
static void
put_colored(struct grep_out *g, const char *sgr, struct span s, bool name)
{
	out_plain(&g->out);
	out_color(&g->out, sgr);
	if (name)
		out_name(&g->out, s);
	else
		out_text(&g->out, s);
	out_plain(&g->out);
}

static void
put_path(struct grep_out *g, struct span path)
{
	put_colored(g, "35", path, true);
}

static void
put_number(struct grep_out *g, const char *sgr, uint64_t n, char mark)
{
	out_plain(&g->out);
	out_color(&g->out, sgr);
	(void)strbuf_u64(&g->out.buf, n);
	out_plain(&g->out);
	out_putc(&g->out, mark);
}

static void
put_match(struct grep_out *g, struct span s)
{
	out_plain(&g->out);
	out_color(&g->out, "1");
	out_color(&g->out, "31");
	out_text(&g->out, s);
	out_plain(&g->out);
}

/* How much of the line's beginning --trim leaves out. */
static size_t
trimmed(const struct grep_out *g, const struct part *p)
{
	size_t n = 0;

	while (g->style.trim && n < p->text.len && strchr(" \t\v\f\r\n", p->text.data[n]) &&
		p->text.data[n] != '\0')
		n++;
	return n;
}

static void
put_text(struct grep_out *g, const struct part *p)
{
	size_t at = trimmed(g, p);

	for (size_t i = p->span, next; g->out.color && i < p->span + p->n_spans; i = next) {
		struct grep_span s = p->row->spans[i];
		size_t from, to;

		/* Matches side by side are coloured as one. */
		for (next = i + 1;
			next < p->span + p->n_spans && p->row->spans[next].start == s.end;)
			s.end = p->row->spans[next++].end;
		from = MAX(s.start, p->at + at) - p->at;
		to = MIN(s.end - MIN(s.end, p->at), p->text.len);
		if (from >= to)
			continue;
		out_text(&g->out, (struct span){p->text.data + at, from - at});
		put_match(g, (struct span){p->text.data + from, to - from});
		at = to;
	}
	out_text(&g->out, (struct span){p->text.data + at, p->text.len - at});
}

/* Nothing is left out silently: the text between marks where the daemon cut it. */
static void
put_cut(struct grep_out *g, const struct part *p)
{
	if (p->at == 0 && p->row->cut)
		(void)strbuf_printf(
			&g->out.buf, "[%llu bytes cut] ", (unsigned long long)p->row->cut);
	put_text(g, p);
	out_puts(&g->out, p->last && p->row->cut_end ? " [cut]\n" : "\n");
}

static bool
is_omitted(const struct grep_out *g, const struct part *p)
{
	bool lf = g->style.show != SHOW_MATCHES && !(p->last && p->row->last);

	if (!g->style.omit)
		return false;
	return (p->at == 0 && p->row->cut) || (p->last && p->row->cut_end) ||
	       p->text.len + lf > g->style.max_columns;
}

/* ':' after the numbers of a match, '-' of context. */
static void
put_part(struct grep_out *g, const struct part *p)
{
	const struct grep_style *style = &g->style;
	char mark = p->row->column ? ':' : '-';

	if (!style->heading && !style->no_name) {
		put_path(g, p->row->path);
		out_putc(&g->out, style->null ? '\0' : mark);
	}
	if (!style->no_line_number)
		put_number(g, "32", p->line, mark);
	if (style->column && p->row->column && !style->invert) {
		bool own = style->each && p->n_spans > 0;

		put_number(g, "",
			own ? p->row->spans[p->span].start + p->row->cut + 1 : p->row->column,
			mark);
	}
	if (style->offset)
		put_number(g, "", p->offset, mark);
	if (is_omitted(g, p))
		(void)strbuf_printf(&g->out.buf, "[Omitted long %s line]\n",
			p->row->column ? "matching" : "context");
	else
		put_cut(g, p);
}

/* The row with these of its spans, line by line. */
static void
put_lines(struct grep_out *g, const struct grep_row *row, size_t span, size_t n_spans)
{
	struct part p = {.row = row,
		.line = row->line,
		.offset = row->offset,
		.span = span,
		.n_spans = n_spans};

	while (!p.last) {
		const char *from = row->text.data + p.at;
		const char *lf = memchr(from, '\n', row->text.len - p.at);

		p.last = lf == NULL;
		p.text = (struct span){from, lf ? (size_t)(lf - from) : row->text.len - p.at};
		/* As ripgrep: empty lines within a match by itself are not shown. */
		if (g->style.show != SHOW_MATCHES || p.text.len > 0 || row->text.len == 0)
			put_part(g, &p);
		g->last_line = p.line++;
		/* Of a match by itself every line has the offset of the match. */
		if (g->style.show != SHOW_MATCHES)
			p.offset += p.text.len + 1 + (p.at == 0 ? row->cut : 0);
		p.at += p.text.len + 1;
	}
}

/* What goes between the row before and this one. */
static void
put_separator(struct grep_out *g, const struct grep_row *row, bool new_file)
{
	if (new_file && g->style.heading) {
		if (g->any)
			out_putc(&g->out, '\n');
		if (g->style.no_name)
			return;
		put_path(g, row->path);
		out_putc(&g->out, g->style.null ? '\0' : '\n');
	} else if (g->style.context && g->any && (new_file || row->line > g->last_line + 1)) {
		out_puts(&g->out, "--\n");
	}
}

static void
put_file(struct grep_out *g, const struct grep_row *row)
{
	bool counts = g->style.show == SHOW_COUNTS || g->style.show == SHOW_COUNTS_OF_MATCHES;

	if (!counts || !g->style.no_name) {
		put_path(g, row->path);
		out_putc(&g->out, g->style.null ? '\0' : counts ? ':' : '\n');
	}
	if (counts) {
		(void)strbuf_u64(&g->out.buf, row->count);
		out_putc(&g->out, '\n');
	}
}

static void
note_path(struct grep_out *g, struct span path)
{
	strbuf_reset(&g->path);
	(void)strbuf_span(&g->path, path);
}

void
grep_out_row(struct grep_out *g, const struct grep_row *row)
{
	bool new_file = !g->any || !span_eq(strbuf_view(&g->path), row->path);

	if (g->style.show != SHOW_LINES && g->style.show != SHOW_MATCHES) {
		put_file(g, row);
	} else {
		put_separator(g, row, new_file);
		for (size_t i = 0; g->style.each && i < row->n_spans; i++)
			put_lines(g, row, i, 1);
		if (!g->style.each || row->n_spans == 0)
			put_lines(g, row, 0, row->n_spans);
	}
	if (new_file)
		note_path(g, row->path);
	g->any = true;
}

bool
grep_out_copies(const struct grep_out *g)
{
	const struct grep_style *s = &g->style;

	return s->show == SHOW_LINES && !g->out.terminal && !g->out.color && !s->column &&
	       !s->offset && !s->trim && !s->each && !s->context && !s->omit;
}

void
grep_out_block(struct grep_out *g, struct span path, struct span lines)
{
	bool new_file = !g->any || !span_eq(strbuf_view(&g->path), path);
	bool named = !g->style.heading && !g->style.no_name;

	put_separator(g, &(struct grep_row){.path = path}, new_file);
	for (const char *at = lines.data, *end = at + lines.len, *next; at < end; at = next) {
		const char *lf = memchr(at, '\n', (size_t)(end - at)), *from = at;

		next = lf ? lf + 1 : end;
		if (g->style.no_line_number && (from = memchr(at, ':', (size_t)(next - at))))
			from++;
		from = from ? from : at;
		if (named) {
			(void)strbuf_span(&g->out.buf, path);
			out_putc(&g->out, g->style.null ? '\0' : ':');
		}
		(void)strbuf_add(&g->out.buf, from, (size_t)(next - from));
	}
	if (new_file)
		note_path(g, path);
	g->any = true;
}

void
grep_out_fini(struct grep_out *g)
{
	strbuf_fini(&g->path);
}
