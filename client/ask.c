#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "out.h"

/* The daemon ends a query after a minute unless it is configured otherwise; a daemon that says
 * nothing for much longer is taken for dead. */
#define SILENCE_USEC (180 * USEC_PER_SEC)
/* Beyond its own time limit the daemon gets this long to say that it was reached. */
#define GRACE_USEC (5 * USEC_PER_SEC)

/* How long --sync waits for the index to catch up. */
#define SYNC_MSEC 2000u

/* A person ends a question with ^C; until then the daemon may take all the time that it gives to
 * anybody (it cuts this to its own limit). */
#define PATIENCE_MSEC (24ull * 3600 * 1000)

static const struct {
	const char *code;
	enum exit_code exit;
} error_exits[] = {
	{"denied", EXIT_DENIED},            /* not root, not the daemon's user, not in allow = */
	{"not-found", EXIT_NOTHING},        /* stat and why of something that is not there */
	{"timeout", EXIT_INCOMPLETE},       /* what came before it was printed */
	{"pattern-limit", EXIT_INCOMPLETE}, /* */
	{"canceled", EXIT_INCOMPLETE},      /* */
	{"io", EXIT_INCOMPLETE},            /* a segment could not be read */
	{"internal", EXIT_INCOMPLETE},      /* out of memory, say */
	{"busy", EXIT_UNREACHABLE},         /* too many connections */
	{"stopping", EXIT_UNREACHABLE},     /* the daemon is going away */
};

void
msg_freep(struct msg **m)
{
	msg_free(*m);
}

void
question_begin(struct question *q, const char *op, const struct common *c)
{
	*q = (struct question){0};
	q->json = json_to(&q->line);
	json_open(&q->json, '{');
	json_kv_u64(&q->json, "id", 1);
	json_kv_cstr(&q->json, "op", op);
	if (c->timeout_usec)
		json_kv_u64(&q->json, "timeout_ms", MAX(c->timeout_usec / USEC_PER_MSEC, 1ull));
	if (c->sync)
		json_kv_u64(&q->json, "sync_ms", SYNC_MSEC);
}

void
question_patient(struct question *q, const struct common *c)
{
	if (!c->timeout_usec)
		json_kv_u64(&q->json, "timeout_ms", PATIENCE_MSEC);
}

void
question_fini(struct question *q)
{
	strbuf_fini(&q->line);
}

int
ask_open(struct wire *w, const struct common *c)
{
	struct err err = {0};

	*w = (struct wire){0};
	if (wire_open(w, c->address, &err) >= 0)
		return EXIT_FOUND;
	complain("%s", err.what);
	return err.code == -EINVAL ? EXIT_USAGE : EXIT_UNREACHABLE;
}

/* The text with a caret below the byte at the 1-based column `pos`. A text that is longer than a
 * line of a terminal is cut around it. */
static void
show_column(const char *text, uint64_t pos)
{
	AUTO(strbuf_fini) struct strbuf line = {0}, before = {0};
	size_t len = strlen(text), at = MIN((size_t)pos - 1, len), from = at > 60 ? at - 60 : 0;
	size_t columns = 0;

	while (from && (text[from] & 0xc0) == 0x80)
		from--;
	escape_into(&before, (struct span){text + from, at - from}, "");
	escape_into(&line, (struct span){text + from, MIN(len - from, (size_t)140)}, "");
	for (size_t i = 0; i < before.len; i++)
		columns += (before.data[i] & 0xc0) != 0x80;
	(void)fprintf(stderr, "    %s%s\n", from ? "..." : "", line.data ? line.data : "");
	(void)fprintf(stderr, "    %*s^\n", (int)(columns + (from ? 3 : 0)), "");
}

static const char *
text_or(const struct msg_val *v, const char *key, struct strbuf *scratch, const char *otherwise)
{
	struct span s;

	if (msg_str(v, key, &s) <= 0)
		return otherwise;
	strbuf_reset(scratch);
	escape_into(scratch, s, "");
	return scratch->data ? scratch->data : "";
}

/* The pattern in which the place is, which becomes a place in that pattern alone. */
static const char *
pattern_at(const struct texts *patterns, uint64_t *pos)
{
	for (size_t i = 0; patterns && i < patterns->len; i++) {
		size_t len = strlen(patterns->data[i]) + 1;

		if (*pos <= len || i + 1 == patterns->len)
			return patterns->data[i];
		*pos -= len;
	}
	return NULL;
}

static int
say_error(const struct question *q, const struct msg_val *event)
{
	AUTO(strbuf_fini) struct strbuf code = {0}, what = {0}, hint = {0};
	const char *code_text = text_or(event, "code", &code, "error");
	const char *hint_text = text_or(event, "hint", &hint, "");
	const char *shown = strcmp(code_text, "bad-query") == 0 ? q->query : NULL;
	uint64_t pos = 0;

	complain("%s", text_or(event, "msg", &what, code_text));
	(void)msg_u64(event, "pos", &pos);
	if (pos > 0 && strcmp(code_text, "bad-pattern") == 0)
		shown = pattern_at(q->patterns, &pos);
	if (shown && pos > 0)
		show_column(shown, pos);
	if (*hint_text)
		(void)fprintf(stderr, "    hint: %s\n", hint_text);
	for (size_t i = 0; i < ARRAY_LEN(error_exits); i++)
		if (strcmp(error_exits[i].code, code_text) == 0)
			return error_exits[i].exit;
	return EXIT_USAGE;
}

