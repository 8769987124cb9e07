#include <errno.h>
#include <inttypes.h>

#include "server/search.h"

#define FLUSH_USEC (50 * USEC_PER_MSEC)

void
search_fini(struct search *s)
{
	cursor_close(s->cursor);
	pattern_destroy(s->pattern);
	query_unref(s->query);
	view_fini(&s->view);
	strbuf_fini(&s->text);
	path_rows_fini(&s->paths);
	strbuf_fini(&s->path);
}

void
op_search_fini(void *state)
{
	search_fini(state);
	free(state);
}

int
param_fields(struct job *j, struct fields *ret)
{
	const struct msg_val *list = msg_get(msg_root(j->msg), "fields");
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct err err = {0};

	*ret = (struct fields){.n = 1, .field = {FIELD_PATH}};
	if (!list)
		return 0;
	if (msg_kind(list) != MSG_ARRAY || msg_len(list) < 1 || msg_len(list) > MAX_FIELDS)
		return bad_request(j, "\"fields\" must be an array of 1 to 32 names");
	ret->n = (uint32_t)msg_len(list);
	for (uint32_t i = 0; i < ret->n; i++) {
		struct span word;

		if (msg_kind(msg_at(list, i)) != MSG_STRING ||
			msg_text(msg_at(list, i), &scratch, &word) != 1)
			return bad_request(j, "\"fields\" must be an array of strings");
		if (field_parse(word, &ret->field[i]) < 0) {
			(void)err_set(&err, -EINVAL, "no field is called '%.*s'",
				(int)MIN(word.len, 64u), word.data);
			return job_fail(j, CODE_BAD_REQUEST, &err);
		}
	}
	return 0;
}

static int
read_sort(struct job *j, struct cursor_opts *opts)
{
	struct span text = {0};
	struct err err = {0};
	int r = param_str(j, "sort", &text);

	opts->rank = text.data ? RANK_OFF : RANK_CONTENTS;
	if (r < 0 || !text.data || span_eq(text, SPAN_LIT("none")))
		return r;
	if (span_eq(text, SPAN_LIT("rank"))) {
		opts->rank = RANK_ALWAYS;
		return 0;
	}
	r = query_sort_parse(text, opts->sort, &err);
	if (r < 0)
		return job_fail(j, CODE_BAD_REQUEST, &err);
	opts->n_sort = (uint32_t)r;
	return 0;
}

static int
read_count(struct job *j, struct cursor_opts *opts)
{
	struct span word = SPAN_LIT("none");
	int r = param_str(j, "count", &word);

	if (r < 0)
		return r;
	opts->count_exact = span_eq(word, SPAN_LIT("exact"));
	if (!opts->count_exact && !span_eq(word, SPAN_LIT("none")))
		return bad_request(j, "\"count\" must be exact or none");
	return 0;
}

int
param_order(struct job *j, struct cursor_opts *opts)
{
	int r = read_sort(j, opts);

	if (r == 0)
		r = read_count(j, opts);
	if (r == 0)
		r = param_u64(j, "limit", INT64_MAX, &opts->limit);
	/* All answers are wanted, or nobody said how many: no order is better than another. */
	if (opts->rank == RANK_CONTENTS && (!msg_get(msg_root(j->msg), "limit") || !opts->limit))
		opts->rank = RANK_OFF;
	return r;
}

/* "p:<clock>:<layout>:", which an offset stands behind: it means something only where answers come
 * in the order that they had. */
static int
begin_page(const struct search *s, struct strbuf *out)
{
	(void)strbuf_puts(out, "p:");
	(void)strbuf_span(out, strbuf_view(&s->view.clock));
	return strbuf_printf(out, ":%" PRIx64 ":", snapshot_layout(s->view.snapshot, s->slow));
}

