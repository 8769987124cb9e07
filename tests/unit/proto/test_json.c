#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "proto/json.h"
#include "proto/msg.h"

static void
check_str(struct span in, const char *expected)
{
	struct strbuf out = {0};
	struct json j = json_to(&out);

	json_str(&j, in);
	CHECK(!out.failed);
	CHECK_STR(out.data, expected);
	strbuf_fini(&out);
}

TEST(json, commas_are_put_between_members_and_elements_at_every_level)
{
	struct strbuf out = {0};
	struct json j = json_to(&out);

	json_open(&j, '{');
	json_kv_u64(&j, "a", UINT64_MAX);
	json_key(&j, "b");
	json_open(&j, '[');
	json_open(&j, '[');
	json_close(&j, ']');
	json_i64(&j, INT64_MIN);
	json_put_null(&j);
	json_bool(&j, true);
	json_close(&j, ']');
	json_key(&j, "c");
	json_open(&j, '{');
	json_close(&j, '}');
	json_kv_cstr(&j, "d", "x");
	json_key(&j, "e");
	json_raw(&j, SPAN_LIT("{\"r\":1}"));
	json_kv_bool(&j, "f", false);
	json_close(&j, '}');
	CHECK_STR(out.data, "{\"a\":18446744073709551615,\"b\":[[],-9223372036854775808,null,true],"
			    "\"c\":{},\"d\":\"x\",\"e\":{\"r\":1},\"f\":false}");
	strbuf_fini(&out);
}

TEST(json, every_control_byte_quote_and_backslash_is_escaped)
{
	check_str(SPAN_LIT(""), "\"\"");
	check_str(SPAN_LIT("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
	check_str(SPAN_LIT("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
	check_str(SPAN_LIT("\0\1\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\"");
	check_str(SPAN_LIT("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x9f"),
		"\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x9f\"");
}

TEST(json, a_byte_is_escaped_wherever_it_stands)
{
	for (unsigned c = 0; c < 128; c++) {
		for (size_t at = 0; at < 19; at++) {
			char in[20] = "abcdefghijklmnopqrs", alone[2] = {(char)c}, expected[64];
			struct strbuf one = {0};
			struct json j = json_to(&one);

			json_str(&j, (struct span){alone, 1});
			(void)snprintf(expected, sizeof(expected), "\"%.*s%.*s%s\"", (int)at, in,
				(int)one.len - 2, one.data + 1, in + at + 1);
			in[at] = (char)c;
			check_str((struct span){in, 19}, expected);
			strbuf_fini(&one);
		}
	}
}

static bool
span_is_ascii_text(const char *in, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)in[i] >= 0x80)
			return false;
	}
	return true;
}

/* What the copy calls plain is what json_str() writes as it is. */
static void
check_plain(const char *in, size_t len)
{
	char to[64 + JSON_SLACK];
	struct strbuf out = {0}, inside = {0};
	struct json j = json_to(&out);
	bool plain;

	json_str(&j, (struct span){in, len});
	plain = out.len == len + 2 && span_is_ascii_text(in, len);
	CHECK(json_copy_plain(to, (struct span){in, len}) == plain);
	CHECK(!plain || memcmp(to, in, len) == 0);
	json_escape(&inside, (struct span){in, len});
	CHECK(!utf8_valid(in, len) ||
		(out.len == inside.len + 2 && memcmp(out.data + 1, inside.data, inside.len) == 0));
	strbuf_fini(&out);
	strbuf_fini(&inside);
}

TEST(json, what_is_copied_as_it_stands_is_plain_at_every_length_and_place)
{
	for (unsigned c = 0; c < 256; c++) {
		for (size_t len = 1; len <= 35; len++) {
			char in[64 + JSON_SLACK];

			memset(in, 'x', len);
			memset(in + len, c % 2 ? '"' : 0, sizeof(in) - len);
			check_plain(in, len);
			in[len - 1] = (char)c;
			check_plain(in, len);
			in[len - 1] = 'x';
			in[len / 2] = (char)c;
			check_plain(in, len);
			in[len / 2] = 'x';
			in[0] = (char)c;
			check_plain(in, len);
		}
	}
}

TEST(json, bytes_that_are_not_utf8_travel_lossy_and_exact)
{
	check_str(SPAN_LIT("\xff"), "{\"s\":\"\xef\xbf\xbd\",\"b64\":\"/w==\"}");
	check_str(SPAN_LIT("a\n\xc3(\xed\xa0\x80"),
		"{\"s\":\"a\\n\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"b64\":"
		"\"YQrDKO2ggA==\"}");
}

TEST(json, what_is_written_is_read_back_byte_for_byte)
{
	unsigned state = 12345;

	for (unsigned n = 0; n < 2000; n++) {
		struct strbuf out = {0}, scratch = {0};
		struct json j = json_to(&out);
		struct msg *m = NULL;
		struct span back;
		char bytes[40];
		size_t len = n % sizeof(bytes);

		for (size_t i = 0; i < len; i++) {
			state = state * 1103515245u + 12345u;
			bytes[i] = (char)(n % 2 ? state >> 16 : (state >> 16) % 128);
		}
		json_open(&j, '{');
		json_kv_str(&j, "k", ((struct span){bytes, len}));
		json_close(&j, '}');
		CHECK_INT(msg_parse(strbuf_view(&out), &m, NULL), 0);
		CHECK_INT(msg_text(msg_get(msg_root(m), "k"), &scratch, &back), 1);
		CHECK(span_eq(back, (struct span){bytes, len}));
		msg_free(m);
		strbuf_fini(&out);
		strbuf_fini(&scratch);
	}
}

TEST(json, base64_refuses_what_it_would_not_write)
{
	static const char *bad[] = {"A", "AA", "AAA", "AB==", "AAB=", "A===", "====", "AA=A",
		"AA==AA==", "AA\n=", "A-_="};
	struct strbuf out = {0};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_INT(base64_decode(&out, span_of(bad[i])), -EINVAL);
		CHECK_INT(out.len, 0);
	}
	CHECK_INT(base64_decode(&out, SPAN_LIT("")), 0);
	CHECK_INT(base64_decode(&out, SPAN_LIT("AP8=")), 0);
	CHECK(span_eq(strbuf_view(&out), SPAN_LIT("\0\xff")));
	strbuf_fini(&out);
}

TEST(json, a_real_number_has_few_digits_and_comes_back_the_same)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = {
		{0, "0.0"},
		{3, "3.0"},
		{-1.5, "-1.5"},
		{0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1e300, "1e+300"},
		{1e300 * 1e300, "\"inf\""},
		{-1e300 * 1e300, "\"-inf\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf out = {0};
		struct json j = json_to(&out);
		struct msg *m = NULL;
		double back;

		json_open(&j, '{');
		json_key(&j, "k");
		json_double(&j, rows[i].v);
		json_close(&j, '}');
		CHECK(strstr(out.data, rows[i].text) == out.data + 5);
		CHECK_INT(out.len, strlen(rows[i].text) + 6);
		CHECK_INT(msg_parse(strbuf_view(&out), &m, NULL), 0);
		if (rows[i].text[0] != '"') {
			CHECK_INT(msg_real(msg_get(msg_root(m), "k"), &back), 1);
			CHECK(back == rows[i].v);
		}
		msg_free(m);
		strbuf_fini(&out);
	}
}
