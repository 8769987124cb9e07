#include <errno.h>

#include "query/sql.h"
#include "server/ops.h"

#define FLUSH_USEC (50 * USEC_PER_MSEC)
#define ROW_MAX_BYTES (4u << 20)
#define EXACT_INTEGER_MAX ((int64_t)1 << 53)

struct statement {
	struct view view;
	struct sql *sql;
	uint64_t limit, n;
	bool named; /* the columns were told */
	bool more;
};

void
op_sql_fini(void *state)
{
	struct statement *s = state;

	sql_close(s->sql);
	view_fini(&s->view);
	free(s);
}

static int
fail_with(struct job *j, int error, struct err *err)
{
	err->code = error;
	if (error == -EINVAL)
		return job_fail(j, CODE_BAD_QUERY, err);
	if (error == -E2BIG)
		return job_fail(j, CODE_LIMIT, err);
	return job_fail(j, answer_code_of(error), err);
}

static int
compile(struct job *j, struct statement *s)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct sql_opts opts = {
		.deadline = USEC_NEVER, /* the loop counts it, and fires the token */
		.stop = &j->stop,
		.compute = j->server->compute,
		.io = j->server->io};
	struct err err = {0};
	struct span text;
	int r = param_bytes(j, "q", &scratch, &text);

	if (r < 0)
		return r;
	r = sql_open(s->view.snapshot, text, &opts, &s->sql, &err);
	return r < 0 ? fail_with(j, r, &err) : 0;
}

static int
open_statement(struct job *j)
{
	struct statement *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return job_fail_code(j, -ENOMEM);
	j->state = s;
	s->limit = j->rows_default;
	(void)((r = view_open(j, &s->view)) < 0 ||
		(r = param_u64(j, "limit", INT64_MAX, &s->limit)) < 0 || (r = compile(j, s)) < 0);
	return r;
}

static void
put_columns(struct job *j, struct statement *s, struct strbuf *out)
{
	struct json json = answer_open(out, strbuf_view(&j->id), "columns");

	json_key(&json, "columns");
	json_open(&json, '[');
	for (uint32_t i = 0; i < sql_columns(s->sql); i++)
		json_cstr(&json, sql_column_name(s->sql, i));
	json_close(&json, ']');
	answer_close(&json);
	s->named = true;
}

static void
put_integer(struct json *out, int64_t v)
{
	bool exact = v <= EXACT_INTEGER_MAX && v >= -EXACT_INTEGER_MAX;

	if (exact)
		json_i64(out, v);
	else
		put_time(out, v); /* in quotes, as every number that large */
}

/* A blob is told from a text by its form. */
static void
put_blob(struct json *out, struct span bytes)
{
	if (!utf8_valid(bytes.data, bytes.len)) {
		json_str(out, bytes);
		return;
	}
	json_open(out, '{');
	json_kv_str(out, "s", bytes);
	json_key(out, "b64");
	json_raw(out, SPAN_LIT("\""));
	(void)base64_encode(out->out, bytes);
	(void)strbuf_putc(out->out, '"');
	json_close(out, '}');
}

static void
put_value(struct json *out, const struct sql_value *v)
{
	switch (v->kind) {
	case SQL_NULL:
		json_null(out);
		break;
	case SQL_INTEGER:
		put_integer(out, v->integer);
		break;
	case SQL_REAL:
		json_double(out, v->real);
		break;
	case SQL_TEXT:
		json_str(out, v->bytes);
		break;
	case SQL_BLOB:
		put_blob(out, v->bytes);
		break;
	}
}

static int
put_row(struct job *j, struct statement *s, struct json *out)
{
	size_t began = out->out->len;
	struct err err = {0};

	json_open(out, '[');
	for (uint32_t i = 0; i < sql_columns(s->sql); i++) {
		struct sql_value v;

		sql_get(s->sql, i, &v);
		put_value(out, &v);
		if (out->out->len - began > ROW_MAX_BYTES) {
			(void)err_set(
				&err, -E2BIG, "a row is longer than %u MiB", ROW_MAX_BYTES >> 20);
			(void)err_hint(&err, "ask for fewer columns, or cut them with substr()");
			json_close(out, ']');
			return fail_with(j, -E2BIG, &err);
		}
	}
	json_close(out, ']');
	return 0;
}

/* 1 a row to give, 0 no more of them. */
static int
next_row(struct job *j, struct statement *s)
{
	struct err err = {0};
	int r = sql_next(s->sql, &err);

	if (r < 0)
		return fail_with(j, r, &err);
	s->more = r == 1 && s->limit > 0 && s->n == s->limit;
	return r == 1 && !s->more;
}

/* One line of rows, or nothing. */
static int
put_rows(struct job *j, struct statement *s, struct strbuf *out)
{
	usec_t began = clock_mono();
	struct json json;
	int r;

	while ((r = next_row(j, s)) > 0) {
		if (j->n_rows++ == 0)
			rows_open(j, out, &json);
		s->n++;
		r = put_row(j, s, &json);
		if (r < 0)
			break;
		r = 1;
		if (rows_full(j, out) || clock_mono() - began >= FLUSH_USEC)
			break;
	}
	if (j->n_rows > 0)
		rows_close(&json);
	return r;
}

static void
put_end(struct job *j, struct statement *s, struct strbuf *out)
{
	struct json json = answer_open(out, strbuf_view(&j->id), "end");
	struct sql_stats stats;

	sql_get_stats(s->sql, &stats);
	json_kv_u64(&json, "n", s->n);
	json_kv_bool(&json, "more", s->more);
	if (s->more)
		json_kv_cstr(&json, "why", "limit");
	json_key(&json, "scanned");
	put_count(&json, stats.n_scanned);
	view_close(j, &s->view, &json);
}

int
op_sql(struct job *j, struct strbuf *out)
{
	struct statement *s;
	int r = j->state ? 0 : open_statement(j);

	if (r < 0)
		return r;
	s = j->state;
	if (!s->named)
		put_columns(j, s, out);
	r = put_rows(j, s, out);
	if (r == 0)
		put_end(j, s, out);
	return r;
}
