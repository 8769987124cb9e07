#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "ask.h"
#include "base/fd.h"
#include "cell.h"
#include "grep_json.h"
#include "narrow.h"
#include "plan.h"

#define MAX_FILE_BYTES (64u << 10)
#define MAX_LINE_BYTES (1u << 20) /* the daemon's limit of max_line */
#define NOT_GIVEN UINT64_MAX

struct grep {
	struct selection sel;
	struct texts patterns, files;
	struct narrowing narrow;
	const char *sort;
	bool fixed, word, whole_line, multiline, dotall;
	bool heading, no_heading, line_number, quiet, only_matching, preview, pretty, vimgrep;
	bool type_list, explain;
	uint64_t max_per_file, before, after, context;
	struct grep_style style; /* max_columns: NOT_GIVEN unless it was */

	/* From here on: while rows come. */
	struct grep_out print;
	struct grep_json json;
	struct strbuf from_files; /* patterns, each ended by NUL */
	struct strbuf query;      /* of the options that choose files */
	struct strbuf text, path; /* of this row, when their bytes had to be decoded */
	VEC(struct grep_span) spans;
};

static const struct opt opts[] = {
	{'e', OPT_TEXTS, "regexp", "PATTERN", offsetof(struct grep, patterns), 0, NULL,
		"a pattern; may be given more than once: any of them"},
	{'f', OPT_TEXTS, "file", "FILE", offsetof(struct grep, files), 0, NULL,
		"patterns from FILE (-: standard input), one a line"},
	{'F', OPT_SET, "fixed-strings", NULL, offsetof(struct grep, fixed), 1, NULL,
		"patterns are plain text, no regular expressions"},
	{'S', OPT_CHOICE, "smart-case", NULL, offsetof(struct selection, letter_case), 0, NULL,
		"--case=smart, the default"},
	{'w', OPT_SET, "word-regexp", NULL, offsetof(struct grep, word), 1, NULL,
		"only whole words"},
	{'x', OPT_SET, "line-regexp", NULL, offsetof(struct grep, whole_line), 1, NULL,
		"only whole lines"},
	{'v', OPT_SET, "invert-match", NULL, offsetof(struct grep, style.invert), 1, NULL,
		"lines that do not match"},
	{'U', OPT_SET, "multiline", NULL, offsetof(struct grep, multiline), 1, NULL,
		"a match may span lines"},
	{0, OPT_SET, "multiline-dotall", NULL, offsetof(struct grep, dotall), 1, NULL,
		"with -U, '.' matches a line end too"},
	{'g', OPT_TEXTS, "glob", "GLOB", offsetof(struct grep, narrow.globs), 0, NULL,
		"only files that GLOB fits; !GLOB: only others; the last that fits decides"},
	{'t', OPT_TEXTS, "type", "TYPE", offsetof(struct grep, narrow.types), 0, NULL,
		"only files of TYPE, as of rg; may be given more than once"},
	{'T', OPT_TEXTS, "type-not", "TYPE", offsetof(struct grep, narrow.types_not), 0, NULL,
		"no files of TYPE"},
	{0, OPT_SET, "type-list", NULL, offsetof(struct grep, type_list), 1, NULL,
		"print the types and their globs"},
	{'l', OPT_CHOICE, "files-with-matches", NULL, offsetof(struct grep, style.show), SHOW_FILES,
		NULL, "only the paths of files that have a match"},
	{'L', OPT_CHOICE, "files-without-match", NULL, offsetof(struct grep, style.show),
		SHOW_FILES_WITHOUT, NULL,
		"only the paths of files that were searched and have none"},
	{'c', OPT_CHOICE, "count", NULL, offsetof(struct grep, style.show), SHOW_COUNTS, NULL,
		"only the number of matching lines of each file"},
	{0, OPT_CHOICE, "count-matches", NULL, offsetof(struct grep, style.show),
		SHOW_COUNTS_OF_MATCHES, NULL, "only the number of matches of each file"},
	{'o', OPT_SET, "only-matching", NULL, offsetof(struct grep, only_matching), 1, NULL,
		"each match by itself, without the rest of its line"},
	{'q', OPT_SET, "quiet", NULL, offsetof(struct grep, quiet), 1, NULL,
		"print nothing: only the exit code tells"},
	{'m', OPT_NUMBER, "max-count", "N", offsetof(struct grep, max_per_file), 0, NULL,
		"at most N matching lines a file"},
	{0, OPT_NUMBER, "limit", "N", offsetof(struct selection, limit), 0, NULL,
		"at most N answers in all; 0, the default: all"},
	{0, OPT_TEXT, "sort", "KEY", offsetof(struct grep, sort), 0, NULL,
		"order of files: none, path, mtime, size:desc, ..."},
	{'A', OPT_NUMBER, "after-context", "N", offsetof(struct grep, after), 0, NULL,
		"N lines after each match too"},
	{'B', OPT_NUMBER, "before-context", "N", offsetof(struct grep, before), 0, NULL,
		"N lines before each match too"},
	{'C', OPT_NUMBER, "context", "N", offsetof(struct grep, context), 0, NULL,
		"N lines before and after"},
	{'n', OPT_SET, "line-number", NULL, offsetof(struct grep, line_number), 1, NULL,
		"line numbers (the default)"},
	{'N', OPT_SET, "no-line-number", NULL, offsetof(struct grep, style.no_line_number), 1, NULL,
		"no line numbers"},
	{0, OPT_SET, "column", NULL, offsetof(struct grep, style.column), 1, NULL,
		"the column of the first match after the line number"},
	{'b', OPT_SET, "byte-offset", NULL, offsetof(struct grep, style.offset), 1, NULL,
		"the offset of each line in its file, or of each match with -o"},
	{0, OPT_SET, "vimgrep", NULL, offsetof(struct grep, vimgrep), 1, NULL,
		"each match on a line of its own, with path, line, column and the whole line"},
	{'H', OPT_SET, "with-filename", NULL, offsetof(struct grep, style.no_name), 0, NULL,
		"paths (the default)"},
	{'I', OPT_SET, "no-filename", NULL, offsetof(struct grep, style.no_name), 1, NULL,
		"no paths"},
	{0, OPT_SET, "heading", NULL, offsetof(struct grep, heading), 1, NULL,
		"the path once above its lines (the default on a terminal)"},
	{0, OPT_SET, "no-heading", NULL, offsetof(struct grep, no_heading), 1, NULL,
		"the path before each line (the default in a pipe)"},
	{'p', OPT_SET, "pretty", NULL, offsetof(struct grep, pretty), 1, NULL,
		"--color=always --heading"},
	{'0', OPT_SET, "null", NULL, offsetof(struct grep, style.null), 1, NULL,
		"NUL after each path"},
	{0, OPT_SET, "trim", NULL, offsetof(struct grep, style.trim), 1, NULL,
		"without the white space that lines begin with"},
	{'M', OPT_NUMBER, "max-columns", "N", offsetof(struct grep, style.max_columns), 0, NULL,
		"say only that they are there of lines longer than N bytes; 0: print all of any "
		"line"},
	{0, OPT_SET, "max-columns-preview", NULL, offsetof(struct grep, preview), 1, NULL,
		"with -M, print N bytes around the match"},
	{0, OPT_SET, "explain", NULL, offsetof(struct grep, explain), 1, NULL,
		"say how it was answered and what that took, instead of answers"},
	SELECTION_OPTS,
	{0},
};

