#include "commands.h"

#include <errno.h>
#include <stdio.h>

#include "ask.h"
#include "cell.h"

enum grep_show { SHOW_LINES, SHOW_FILES, SHOW_COUNTS };

struct grep {
	struct selection sel;
	struct texts patterns;
	bool fixed, word, whole_line, column, heading, no_heading, no_line_number, null;
	unsigned show;
	uint64_t max_per_file, before, after, context;

	/* From here on: while rows come. */
	struct out out;
	struct strbuf pattern, scratch;
	struct strbuf path;     /* of the row before */
	struct strbuf row_path; /* of this row, when its bytes had to be decoded */
	bool any;
	uint64_t last_line; /* of the row before */
	uint64_t n_in_file; /* matching lines, for --count */
};

static const struct opt opts[] = {
	{'e', OPT_TEXTS, "regexp", "PATTERN", offsetof(struct grep, patterns), 0, NULL,
		"a pattern; may be given more than once: any of them"},
	{'F', OPT_SET, "fixed-strings", NULL, offsetof(struct grep, fixed), 1, NULL,
		"the pattern is plain text, no regular expression"},
	{'w', OPT_SET, "word-regexp", NULL, offsetof(struct grep, word), 1, NULL,
		"only whole words"},
	{'x', OPT_SET, "line-regexp", NULL, offsetof(struct grep, whole_line), 1, NULL,
		"only whole lines"},
	{'l', OPT_CHOICE, "files-with-matches", NULL, offsetof(struct grep, show), SHOW_FILES, NULL,
		"only the paths of files that have a match"},
	{'c', OPT_CHOICE, "count", NULL, offsetof(struct grep, show), SHOW_COUNTS, NULL,
		"only the number of matching lines of each file"},
	{'m', OPT_NUMBER, "max-count", "N", offsetof(struct grep, max_per_file), 0, NULL,
		"at most N matching lines a file"},
	{0, OPT_NUMBER, "limit", "N", offsetof(struct selection, limit), 0, NULL,
		"at most N answers in all; 0, the default: all"},
	{'A', OPT_NUMBER, "after-context", "N", offsetof(struct grep, after), 0, NULL,
		"N lines after each match too"},
	{'B', OPT_NUMBER, "before-context", "N", offsetof(struct grep, before), 0, NULL,
		"N lines before each match too"},
	{'C', OPT_NUMBER, "context", "N", offsetof(struct grep, context), 0, NULL,
		"N lines before and after"},
	{'n', OPT_SET, "line-number", NULL, offsetof(struct grep, no_line_number), 0, NULL,
		"line numbers (the default)"},
	{'N', OPT_SET, "no-line-number", NULL, offsetof(struct grep, no_line_number), 1, NULL,
		"no line numbers"},
	{0, OPT_SET, "column", NULL, offsetof(struct grep, column), 1, NULL,
		"the column of the first match after the line number"},
	{0, OPT_SET, "heading", NULL, offsetof(struct grep, heading), 1, NULL,
		"the path once above its lines (the default on a terminal)"},
	{0, OPT_SET, "no-heading", NULL, offsetof(struct grep, no_heading), 1, NULL,
		"the path before each line (the default in a pipe)"},
	{'0', OPT_SET, "null", NULL, offsetof(struct grep, null), 1, NULL, "NUL after each path"},
	SELECTION_OPTS,
	{0},
};

/* A row: path, line, column (0: context), text, spans; an object with what was cut when the daemon
 * sent only a part of a very long line. */
struct line {
	struct span path, text;
	uint64_t line, column;
	const struct msg_val *spans, *cut;
};

static void
put_path(struct grep *g, struct span path)
{
	out_color(&g->out, "35");
	out_name(&g->out, path);
	out_plain(&g->out);
}

static void
put_number(struct grep *g, uint64_t n)
{
	out_color(&g->out, "32");
	(void)strbuf_u64(&g->out.buf, n);
	out_plain(&g->out);
}

/* The bytes [from, to) of the line in the colour of a match. */
static void
put_match(struct grep *g, const struct line *l, size_t from, size_t to)
{
	out_color(&g->out, "1;31");
	out_text(&g->out, (struct span){l->text.data + from, to - from});
	out_plain(&g->out);
}

/* Spans are [from, to) byte offsets in the text, ascending. What does not fit in it is ignored. */
static void
put_text(struct grep *g, const struct line *l)
{
	size_t at = 0;

	for (size_t i = 0; g->out.color && i < msg_len(l->spans); i++) {
		const struct msg_val *span = msg_at(l->spans, i);
		int64_t from = 0, to = 0;

		if (msg_number(msg_at(span, 0), &from) <= 0 ||
			msg_number(msg_at(span, 1), &to) <= 0)
			continue;
		if (from < (int64_t)at || to < from || (uint64_t)to > l->text.len)
			continue;
		out_text(&g->out, (struct span){l->text.data + at, (size_t)from - at});
		put_match(g, l, (size_t)from, (size_t)to);
		at = (size_t)to;
	}
	out_text(&g->out, (struct span){l->text.data + at, l->text.len - at});
}

