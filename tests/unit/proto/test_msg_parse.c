#include "test.h"

#include <errno.h>
#include <jansson.h>

#include "proto/msg.h"

/* jansson reads the same texts: who takes what, and what becomes of it. */

static void check_same(const char *text, const struct msg_val *v, const json_t *j);

static void
check_same_object(const char *text, const struct msg_val *v, const json_t *j)
{
	const char *key;
	size_t n = 0;

	for (; msg_member(v, n, &key); n++)
		check_same(text, msg_member(v, n, &key), json_object_get(j, key));
	CHECK_SAY(n == json_object_size(j), "%s: %zu members", text, n);
}

static void
check_same_array(const char *text, const struct msg_val *v, const json_t *j)
{
	CHECK_SAY(msg_len(v) == json_array_size(j), "%s: %zu values", text, msg_len(v));
	for (size_t i = 0; i < msg_len(v); i++)
		check_same(text, msg_at(v, i), json_array_get(j, i));
}

static void
check_same_string(const char *text, const struct msg_val *v, const json_t *j)
{
	struct strbuf scratch = {0};
	struct span s;

	CHECK_INT(msg_text(v, &scratch, &s), 1);
	CHECK_SAY(
		span_eq(s, (struct span){json_string_value(j), json_string_length(j)}), "%s", text);
}

static void
check_same(const char *text, const struct msg_val *v, const json_t *j)
{
	static const enum msg_kind kinds[] = {[JSON_OBJECT] = MSG_OBJECT,
		[JSON_ARRAY] = MSG_ARRAY,
		[JSON_STRING] = MSG_STRING,
		[JSON_INTEGER] = MSG_INT,
		[JSON_REAL] = MSG_REAL,
		[JSON_TRUE] = MSG_BOOL,
		[JSON_FALSE] = MSG_BOOL,
		[JSON_NULL] = MSG_NULL};
	int64_t whole;
	double real;

	CHECK_SAY(j && msg_kind(v) == kinds[json_typeof(j)], "%s: another kind", text);
	switch (msg_kind(v)) {
	case MSG_OBJECT:
		check_same_object(text, v, j);
		break;
	case MSG_ARRAY:
		check_same_array(text, v, j);
		break;
	case MSG_STRING:
		check_same_string(text, v, j);
		break;
	case MSG_INT:
		CHECK_INT(msg_number(v, &whole), 1);
		CHECK_SAY(whole == json_integer_value(j), "%s", text);
		break;
	case MSG_REAL:
		CHECK_INT(msg_real(v, &real), 1);
		CHECK_SAY(real == json_real_value(j), "%s", text);
		break;
	case MSG_BOOL:
	case MSG_NULL:
		break;
	}
}

/* Is it a frame? */
static bool
compare(struct span text)
{
	json_t *j = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	struct msg *m = NULL;
	struct err err = {0};
	int r = msg_parse(text, &m, &err);
	bool is = json_is_object(j);

	CHECK_SAY(r == (is ? 0 : -EPROTO), "%.*s: %d %s", (int)text.len, text.data, r, err.what);
	if (is)
		check_same(text.data, msg_root(m), j);
	else
		CHECK(err.what[0] && err.pos <= text.len + 1);
	msg_free(m);
	json_decref(j);
	return is;
}

static const char *const frames[] = {
	"{\"id\":1,\"op\":\"search\",\"q\":\"ext:c "
	"foo\",\"fields\":[\"path\",\"size\"],\"limit\":10}",
	"{\"a\":-0,\"b\":-9223372036854775808,\"c\":9223372036854775807,\"d\":[],\"e\":{}}",
	"{\"a\":0.5,\"b\":-1e-3,\"c\":1E+300,\"d\":12345678901234567890.0,\"e\":4.9e-324}",
	" { \"a\" : [ true , false , null , [ [ ] , { \"\" : { } } ] ] ,\t\"\\n\" :\r\n\"\\\\\" } ",
	"{\"s\":\"\\u00e9\\ud83d\\ude00\\u0000\\\"\\/"
	"\\b\\f\\n\\r\\t\",\"\\u0061\":\"\xc3\xa9\xf0\x9f\x98\x80\"}",
	"{\"rows\":[[\"/a/b\",12,3,\"\\tint x; // long enough to be read by "
	"eights\",null],[null,13]]}",
};

TEST(msg_parse, well_formed_frames_are_what_jansson_makes_of_them)
{
	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		CHECK_SAY(compare(span_of(frames[i])), "%s", frames[i]);
}

static uint32_t
roll(uint64_t *seed, size_t sides)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)((*seed >> 16) % sides);
}

/* Some bytes of a frame put, taken or changed; it lies in memory of its own size, so that a
 * sanitizer sees who reads on. */
