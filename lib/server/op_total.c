#include <dirent.h>
#include <errno.h>

#include "base/vec.h"
#include "query/top.h"
#include "query/tour.h"
#include "server/ops.h"

#define MAX_PATHS 1000u

/* A running du. */
struct du {
	struct view view;
	struct cursor_opts halt;
	struct totals_opts opts;
	struct totals *totals;
	VEC(struct place) places; /* of the paths that are indexed */
	struct strbuf missing;    /* the others, as elements of a JSON array */
	struct json missing_json;
	uint64_t depth, limit, n;
	bool files, want_total, more;
	struct tour tour; /* of places[next - 1] */
	size_t next;
	struct strbuf text;
};

void
op_du_fini(void *state)
{
	struct du *d = state;

	tour_fini(&d->tour);
	totals_close(d->totals);
	VEC_FINI(&d->places);
	strbuf_fini(&d->missing);
	strbuf_fini(&d->text);
	view_fini(&d->view);
	free(d);
}

static struct span
without_slashes(struct span path)
{
	while (path.len > 1 && path.data[path.len - 1] == '/')
		path.len--;
	return path;
}

static int
add_path(struct job *j, struct du *d, const struct msg_val *v)
{
	struct span path;
	struct place at;
	int r = msg_text(v, &d->text, &path);

	if (r == -ENOMEM)
		return job_fail_code(j, r);
	if (r != 1)
		return bad_request(j, "\"paths\" must be an array of strings or {\"b64\"}");
	path = without_slashes(path);
	if (snapshot_lookup(d->view.snapshot, path, &at.layer, &at.entry) < 0) {
		json_str(&d->missing_json, path);
		return d->missing.failed ? job_fail_code(j, -ENOMEM) : 0;
	}
	return VEC_PUSH(&d->places, at) < 0 ? job_fail_code(j, -ENOMEM) : 0;
}

static int
read_paths(struct job *j, struct du *d)
{
	const struct msg_val *list = msg_get(msg_root(j->msg), "paths");
	size_t n = msg_len(list);
	int r = 0;

	d->missing_json = json_to(&d->missing);
	if (!list || n == 0 || n > MAX_PATHS)
		return bad_request(j, "\"paths\" must be an array of 1 to 1,000 paths");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_path(j, d, msg_at(list, i));
	return r;
}

static int
read_du(struct job *j, struct du *d)
{
	int r;

	d->limit = j->rows_default;
	(void)((r = read_paths(j, d)) < 0 ||
		(r = param_u64(j, "depth", INT64_MAX, &d->depth)) < 0 ||
		(r = param_u64(j, "limit", INT64_MAX, &d->limit)) < 0 ||
		(r = param_bool(j, "files", &d->files)) < 0 ||
		(r = param_bool(j, "total", &d->want_total)) < 0 ||
		(r = param_bool(j, "every_link", &d->opts.every_link)) < 0 ||
		(r = param_bool(j, "one_device", &d->opts.one_device)) < 0);
	return r;
}

static int
open_totals(
	struct job *j, const struct view *v, const struct totals_opts *opts, struct totals **ret)
{
	int r = totals_open(v->snapshot, opts, ret);

	return r < 0 ? job_fail_code(j, r) : 0;
}

static int
du_open(struct job *j)
{
	struct du *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return job_fail_code(j, -ENOMEM);
	j->state = d;
	view_limits(j, &d->halt);
	d->opts.halt = &d->halt;
	(void)((r = view_open(j, &d->view)) < 0 || (r = read_du(j, d)) < 0 ||
		(r = open_totals(j, &d->view, &d->opts, &d->totals)) < 0);
	return r;
}

static void
put_total(struct json *out, const struct total *t)
{
	put_count(out, t->size);
	put_count(out, t->blocks);
	put_count(out, t->n_entries);
}

/* The next place of all tours: 1, 0 the end, or an error. */
static int
next_place(struct du *d, struct place *ret)
{
	int r;

	while ((r = tour_next(&d->tour, ret)) == 0) {
		if (d->next == d->places.len)
			return 0;
		tour_fini(&d->tour);
		tour_init(&d->tour, d->view.snapshot, d->totals, d->places.data[d->next++],
			d->depth, d->files);
	}
	return r;
}