/* The text between marks where the daemon cut it: nothing is left out silently. */
static void
put_part(struct grep *g, const struct line *l)
{
	uint64_t before = 0;
	bool after = false;

	if (l->cut) {
		(void)msg_u64(l->cut, "cut", &before);
		(void)msg_bool(l->cut, "cut_end", &after);
	}
	if (before)
		(void)strbuf_printf(&g->out.buf, "[%llu bytes cut] ", (unsigned long long)before);
	put_text(g, l);
	out_puts(&g->out, after ? " [cut]\n" : "\n");
}

/* As ripgrep does it: ':' after the numbers of a match, '-' of context. */
static void
put_line(struct grep *g, const struct line *l)
{
	char mark = l->column ? ':' : '-';

	if (!g->heading) {
		put_path(g, l->path);
		out_putc(&g->out, g->null ? '\0' : mark);
	}
	if (!g->no_line_number) {
		put_number(g, l->line);
		out_putc(&g->out, mark);
	}
	if (g->column && l->column) {
		put_number(g, l->column);
		out_putc(&g->out, mark);
	}
	put_part(g, l);
}

/* What goes between the row before and this one. */
static void
put_separator(struct grep *g, const struct line *l, bool new_file)
{
	bool context = g->before || g->after;

	if (new_file && g->heading) {
		if (g->any)
			out_putc(&g->out, '\n');
		put_path(g, l->path);
		out_putc(&g->out, g->null ? '\0' : '\n');
	} else if (context && g->any && (new_file || l->line != g->last_line + 1)) {
		out_puts(&g->out, "--\n");
	}
}

static void
put_count(struct grep *g)
{
	if (g->n_in_file == 0)
		return;
	put_path(g, strbuf_view(&g->path));
	out_putc(&g->out, g->null ? '\0' : ':');
	(void)strbuf_u64(&g->out.buf, g->n_in_file);
	out_putc(&g->out, '\n');
	g->n_in_file = 0;
}

static void
show_line(struct grep *g, const struct line *l)
{
	bool new_file = !g->any || !span_eq(strbuf_view(&g->path), l->path);

	if (g->show == SHOW_FILES) {
		put_path(g, l->path);
		out_putc(&g->out, g->null ? '\0' : '\n');
	} else if (g->show == SHOW_COUNTS) {
		if (new_file)
			put_count(g);
		g->n_in_file += l->column != 0;
	} else {
		put_separator(g, l, new_file);
		put_line(g, l);
	}
	if (new_file) {
		strbuf_reset(&g->path);
		(void)strbuf_span(&g->path, l->path);
	}
	g->any = true;
	g->last_line = l->line;
}

static void
show_json(struct grep *g, const struct msg_val *row)
{
	static const char *const keys[] = {"path", "line", "column", "text", "spans", "part"};
	struct json j = json_to(&g->out.buf);
	size_t n = g->show == SHOW_FILES ? 1 : ARRAY_LEN(keys);

	json_open(&j, '{');
	for (size_t i = 0; i < n; i++) {
		strbuf_reset(&g->scratch);
		if (!msg_at(row, i) || msg_print(msg_at(row, i), &g->scratch) < 0)
			continue;
		json_key(&j, keys[i]);
		json_raw(&j, strbuf_view(&g->scratch));
	}
	json_close(&j, '}');
	out_putc(&g->out, '\n');
}

/* In terse rows null is the path of the row before. */
static int
row_path(struct grep *g, const struct msg_val *cell, struct span *ret)
{
	strbuf_reset(&g->row_path);
	if (g->any && msg_kind(cell) == MSG_NULL)
		*ret = strbuf_view(&g->path);
	else if (msg_text(cell, &g->row_path, ret) <= 0)
		return -EPROTO;
	return 0;
}

static int
print_rows(void *ctx, const struct msg_val *rows)
{
	struct grep *g = ctx;

	for (size_t i = 0; i < msg_len(rows); i++) {
		const struct msg_val *row = msg_at(rows, i);
		struct line l = {.spans = msg_at(row, 4), .cut = msg_at(row, 5)};
		int64_t line = 0, column = 0;

		if (g->sel.common.json) {
			show_json(g, row);
			continue;
		}
		strbuf_reset(&g->scratch);
		if (row_path(g, msg_at(row, 0), &l.path) < 0)
			return -EPROTO;
		if (cell_number(msg_at(row, 1), &line) > 0 && line > 0)
			l.line = (uint64_t)line;
		if (cell_number(msg_at(row, 2), &column) > 0 && column > 0)
			l.column = (uint64_t)column;
		if (msg_at(row, 3))
			(void)msg_text(msg_at(row, 3), &g->scratch, &l.text);
		show_line(g, &l);
	}
	out_flush(&g->out);
	return g->out.error;
}

