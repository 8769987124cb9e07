#include "commands.h"

#include <errno.h>
#include <stdio.h>

#include "ask.h"
#include "cell.h"
#include "lscolors.h"
#include "plan.h"

struct search {
	struct selection sel;
	bool long_listing, count, null, explain;
	const char *sort, *fields;

	/* From here on: while rows come. */
	struct out out;
	struct lscolors colors;
	struct texts columns; /* what is asked for, in the order of a row */
	struct strbuf names;  /* holds the words of --fields */
	size_t n_shown;       /* columns past these are for the colours */
	struct strbuf scratch;
};

static const struct opt opts[] = {
	{'l', OPT_SET, "long", NULL, offsetof(struct search, long_listing), 1, NULL,
		"mode, size in bytes and time of change before each path"},
	{'n', OPT_NUMBER, "limit", "N", offsetof(struct selection, limit), 0, NULL,
		"at most N answers; 0, the default: all"},
	{'c', OPT_SET, "count", NULL, offsetof(struct search, count), 1, NULL,
		"only say how many there are"},
	{'0', OPT_SET, "null", NULL, offsetof(struct search, null), 1, NULL,
		"end each answer with NUL, for xargs -0"},
	{0, OPT_TEXT, "sort", "KEYS", offsetof(struct search, sort), 0, NULL,
		"sort by fields: size, mtime:desc, ext,name; without it, in index order"},
	{0, OPT_TEXT, "fields", "LIST", offsetof(struct search, fields), 0, NULL,
		"print these fields, tab separated (`trawl help query` lists them)"},
	{0, OPT_SET, "explain", NULL, offsetof(struct search, explain), 1, NULL,
		"how the query is answered and what each step costs, in place of answers"},
	SELECTION_OPTS,
	{0},
};

/* A path is coloured as fd does it: the directory part as a directory, the name as what it is. */
static void
print_path(struct search *s, struct span path, char type, unsigned mode)
{
	const char *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;
	size_t dir = slash ? (size_t)(slash - path.data) + 1 : 0;
	struct span name = {path.data + dir, path.len - dir};
	char buf[64];

	if (!s->out.color) {
		out_name(&s->out, path);
		return;
	}
	if (dir) {
		out_color(&s->out, lscolors_of(&s->colors, 'd', 0, SPAN_LIT(""), buf));
		out_name(&s->out, (struct span){path.data, dir});
		out_plain(&s->out);
	}
	out_color(&s->out, lscolors_of(&s->colors, type, mode, name, buf));
	out_name(&s->out, name);
	out_plain(&s->out);
}

static void
print_path_at(struct search *s, const struct msg_val *row, size_t column, size_t type_column)
{
	char letter = 'f';
	unsigned mode = 0;

	if (s->out.color) {
		struct span type = row_text(row, type_column, &s->scratch);

		letter = type.len ? type.data[0] : 'f';
		mode = (unsigned)row_number(row, type_column + 1);
	}
	print_path(s, row_text(row, column, &s->scratch), letter, mode);
}

/* Columns: type mode size mtime path. */
static void
print_long(struct search *s, const struct msg_val *row)
{
	struct span type = row_text(row, 0, &s->scratch);
	char mode[11], when[64];

	(void)strbuf_printf(&s->out.buf, "%s %14lld %s ",
		mode_text(type.len ? type.data[0] : '?', (unsigned)row_number(row, 1), mode),
		(long long)row_number(row, 2), time_text(row_number(row, 3), false, when));
	print_path_at(s, row, 4, 0);
}

static void
print_fields(struct search *s, const struct msg_val *row)
{
	for (size_t i = 0; i < s->n_shown; i++) {
		if (i)
			out_putc(&s->out, '\t');
		if (strcmp(s->columns.data[i], "path") == 0)
			print_path_at(s, row, i, s->n_shown);
		else
			out_cell(&s->out, s->columns.data[i], msg_at(row, i));
	}
}

static int
print_rows(void *ctx, const struct msg_val *rows)
{
	struct search *s = ctx;

	for (size_t i = 0; i < msg_len(rows); i++) {
		const struct msg_val *row = msg_at(rows, i);

		if (s->sel.common.json)
			out_json_row(&s->out, row, s->columns.data, s->n_shown);
		else if (s->long_listing)
			print_long(s, row);
		else
			print_fields(s, row);
		out_putc(&s->out, s->null ? '\0' : '\n');
	}
	out_flush(&s->out);
	return s->out.error;
}

/* The words of --fields, which may be separated by commas or spaces. */
static int
split_fields(struct search *s, const char *list)
{
	char *rest = NULL;

	if (strbuf_puts(&s->names, list) < 0)
		return -ENOMEM;
	for (char *w = strtok_r(s->names.data, ", ", &rest); w; w = strtok_r(NULL, ", ", &rest))
		if (VEC_PUSH(&s->columns, w) < 0)
			return -ENOMEM;
	return 0;
}