static int
read_page(struct job *j, struct search *s)
{
	AUTO(strbuf_fini) struct strbuf now = {0};
	struct span page = {0}, place;
	struct err err = {0};
	const char *colon;
	int r = param_str(j, "page", &page);

	if (r < 0 || !page.data)
		return r;
	colon = span_starts(page, SPAN_LIT("p:")) ? memrchr(page.data + 2, ':', page.len - 2)
	                                          : NULL;
	if (!colon)
		return bad_request(j, "\"page\" must be the page of an earlier answer");
	place = (struct span){page.data, (size_t)(colon - page.data) + 1};
	if (parse_u64((struct span){colon + 1, page.len - place.len}, &s->opts.offset) < 0)
		return bad_request(j, "\"page\" must be the page of an earlier answer");
	if (begin_page(s, &now) < 0)
		return job_fail_code(j, -ENOMEM);
	if (span_eq(place, strbuf_view(&now)))
		return 0;
	(void)err_set(&err, -ESTALE, "the index has changed since that page");
	(void)err_hint(&err, "ask again from the start");
	return job_fail(j, CODE_PAGE_EXPIRED, &err);
}

static int
read_common(struct job *j, struct search *s)
{
	s->opts.limit = j->rows_default;
	return param_order(j, &s->opts);
}

/* The query and what hangs on it. */
static int
read_query(struct job *j, struct search *s)
{
	int r = param_query(j, &s->query);

	if (r < 0)
		return r;
	s->slow = s->pattern || query_has_content(s->query);
	return read_page(j, s);
}

static int
open_cursor(struct job *j, struct search *s)
{
	struct err err = {0};
	int r;

	view_limits(j, &s->opts);
	s->only_paths = !s->slow && s->fields.n == 1 && s->fields.field[0] == FIELD_PATH;
	r = cursor_open(s->query, s->view.snapshot, &s->opts, &s->cursor, &err);
	if (r >= 0)
		return 0;
	err.code = r;
	return job_fail(j, answer_code_of(r), &err);
}

/* The first step: everything that the request says, checked, and the cursor. The caller frees. */
static int
search_open(struct job *j, bool grep)
{
	struct search *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return job_fail_code(j, -ENOMEM);
	j->state = s;
	(void)((r = view_open(j, &s->view)) < 0 || (r = read_common(j, s)) < 0 ||
		(r = grep ? grep_read(j, s) : param_fields(j, &s->fields)) < 0 ||
		(r = read_query(j, s)) < 0 || (r = open_cursor(j, s)) < 0);
	return r;
}

int
put_field(struct json *out, const struct snapshot *s, uint32_t layer, uint32_t entry, enum field f,
	struct strbuf *scratch)
{
	enum field_kind kind = field_kind(f);
	int64_t number = 0;
	int r;

	strbuf_reset(scratch);
	r = field_value(s, layer, entry, f, scratch, &number);
	if (r < 0)
		return r;
	if (kind == FIELD_TEXT)
		json_str(out, strbuf_view(scratch));
	else if (kind == FIELD_NUMBER)
		put_count(out, (uint64_t)number);
	else
		put_time(out, number);
	return 0;
}

int
search_put(struct search *s, struct json *out, const struct hit *hit, enum field f)
{
	if (f != FIELD_PATH)
		return put_field(out, s->view.snapshot, hit->layer, hit->entry, f, &s->text);
	return path_rows_put(&s->paths, out, s->view.snapshot, hit->layer, hit->entry);
}

static int
put_row(struct search *s, struct json *out, const struct hit *hit)
{
	int r = 0;

	json_open(out, '[');
	if (s->opts.grep)
		r = grep_put(s, out, hit);
	else
		for (uint32_t i = 0; i < s->fields.n && r == 0; i++)
			r = search_put(s, out, hit, s->fields.field[i]);
	json_close(out, ']');
	return r;
}

/* Rows of one file are at hand together: time goes by between files. */
static bool
line_is_full(const struct job *j, const struct search *s, const struct strbuf *out, bool new_file,
	usec_t began)
{
	return rows_full(j, out) || (s->slow && new_file && clock_mono() - began >= FLUSH_USEC);
}