static bool
event_is(const struct msg *m, const char *name)
{
	struct span ev;

	return msg_str(msg_root(m), "ev", &ev) > 0 && span_eq(ev, span_of(name));
}

/* An answer that was to have everything in it and has not. */
static void
report_late(const struct msg_val *end)
{
	bool synced = true;

	if (msg_bool(end, "synced", &synced) > 0 && !synced)
		complain("the index did not catch up within %u s: what has just changed may be "
			 "missing",
			SYNC_MSEC / 1000);
}

static int
say_lost(const struct err *err)
{
	complain("%s", err->what);
	return EXIT_UNREACHABLE;
}

/* Until the end of the answer. */
static int
hear(struct wire *w, const struct question *q, usec_t silence, rows_fn fn, void *ctx,
	struct msg **ret)
{
	struct err err = {0};

	for (;;) {
		AUTO(msg_freep) struct msg *m = NULL;

		if (wire_next(w, silence, &m, &err) < 0)
			return say_lost(&err);
		if (event_is(m, "error"))
			return say_error(q, msg_root(m));
		if (event_is(m, "end")) {
			report_late(msg_root(m));
			*ret = TAKE_PTR(m);
			return EXIT_FOUND;
		}
		if (q->on_columns && event_is(m, "columns") &&
			q->on_columns(ctx, msg_get(msg_root(m), "columns")) < 0)
			return EXIT_USAGE;
		if (q->on_event && !event_is(m, "rows") && q->on_event(ctx, msg_root(m)) < 0)
			return EXIT_USAGE;
		if (fn && event_is(m, "rows") && fn(ctx, msg_get(msg_root(m), "rows")) < 0)
			return EXIT_USAGE;
	}
}

static bool
read_ahead(void *wire)
{
	return wire_read_ahead(wire);
}

int
ask(struct wire *w, struct question *q, const struct common *c, rows_fn fn, void *ctx,
	struct msg **ret)
{
	usec_t silence = c->timeout_usec ? c->timeout_usec + GRACE_USEC : SILENCE_USEC;
	struct err err = {0};
	int exit_code;

	json_close(&q->json, '}');
	if (wire_send(w, &q->line, &err) < 0)
		return say_lost(&err);
	if (q->endless)
		return hear(w, q, USEC_NEVER, fn, ctx, ret);
	/* Somebody reads what we print with a pager; an answer waits for him here, where its end
	 * can be told, not in the daemon. */
	out_meanwhile(w->fd, read_ahead, w);
	exit_code = hear(w, q, silence, fn, ctx, ret);
	out_meanwhile(-1, NULL, NULL);
	return exit_code;
}

int
ask_once(struct question *q, const struct common *c, rows_fn fn, void *ctx, struct msg **ret)
{
	AUTO(wire_close) struct wire w;
	int exit_code = ask_open(&w, c);

	return exit_code ? exit_code : ask(&w, q, c, fn, ctx, ret);
}

/* Without ".", ".." and doubled slashes, by the text alone. */
static int
tidy_path(struct span path, struct strbuf *out)
{
	size_t start = out->len;

	for (size_t i = 0; i < path.len;) {
		const char *at = path.data + i;
		const char *slash = memchr(at, '/', path.len - i);
		struct span part = {at, slash ? (size_t)(slash - at) : path.len - i};

		i += part.len + 1;
		if (part.len == 0 || span_eq(part, SPAN_LIT(".")))
			continue;
		if (span_eq(part, SPAN_LIT(".."))) {
			while (out->len > start && out->data[--out->len] != '/')
				;
			strbuf_truncate(out, out->len);
			continue;
		}
		(void)strbuf_putc(out, '/');
		(void)strbuf_span(out, part);
	}
	if (out->len == start)
		(void)strbuf_putc(out, '/');
	return out->failed ? -ENOMEM : 0;
}

/* The directory part resolved, the last name as it is: a symbolic link is an entry of its own. */
static int
resolve_parent(const char *path, const char *slash, struct strbuf *out)
{
	AUTO(strbuf_fini) struct strbuf parent = {0};
	AUTO(freep) char *real = NULL;

	if (slash)
		(void)strbuf_add(&parent, path, (size_t)(slash - path) + 1);
	else
		(void)strbuf_putc(&parent, '.');
	if (parent.failed)
		return -ENOMEM;
	real = realpath(parent.data, NULL);
	if (!real)
		return -errno;
	(void)strbuf_puts(out, strcmp(real, "/") == 0 ? "" : real);
	(void)strbuf_putc(out, '/');
	return strbuf_puts(out, slash ? slash + 1 : path);
}

int
directory_path(const char *path, struct strbuf *out)
{
	AUTO(freep) char *real = realpath(path, NULL);

	return real ? strbuf_puts(out, real) : absolute_path(path, out);
}

int
absolute_path(const char *path, struct strbuf *out)
{
	AUTO(strbuf_fini) struct strbuf joined = {0};
	AUTO(freep) char *cwd = NULL, *copy = strdup(path);
	size_t len = strlen(path);
	const char *slash, *name;

	if (!copy)
		return -ENOMEM;
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		resolve_parent(copy, slash, out) == 0)
		return 0;
	if (*copy != '/') {
		cwd = getcwd(NULL, 0);
		(void)strbuf_printf(&joined, "%s/", cwd ? cwd : "");
	}
	(void)strbuf_puts(&joined, copy);
	return joined.failed ? -ENOMEM : tidy_path(strbuf_view(&joined), out);
}
