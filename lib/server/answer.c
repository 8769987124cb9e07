#include "server/answer.h"

#include <errno.h>

const char *
answer_code_word(enum answer_code code)
{
	switch (code) {
	case CODE_BAD_JSON:
		return "bad-json";
	case CODE_BAD_REQUEST:
		return "bad-request";
	case CODE_UNKNOWN_OP:
		return "unknown-op";
	case CODE_BAD_QUERY:
		return "bad-query";
	case CODE_BAD_PATTERN:
		return "bad-pattern";
	case CODE_BAD_CONFIG:
		return "bad-config";
	case CODE_DENIED:
		return "denied";
	case CODE_NOT_FOUND:
		return "not-found";
	case CODE_LIMIT:
		return "limit";
	case CODE_TIMEOUT:
		return "timeout";
	case CODE_CANCELED:
		return "canceled";
	case CODE_PAGE_EXPIRED:
		return "page-expired";
	case CODE_PATTERN_LIMIT:
		return "pattern-limit";
	case CODE_IO:
		return "io";
	case CODE_INTERNAL:
		return "internal";
	case CODE_BUSY:
		return "busy";
	case CODE_STOPPING:
		return "stopping";
	}
	return "internal";
}

enum answer_code
answer_code_of(int error)
{
	switch (error) {
	case -EINVAL:
		return CODE_BAD_REQUEST;
	case -ENOENT:
	case -ENOTDIR:
		return CODE_NOT_FOUND;
	case -EACCES:
	case -EPERM:
		return CODE_DENIED;
	case -ETIMEDOUT:
		return CODE_TIMEOUT;
	case -ECANCELED:
		return CODE_CANCELED;
	case -EOVERFLOW:
		return CODE_PATTERN_LIMIT;
	case -EIO:
	case -EBADMSG:
	case -ESTALE:
		return CODE_IO;
	case -EBUSY:
	case -EAGAIN:
		return CODE_BUSY;
	default:
		return CODE_INTERNAL;
	}
}

struct json
answer_open(struct strbuf *out, struct span id, const char *event)
{
	struct json j = json_to(out);

	json_open(&j, '{');
	json_key(&j, "id");
	json_raw(&j, id.len > 0 ? id : SPAN_LIT("null"));
	json_kv_cstr(&j, "ev", event);
	return j;
}

void
answer_close(struct json *j)
{
	json_close(j, '}');
	(void)strbuf_putc(j->out, '\n');
}

/* A sentence is a plain string for every client, though what it quotes may be no UTF-8 or have been
 * cut within a character. */
static void
put_sentence(struct json *j, const char *key, const char *text)
{
	AUTO(strbuf_fini) struct strbuf clean = {0};
	struct span s = span_of(text);

	for (size_t i = 0, n; i < s.len; i += MAX(n, 1u)) {
		n = utf8_step(s.data + i, s.len - i);
		(void)(n > 0 ? strbuf_add(&clean, s.data + i, n) : strbuf_putc(&clean, '?'));
	}
	json_kv_str(j, key, strbuf_view(&clean));
}

void
answer_error(struct strbuf *out, struct span id, enum answer_code code, const struct err *err)
{
	struct json j = answer_open(out, id, "error");

	json_kv_cstr(&j, "code", answer_code_word(code));
	put_sentence(&j, "msg", err->what[0] ? err->what : err_reason(err->code));
	if (err->pos > 0)
		json_kv_u64(&j, "pos", err->pos);
	if (err->hint[0])
		put_sentence(&j, "hint", err->hint);
	answer_close(&j);
}

void
answer_end(struct strbuf *out, struct span id, usec_t took_usec)
{
	struct json j = answer_open(out, id, "end");

	json_kv_u64(&j, "took_us", took_usec);
	answer_close(&j);
}
