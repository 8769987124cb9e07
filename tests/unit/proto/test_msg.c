#include "test.h"

#include <errno.h>

#include "proto/msg.h"

static struct msg *
parse(const char *text)
{
	struct msg *m = NULL;
	struct err err = {0};

	CHECK_SAY(msg_parse(span_of(text), &m, &err) == 0, "%s: %s", text, err.what);
	return m;
}

TEST(msg, values_are_got_by_type_and_absent_null_and_wrong_are_told_apart)
{
	struct msg *m =
		parse("{\"s\":\"x\\u0000y\",\"i\":-5,\"u\":7,\"b\":true,\"n\":null,\"r\":1.5}");
	const struct msg_val *root = msg_root(m);
	struct span s;
	uint64_t u;
	int64_t i;
	bool b;

	CHECK_INT(msg_str(root, "s", &s), 1);
	CHECK(span_eq(s, SPAN_LIT("x\0y")));
	CHECK_INT(msg_i64(root, "i", &i), 1);
	CHECK_INT(i, -5);
	CHECK_INT(msg_u64(root, "i", &u), -EINVAL);
	CHECK_INT(msg_u64(root, "u", &u), 1);
	CHECK_INT(u, 7);
	CHECK_INT(msg_bool(root, "b", &b), 1);
	CHECK(b);
	CHECK_INT(msg_bool(root, "u", &b), -EINVAL);
	CHECK_INT(msg_str(root, "n", &s), 0);
	CHECK_INT(msg_str(root, "nothing", &s), 0);
	CHECK_INT(msg_i64(root, "r", &i), -EINVAL);
	CHECK_INT(msg_kind(msg_get(root, "r")), MSG_REAL);
	CHECK_INT(msg_kind(NULL), MSG_NULL);
	msg_free(m);
	msg_free(NULL);
}

TEST(msg, arrays_and_members_are_walked)
{
	struct msg *m =
		parse("{\"rows\":[[\"p\",\"123\"],[{\"s\":\"?\",\"b64\":\"/w==\"},-9]],\"z\":{}}");
	const struct msg_val *rows = msg_get(msg_root(m), "rows"), *row;
	struct strbuf scratch = {0};
	const char *key;
	struct span s;
	int64_t n;

	CHECK_INT(msg_len(rows), 2);
	CHECK(msg_at(rows, 2) == NULL);
	row = msg_at(rows, 0);
	CHECK_INT(msg_text(msg_at(row, 0), &scratch, &s), 1);
	CHECK(span_eq(s, SPAN_LIT("p")));
	CHECK_INT(msg_number(msg_at(row, 1), &n), 1);
	CHECK_INT(n, 123);
	row = msg_at(rows, 1);
	CHECK_INT(msg_text(msg_at(row, 0), &scratch, &s), 1);
	CHECK(span_eq(s, SPAN_LIT("\xff")));
	CHECK_INT(msg_number(msg_at(row, 1), &n), 1);
	CHECK_INT(n, -9);
	CHECK_INT(msg_text(msg_at(row, 1), &scratch, &s), -EINVAL);
	CHECK_INT(msg_number(msg_at(row, 0), &n), -EINVAL);
	CHECK(msg_member(msg_root(m), 1, &key) == msg_get(msg_root(m), "z"));
	CHECK_STR(key, "z");
	CHECK(msg_member(msg_root(m), 2, &key) == NULL);
	CHECK_INT(msg_len(msg_root(m)), 0);
	strbuf_fini(&scratch);
	msg_free(m);
}

TEST(msg, what_is_no_object_is_refused_with_a_sentence_and_a_column)
{
	static const char *bad[] = {"", " ", "x", "1", "\"a\"", "[]", "{", "{\"a\":1", "{\"a\":1}}",
		"{\"a\":1}{", "{\"a\":01}", "{'a':1}", "{\"a\":\"\xff\"}", "{\"a\":1,\"a\":2}",
		"{\"a\":99999999999999999999}", "{\"a\":1e999}", "{\"a\\u0000\":1}", "nul"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct msg *m = NULL;
		struct err err = {0};

		CHECK_SAY(msg_parse(span_of(bad[i]), &m, &err) == -EPROTO, "%s", bad[i]);
		CHECK(m == NULL);
		CHECK(err.what[0] != '\0');
	}
}

TEST(msg, depth_is_limited_before_the_parser_sees_the_line)
{
	struct strbuf text = {0};
	struct msg *m = NULL;
	struct err err = {0};

	(void)strbuf_puts(&text, "{\"a\":\"[[[[[[[[[[[[[[[[[[[[\\\"[[[\",\"b\":");
	for (unsigned i = 1; i < MSG_MAX_DEPTH; i++)
		(void)strbuf_putc(&text, '[');
	for (unsigned i = 1; i < MSG_MAX_DEPTH; i++)
		(void)strbuf_putc(&text, ']');
	(void)strbuf_putc(&text, '}');
	CHECK_INT(msg_parse(strbuf_view(&text), &m, &err), 0);
	msg_free(m);

	strbuf_reset(&text);
	(void)strbuf_puts(&text, "{\"a\":");
	for (unsigned i = 0; i < 500000; i++)
		(void)strbuf_putc(&text, '[');
	CHECK_INT(msg_parse(strbuf_view(&text), &m, &err), -EPROTO);
	CHECK_INT(err.pos, 5 + MSG_MAX_DEPTH);
	strbuf_fini(&text);
}

TEST(msg, a_value_is_printed_back_in_one_line)
{
	struct msg *m = parse("{ \"id\" : \"a\\nb\", \"x\" : [ 1 , 2.5, null, {\"k\":false} ] }");
	struct strbuf out = {0};

	CHECK_INT(msg_print(msg_get(msg_root(m), "id"), &out), 0);
	CHECK_STR(out.data, "\"a\\nb\"");
	strbuf_reset(&out);
	CHECK_INT(msg_print(msg_root(m), &out), 0);
	CHECK_STR(out.data, "{\"id\":\"a\\nb\",\"x\":[1,2.5,null,{\"k\":false}]}");
	strbuf_reset(&out);
	CHECK_INT(msg_print(NULL, &out), 0);
	CHECK_STR(out.data, "null");
	strbuf_fini(&out);
	msg_free(m);
}