static int
put_place(struct du *d, struct json *out, struct place at)
{
	struct total total;
	int r = totals_of(d->totals, at, &total);

	strbuf_reset(&d->text);
	if (r == 0)
		r = snapshot_path(d->view.snapshot, at.layer, at.entry, &d->text);
	json_open(out, '[');
	if (r == 0) {
		json_str(out, strbuf_view(&d->text));
		put_total(out, &total);
	}
	json_close(out, ']');
	return r;
}

/* One line of rows, or nothing: 1 more may follow, 0 the end. */
static int
put_places(struct job *j, struct du *d, struct strbuf *out)
{
	struct place at;
	struct json json;
	int r;

	while ((r = next_place(d, &at)) > 0) {
		d->more = d->limit > 0 && d->n == d->limit;
		r = d->more ? 0 : r;
		if (d->more)
			break;
		d->n++;
		if (j->n_rows++ == 0)
			rows_open(j, out, &json);
		r = put_place(d, &json, at);
		if (r < 0)
			break;
		r = 1;
		if (rows_full(j, out) || stop_requested(&j->stop))
			break;
	}
	if (j->n_rows > 0)
		rows_close(&json);
	return r;
}

static void
put_sum(struct json *out, const char *key, const struct total *t)
{
	json_key(out, key);
	json_open(out, '{');
	json_key(out, "size");
	put_count(out, t->size);
	json_key(out, "blocks");
	put_count(out, t->blocks);
	json_key(out, "entries");
	put_count(out, t->n_entries);
	json_close(out, '}');
}

static void
put_more(struct json *out, uint64_t n, bool more)
{
	json_kv_u64(out, "n", n);
	json_kv_bool(out, "more", more);
	if (more)
		json_kv_cstr(out, "why", "limit");
}

static int
put_du_end(struct job *j, struct du *d, struct strbuf *out)
{
	struct total total = {0};
	struct json json;
	uint64_t unread;
	int r = totals_unread(d->totals, d->places.data, d->places.len, &unread);

	if (r == 0 && d->want_total)
		r = totals_union(d->totals, d->places.data, d->places.len, &total);
	if (r < 0)
		return r;
	json = answer_open(out, strbuf_view(&j->id), "end");
	put_more(&json, d->n, d->more);
	json_kv_u64(&json, "unread", unread);
	if (d->want_total)
		put_sum(&json, "total", &total);
	json_key(&json, "missing");
	json_open(&json, '[');
	if (d->missing.len > 0)
		json_raw(&json, strbuf_view(&d->missing));
	json_close(&json, ']');
	view_close(j, &d->view, &json);
	return 0;
}

int
op_du(struct job *j, struct strbuf *out)
{
	int r = j->state ? 0 : du_open(j);

	if (r < 0)
		return r;
	r = put_places(j, j->state, out);
	if (r == 0)
		r = put_du_end(j, j->state, out);
	return r < 0 ? job_fail_code(j, r) : r;
}

/* A running top. */
struct top {
	struct view view;
	struct cursor_opts halt;
	struct totals *totals;
	struct total total; /* of the path itself */
	struct top_row *rows;
	uint32_t n, next;
	uint64_t n_ranked, unread;
	struct strbuf text;
};

void
op_top_fini(void *state)
{
	struct top *t = state;

	free(t->rows);
	totals_close(t->totals);
	strbuf_fini(&t->text);
	view_fini(&t->view);
	free(t);
}

static int
read_top(struct job *j, struct top_opts *opts)
{
	static const char *const keys[] = {"size", "blocks", "entries", NULL};
	static const char *const kinds[] = {"any", "dirs", "others", NULL};
	unsigned by = TOP_SIZE, kind = TOP_ANY;
	uint64_t limit = MIN(j->rows_default ? j->rows_default : TOP_MAX_ROWS, 20u);
	int r;

	opts->max_depth = 1;
	(void)((r = param_word(j, "by", keys, &by)) < 0 ||
		(r = param_word(j, "type", kinds, &kind)) < 0 ||
		(r = param_u64(j, "depth", INT64_MAX, &opts->max_depth)) < 0 ||
		(r = param_u64(j, "limit", TOP_MAX_ROWS, &limit)) < 0);
	opts->by = (enum top_key)by;
	opts->kind = (enum top_kind)kind;
	opts->n = (uint32_t)(limit ? limit : TOP_MAX_ROWS);
	return r;
}

