#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "ask.h"
#include "base/fd.h"
#include "cell.h"

#define TABLE_ROWS 500u           /* that a table's columns are made wide enough for */
#define TEXT_MAX_BYTES (1u << 20) /* of a statement on standard input */

/* How rows are written. A table waits for its first rows, whose widest cells decide. */
enum form { FORM_AUTO, FORM_TABLE, FORM_TSV, FORM_CSV, FORM_JSON };
static const char *const form_words[] = {"auto", "table", "tsv", "csv", "json", NULL};

struct cells {
	char **data;
	size_t len, cap;
};

struct sql {
	struct common common;
	uint64_t limit;
	unsigned form;
	bool header, null, stats;
	struct strbuf text; /* the statement */

	/* From here on: while rows come. */
	struct out out;
	struct cells names;
	struct cells held; /* the cells of a table's rows until they are printed */
	size_t n_held;     /* rows of them */
	bool *right;       /* of a column: all held values are numbers */
	size_t *width;
	bool sized; /* width is fixed, the header is out */
	struct strbuf scratch;
};

static const struct opt opts[] = {
	{'n', OPT_NUMBER, "limit", "N", offsetof(struct sql, limit), 0, NULL,
		"at most N rows; 0, the default: all"},
	{0, OPT_WORD, "format", "FORM", offsetof(struct sql, form), 0, form_words,
		"table (the default on a terminal), tsv (in a pipe), csv, json"},
	{'H', OPT_SET, "header", NULL, offsetof(struct sql, header), 1, NULL,
		"tsv: the names of the columns first"},
	{'0', OPT_SET, "null", NULL, offsetof(struct sql, null), 1, NULL,
		"tsv: end each row with NUL, for xargs -0"},
	{0, OPT_SET, "stats", NULL, offsetof(struct sql, stats), 1, NULL,
		"say on stderr how long it took and how many rows were looked at"},
	{0},
};