/* In terse rows null is the path of the row before. */
static int
row_path(struct grep *g, const struct msg_val *cell, struct span *ret)
{
	strbuf_reset(&g->path);
	if (g->print.any && msg_kind(cell) == MSG_NULL)
		*ret = strbuf_view(&g->print.path);
	else if (msg_text(cell, &g->path, ret) <= 0)
		return -EPROTO;
	return 0;
}

/* Spans are ascending; what does not fit in the text is ignored. */
static int
read_spans(struct grep *g, const struct msg_val *list, struct grep_row *row)
{
	size_t at = 0;

	g->spans.len = 0;
	for (size_t i = 0; i < msg_len(list); i++) {
		int64_t from = row_number(msg_at(list, i), 0), to = row_number(msg_at(list, i), 1);

		if (from < (int64_t)at || to < from || (uint64_t)to > row->text.len)
			continue;
		if (VEC_PUSH(&g->spans, (struct grep_span){(size_t)from, (size_t)to}) < 0)
			return -ENOMEM;
		at = (size_t)to;
	}
	row->spans = g->spans.data;
	row->n_spans = g->spans.len;
	return 0;
}

static uint64_t
cell_u64(const struct msg_val *row, size_t i)
{
	int64_t n = row_number(row, i);

	return n > 0 ? (uint64_t)n : 0;
}

