/**
 * search: what the requests search and grep share (op_search.c, op_grep.c).
 */
#pragma once

#include "query/query.h"
#include "server/ops.h"
#include "server/path_rows.h"

/* A running search or grep. */
struct search {
	struct query *query;
	struct view view;
	struct pattern *pattern; /* grep */
	struct cursor *cursor;
	struct cursor_opts opts;
	struct fields fields;
	bool slow;              /* reads contents: rows are sent on as they come */
	struct strbuf text;     /* one value at a time */
	struct path_rows paths; /* of the rows */

	bool only_paths; /* rows are paths of names, so many at once: */
	struct {
		uint32_t layer, at, n; /* [at, n) have no row yet */
		uint32_t entry[ROWS_MAX_LINE];
	} ahead;

	bool offsets; /* grep: of every row */
	/* grep: JSON of the path of the file whose rows are given. */
	struct strbuf path;
	uint32_t path_layer, path_entry;
};

/** All but the memory of `s` itself. */
void search_fini(struct search *s);
/** One value of a hit. */
int search_put(struct search *s, struct json *out, const struct hit *hit, enum field f);

/** The members of a request that only grep has. */
int grep_read(struct job *j, struct search *s);
/** The values of a row. */
int grep_put(struct search *s, struct json *out, const struct hit *hit);
/** Is the hit of another file than the row before? */
bool grep_is_new(const struct search *s, const struct hit *hit);
