#include <errno.h>

#include "query/query.h"
#include "server/ops.h"

static int
bad_param(struct job *j, const char *key, const char *what)
{
	struct err err = {0};

	(void)err_set(&err, -EINVAL, "\"%s\" must be %s", key, what);
	return job_fail(j, CODE_BAD_REQUEST, &err);
}

int
param_u64(struct job *j, const char *key, uint64_t max, uint64_t *ret)
{
	uint64_t v = *ret;

	if (msg_u64(msg_root(j->msg), key, &v) < 0 || v > max)
		return bad_param(j, key, "a whole number within the limits");
	*ret = v;
	return 0;
}

int
param_bool(struct job *j, const char *key, bool *ret)
{
	return msg_bool(msg_root(j->msg), key, ret) < 0 ? bad_param(j, key, "true or false") : 0;
}

int
param_str(struct job *j, const char *key, struct span *ret)
{
	return msg_str(msg_root(j->msg), key, ret) < 0 ? bad_param(j, key, "a string") : 0;
}

int
param_bytes(struct job *j, const char *key, struct strbuf *scratch, struct span *ret)
{
	int r = msg_text(msg_get(msg_root(j->msg), key), scratch, ret);

	if (r == -ENOMEM)
		return job_fail_code(j, r);
	return r == 1 ? 0 : bad_param(j, key, "a string or {\"b64\"}");
}

/* "case" as the query's default. */
static int
param_case(struct job *j, enum query_case *ret)
{
	struct span word = SPAN_LIT("smart");
	int r = param_str(j, "case", &word);

	if (r < 0)
		return r;
	if (span_eq(word, SPAN_LIT("smart")))
		*ret = QUERY_CASE_SMART;
	else if (span_eq(word, SPAN_LIT("exact")))
		*ret = QUERY_CASE_EXACT;
	else if (span_eq(word, SPAN_LIT("fold")))
		*ret = QUERY_CASE_FOLD;
	else
		return bad_param(j, "case", "smart, exact or fold");
	return 0;
}

int
param_query(struct job *j, struct query **ret)
{
	struct query_env env = {.now_ns = (int64_t)clock_real() * 1000};
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct err err = {0};
	struct span text = SPAN_LIT("");
	int r = param_case(j, &env.cas);

	if (r == 0 && msg_get(msg_root(j->msg), "q"))
		r = param_bytes(j, "q", &scratch, &text);
	if (r < 0)
		return r;
	r = query_parse(text, &env, ret, &err);
	if (r == -EINVAL || r == -EOVERFLOW)
		return job_fail(j, CODE_BAD_QUERY, &err);
	return r < 0 ? job_fail_code(j, r) : 0;
}

/* What fills the members of a small answer: 0, or -errno with err (or with the job's failure set,
 * then err stays empty). */
typedef int (*fill_fn)(struct job *j, struct json *out, struct err *err);

/* One line: the `end` with the answer's members in it. */
static int
answer_small(struct job *j, struct strbuf *out, fill_fn fill)
{
	struct json json = answer_open(out, strbuf_view(&j->id), "end");
	struct err err = {0};
	int r = fill(j, &json, &err);

	if (r < 0) {
		strbuf_reset(out);
		if (j->failure.err.code == 0) {
			err.code = r;
			(void)job_fail(j, answer_code_of(r), &err);
		}
		return r;
	}
	json_kv_u64(&json, "took_us", clock_mono() - j->arrived_usec);
	answer_close(&json);
	return 0;
}

static int
fill_status(struct job *j, struct json *out, struct err *err)
{
	return j->server->ops.status(j->server->ops.ctx, out, err);
}

int
op_status(struct job *j, struct strbuf *out)
{
	return answer_small(j, out, fill_status);
}

static int
fill_roots(struct job *j, struct json *out, struct err *err)
{
	return j->server->ops.roots(j->server->ops.ctx, out, err);
}

int
op_roots(struct job *j, struct strbuf *out)
{
	return answer_small(j, out, fill_roots);
}

static int
fill_why(struct job *j, struct json *out, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct span path;
	int r = param_bytes(j, "path", &scratch, &path);

	return r < 0 ? r : j->server->ops.why(j->server->ops.ctx, path, out, err);
}

int
op_why(struct job *j, struct strbuf *out)
{
	return answer_small(j, out, fill_why);
}

static int
fill_stat(struct job *j, struct json *out, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	const struct server_ops *ops = &j->server->ops;
	struct snapshot *snap;
	struct span path;
	int r = param_bytes(j, "path", &scratch, &path);

	if (r < 0)
		return r;
	snap = ops->snapshot(ops->ctx);
	if (!snap)
		return err_set(err, -EBUSY, "nothing is indexed yet");
	r = ops->stat(ops->ctx, snap, path, out, err);
	snapshot_unref(snap);
	if (r == -ENOENT && err && !err->what[0])
		(void)err_set(err, r, "no such path is indexed");
	return r;
}

int
op_stat(struct job *j, struct strbuf *out)
{
	return answer_small(j, out, fill_stat);
}

static int
fill_rescan(struct job *j, struct json *out, struct err *err)
{
	struct span name = {0};
	int r = param_str(j, "root", &name);

	(void)out;
	if (r < 0)
		return r;
	if (name.data && memchr(name.data, '\0', name.len))
		return err_set(err, -ENOENT, "no root has this name");
	return j->server->ops.rescan(j->server->ops.ctx, name.data, err);
}

int
op_rescan(struct job *j, struct strbuf *out)
{
	return answer_small(j, out, fill_rescan);
}

int
op_clock(struct job *j, struct strbuf *out)
{
	struct view v = {0};
	struct json json;
	int r = view_open(j, &v);

	if (r == 0) {
		json = answer_open(out, strbuf_view(&j->id), "end");
		view_close(j, &v, &json);
	}
	view_fini(&v);
	return r;
}
