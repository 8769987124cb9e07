#include "server/dispatch.h"

#include <errno.h>

#include "query/query.h"
#include "server/conn.h"
#include "server/identity.h"
#include "server/ops.h"

struct request {
	struct conn *c;
	struct msg *msg; /* NULL once a job has taken it */
	struct span id;  /* as JSON, empty when the request has none */
	usec_t arrived_usec;
};

/* Where an operation runs: what waits for a disk itself belongs to the I/O pool (a search only
 * hands such work on, and gives its worker back often; what reads to the end before it answers
 * would keep all who compute from the watchdog). */
enum place { AT_ONCE, COMPUTE, IO };

enum op_flags {
	OP_ADMIN = 1u << 0,      /* only for who may administer */
	OP_SYNCS = 1u << 1,      /* "sync_ms" */
	OP_SUBSCRIBES = 1u << 2, /* lives until it is ended; each new snapshot wakes it */
};

struct op {
	const char *name, *about;
	unsigned flags;                    /* enum op_flags */
	void (*answer)(struct request *r); /* at once, on the loop; or */
	job_step step;                     /* on workers */
	size_t callback;                   /* offset in struct server_ops; 0: needs none */
	enum place place;
	void (*fini)(void *state); /* of a step that leaves something in job.state */
};

static void answer_hello(struct request *r);
static void answer_ping(struct request *r);
static void answer_help(struct request *r);
static void answer_cancel(struct request *r);

#define NEEDS(member) offsetof(struct server_ops, member)
_Static_assert(offsetof(struct server_ops, ctx) == 0, "0 stands for no callback");

/* clang-format off */
static const struct op ops[] = {
	{"hello", "who you are, what the server can do", 0, answer_hello, NULL, 0, AT_ONCE,
		NULL},
	{"ping", "an empty answer", 0, answer_ping, NULL, 0, AT_ONCE, NULL},
	{"help", "this list", 0, answer_help, NULL, 0, AT_ONCE, NULL},
	{"status", "what the daemon is doing", 0, NULL, op_status, NEEDS(status), COMPUTE,
		NULL},
	{"roots", "the indexed trees", 0, NULL, op_roots, NEEDS(roots), COMPUTE, NULL},
	{"stat", "all fields of one path", 0, NULL, op_stat, NEEDS(stat), COMPUTE, NULL},
	{"why", "why a path is indexed or not", 0, NULL, op_why, NEEDS(why), IO, NULL},
	{"explain", "how a query is understood", 0, NULL, op_explain, 0, COMPUTE, NULL},
	{"cancel", "end a request of this connection", 0, answer_cancel, NULL, 0, AT_ONCE,
		NULL},
	{"search", "what matches a query", OP_SYNCS, NULL, op_search, NEEDS(snapshot), COMPUTE,
		op_search_fini},
	{"grep", "lines that match a pattern", OP_SYNCS, NULL, op_grep, NEEDS(snapshot), COMPUTE,
		op_search_fini},
	{"du", "how much is below paths", OP_SYNCS, NULL, op_du, NEEDS(snapshot), COMPUTE,
		op_du_fini},
	{"top", "the largest entries below a path", OP_SYNCS, NULL, op_top, NEEDS(snapshot),
		COMPUTE, op_top_fini},
	{"stats", "what matches a query, in groups", OP_SYNCS, NULL, op_stats, NEEDS(snapshot), IO,
		op_stats_fini},
	{"dupes", "files with equal contents", OP_SYNCS, NULL, op_dupes, NEEDS(snapshot), IO,
		op_dupes_fini},
	{"sql", "rows of a SELECT over names and metadata", OP_SYNCS, NULL, op_sql,
		NEEDS(snapshot), COMPUTE, op_sql_fini},
	{"since", "what has changed since a clock", OP_SYNCS, NULL, op_since, NEEDS(changes),
		COMPUTE, op_since_fini},
	{"subscribe", "the same from now on, as it happens", OP_SUBSCRIBES, NULL, op_subscribe,
		NEEDS(changes), COMPUTE, op_since_fini},
	{"clock", "where in time the index is", OP_SYNCS, NULL, op_clock, NEEDS(snapshot), COMPUTE,
		NULL},
	{"rescan", "walk roots again", OP_ADMIN, NULL, op_rescan, NEEDS(rescan), COMPUTE, NULL},
	{"reload", "read the configuration again", OP_ADMIN, NULL, op_reload,
		NEEDS(reload), COMPUTE, NULL},
};
/* clang-format on */

static bool
op_is_there(const struct server *s, const struct op *op)
{
	void (*fn)(void);

	if (op->callback == 0)
		return true;
	memcpy(&fn, (const char *)&s->ops + op->callback, sizeof(fn));
	return fn != NULL;
}