static int
find_place(struct job *j, const struct snapshot *s, struct place *ret)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct err err = {0};
	struct span path;
	int r = param_bytes(j, "path", &scratch, &path);

	if (r < 0)
		return r;
	path = without_slashes(path);
	if (snapshot_lookup(s, path, &ret->layer, &ret->entry) == 0)
		return 0;
	(void)err_set(
		&err, -ENOENT, "\"%.*s\" is not in the index", (int)MIN(path.len, 150u), path.data);
	return job_fail(j, CODE_NOT_FOUND, &err);
}

static int
rank(struct job *j, struct top *t, struct place at, const struct top_opts *opts)
{
	int r = totals_of(t->totals, at, &t->total);

	if (r == 0)
		r = totals_unread(t->totals, &at, 1, &t->unread);
	if (r == 0)
		r = top_rank(t->view.snapshot, t->totals, at, opts, &t->rows, &t->n, &t->n_ranked);
	return r < 0 ? job_fail_code(j, r) : 0;
}

static int
top_open(struct job *j)
{
	struct top *t = calloc(1, sizeof(*t));
	struct totals_opts totals = {0};
	struct top_opts opts = {0};
	struct place at;
	int r;

	if (!t)
		return job_fail_code(j, -ENOMEM);
	j->state = t;
	view_limits(j, &t->halt);
	totals.halt = opts.halt = &t->halt;
	(void)((r = view_open(j, &t->view)) < 0 || (r = read_top(j, &opts)) < 0 ||
		(r = param_bool(j, "every_link", &totals.every_link)) < 0 ||
		(r = param_bool(j, "one_device", &totals.one_device)) < 0 ||
		(r = find_place(j, t->view.snapshot, &at)) < 0 ||
		(r = open_totals(j, &t->view, &totals, &t->totals)) < 0 ||
		(r = rank(j, t, at, &opts)) < 0);
	return r;
}

static int
put_ranked(struct top *t, struct json *out, const struct top_row *row)
{
	const struct snapshot *s = t->view.snapshot;
	const struct tree_cols *c = snapshot_cols(s, row->at.layer);
	int r;

	strbuf_reset(&t->text);
	r = snapshot_path(s, row->at.layer, row->at.entry, &t->text);
	json_open(out, '[');
	if (r == 0) {
		json_str(out, strbuf_view(&t->text));
		json_cstr(out, field_type_word(tree_type(c, row->at.entry)));
		put_total(out, &row->total);
	}
	json_close(out, ']');
	return r;
}

static int
put_top_rows(struct job *j, struct top *t, struct strbuf *out)
{
	struct json json;
	int r = 0;

	if (t->next == t->n)
		return 0;
	rows_open(j, out, &json);
	while (r == 0 && t->next < t->n && !rows_full(j, out)) {
		r = put_ranked(t, &json, &t->rows[t->next++]);
		j->n_rows++;
	}
	rows_close(&json);
	return r < 0 ? r : 1;
}

static void
put_top_end(struct job *j, struct top *t, struct strbuf *out)
{
	struct json json = answer_open(out, strbuf_view(&j->id), "end");

	put_more(&json, t->n, t->n_ranked > t->n);
	json_kv_u64(&json, "ranked", t->n_ranked);
	json_kv_u64(&json, "unread", t->unread);
	put_sum(&json, "total", &t->total);
	view_close(j, &t->view, &json);
}

int
op_top(struct job *j, struct strbuf *out)
{
	int r = j->state ? 0 : top_open(j);

	if (r < 0)
		return r;
	r = put_top_rows(j, j->state, out);
	if (r == 0)
		put_top_end(j, j->state, out);
	return r < 0 ? job_fail_code(j, r) : r;
}
