#include <errno.h>

#include "query/tally.h"
#include "query/total.h"
#include "server/ops.h"

/* A running stats: all is counted in the first step. */
struct stats {
	struct view view;
	struct cursor_opts opts;
	struct tally_opts what;
	struct query *query;
	struct tally *tally;
	uint64_t limit;
	uint32_t next, n; /* groups given, to be given */
	struct tally_sum given;
	struct strbuf key;
};

void
op_stats_fini(void *state)
{
	struct stats *s = state;

	tally_destroy(s->tally);
	query_unref(s->query);
	view_fini(&s->view);
	strbuf_fini(&s->key);
	free(s);
}

/* With "path", its depth counts from there. */
static int
read_depth(struct job *j, struct stats *s)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	const struct snapshot *snap = s->view.snapshot;
	struct err err = {0};
	struct place at;
	struct span path;
	int r;

	s->what.depth = UINT64_MAX;
	if (!msg_get(msg_root(j->msg), "depth"))
		return 0;
	s->what.depth = 0;
	r = param_u64(j, "depth", INT64_MAX, &s->what.depth);
	if (r < 0 || !msg_get(msg_root(j->msg), "path"))
		return r;
	r = param_bytes(j, "path", &scratch, &path);
	if (r < 0)
		return r;
	if (snapshot_lookup(snap, path, &at.layer, &at.entry) < 0) {
		(void)err_set(&err, -ENOENT, "\"%.*s\" is not in the index",
			(int)MIN(path.len, 150u), path.data);
		return job_fail(j, CODE_NOT_FOUND, &err);
	}
	s->what.depth += tree_depth(snapshot_cols(snap, at.layer), at.entry);
	return 0;
}

static int
read_by(struct job *j, struct stats *s)
{
	struct span word = SPAN_LIT("none");
	struct err err = {0};
	int r = param_str(j, "by", &word);

	if (r < 0 || tally_by_parse(word, &s->what.by) == 0)
		return r;
	(void)err_set(&err, -EINVAL, "\"by\" cannot be '%.*s'", (int)MIN(word.len, 40u), word.data);
	(void)err_hint(&err, "it is one of none, ext, type, user, group, age, size, root, dir");
	return job_fail(j, CODE_BAD_REQUEST, &err);
}

static int
count_all(struct job *j, struct stats *s, enum tally_sort sort)
{
	int r = tally_create(s->query, s->view.snapshot, &s->opts, &s->what, &s->tally);

	if (r == 0)
		r = tally_order(s->tally, &s->opts, sort);
	if (r < 0)
		return job_fail_code(j, r);
	s->n = tally_len(s->tally);
	if (s->limit > 0)
		s->n = (uint32_t)MIN(s->n, s->limit);
	return 0;
}

static int
stats_open(struct job *j)
{
	static const char *const sorts[] = {"size", "blocks", "count", "key", NULL};
	struct stats *s = calloc(1, sizeof(*s));
	unsigned sort = TALLY_BY_SIZE;
	int r;

	if (!s)
		return job_fail_code(j, -ENOMEM);
	j->state = s;
	view_limits(j, &s->opts);
	s->limit = j->rows_default;
	s->what.now_ns = (int64_t)clock_real() * 1000;
	(void)((r = view_open(j, &s->view)) < 0 || (r = read_by(j, s)) < 0 ||
		(r = read_depth(j, s)) < 0 || (r = param_word(j, "sort", sorts, &sort)) < 0 ||
		(r = param_u64(j, "limit", INT64_MAX, &s->limit)) < 0 ||
		(r = param_query(j, &s->query)) < 0 ||
		(r = count_all(j, s, (enum tally_sort)sort)) < 0);
	return r;
}

static int
put_group(struct stats *s, struct json *out)
{
	struct tally_sum sum;
	int r;

	strbuf_reset(&s->key);
	r = tally_at(s->tally, s->next++, &s->key, &sum);
	s->given.n += sum.n;
	s->given.size += sum.size;
	s->given.blocks += sum.blocks;
	json_open(out, '[');
	json_str(out, strbuf_view(&s->key));
	put_count(out, sum.n);
	put_count(out, sum.size);
	put_count(out, sum.blocks);
	json_close(out, ']');
	return r;
}

static int
put_groups(struct job *j, struct stats *s, struct strbuf *out)
{
	struct json json;
	int r = 0;

	if (s->next == s->n)
		return 0;
	rows_open(j, out, &json);
	while (r == 0 && s->next < s->n && !rows_full(j, out)) {
		r = put_group(s, &json);
		j->n_rows++;
	}
	rows_close(&json);
	return r < 0 ? r : 1;
}

static void
put_sum(struct json *out, const char *key, const struct tally_sum *sum)
{
	json_key(out, key);
	json_open(out, '{');
	json_key(out, "n");
	put_count(out, sum->n);
	json_key(out, "size");
	put_count(out, sum->size);
	json_key(out, "blocks");
	put_count(out, sum->blocks);
	json_close(out, '}');
}

static void
put_end(struct job *j, struct stats *s, struct strbuf *out)
{
	struct json json = answer_open(out, strbuf_view(&j->id), "end");
	struct tally_stats st;
	struct tally_sum other;

	tally_get_stats(s->tally, &st);
	other = (struct tally_sum){st.all.n - s->given.n, st.all.size - s->given.size,
		st.all.blocks - s->given.blocks};
	json_kv_u64(&json, "n", s->n);
	json_kv_u64(&json, "groups", tally_len(s->tally));
	json_kv_bool(&json, "complete", st.complete); /* else there are more groups than that */
	json_kv_bool(&json, "more", other.n > 0);
	if (other.n > 0)
		json_kv_cstr(&json, "why", "limit");
	put_sum(&json, "total", &st.all);
	put_sum(&json, "other", &other);
	view_skipped(&json, &st.read);
	view_close(j, &s->view, &json);
}

int
op_stats(struct job *j, struct strbuf *out)
{
	int r = j->state ? 0 : stats_open(j);

	if (r < 0)
		return r;
	r = put_groups(j, j->state, out);
	if (r == 0)
		put_end(j, j->state, out);
	return r < 0 ? job_fail_code(j, r) : r;
}