static const struct op *
op_find(const struct server *s, struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (span_eq(span_of(ops[i].name), name) && op_is_there(s, &ops[i]))
			return &ops[i];
	return NULL;
}

/* Answers of the loop are put together in one scratch buffer, one line or two at a time. */
static void
send_scratch(struct conn *c)
{
	struct strbuf *out = &c->server->scratch;

	if (out->failed)
		conn_kill(c);
	else
		conn_write(c, strbuf_view(out));
	strbuf_reset(out);
}

static void
send_error(struct conn *c, struct span id, enum answer_code code, const struct err *err)
{
	counter_add(&c->server->counters.n_errors, 1);
	answer_error(&c->server->scratch, id, code, err);
	send_scratch(c);
}

static void
send_end(struct request *r)
{
	answer_end(&r->c->server->scratch, r->id, clock_mono() - r->arrived_usec);
	send_scratch(r->c);
}

static void
put_limits(struct json *j, const struct server_limits *l)
{
	json_key(j, "limits");
	json_open(j, '{');
	json_kv_u64(j, "line_bytes", l->line_bytes);
	json_kv_u64(j, "depth", MSG_MAX_DEPTH);
	json_kv_u64(j, "query_bytes", QUERY_MAX_BYTES);
	json_kv_u64(j, "pattern_bytes", PATTERN_MAX_BYTES);
	json_kv_u64(j, "rows_default", l->rows_default);
	json_kv_u64(j, "time_ms", l->time_default_usec / USEC_PER_MSEC);
	json_kv_u64(j, "time_max_ms", l->time_max_usec / USEC_PER_MSEC);
	json_kv_u64(j, "running", l->max_queries_principal);
	json_kv_u64(j, "in_flight", CONN_MAX_JOBS);
	json_kv_u64(j, "subscriptions", MAX_SUBSCRIPTIONS_CONN);
	json_kv_u64(j, "connections", l->max_connections);
	json_kv_u64(j, "output_bytes", l->output_bytes);
	json_kv_u64(j, "stall_ms", l->stall_usec / USEC_PER_MSEC);
	json_close(j, '}');
}

static void
put_clock(struct json *j, const struct server *s)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct snapshot *snap;

	if (!s->ops.snapshot || !s->ops.clock)
		return;
	snap = s->ops.snapshot(s->ops.ctx);
	if (!snap)
		return;
	s->ops.clock(s->ops.ctx, snap, &text);
	snapshot_unref(snap);
	json_kv_str(j, "clock", strbuf_view(&text));
}

static void
answer_hello(struct request *r)
{
	struct server *s = r->c->server;
	uint64_t version = 1;
	struct json j;

	if (msg_u64(msg_root(r->msg), "v", &version) < 0 || version != 1) {
		struct err err = {0};

		(void)err_set(&err, -EOPNOTSUPP, "this server speaks version 1 of the protocol");
		send_error(r->c, r->id, CODE_BAD_REQUEST, &err);
		return;
	}
	j = answer_open(&s->scratch, r->id, "hello");
	json_kv_u64(&j, "v", 1);
	json_kv_cstr(&j, "server", "trawld " TRAWL_VERSION);
	json_key(&j, "caps");
	json_open(&j, '[');
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (op_is_there(s, &ops[i]))
			json_cstr(&j, ops[i].name);
	json_close(&j, ']');
	json_kv_cstr(&j, "as", r->c->who.text);
	json_kv_bool(&j, "admin", rights_admin(&s->rights, r->c->who.uid));
	put_limits(&j, &s->limits);
	put_clock(&j, s);
	answer_close(&j);
	send_end(r);
}

static void
answer_ping(struct request *r)
{
	send_end(r);
}

static void
answer_help(struct request *r)
{
	struct server *s = r->c->server;
	struct json j = answer_open(&s->scratch, r->id, "end");

	json_key(&j, "ops");
	json_open(&j, '{');
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (op_is_there(s, &ops[i]))
			json_kv_cstr(&j, ops[i].name, ops[i].about);
	json_close(&j, '}');
	answer_close(&j);
	send_scratch(r->c);
}

static void
answer_cancel(struct request *r)
{
	AUTO(strbuf_fini) struct strbuf target = {0};
	struct server *s = r->c->server;
	struct job *found;
	struct json j;

	if (msg_print(msg_get(msg_root(r->msg), "target"), &target) < 0) {
		conn_kill(r->c);
		return;
	}
	found = job_find(r->c, strbuf_view(&target));
	if (found)
		job_stop(found, JOB_STOP_CANCELED);
	j = answer_open(&s->scratch, r->id, "end");
	json_kv_bool(&j, "canceled", found != NULL);
	answer_close(&j);
	send_scratch(r->c);
}

