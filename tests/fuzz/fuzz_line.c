/* Bytes of a connection: byte 0 says how long a line may be, byte 1 how much comes at once. */
#include "fuzz.h"

#include <errno.h>

#include "proto/line.h"
#include "proto/msg.h"

static void
ask_everything(const struct msg_val *v, unsigned depth)
{
	struct strbuf scratch = {0};
	const struct msg_val *member;
	const char *key;
	struct span s;
	uint64_t u;
	int64_t i;
	bool b;

	assert(depth <= MSG_MAX_DEPTH);
	(void)msg_text(v, &scratch, &s);
	(void)msg_number(v, &i);
	for (size_t n = 0; n < msg_len(v); n++)
		ask_everything(msg_at(v, n), depth + 1);
	for (size_t n = 0; (member = msg_member(v, n, &key)) != NULL; n++) {
		(void)msg_str(v, key, &s);
		(void)msg_u64(v, key, &u);
		(void)msg_i64(v, key, &i);
		(void)msg_bool(v, key, &b);
		ask_everything(member, depth + 1);
	}
	strbuf_fini(&scratch);
}

/* What was parsed can be written, and what was written can be parsed. */
static void
try_message(struct span line, bool again)
{
	struct strbuf out = {0};
	struct msg *m = NULL;
	struct err err;
	int r = msg_parse(line, &m, &err);

	assert(r == 0 || r == -EPROTO || r == -ENOMEM);
	if (r < 0) {
		assert(!again && err.what[0]);
		return;
	}
	ask_everything(msg_root(m), 0);
	assert(msg_print(msg_root(m), &out) == 0);
	assert(!memchr(out.data, '\n', out.len));
	if (!again)
		try_message(strbuf_view(&out), true);
	msg_free(m);
	strbuf_fini(&out);
}

static bool
take_lines(struct line_reader *l)
{
	struct span line;
	int r;

	while ((r = line_reader_next(l, &line)) == 1) {
		assert(line.len <= l->max_bytes);
		assert(line.len == 0 || !memchr(line.data, '\n', line.len));
		try_message(line, false);
	}
	return r == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_reader l;
	struct span line;
	size_t step;

	if (size < 2)
		return 0;
	line_reader_init(&l, 16 * ((size_t)data[0] + 1));
	step = data[1] + 1u;
	for (size_t at = 2; at < size; at += step) {
		size_t n = MIN(step, size - at);

		if (line_reader_feed(&l, data + at, n) < 0 || !take_lines(&l))
			break;
	}
	if (line_reader_rest(&l, &line) == 1)
		try_message(line, false);
	line_reader_fini(&l);
	return 0;
}