/* One line of rows, or nothing: cursor_next()'s last word. */
static int
put_rows(struct job *j, struct search *s, struct strbuf *out)
{
	usec_t began = clock_mono();
	struct json json;
	struct hit hit;
	int r;

	while ((r = cursor_next(s->cursor, &hit)) > 0) {
		bool new_file = grep_is_new(s, &hit);

		if (j->n_rows++ == 0) {
			rows_open(j, out, &json);
		}
		r = put_row(s, &json, &hit);
		if (r < 0)
			break;
		if (line_is_full(j, s, out, new_file, began)) {
			r = 1;
			break;
		}
	}
	if (j->n_rows > 0)
		rows_close(&json);
	return r;
}

/* Answers are ahead, 1, or there is none any more, 0, or an error. */
static int
look_ahead(struct search *s)
{
	int r = 1;

	if (s->ahead.at == s->ahead.n) {
		r = cursor_next_entries(
			s->cursor, &s->ahead.layer, s->ahead.entry, ARRAY_LEN(s->ahead.entry));
		s->ahead.at = 0;
		s->ahead.n = (uint32_t)MAX(r, 0);
	}
	return r;
}

/* put_rows() where a row is the path of an entry. */
static int
put_paths(struct job *j, struct search *s, struct strbuf *out)
{
	struct json json;
	int r;

	while ((r = look_ahead(s)) > 0) {
		uint32_t n = MIN(s->ahead.n - s->ahead.at, ROWS_MAX_LINE - (uint32_t)j->n_rows);

		if (j->n_rows == 0)
			rows_open(j, out, &json);
		r = path_rows_add(&s->paths, &json, s->view.snapshot, s->ahead.layer,
			s->ahead.entry + s->ahead.at, n, JOB_BUFFER_BYTES);
		if (r < 0)
			break;
		s->ahead.at += (uint32_t)r;
		j->n_rows += (uint32_t)r;
		r = 1;
		if (rows_full(j, out))
			break;
	}
	if (j->n_rows > 0)
		rows_close(&json);
	return r;
}

static void
put_page(struct search *s, struct json *out, const struct cursor_stats *st)
{
	struct strbuf *t = &s->text;

	strbuf_reset(t);
	(void)begin_page(s, t);
	(void)strbuf_u64(t, s->opts.offset + st->n);
	json_kv_str(out, "page", strbuf_view(t));
}

static void
put_end(struct job *j, struct search *s, struct strbuf *out)
{
	struct json json = answer_open(out, strbuf_view(&j->id), "end");
	struct cursor_stats st;

	cursor_get_stats(s->cursor, &st);
	json_kv_u64(&json, "n", st.n);
	json_kv_bool(&json, "more", st.more);
	if (st.more) {
		json_kv_cstr(&json, "why", "limit");
		put_page(s, &json, &st);
	}
	if (s->opts.count_exact) {
		json_key(&json, "total");
		json_open(&json, '{');
		json_kv_u64(&json, "n", st.total);
		json_kv_bool(&json, "exact", st.total_exact);
		json_close(&json, '}');
	}
	if (s->opts.grep)
		json_kv_u64(&json, "files", st.n_files);
	view_skipped(&json, &st);
	view_close(j, &s->view, &json);
}

static int
search_step(struct job *j, struct strbuf *out, bool grep)
{
	struct search *s;
	int r = j->state ? 0 : search_open(j, grep);

	if (r < 0)
		return r;
	s = j->state;
	r = s->only_paths ? put_paths(j, s, out) : put_rows(j, s, out);
	if (r == 0)
		put_end(j, s, out);
	return r < 0 ? job_fail_code(j, r) : r;
}

int
op_search(struct job *j, struct strbuf *out)
{
	return search_step(j, out, false);
}

int
op_grep(struct job *j, struct strbuf *out)
{
	return search_step(j, out, true);
}