/* The client's own time limit, within ours. */
static int
read_timeout(struct request *r, usec_t *ret_usec, bool *ret_asked)
{
	const struct server_limits *l = &r->c->server->limits;
	uint64_t msec = 0;

	if (msg_u64(msg_root(r->msg), "timeout_ms", &msec) < 0)
		return -EINVAL;
	*ret_asked = msec > 0;
	*ret_usec = msec == 0                                 ? l->time_default_usec
	            : msec > l->time_max_usec / USEC_PER_MSEC ? l->time_max_usec
	                                                      : msec * USEC_PER_MSEC;
	return 0;
}

/* A subscription has no end of its own. */
static bool
too_many_subscriptions(const struct request *r, const struct op *op, struct err *err)
{
	const struct conn *c = r->c;
	const char *whose = c->n_subscribers >= MAX_SUBSCRIPTIONS_CONN ? "this connection has"
	                    : c->principal->n_subscribers >= MAX_SUBSCRIPTIONS_PRINCIPAL
	                            ? "this user has"
	                    : load_rlx(&c->server->counters.n_subscriptions) >= MAX_SUBSCRIPTIONS
	                            ? "all users together have"
	                            : NULL;

	if (!(op->flags & OP_SUBSCRIBES) || !whose)
		return false;
	(void)err_set(err, -EOVERFLOW, "%s as many subscriptions as there may be", whose);
	(void)err_hint(err, "cancel one that is not needed any more");
	return true;
}

static void
start_job(struct request *r, const struct op *op)
{
	const struct server *s = r->c->server;
	struct job_work work = {
		.step = op->step,
		.fini = op->fini,
		.pool = op->place == IO ? s->io : s->compute,
		.syncs = (op->flags & OP_SYNCS) != 0,
		.subscribes = (op->flags & OP_SUBSCRIBES) != 0,
	};
	usec_t timeout_usec;
	bool asked;
	struct err err = {0};

	if (r->id.len > 0 && job_find(r->c, r->id)) {
		(void)err_set(&err, -EINVAL, "a request with this id has not ended yet");
		send_error(r->c, r->id, CODE_BAD_REQUEST, &err);
	} else if (read_timeout(r, &timeout_usec, &asked) < 0) {
		(void)err_set(&err, -EINVAL, "\"timeout_ms\" must be a whole number");
		send_error(r->c, r->id, CODE_BAD_REQUEST, &err);
	} else if (too_many_subscriptions(r, op, &err)) {
		send_error(r->c, r->id, CODE_LIMIT, &err);
	} else if (job_start(r->c, r->msg, r->id, &work, timeout_usec, asked) < 0) {
		(void)err_set(&err, -ENOMEM, "could not start the request: out of memory");
		send_error(r->c, r->id, CODE_INTERNAL, &err);
	} else {
		r->msg = NULL;
	}
}

static void
deny(struct conn *c, struct span id)
{
	struct err err = {0};

	counter_add(&c->server->counters.n_denied, 1);
	if (c->who.known)
		(void)err_set(&err, -EACCES, "%s may not ask this server", c->who.text);
	else
		(void)err_set(&err, -EACCES, "could not tell whose connection this is");
	(void)err_hint(&err, "the daemon's configuration names who may: allow = in [listen]");
	send_error(c, id, CODE_DENIED, &err);
	conn_finish(c);
}

/* Rights are checked here and nowhere else. */
static void
dispatch_op(struct request *r)
{
	const struct msg_val *root = msg_root(r->msg);
	struct conn *c = r->c;
	const struct op *op;
	struct span name;
	struct err err = {0};

	if (msg_str(root, "op", &name) != 1) {
		(void)err_set(&err, -EINVAL, "a request needs \"op\", the name of what to do");
		(void)err_hint(&err, "{\"id\":1,\"op\":\"help\"} lists them");
		send_error(c, r->id, CODE_BAD_REQUEST, &err);
		return;
	}
	op = op_find(c->server, name);
	if (!op) {
		(void)err_set(&err, -EOPNOTSUPP, "this server has no op '%.*s'",
			(int)MIN(name.len, 64u), name.data);
		send_error(c, r->id, CODE_UNKNOWN_OP, &err);
	} else if ((op->flags & OP_ADMIN) && !rights_admin(&c->server->rights, c->who.uid)) {
		counter_add(&c->server->counters.n_denied, 1);
		(void)err_set(&err, -EACCES, "%s may not %s", c->who.text, op->name);
		send_error(c, r->id, CODE_DENIED, &err);
	} else if (op->step) {
		start_job(r, op);
	} else {
		op->answer(r);
	}
}