static int
cells_add(struct cells *c, struct span text)
{
	char *copy = malloc(text.len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (VEC_PUSH(c, copy) == 0)
		return 0;
	free(copy);
	return -ENOMEM;
}

static void
cells_reset(struct cells *c)
{
	for (size_t i = 0; i < c->len; i++)
		free(c->data[i]);
	c->len = 0;
}

static void
cells_fini(struct cells *c)
{
	cells_reset(c);
	VEC_FINI(c);
}

/* A value as text, in `scratch`; a null is empty. */
static struct span
value_text(const struct msg_val *v, struct strbuf *scratch)
{
	struct span text = {"", 0};
	double real;

	strbuf_reset(scratch);
	if (msg_kind(v) == MSG_REAL && msg_real(v, &real) > 0) {
		struct json json = json_to(scratch);

		json_double(&json, real);
		return strbuf_view(scratch);
	}
	if (msg_text(v, scratch, &text) > 0)
		return text;
	if (!v || msg_kind(v) == MSG_NULL || msg_print(v, scratch) < 0)
		return (struct span){"", 0};
	return strbuf_view(scratch);
}

/* ---- tables ---- */

/* Columns of a terminal: characters of what is shown. */
static size_t
width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void
put_blanks(struct sql *s, size_t n)
{
	while (n-- > 0)
		out_putc(&s->out, ' ');
}

static void
put_table_cell(struct sql *s, size_t column, const char *text)
{
	size_t width = width_of(text), room = s->width[column];
	size_t pad = room > width ? room - width : 0;

	if (column > 0)
		out_puts(&s->out, "  ");
	if (s->right[column])
		put_blanks(s, pad);
	out_puts(&s->out, text);
	if (!s->right[column] && column + 1 < s->names.len)
		put_blanks(s, pad);
}

static void
put_table_row(struct sql *s, char *const *cells)
{
	for (size_t i = 0; i < s->names.len; i++)
		put_table_cell(s, i, cells[i]);
	out_putc(&s->out, '\n');
}

static void
put_rule(struct sql *s)
{
	for (size_t i = 0; i < s->names.len; i++) {
		out_puts(&s->out, i ? "  " : "");
		for (size_t k = 0; k < s->width[i]; k++)
			out_putc(&s->out, '-');
	}
	out_putc(&s->out, '\n');
}

/* The rows that are held go out; the first time with the header above them. */
static void
put_held(struct sql *s)
{
	size_t n = s->names.len;

	if (!s->sized) {
		for (size_t i = 0; i < n; i++)
			s->width[i] = width_of(s->names.data[i]);
		for (size_t row = 0; row < s->n_held; row++)
			for (size_t i = 0; i < n; i++)
				s->width[i] = MAX(s->width[i], width_of(s->held.data[row * n + i]));
		put_table_row(s, s->names.data);
		put_rule(s);
		s->sized = true;
	}
	for (size_t row = 0; row < s->n_held; row++)
		put_table_row(s, s->held.data + row * n);
	cells_reset(&s->held);
	s->n_held = 0;
}

static int
hold_row(struct sql *s, const struct msg_val *row)
{
	AUTO(strbuf_fini) struct strbuf shown = {0};

	for (size_t i = 0; i < s->names.len; i++) {
		const struct msg_val *v = msg_at(row, i);
		enum msg_kind kind = msg_kind(v);

		if (!s->sized && kind != MSG_INT && kind != MSG_REAL && kind != MSG_NULL)
			s->right[i] = false;
		strbuf_reset(&shown);
		escape_into(&shown, value_text(v, &s->scratch), "");
		if (shown.failed || cells_add(&s->held, strbuf_view(&shown)) < 0)
			return -ENOMEM;
	}
	if (++s->n_held >= TABLE_ROWS || s->sized)
		put_held(s);
	return 0;
}

/* ---- other forms ---- */

/* RFC 4180: quotes where they are needed, doubled inside. */
static void
put_csv_text(struct sql *s, struct span text)
{
	bool plain = true;

	for (size_t i = 0; i < text.len; i++)
		plain = plain && !strchr(",\"\r\n", text.data[i]) && text.data[i];
	if (plain) {
		(void)strbuf_span(&s->out.buf, text);
		return;
	}
	out_putc(&s->out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"')
			out_putc(&s->out, '"');
		out_putc(&s->out, text.data[i]);
	}
	out_putc(&s->out, '"');
}

static void
put_separated(struct sql *s, size_t column, struct span text)
{
	if (column > 0)
		out_putc(&s->out, s->form == FORM_CSV ? ',' : '\t');
	if (s->form == FORM_CSV)
		put_csv_text(s, text);
	else
		out_name(&s->out, text);
}

static void
end_separated(struct sql *s)
{
	if (s->form == FORM_CSV)
		out_puts(&s->out, "\r\n");
	else
		out_putc(&s->out, s->null ? '\0' : '\n');
}

static void
put_separated_row(struct sql *s, const struct msg_val *row)
{
	for (size_t i = 0; i < s->names.len; i++)
		put_separated(s, i, value_text(msg_at(row, i), &s->scratch));
	end_separated(s);
}

static void
put_json_row(struct sql *s, const struct msg_val *row)
{
	struct json json = json_to(&s->out.buf);

	json_open(&json, '{');
	for (size_t i = 0; i < s->names.len; i++) {
		const struct msg_val *v = msg_at(row, i);

		json_key(&json, s->names.data[i]);
		strbuf_reset(&s->scratch);
		if (msg_kind(v) == MSG_REAL)
			json_raw(&json, value_text(v, &s->scratch));
		else if (msg_print(v, &s->scratch) == 0)
			json_raw(&json, strbuf_view(&s->scratch));
	}
	json_close(&json, '}');
	out_putc(&s->out, '\n');
}

/* ---- the answer ---- */

static int
bad_answer(void)
{
	complain("the daemon names no columns, or too late or twice: is it another version?");
	return -EBADMSG;
}

static int
on_columns(void *ctx, const struct msg_val *columns)
{
	struct sql *s = ctx;

	if (msg_len(columns) == 0 || s->width)
		return bad_answer();
	for (size_t i = 0; i < msg_len(columns); i++)
		if (cells_add(&s->names, value_text(msg_at(columns, i), &s->scratch)) < 0)
			return -ENOMEM;
	s->width = calloc(s->names.len + 1, sizeof(*s->width));
	s->right = malloc(s->names.len + 1);
	if (!s->width || !s->right)
		return -ENOMEM;
	memset(s->right, true, s->names.len + 1);
	if (s->form != FORM_CSV && (s->form != FORM_TSV || !s->header))
		return 0;
	for (size_t i = 0; i < s->names.len; i++)
		put_separated(s, i, span_of(s->names.data[i]));
	end_separated(s);
	return 0;
}

static int
on_rows(void *ctx, const struct msg_val *rows)
{
	struct sql *s = ctx;
	int r = 0;

	if (!s->width)
		return bad_answer();
	for (size_t i = 0; i < msg_len(rows) && r == 0; i++) {
		if (s->form == FORM_JSON)
			put_json_row(s, msg_at(rows, i));
		else if (s->form == FORM_TABLE)
			r = hold_row(s, msg_at(rows, i));
		else
			put_separated_row(s, msg_at(rows, i));
	}
	out_flush(&s->out);
	return r < 0 ? r : s->out.error;
}

static void
say_stats(const struct msg_val *end, usec_t began)
{
	uint64_t n = 0, took = 0;
	int64_t scanned = 0;
	char a[32], b[32];

	(void)msg_u64(end, "n", &n);
	(void)msg_u64(end, "took_us", &took);
	(void)cell_number(msg_get(end, "scanned"), &scanned);
	(void)fprintf(stderr, "%s rows of %s looked at, ", count_text(n, a),
		count_text((uint64_t)scanned, b));
	(void)fprintf(stderr, "%s in the daemon, ", duration_text(took, a));
	(void)fprintf(stderr, "%s in all\n", duration_text(clock_mono() - began, a));
}

static int
finish(struct sql *s, const struct msg_val *end, usec_t began)
{
	uint64_t n = 0;
	bool more = false;

	if (s->form == FORM_TABLE && (s->held.len > 0 || !s->sized))
		put_held(s);
	out_flush(&s->out);
	(void)msg_u64(end, "n", &n);
	if (msg_bool(end, "more", &more) > 0 && more && !s->limit)
		complain("there are more rows than these: the daemon stopped at its limit");
	if (s->stats)
		say_stats(end, began);
	return n ? EXIT_FOUND : EXIT_NOTHING;
}

static int
ask_statement(struct sql *s)
{
	AUTO(question_fini) struct question q = {0};
	AUTO(msg_freep) struct msg *end = NULL;
	usec_t began = clock_mono();
	int exit_code;

	question_begin(&q, "sql", &s->common);
	question_patient(&q, &s->common);
	q.query = s->text.data;
	q.on_columns = on_columns;
	json_kv_str(&q.json, "q", strbuf_view(&s->text));
	json_kv_u64(&q.json, "limit", s->limit);
	exit_code = ask_once(&q, &s->common, on_rows, s, &end);
	if (exit_code && s->form == FORM_TABLE && s->held.len > 0)
		put_held(s);
	return exit_code ? exit_code : finish(s, msg_root(end), began);
}

/* The operands, or standard input. */
static int
read_statement(struct sql *s)
{
	const struct texts *words = &s->common.operands;
	bool from_input = words->len == 0 || (words->len == 1 && strcmp(words->data[0], "-") == 0);
	char buf[4096];
	ssize_t n;

	if (words->len == 0 && isatty(STDIN_FILENO))
		return usage_error(&cmd_sql, "a statement is needed: select count(*) from files");
	(void)strbuf_puts(&s->text, "");
	for (size_t i = 0; i < words->len && !from_input; i++) {
		(void)strbuf_puts(&s->text, i ? " " : "");
		(void)strbuf_puts(&s->text, words->data[i]);
	}
	while (from_input && s->text.len < TEXT_MAX_BYTES &&
		(n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		(void)strbuf_add(&s->text, buf, (size_t)n);
	return s->text.failed ? usage_error(&cmd_sql, "out of memory") : EXIT_FOUND;
}

static void
choose_form(struct sql *s)
{
	if (s->common.json)
		s->form = FORM_JSON;
	else if (s->form == FORM_AUTO)
		s->form = s->out.terminal && !s->null && !s->header ? FORM_TABLE : FORM_TSV;
}

static int
run(char **argv)
{
	struct sql s = {0};
	int exit_code;

	if (!args_done(&cmd_sql, argv, &s, &exit_code)) {
		s.out = out_open(s.common.color);
		choose_form(&s);
		exit_code = read_statement(&s);
		if (!exit_code)
			exit_code = ask_statement(&s);
		exit_code = out_close(&s.out, exit_code);
	}
	cells_fini(&s.names);
	cells_fini(&s.held);
	free(s.width);
	free(s.right);
	strbuf_fini(&s.text);
	strbuf_fini(&s.scratch);
	common_fini(&s.common);
	return exit_code;
}

const struct command cmd_sql = {
	.name = "sql",
	.operands = "[OPTION]... [STATEMENT]",
	.summary = "a SELECT over the tables files and dirs",
	.details =
		"One statement of SQLite's language; without one, or with -, it is read from "
		"standard input.\n"
		"files has a row an entry:\n"
		"  path name dir ext type size blocks mtime ctime mode user \"group\" uid gid "
		"inode\n"
		"  links depth root lang mtime_ns ctime_ns\n"
		"dirs has a row a directory, with all that is below it:\n"
		"  path name dir depth size blocks n_entries n_dirs n_children mtime ctime mode\n"
		"  user \"group\" uid gid inode root mtime_ns ctime_ns\n"
		"files('/usr') and dirs('/usr') hold what is below /usr.\n\n"
		"  trawl sql \"select ext, count(*), sum(size) from files group by ext order by 3 "
		"desc\"\n"
		"  trawl sql \"select path, size from files('/var') where name like '%.log'\"\n\n"
		"trawl-sql(7) tells more.\n",
	.opts = opts,
	.run = run,
};