static bool
shows_lines(const struct grep *g)
{
	return g->style.show == SHOW_LINES || g->style.show == SHOW_MATCHES;
}

/* [path], [path, count], or [path, line, column, text, spans, part]. */
static int
read_row(struct grep *g, const struct msg_val *cells, struct grep_row *ret)
{
	const struct msg_val *part = msg_at(cells, 5);

	*ret = (struct grep_row){.text = SPAN_LIT("")};
	if (row_path(g, msg_at(cells, 0), &ret->path) < 0)
		return -EPROTO;
	if (!shows_lines(g)) {
		ret->count = cell_u64(cells, 1);
		return 0;
	}
	ret->line = cell_u64(cells, 1);
	ret->column = cell_u64(cells, 2);
	strbuf_reset(&g->text);
	if (msg_at(cells, 3))
		(void)msg_text(msg_at(cells, 3), &g->text, &ret->text);
	if (part) {
		(void)msg_u64(part, "cut", &ret->cut);
		(void)msg_bool(part, "cut_end", &ret->cut_end);
		(void)msg_u64(part, "offset", &ret->offset);
		(void)msg_bool(part, "last", &ret->last);
	}
	return read_spans(g, msg_at(cells, 4), ret);
}

static bool
is_block(const struct grep *g, const struct msg_val *cells)
{
	return shows_lines(g) && msg_len(cells) == 2;
}

static int
print_block(struct grep *g, const struct msg_val *cells)
{
	struct span path, lines;

	strbuf_reset(&g->text);
	if (!grep_out_copies(&g->print) || row_path(g, msg_at(cells, 0), &path) < 0 ||
		msg_text(msg_at(cells, 1), &g->text, &lines) <= 0)
		return -EPROTO;
	grep_out_block(&g->print, path, lines);
	return 0;
}

static int
print_row(struct grep *g, const struct msg_val *cells)
{
	struct grep_row row;
	int r = read_row(g, cells, &row);

	if (r == 0)
		grep_out_row(&g->print, &row);
	return r;
}

static void
put_json_file(struct grep *g, const struct msg_val *cells)
{
	static const char *const keys[] = {"path", "count"};

	out_json_row(&g->print.out, cells, keys, MIN(msg_len(cells), ARRAY_LEN(keys)));
	out_putc(&g->print.out, '\n');
}

static int
print_json_row(struct grep *g, const struct msg_val *cells)
{
	struct grep_row row;
	int r = read_row(g, cells, &row);

	if (r < 0)
		return r;
	if (shows_lines(g))
		grep_json_row(&g->json, &row);
	else
		put_json_file(g, cells);
	return 0;
}

static int
print_rows(void *ctx, const struct msg_val *rows)
{
	struct grep *g = ctx;

	for (size_t i = 0; i < msg_len(rows) && !g->quiet; i++) {
		const struct msg_val *cells = msg_at(rows, i);
		int r = g->sel.common.json   ? print_json_row(g, cells)
		        : is_block(g, cells) ? print_block(g, cells)
		                             : print_row(g, cells);

		if (r < 0)
			return r;
	}
	out_flush(&g->print.out);
	return g->print.out.error;
}

static void
ask_pattern(const struct grep *g, struct json *j)
{
	static const struct {
		const char *key;
		size_t offset;
	} flags[] = {
		{"word", offsetof(struct grep, word)},
		{"line", offsetof(struct grep, whole_line)},
		{"multiline", offsetof(struct grep, multiline)},
		{"dotall", offsetof(struct grep, dotall)},
		{"invert", offsetof(struct grep, style.invert)},
	};

	json_key(j, "patterns");
	json_open(j, '[');
	for (size_t i = 0; i < g->patterns.len; i++)
		json_cstr(j, g->patterns.data[i]);
	json_close(j, ']');
	json_kv_bool(j, "regex", !g->fixed);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (*(const bool *)((const char *)g + flags[i].offset))
			json_kv_bool(j, flags[i].key, true);
}