/* The id as JSON text: an integer or a string, nothing when there is none. */
static int
read_id(const struct msg *m, struct strbuf *ret)
{
	const struct msg_val *id = msg_get(msg_root(m), "id");
	enum msg_kind kind = msg_kind(id);

	if (kind == MSG_NULL)
		return 0;
	if (kind != MSG_INT && kind != MSG_STRING)
		return -EINVAL;
	return msg_print(id, ret);
}

/* What stands for a connection's whole future when it is the first line: an HTTP request, say,
 * whose later lines somebody else may have written, is not read on. */
static void
refuse_line(struct conn *c, const struct err *err)
{
	send_error(c, (struct span){0}, CODE_BAD_JSON, err);
	if (c->state == CONN_FIRST)
		conn_finish(c);
}

static void
dispatch_json(struct conn *c, struct span line)
{
	AUTO(strbuf_fini) struct strbuf id = {0};
	struct request r = {.c = c, .arrived_usec = clock_mono()};
	struct err err = {0};
	int parsed = msg_parse(line, &r.msg, &err), has_id = parsed < 0 ? 0 : read_id(r.msg, &id);

	r.id = strbuf_view(&id);
	if (!c->principal) {
		deny(c, r.id);
	} else if (parsed < 0) {
		refuse_line(c, &err);
	} else if (has_id < 0) {
		(void)err_set(&err, -EINVAL, "\"id\" must be a whole number or a string");
		send_error(c, (struct span){0}, CODE_BAD_REQUEST, &err);
	} else {
		dispatch_op(&r);
	}
	msg_free(r.msg);
}

/* For people at nc. */
static void
put_plain_help(const struct server *s, struct strbuf *out)
{
	(void)strbuf_puts(out,
		"trawld " TRAWL_VERSION ", trawl/1: one JSON object a line, for example\n"
		"  {\"id\":1,\"op\":\"search\",\"q\":\"ext:c init\",\"limit\":10}\n");
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (op_is_there(s, &ops[i]))
			(void)strbuf_printf(out, "  %-8s %s\n", ops[i].name, ops[i].about);
	(void)strbuf_puts(out, "plain words: ping, help, quit\n");
}

/* true when the line was one of the plain words. */
static bool
dispatch_word(struct conn *c, struct span word)
{
	struct strbuf *out = &c->server->scratch;

	if (span_eq(word, SPAN_LIT("ping")))
		(void)strbuf_puts(out, "pong\n");
	else if (span_eq(word, SPAN_LIT("help")))
		put_plain_help(c->server, out);
	else if (span_eq(word, SPAN_LIT("quit")))
		conn_finish(c);
	else
		return false;
	send_scratch(c);
	return true;
}

/* Pipelined pings cost half when no tree is built for them (0.5 against 1.1 us). Exactly
 * one spelling is known here, {"id":N,"op":"ping"}; any other takes the long way to the same
 * answer.
 */
static bool
dispatch_ping(struct conn *c, struct span line)
{
	static const struct span head = SPAN_LIT("{\"id\":"), tail = SPAN_LIT(",\"op\":\"ping\"}");
	struct span id = {line.data + head.len, line.len - head.len - tail.len};

	if (!c->principal || line.len <= head.len + tail.len || id.len > 15 ||
		!span_starts(line, head) || !span_ends(line, tail))
		return false;
	if (id.data[0] == '0' && id.len > 1)
		return false; /* not a number in JSON */
	for (size_t i = 0; i < id.len; i++)
		if (id.data[i] < '0' || id.data[i] > '9')
			return false;
	answer_end(&c->server->scratch, id, 0);
	send_scratch(c);
	return true;
}

void
dispatch_line(struct conn *c, struct span line)
{
	struct span text = span_trim(line);
	struct err err = {0};

	if (text.len == 0)
		return;
	counter_add(&c->server->counters.n_requests, 1);
	if (dispatch_ping(c, text))
		return;
	if (text.data[0] == '{') {
		dispatch_json(c, text);
	} else if (!c->principal) {
		deny(c, (struct span){0});
	} else if (!dispatch_word(c, text)) {
		(void)err_set(&err, -EPROTO, "a request is one JSON object in one line");
		(void)err_hint(&err, "{\"id\":1,\"op\":\"help\"} or the word help lists the ops");
		refuse_line(c, &err);
	}
}

void
dispatch_denied(struct conn *c)
{
	deny(c, (struct span){0});
}

void
dispatch_overlong(struct conn *c)
{
	struct err err = {0};

	(void)err_set(&err, -EOVERFLOW, "the request is longer than %zu bytes", c->in.max_bytes);
	if (c->in.max_bytes == c->server->limits.line_bytes) /* else of one who may not ask */
		(void)err_hint(&err,
			"give fewer or shorter patterns and paths, or raise line in [limits] "
			"of trawld.conf");
	send_error(c, (struct span){0}, CODE_LIMIT, &err);
	conn_finish(c);
}
