/**
 * sql_rows: statements over a forest, and what they answer as lines.
 */
#pragma once

#include "forest.h"

#include "query/sql.h"

FOREST struct forest forest;

FOREST void
plant_forest(void)
{
	CHECK_INT(sql_setup(), 0);
	forest_grow(&forest, 11, 500);
}

FOREST void
fell_forest(void)
{
	forest_fell(&forest);
}

FOREST const struct sql_opts plain = {.deadline = USEC_NEVER};

/* ---- what a statement answers, as lines ---- */

FOREST void
put_value(struct strbuf *out, const struct sql_value *v)
{
	char buf[64];

	switch (v->kind) {
	case SQL_NULL:
		return;
	case SQL_INTEGER:
		(void)strbuf_i64(out, v->integer);
		return;
	case SQL_REAL:
		(void)snprintf(buf, sizeof(buf), "%.15g", v->real);
		(void)strbuf_puts(out, buf);
		if (!strpbrk(buf, ".en"))
			(void)strbuf_puts(out, ".0");
		return;
	case SQL_TEXT:
	case SQL_BLOB:
		(void)strbuf_span(out, v->bytes);
	}
}

struct lines {
	char **line;
	size_t n, cap;
};

FOREST void
lines_add(struct lines *l, const char *text)
{
	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 64;
		l->line = realloc(l->line, l->cap * sizeof(*l->line));
	}
	l->line[l->n++] = strdup(text);
}

FOREST int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

FOREST void
lines_fini(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->line[i]);
	free(l->line);
	*l = (struct lines){0};
}

FOREST struct sql *
open_sql(const char *text, const struct sql_opts *opts)
{
	struct sql *q = NULL;
	struct err err = {0};
	int r = sql_open(forest.snapshot, span_of(text), opts, &q, &err);

	CHECK_SAY(r == 0, "%s: %s (column %u)", text, err.what, err.pos);
	return q;
}

FOREST struct sql_stats
answer(const char *text, struct lines *ret)
{
	struct sql *q = open_sql(text, &plain);
	struct sql_stats stats;
	struct err err = {0};
	int r;

	while ((r = sql_next(q, &err)) == 1) {
		AUTO(strbuf_fini) struct strbuf line = {0};

		for (uint32_t i = 0; i < sql_columns(q); i++) {
			struct sql_value v;

			(void)strbuf_puts(&line, i ? "|" : "");
			sql_get(q, i, &v);
			put_value(&line, &v);
		}
		lines_add(ret, line.data);
	}
	CHECK_SAY(r == 0, "%s: %s", text, err.what);
	sql_get_stats(q, &stats);
	CHECK_INT(stats.n_rows, ret->n);
	sql_close(q);
	return stats;
}