/* Plain text inside a regular expression: \Q...\E, where the text's own \E is spelled out. */
static void
add_literal(struct strbuf *b, const char *text)
{
	(void)strbuf_puts(b, "\\Q");
	for (const char *p = text; *p; p++) {
		if (p[0] == '\\' && p[1] == 'E') {
			(void)strbuf_puts(b, "\\E\\\\E\\Q");
			p++;
		} else {
			(void)strbuf_putc(b, *p);
		}
	}
	(void)strbuf_puts(b, "\\E");
}

/* One pattern goes as it is. Several become one regular expression with alternatives. */
static int
join_patterns(struct grep *g, bool *ret_regex)
{
	*ret_regex = !g->fixed;
	if (g->patterns.len == 1)
		return strbuf_puts(&g->pattern, g->patterns.data[0]);
	*ret_regex = true;
	for (size_t i = 0; i < g->patterns.len; i++) {
		(void)strbuf_puts(&g->pattern, i ? "|(?:" : "(?:");
		if (g->fixed)
			add_literal(&g->pattern, g->patterns.data[i]);
		else
			(void)strbuf_puts(&g->pattern, g->patterns.data[i]);
		(void)strbuf_putc(&g->pattern, ')');
	}
	return g->pattern.failed ? -ENOMEM : 0;
}

static void
ask_pattern(const struct grep *g, bool regex, struct json *j)
{
	json_kv_str(j, "pattern", strbuf_view(&g->pattern));
	json_kv_bool(j, "regex", regex);
	if (g->word)
		json_kv_bool(j, "word", true);
	if (g->whole_line)
		json_kv_bool(j, "line", true);
	if (g->show == SHOW_LINES && g->before)
		json_kv_u64(j, "before", g->before);
	if (g->show == SHOW_LINES && g->after)
		json_kv_u64(j, "after", g->after);
	if (g->max_per_file)
		json_kv_u64(j, "max_per_file", g->max_per_file);
	if (g->show == SHOW_FILES)
		json_kv_cstr(j, "answer", "files");
	if (!g->out.color && !g->sel.common.json) /* half the work for spans nobody sees */
		json_kv_bool(j, "terse", true);
	if (g->sel.stats)
		json_kv_cstr(j, "count", "exact");
}

static int
grep(struct grep *g, struct question *q, size_t first_word)
{
	AUTO(msg_freep) struct msg *end = NULL;
	usec_t began = clock_mono();
	bool regex;
	int exit_code;

	if (join_patterns(g, &regex) < 0)
		return usage_error(&cmd_grep, "out of memory");
	exit_code = selection_begin(&g->sel, q, "grep", &g->sel.common.operands, first_word);
	if (exit_code)
		return exit_code;
	q->pattern = g->pattern.data;
	ask_pattern(g, regex, &q->json);
	exit_code = ask_once(q, &g->sel.common, print_rows, g, &end);
	if (exit_code)
		return exit_code;
	put_count(g);
	return selection_report(&g->sel, msg_root(end), began);
}

/* The first operand is the pattern, unless there was -e. */
static int
prepare(struct grep *g, size_t *ret_first_word)
{
	const struct texts *operands = &g->sel.common.operands;

	*ret_first_word = 0;
	if (g->patterns.len == 0) {
		if (operands->len == 0)
			return usage_error(&cmd_grep, "a pattern is needed");
		if (VEC_PUSH(&g->patterns, operands->data[0]) < 0)
			return usage_error(&cmd_grep, "out of memory");
		*ret_first_word = 1;
	}
	g->before = MAX(g->before, g->context);
	g->after = MAX(g->after, g->context);
	g->out = out_open(g->sel.common.color);
	g->heading = !g->no_heading && (g->heading || g->out.terminal);
	return EXIT_FOUND;
}

static int
run(char **argv)
{
	struct grep g = {0};
	AUTO(question_fini) struct question q = {0};
	size_t first_word;
	int exit_code;

	if (!args_done(&cmd_grep, argv, &g, &exit_code)) {
		exit_code = prepare(&g, &first_word);
		if (!exit_code)
			exit_code = grep(&g, &q, first_word);
		exit_code = out_close(&g.out, exit_code);
	}
	VEC_FINI(&g.patterns);
	strbuf_fini(&g.pattern);
	strbuf_fini(&g.scratch);
	strbuf_fini(&g.path);
	strbuf_fini(&g.row_path);
	selection_fini(&g.sel);
	return exit_code;
}

const struct command cmd_grep = {
	.name = "grep",
	.operands = "[OPTION]... PATTERN [QUERY]...",
	.summary = "find lines in the files that a query selects",
	.details =
		"Without a query every file of the index is looked into. PATTERN is a Perl "
		"compatible regular\nexpression; without a capital in it, case does not matter.\n\n"
		"  trawl grep 'kmalloc\\(' ext:c         trawl grep -Fw errno --in=. NOT ext:md\n",
	.opts = opts,
	.run = run,
};