/* Rows as they are needed: spans that nobody sees are half of the work. */
static void
ask_rows(const struct grep *g, struct json *j)
{
	bool json = g->sel.common.json, lines = shows_lines(g);

	json_kv_cstr(j, "answer", grep_answers[g->style.show]);
	if (lines && g->before)
		json_kv_u64(j, "before", g->before);
	if (lines && g->after)
		json_kv_u64(j, "after", g->after);
	if (g->max_per_file)
		json_kv_u64(j, "max_per_file", g->max_per_file);
	if (lines && g->style.max_columns != NOT_GIVEN)
		json_kv_u64(j, "max_line",
			g->style.max_columns ? MIN(g->style.max_columns, MAX_LINE_BYTES)
					     : MAX_LINE_BYTES);
	if (lines && (json || g->style.offset || g->style.omit))
		json_kv_bool(j, "offsets", true);
	if (!json && lines && grep_out_copies(&g->print))
		json_kv_bool(j, "blocks", true);
	else if (!g->print.out.color && !json && !g->style.each)
		json_kv_bool(j, "terse", true);
	if (g->sort)
		json_kv_cstr(j, "sort", strcmp(g->sort, "modified") == 0 ? "mtime" : g->sort);
	if (g->sel.stats)
		json_kv_cstr(j, "count", "exact");
}

static int
explain(struct grep *g, struct question *q, size_t first_word)
{
	AUTO(msg_freep) struct msg *end = NULL;
	int exit_code = selection_begin(&g->sel, q, "explain", &g->sel.common.operands, first_word);

	if (exit_code)
		return exit_code;
	q->patterns = &g->patterns;
	json_kv_bool(&q->json, "run", true);
	ask_pattern(g, &q->json);
	ask_rows(g, &q->json);
	exit_code = ask_once(q, &g->sel.common, NULL, NULL, &end);
	return exit_code ? exit_code : plan_print(msg_root(end), &g->sel.common, &g->print.out);
}

static int
grep(struct grep *g, struct question *q, size_t first_word)
{
	AUTO(msg_freep) struct msg *end = NULL;
	usec_t began = clock_mono();
	int exit_code = selection_begin(&g->sel, q, "grep", &g->sel.common.operands, first_word);

	if (exit_code)
		return exit_code;
	q->patterns = &g->patterns;
	ask_pattern(g, &q->json);
	ask_rows(g, &q->json);
	exit_code = ask_once(q, &g->sel.common, print_rows, g, &end);
	if (exit_code)
		return exit_code;
	if (g->sel.common.json && shows_lines(g) && !g->quiet)
		grep_json_end(&g->json, msg_root(end), clock_mono() - began);
	return selection_report(&g->sel, msg_root(end), began);
}

static int
read_all(const char *name, struct strbuf *out)
{
	char buf[4096];
	ssize_t n;

	if (strcmp(name, "-") != 0)
		return fd_slurp(AT_FDCWD, name, MAX_FILE_BYTES, out);
	while ((n = fd_read_full(STDIN_FILENO, buf, sizeof(buf))) > 0) {
		if (out->len + (size_t)n > MAX_FILE_BYTES)
			return -EFBIG;
		(void)strbuf_add(out, buf, (size_t)n);
	}
	return n < 0 ? (int)n : out->failed ? -ENOMEM : 0;
}

/* The lines of a file become patterns. */
static int
add_file(const char *name, struct strbuf *all)
{
	size_t start = all->len;
	int r = read_all(name, all);

	if (r < 0)
		return usage_error(&cmd_grep, "could not read the patterns in '%s': %s", name,
			r == -EFBIG ? "more than 64 KiB" : err_reason(r));
	if (all->len > start && memchr(all->data + start, '\0', all->len - start))
		return usage_error(&cmd_grep, "no pattern can hold a NUL, and '%s' has one", name);
	if (all->len > start && all->data[all->len - 1] != '\n')
		(void)strbuf_putc(all, '\n');
	return EXIT_FOUND;
}

