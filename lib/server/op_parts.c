#include <errno.h>

#include "query/query.h"
#include "server/ops.h"

/* Larger ones travel as strings: many readers use doubles. */
#define EXACT_INTEGER_MAX (1ull << 53)

int
bad_request(struct job *j, const char *what)
{
	struct err err = {0};

	(void)err_set(&err, -EINVAL, "%s", what);
	return job_fail(j, CODE_BAD_REQUEST, &err);
}

int
param_word(struct job *j, const char *key, const char *const *words, unsigned *ret)
{
	AUTO(strbuf_fini) struct strbuf known = {0};
	struct span word = {0};
	struct err err = {0};
	int r = param_str(j, key, &word);

	if (r < 0 || !word.data)
		return r;
	for (unsigned i = 0; words[i]; i++) {
		if (span_eq(word, span_of(words[i]))) {
			*ret = i;
			return 0;
		}
		(void)strbuf_printf(&known, "%s%s", i ? ", " : "", words[i]);
	}
	(void)err_set(
		&err, -EINVAL, "\"%s\" cannot be '%.*s'", key, (int)MIN(word.len, 40u), word.data);
	(void)err_hint(&err, "it is one of %s", strbuf_view(&known).data);
	return job_fail(j, CODE_BAD_REQUEST, &err);
}

int
view_open(struct job *j, struct view *v)
{
	const struct server_ops *ops = &j->server->ops;
	struct err err = {0};

	v->snapshot = ops->snapshot(ops->ctx);
	if (!v->snapshot) {
		(void)err_set(&err, -EBUSY, "nothing is indexed yet");
		return job_fail(j, CODE_BUSY, &err);
	}
	if (ops->clock)
		ops->clock(ops->ctx, v->snapshot, &v->clock);
	return 0;
}

void
view_fini(struct view *v)
{
	snapshot_unref(TAKE_PTR(v->snapshot));
	strbuf_fini(&v->clock);
}

void
view_limits(struct job *j, struct cursor_opts *opts)
{
	opts->deadline = USEC_NEVER; /* the loop counts the time and fires the token */
	opts->stop = &j->stop;
	opts->compute = j->server->compute;
	opts->io = j->server->io;
	opts->hashes = j->server->ops.hashes;
}

void
view_skipped(struct json *out, const struct cursor_stats *st)
{
	const struct {
		const char *word;
		uint64_t n;
	} kinds[] = {
		{"binary", st->skipped.binary},
		{"too_large", st->skipped.too_large},
		{"unreadable", st->skipped.unreadable},
		{"gone", st->skipped.gone},
		{"changed", st->skipped.changed},
		{"off", st->skipped.off},
		{"limit", st->skipped.limit},
		{"pending", st->skipped.pending},
	};

	json_key(out, "skipped");
	json_open(out, '{');
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].n > 0)
			json_kv_u64(out, kinds[i].word, kinds[i].n);
	json_close(out, '}');
}

void
view_stale(struct job *j, const struct view *v, struct json *out)
{
	const struct server_ops *ops = &j->server->ops;

	json_key(out, "stale");
	json_open(out, '[');
	if (ops->stale)
		ops->stale(ops->ctx, v->snapshot, out);
	json_close(out, ']');
}

void
view_close(struct job *j, const struct view *v, struct json *out)
{
	view_stale(j, v, out);
	if (j->sync != SYNC_UNASKED && j->work.syncs)
		json_kv_bool(out, "synced", j->sync == SYNC_DONE);
	json_kv_str(out, "clock", strbuf_view(&v->clock));
	json_kv_u64(out, "took_us", clock_mono() - j->arrived_usec);
	answer_close(out);
}

void
rows_open(struct job *j, struct strbuf *out, struct json *ret)
{
	(void)strbuf_reserve(out, ROWS_FIRST_BYTES);
	*ret = answer_open(out, strbuf_view(&j->id), "rows");
	json_key(ret, "rows");
	json_open(ret, '[');
}

void
rows_close(struct json *out)
{
	json_close(out, ']');
	answer_close(out);
}

bool
rows_full(const struct job *j, const struct strbuf *out)
{
	return j->n_rows >= ROWS_MAX_LINE || out->len >= JOB_BUFFER_BYTES;
}

void
put_count(struct json *out, uint64_t number)
{
	if (number <= EXACT_INTEGER_MAX) {
		json_u64(out, number);
		return;
	}
	json_raw(out, SPAN_LIT("\""));
	(void)strbuf_u64(out->out, number);
	(void)strbuf_putc(out->out, '"');
}

void
put_time(struct json *out, int64_t ns)
{
	json_raw(out, SPAN_LIT("\""));
	(void)strbuf_i64(out->out, ns);
	(void)strbuf_putc(out->out, '"');
}