static int
choose_columns(struct search *s)
{
	const char *list = s->fields            ? s->fields
	                   : s->count           ? "path"
	                   : s->sel.common.json ? "path,type,size,mtime"
	                   : s->long_listing    ? "type,mode,size,mtime,path"
	                                        : "path";

	if (split_fields(s, list) < 0)
		return -ENOMEM;
	/* Two more for the colour of a path. */
	s->n_shown = s->columns.len;
	if (!s->out.color || s->long_listing || s->sel.common.json || s->count)
		return 0;
	return VEC_PUSH(&s->columns, "type") < 0 ? -ENOMEM : VEC_PUSH(&s->columns, "mode");
}

static void
ask_columns(struct search *s, struct json *j)
{
	json_key(j, "fields");
	json_open(j, '[');
	for (size_t i = 0; i < s->columns.len; i++)
		json_cstr(j, s->columns.data[i]);
	json_close(j, ']');
}

/* The number alone, on stdout. */
static int
print_count(struct search *s, const struct msg_val *end)
{
	const struct msg_val *total = msg_get(end, "total");
	uint64_t n = 0;

	if (!total || msg_u64(total, "n", &n) <= 0)
		(void)msg_u64(end, "n", &n);
	(void)strbuf_u64(&s->out.buf, n);
	out_putc(&s->out, '\n');
	return n ? EXIT_FOUND : EXIT_NOTHING;
}

static int
explain(struct search *s, struct question *q)
{
	AUTO(msg_freep) struct msg *end = NULL;
	int exit_code;

	if (s->count)
		s->sel.limit = 1;
	exit_code = selection_begin(&s->sel, q, "explain", &s->sel.common.operands, 0);
	if (exit_code)
		return exit_code;
	json_kv_bool(&q->json, "run", true);
	if (s->sort)
		json_kv_cstr(&q->json, "sort", s->sort);
	if (s->count)
		json_kv_cstr(&q->json, "count", "exact");
	exit_code = ask_once(q, &s->sel.common, NULL, NULL, &end);
	return exit_code ? exit_code : plan_print(msg_root(end), &s->sel.common, &s->out);
}

static int
search(struct search *s, struct question *q)
{
	AUTO(msg_freep) struct msg *end = NULL;
	usec_t began = clock_mono();
	int exit_code, found = EXIT_NOTHING;

	if (s->count)
		s->sel.limit = 1;
	exit_code = selection_begin(&s->sel, q, "search", &s->sel.common.operands, 0);
	if (exit_code)
		return exit_code;
	ask_columns(s, &q->json);
	if (s->sort)
		json_kv_cstr(&q->json, "sort", s->sort);
	if (s->count || s->sel.stats)
		json_kv_cstr(&q->json, "count", "exact");
	exit_code = ask_once(q, &s->sel.common, s->count ? NULL : print_rows, s, &end);
	if (exit_code)
		return exit_code;
	exit_code = selection_report(&s->sel, msg_root(end), began);
	if (s->count)
		found = print_count(s, msg_root(end));
	return exit_code == EXIT_INCOMPLETE || !s->count ? exit_code : found;
}

static int
run(char **argv)
{
	struct search s = {0};
	AUTO(question_fini) struct question q = {0};
	int exit_code;

	if (!args_done(&cmd_search, argv, &s, &exit_code)) {
		s.out = out_open(s.sel.common.color);
		s.colors = lscolors_load();
		if (s.sel.common.operands.len == 0 && !s.sel.in)
			exit_code =
				usage_error(&cmd_search, "a query is needed; '*' is everything");
		else if (s.long_listing && (s.fields || s.sel.common.json))
			exit_code = usage_error(&cmd_search, "--long has its own fields");
		else if (choose_columns(&s) < 0)
			exit_code = usage_error(&cmd_search, "out of memory");
		else
			exit_code = s.explain ? explain(&s, &q) : search(&s, &q);
		exit_code = out_close(&s.out, exit_code);
	}
	VEC_FINI(&s.columns);
	strbuf_fini(&s.names);
	strbuf_fini(&s.scratch);
	selection_fini(&s.sel);
	return exit_code;
}

const struct command cmd_search = {
	.name = "search",
	.operands = "[OPTION]... QUERY...",
	.summary = "find entries by name, path, metadata and contents; `trawl QUERY` does it too",
	.details =
		"The words of the query are joined with spaces, as they were typed. A term that "
		"begins with -\nis taken for an option: put the query after --, or write NOT.\n\n"
		"  trawl -l 'ext:c mtime:<7d'        trawl -- init_pool -ext:h\n"
		"  trawl --sort size:desc -n 10 type:f in:/var\n\n"
		"`trawl help query` describes the language.\n",
	.opts = opts,
	.run = run,
};