static struct span
spoil(uint64_t *seed, struct strbuf *scratch)
{
	static const char bytes[] =
		"{}[]\",:\\/ubntrdD8aAeE+-.0123456789 \t\n\1\x7f\x80\xc3\xa9\xed\xa0\xff";
	char *own;

	strbuf_reset(scratch);
	(void)strbuf_puts(scratch, frames[roll(seed, ARRAY_LEN(frames))]);
	for (uint32_t n = 1 + roll(seed, 3); n > 0 && scratch->len > 0; n--) {
		size_t at = roll(seed, scratch->len);
		char c = bytes[roll(seed, sizeof(bytes) - 1)]; /* a NUL is passed over by jansson */
		size_t rest = scratch->len - at;

		switch (roll(seed, 3)) {
		case 0:
			scratch->data[at] = c;
			break;
		case 1:
			memmove(scratch->data + at, scratch->data + at + 1, rest - 1);
			strbuf_truncate(scratch, scratch->len - 1);
			break;
		default:
			(void)strbuf_putc(scratch, ' ');
			memmove(scratch->data + at + 1, scratch->data + at, rest);
			scratch->data[at] = c;
		}
	}
	own = malloc(MAX(scratch->len, (size_t)1));
	CHECK(own != NULL);
	memcpy(own, scratch->data, scratch->len);
	return (struct span){own, scratch->len};
}

TEST(msg_parse, spoilt_frames_are_taken_and_refused_as_jansson_does)
{
	unsigned long n = test_scale(5000000), n_taken = 0;
	struct strbuf scratch = {0};
	uint64_t seed = 20;

	for (unsigned long i = 0; i < n; i++) {
		struct span text = spoil(&seed, &scratch);

		n_taken += compare(text);
		free((void *)(uintptr_t)text.data);
	}
	CHECK(n_taken > n / 100 && n_taken < n - n / 100);
	strbuf_fini(&scratch);
}

TEST(msg_parse, errors_point_at_what_is_wrong)
{
	static const struct {
		const char *text, *what;
		uint32_t pos;
	} rows[] = {
		{"{\"a\":1", "it ends too early", 7},
		{"{\"a\":1}}", "something follows the object", 8},
		{"{\"a\":01}", "a value was expected", 6},
		{"{\"a\" 1}", "a colon was expected", 6},
		{"{\"a\":1 \"b\":2}", "a comma or a closing bracket was expected", 8},
		{"{\"a\":[1,]}", "a value was expected", 9},
		{"{a:1}", "a name in quotes was expected", 2},
		{"{\"a\":1,\"a\":2}", "a name that was there before", 8},
		{"{\"a\":\"\t\"}", "a control character in a string", 7},
		{"{\"a\":\"\\x\"}", "an escape that JSON does not have", 7},
		{"{\"a\":\"\\ud800\"}", "half of a surrogate pair", 7},
		{"{\"a\":99999999999999999999}", "a number that does not fit in 64 bits", 6},
		{"{\"a\":9223372036854775808}", "a number that does not fit in 64 bits", 6},
		{"{\"a\":1e999}", "a number that is too large", 6},
		{"{\"a\":\"\xff\"}", "it is not UTF-8", 7},
	};
	static const char nul[] = "{\"a\":1\0}";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct msg *m = NULL;
		struct err err = {0};

		CHECK_INT(msg_parse(span_of(rows[i].text), &m, &err), -EPROTO);
		CHECK_SAY(strstr(err.what, rows[i].what), "%s: %s", rows[i].text, err.what);
		CHECK_INT(err.pos, rows[i].pos);
	}
	CHECK_INT(msg_parse((struct span){nul, sizeof(nul) - 1}, &(struct msg *){NULL}, NULL),
		-EPROTO);
}

TEST(msg_parse, members_are_limited)
{
	struct strbuf text = {0};
	struct msg *m = NULL;
	struct err err = {0};
	const char *key;

	(void)strbuf_putc(&text, '{');
	for (unsigned i = 0; i < 256; i++)
		(void)strbuf_printf(&text, "%s\"%u\":%u", i ? "," : "", i, i);
	(void)strbuf_putc(&text, '}');
	CHECK_INT(msg_parse(strbuf_view(&text), &m, &err), 0);
	CHECK(msg_member(msg_root(m), 255, &key) && strcmp(key, "255") == 0);
	CHECK(!msg_member(msg_root(m), 256, &key));
	msg_free(m);
	strbuf_truncate(&text, text.len - 1);
	(void)strbuf_puts(&text, ",\"256\":1}");
	CHECK_INT(msg_parse(strbuf_view(&text), &m, &err), -EPROTO);
	strbuf_fini(&text);
}
