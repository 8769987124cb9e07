#include <errno.h>

#include "query/dupe.h"
#include "server/ops.h"

/* A running dupes: all are found in the first step. */
struct finding {
	struct view view;
	struct cursor_opts opts;
	struct query *query;
	struct dupes *dupes;
	uint64_t limit;
	bool links;   /* every name of a file, else its first */
	size_t group; /* being given, */
	uint32_t at;  /* from this name on */
	size_t n_groups;
	struct strbuf text;
};

void
op_dupes_fini(void *state)
{
	struct finding *f = state;

	dupes_destroy(f->dupes);
	query_unref(f->query);
	view_fini(&f->view);
	strbuf_fini(&f->text);
	free(f);
}

static int
find_all(struct job *j, struct finding *f)
{
	int r = dupes_find(f->query, f->view.snapshot, &f->opts, &f->dupes);

	if (r < 0)
		return job_fail_code(j, r);
	f->n_groups = f->dupes->n_groups;
	if (f->limit > 0)
		f->n_groups = (size_t)MIN((uint64_t)f->n_groups, f->limit);
	return 0;
}

static int
dupes_open(struct job *j)
{
	struct finding *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return job_fail_code(j, -ENOMEM);
	j->state = f;
	view_limits(j, &f->opts);
	f->limit = j->rows_default;
	(void)((r = view_open(j, &f->view)) < 0 ||
		(r = param_u64(j, "limit", INT64_MAX, &f->limit)) < 0 ||
		(r = param_bool(j, "links", &f->links)) < 0 ||
		(r = param_query(j, &f->query)) < 0 || (r = find_all(j, f)) < 0);
	return r;
}

/* How many names of one file begin at name `at` of the group. */
static uint32_t
count_names(const struct dupe_name *name, const struct dupe_group *g, uint32_t at)
{
	uint32_t n = 1;

	while (at + n < g->n_names && name[at + n].file == name[at].file)
		n++;
	return n;
}

static int
put_file(struct finding *f, struct json *out, const struct dupe_group *g,
	const struct dupe_name *name, uint32_t n_names)
{
	int r;

	strbuf_reset(&f->text);
	r = snapshot_path(f->view.snapshot, name->layer, name->entry, &f->text);
	json_open(out, '[');
	json_u64(out, f->group + 1);
	json_u64(out, name->file + 1);
	json_str(out, strbuf_view(&f->text));
	put_count(out, g->size);
	json_u64(out, g->n_files);
	put_count(out, dupe_waste(g));
	json_u64(out, n_names);
	json_close(out, ']');
	return r;
}

/* The next name to give. */
static int
put_name(struct finding *f, struct json *out)
{
	const struct dupe_group *g = &f->dupes->group[f->group];
	const struct dupe_name *name = &f->dupes->name[g->first];
	uint32_t n = count_names(name, g, f->at);
	int r = put_file(f, out, g, &name[f->at], n);

	f->at += f->links ? 1 : n;
	if (f->at == g->n_names) {
		f->group++;
		f->at = 0;
	}
	return r;
}

static int
put_names(struct job *j, struct finding *f, struct strbuf *out)
{
	struct json json;
	int r = 0;

	if (f->group == f->n_groups)
		return 0;
	rows_open(j, out, &json);
	while (r == 0 && f->group < f->n_groups && !rows_full(j, out)) {
		r = put_name(f, &json);
		j->n_rows++;
	}
	rows_close(&json);
	return r < 0 ? r : 1;
}

static void
put_totals(struct json *out, const struct dupes *d)
{
	uint64_t files = 0, waste = 0;

	for (size_t i = 0; i < d->n_groups; i++) {
		files += d->group[i].n_files;
		waste += dupe_waste(&d->group[i]);
	}
	json_key(out, "total");
	json_open(out, '{');
	json_kv_u64(out, "groups", d->n_groups);
	json_kv_u64(out, "files", files);
	json_key(out, "waste");
	put_count(out, waste);
	json_close(out, '}');
}

static void
put_end(struct job *j, struct finding *f, struct strbuf *out)
{
	struct json json = answer_open(out, strbuf_view(&j->id), "end");
	struct dupes *d = f->dupes;
	struct cursor_stats read = d->read;

	dupe_add_stats(&d->stats, &read);
	json_kv_u64(&json, "n", f->n_groups);
	json_kv_bool(&json, "more", f->n_groups < d->n_groups);
	if (f->n_groups < d->n_groups)
		json_kv_cstr(&json, "why", "limit");
	put_totals(&json, d);
	json_kv_u64(&json, "read", d->stats.n_read);
	json_key(&json, "read_bytes");
	put_count(&json, d->stats.n_bytes);
	json_kv_u64(&json, "known", d->stats.n_cached);
	view_skipped(&json, &read);
	view_close(j, &f->view, &json);
}

int
op_dupes(struct job *j, struct strbuf *out)
{
	int r = j->state ? 0 : dupes_open(j);

	if (r < 0)
		return r;
	r = put_names(j, j->state, out);
	if (r == 0)
		put_end(j, j->state, out);
	return r < 0 ? job_fail_code(j, r) : r;
}
