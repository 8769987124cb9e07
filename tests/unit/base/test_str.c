#include "test.h"

#include <errno.h>

#include "base/str.h"

TEST(str, spans_compare_as_bytes_and_a_prefix_comes_first)
{
	CHECK(span_cmp(span_of("ab"), span_of("abc")) < 0);
	CHECK(span_cmp(span_of("b"), span_of("abc")) > 0);
	CHECK(span_cmp((struct span){"a\0b", 3}, (struct span){"a\0c", 3}) < 0);
	CHECK(span_cmp(span_of("\xff"), span_of("a")) > 0);
	CHECK_INT(span_cmp(span_of(""), span_of(NULL)), 0);
	CHECK(!span_eq(span_of("a"), span_of("b")));
	CHECK(span_starts(span_of("src/main.c"), SPAN_LIT("src/")));
	CHECK(!span_starts(span_of("sr"), SPAN_LIT("src/")));
	CHECK(span_ends(span_of("main.c"), SPAN_LIT(".c")));
	CHECK(!span_ends(span_of("c"), SPAN_LIT(".c")));
}

TEST(str, trim_takes_white_space_of_both_ends_only)
{
	CHECK(span_eq(span_trim(span_of(" \t a b\r\n")), SPAN_LIT("a b")));
	CHECK_INT(span_trim(span_of(" \n ")).len, 0);
}

TEST(str, a_buffer_grows_and_is_always_terminated)
{
	struct strbuf b = {0};
	char *taken;

	for (int i = 0; i < 1000; i++) {
		CHECK_INT(strbuf_printf(&b, "%03d,", i), 0);
		CHECK_INT(strlen(b.data), b.len);
	}
	CHECK_INT(b.len, 4000);
	CHECK(memcmp(b.data + 3996, "999,", 5) == 0);
	strbuf_truncate(&b, 3);
	CHECK_STR(b.data, "000");
	taken = strbuf_take(&b);
	CHECK_STR(taken, "000");
	CHECK(b.data == NULL && b.len == 0);
	free(taken);
}

TEST(str, taking_an_empty_buffer_gives_an_empty_string)
{
	struct strbuf b = {0};
	char *taken = strbuf_take(&b);

	CHECK_STR(taken, "");
	free(taken);
}

TEST(str, numbers_are_written_to_their_limits)
{
	struct strbuf b = {0};

	CHECK_INT(strbuf_u64(&b, 0), 0);
	CHECK_INT(strbuf_putc(&b, ' '), 0);
	CHECK_INT(strbuf_u64(&b, UINT64_MAX), 0);
	CHECK_INT(strbuf_putc(&b, ' '), 0);
	CHECK_INT(strbuf_i64(&b, INT64_MIN), 0);
	CHECK_STR(b.data, "0 18446744073709551615 -9223372036854775808");
	strbuf_fini(&b);
}

TEST(str, a_failed_append_stays_failed_until_reset)
{
	struct strbuf b = {0};

	CHECK_INT(strbuf_puts(&b, "kept"), 0);
	CHECK_INT(strbuf_reserve(&b, SIZE_MAX), -ENOMEM);
	CHECK_INT(strbuf_puts(&b, "lost"), -ENOMEM);
	CHECK_STR(b.data, "kept");
	CHECK(strbuf_take(&b) == NULL);
	CHECK_INT(strbuf_puts(&b, "again"), 0);
	strbuf_fini(&b);
}

TEST(str, only_well_formed_utf8_is_accepted)
{
	static const struct {
		const char *bytes;
		size_t step;
	} cases[] = {
		{"a", 1}, {"\xc3\xa9", 2}, {"\xe2\x82\xac", 3}, {"\xf0\x9f\x98\x80", 4},
		{"\xf4\x8f\xbf\xbf", 4}, {"\x80", 0}, /* a continuation alone */
		{"\xc0\xaf", 0},                      /* overlong '/' */
		{"\xc1\xbf", 0},                      /* overlong */
		{"\xe0\x9f\xbf", 0},                  /* overlong */
		{"\xf0\x8f\xbf\xbf", 0},              /* overlong */
		{"\xed\xa0\x80", 0},                  /* surrogate */
		{"\xf4\x90\x80\x80", 0},              /* past U+10FFFF */
		{"\xf5\x80\x80\x80", 0},              /* past U+10FFFF */
		{"\xe2\x82", 0},                      /* cut off */
		{"\xc3(", 0},                         /* no continuation */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].bytes);

		CHECK_INT(utf8_step(cases[i].bytes, len), cases[i].step);
		CHECK_INT(utf8_valid(cases[i].bytes, len), cases[i].step == len);
	}
	CHECK_INT(utf8_step("", 0), 0);
	CHECK(utf8_valid("", 0));
}

TEST(str, a_bad_byte_is_found_behind_eight_good_ones)
{
	for (size_t at = 0; at < 20; at++) {
		char text[21] = "abcdefghijklmnopqrst";

		CHECK(utf8_valid(text, 20));
		text[at] = (char)0xff;
		CHECK(!utf8_valid(text, 20));
	}
}

TEST(str, whole_numbers_parse_to_the_last_digit)
{
	uint64_t v = 7;

	CHECK_INT(parse_u64(span_of("18446744073709551615"), &v), 0);
	CHECK(v == UINT64_MAX);
	CHECK_INT(parse_u64(span_of("18446744073709551616"), &v), -ERANGE);
	CHECK_INT(parse_u64(span_of(""), &v), -EINVAL);
	CHECK_INT(parse_u64(span_of("12 "), &v), -EINVAL);
	CHECK_INT(parse_u64(span_of("+1"), &v), -EINVAL);
	CHECK(v == UINT64_MAX);
}

TEST(str, sizes_take_suffixes_and_fractions)
{
	static const struct {
		const char *text;
		int r;
		uint64_t v;
	} cases[] = {
		{"0", 0, 0},
		{"10k", 0, 10240},
		{"10K", 0, 10240},
		{"10kb", 0, 10240},
		{"10KiB", 0, 10240},
		{"17b", 0, 17},
		{"1.5g", 0, 1610612736},
		{"2p", 0, 2ull << 50},
		{"1.5", -EINVAL, 0},
		{"1.k", -EINVAL, 0},
		{"k", -EINVAL, 0},
		{"1x", -EINVAL, 0},
		{"1kx", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"16384p", -ERANGE, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t v = 0;

		CHECK_INT(parse_size(span_of(cases[i].text), &v), cases[i].r);
		CHECK_INT(v, cases[i].v);
	}
}

TEST(str, booleans_are_words_in_any_case)
{
	bool v = false;

	CHECK(parse_bool(span_of("Yes"), &v) == 0 && v);
	CHECK(parse_bool(span_of("OFF"), &v) == 0 && !v);
	CHECK(parse_bool(span_of("1"), &v) == 0 && v);
	CHECK_INT(parse_bool(span_of("y"), &v), -EINVAL);
	CHECK_INT(parse_bool(span_of(""), &v), -EINVAL);
}