static int
add_files(struct grep *g)
{
	struct strbuf *all = &g->from_files;
	int exit_code = EXIT_FOUND;

	for (size_t i = 0; i < g->files.len && !exit_code; i++)
		exit_code = add_file(g->files.data[i], all);
	for (size_t at = 0; at < all->len && !exit_code;) {
		char *lf = memchr(all->data + at, '\n', all->len - at);

		*lf = '\0';
		if (VEC_PUSH(&g->patterns, all->data + at) < 0)
			return usage_error(&cmd_grep, "out of memory");
		at = (size_t)(lf - all->data) + 1;
	}
	return exit_code;
}

/* The first operand is the pattern, unless there was -e or -f. */
static int
take_patterns(struct grep *g, size_t *ret_first_word)
{
	const struct texts *operands = &g->sel.common.operands;
	bool none = g->patterns.len == 0 && g->files.len == 0;

	*ret_first_word = none;
	if (none && operands->len == 0)
		return usage_error(&cmd_grep, "a pattern is needed");
	if (none && VEC_PUSH(&g->patterns, operands->data[0]) < 0)
		return usage_error(&cmd_grep, "out of memory");
	if (!none && add_files(g))
		return EXIT_USAGE;
	if (g->patterns.len == 0)
		return usage_error(&cmd_grep, "there is no pattern in the files of -f");
	return EXIT_FOUND;
}

/* What one option means for others. */
static void
settle(struct grep *g)
{
	struct grep_style *s = &g->style;

	if (g->only_matching && s->show == SHOW_COUNTS)
		s->show = SHOW_COUNTS_OF_MATCHES;
	if (g->only_matching && s->show == SHOW_LINES && !s->invert && !g->sel.common.json)
		s->show = SHOW_MATCHES;
	if (g->quiet) {
		s->show = s->show == SHOW_FILES_WITHOUT ? s->show : (unsigned)SHOW_FILES;
		g->sel.limit = 1;
	}
	g->before = MAX(g->before, g->context);
	g->after = MAX(g->after, g->context);
	s->context = g->before || g->after;
	if (g->pretty)
		g->sel.common.color = COLOR_ALWAYS;
	s->column = s->column || g->vimgrep;
	s->each = g->vimgrep && !s->invert;
	s->omit = s->max_columns != NOT_GIVEN && s->max_columns > 0 && !g->preview;
	s->no_line_number = s->no_line_number && !g->line_number;
	g->print.out = out_open(g->sel.common.color);
	s->heading =
		!g->no_heading && !g->vimgrep && (g->heading || g->pretty || g->print.out.terminal);
	g->print.style = *s;
	g->json.out = &g->print.out;
}

static int
choose_files(struct grep *g)
{
	const char *unknown = NULL;
	int r = narrow_query(&g->narrow, &g->query, &unknown);

	if (r == -EINVAL)
		return usage_error(&cmd_grep,
			"no type of files is called '%s' (--type-list prints them, lang:%s in the "
			"query asks for a language)",
			unknown, unknown);
	if (r < 0)
		return usage_error(&cmd_grep, "out of memory");
	if (g->query.len)
		g->sel.narrow = g->query.data;
	return EXIT_FOUND;
}

static int
prepare(struct grep *g, size_t *ret_first_word)
{
	int exit_code = take_patterns(g, ret_first_word);

	return exit_code ? exit_code : choose_files(g);
}

static void
grep_fini(struct grep *g)
{
	VEC_FINI(&g->patterns);
	VEC_FINI(&g->files);
	VEC_FINI(&g->spans);
	narrow_fini(&g->narrow);
	strbuf_fini(&g->from_files);
	strbuf_fini(&g->query);
	strbuf_fini(&g->text);
	strbuf_fini(&g->path);
	grep_out_fini(&g->print);
	grep_json_fini(&g->json);
	selection_fini(&g->sel);
}

static int
run(char **argv)
{
	struct grep g = {.style.max_columns = NOT_GIVEN};
	AUTO(question_fini) struct question q = {0};
	size_t first_word = 0;
	int exit_code;

	if (!args_done(&cmd_grep, argv, &g, &exit_code)) {
		settle(&g);
		if (g.type_list)
			narrow_list(&g.print.out.buf);
		else
			exit_code = prepare(&g, &first_word);
		if (!exit_code && !g.type_list)
			exit_code =
				g.explain ? explain(&g, &q, first_word) : grep(&g, &q, first_word);
		exit_code = out_close(&g.print.out, exit_code);
	}
	grep_fini(&g);
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
