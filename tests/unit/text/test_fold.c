#include "text/fold.h"

#include "test.h"
#include "text/codepoint.h"
#include <errno.h>

static void
check_folds(const char *text, const char *want)
{
	struct strbuf out = {0};

	CHECK_INT(fold_append(&out, span_of(text)), 0);
	CHECK_STR(out.data ? out.data : "", want);
	strbuf_fini(&out);
}

TEST(fold, maps_each_code_point_to_one)
{
	check_folds("Hello, WORLD_42", "hello, world_42");
	check_folds("ÀÉÎÕÜ ПРИВЕТ ΣΑΣ", "àéîõü привет σασ");
	check_folds("\u212a\u017f\u1e9e\u2126\u01c5", "ks\u00df\u03c9\u01c6");
	check_folds("\u023a\u0130\u0131ς", "\u2c65\u0130\u0131σ");
	check_folds("\u00df\ufb05\u1f88", "\u00df\ufb05\u1f80"); /* simple, not full folding */
}

TEST(fold, bytes_that_are_not_utf8_fold_to_themselves)
{
	check_folds("A\xc3"
		    "B\xff\xe2\x84"
		    "C",
		"a\xc3"
		"b\xff\xe2\x84"
		"c");
}

TEST(fold, is_idempotent_and_its_inverse_gives_every_partner)
{
	size_t n_pairs = 0;

	for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
		uint32_t to = fold_codepoint(cp), others[FOLD_MAX_OTHERS];
		size_t n = fold_others(to, others);
		bool found = false;

		if (to == cp)
			continue;
		n_pairs++;
		CHECK_INT(fold_codepoint(to), to);
		CHECK(n > 0);
		CHECK(n < FOLD_MAX_OTHERS); /* a full result could have been cut */
		for (size_t i = 0; i < n; i++)
			found = found || others[i] == cp;
		CHECK(found);
	}
	CHECK(n_pairs > 1300);
}

TEST(fold, a_capital_is_seen_in_any_alphabet)
{
	CHECK(!fold_has_upper(span_of("hello_42 é привет \u01c5 \xff")));
	CHECK(fold_has_upper(span_of("helLo")));
	CHECK(fold_has_upper(span_of("écolE")));
	CHECK(fold_has_upper(span_of("приВет")));
	CHECK(!fold_has_upper((struct span){0}));
}

/* ---- needles against a search that does the obvious ---- */

static size_t
naive_match(struct span needle, struct span text, size_t at, bool fold)
{
	size_t used = 0;

	for (size_t i = 0; i < needle.len;) {
		uint32_t want, cp;

		if (at + used >= text.len)
			return 0;
		if (!fold) {
			want = (unsigned char)needle.data[i++];
			cp = (unsigned char)text.data[at + used++];
		} else {
			i += codepoint_decode(needle.data + i, needle.len - i, &want);
			used += codepoint_decode(text.data + at + used, text.len - at - used, &cp);
			want = fold_codepoint(want);
			cp = fold_codepoint(cp);
		}
		if (want != cp)
			return 0;
	}
	return used;
}

static ssize_t
naive_find(struct span needle, struct span text, size_t from, bool fold, size_t *ret_len)
{
	for (size_t at = from; at < text.len; at++) {
		*ret_len = naive_match(needle, text, at, fold);
		if (*ret_len > 0)
			return (ssize_t)at;
	}
	return -1;
}

static void
compare(struct span needle, struct span text, bool fold)
{
	struct needle n;

	CHECK_INT(needle_init(&n, needle, fold), 0);
	for (size_t from = 0; from <= text.len + 1;) {
		size_t want_len = 0, len = 0;
		ssize_t want = naive_find(needle, text, from, fold, &want_len);

		CHECK_INT(needle_find(&n, text, from, &len), want);
		if (want < 0)
			break;
		CHECK_INT(len, want_len);
		from = (size_t)want + 1;
	}
	needle_fini(&n);
}

static uint32_t seed = 12345;

static uint32_t
dice(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * n >> 32);
}

static const char *const units[] = {"k", "K", "\u212a", "s", "S", "\u017f", "a", "A", "x", " ",
	"\u00e9", "\u00c9", "\u00df", "\u1e9e", "\u023a", "\u2c65", "\u03b8", "\u0398", "\u03d1",
	"\u03f4", "\u0441", "\u0421", "\U0001f600", "\u10d0", "\u1c90", "\u13a0", "\uab70", "[",
	"{", "@", "`"};
static const char *const broken[] = {"\xe2", "\xe2\x84", "\xc5", "\xff", "\x84", "\xf0\x9f"};

static void
build(struct strbuf *out, uint32_t n_units, bool with_broken)
{
	uint32_t few = 3 + dice(ARRAY_LEN(units) - 3), start = dice(ARRAY_LEN(units));

	strbuf_reset(out);
	for (uint32_t i = 0; i < n_units; i++) {
		if (with_broken && dice(20) == 0)
			(void)strbuf_puts(out, broken[dice(ARRAY_LEN(broken))]);
		else
			(void)strbuf_puts(out, units[(start + dice(few)) % ARRAY_LEN(units)]);
	}
}

TEST(fold, needles_are_found_where_the_obvious_search_finds_them)
{
	struct strbuf needle = {0}, text = {0};

	for (unsigned long i = 0; i < 4000 + test_scale(2000000); i++) {
		build(&text, dice(i % 50 ? 90 : 3000), i % 2);
		build(&needle, 1 + dice(4), false);
		if (i % 3 == 0 && text.len > 40) { /* one that is there */
			size_t at = dice(20);

			while ((text.data[at] & 0xc0) == 0x80)
				at++;
			strbuf_reset(&needle);
			(void)strbuf_add(&needle, text.data + at, 1 + dice(18));
			while (!utf8_valid(needle.data, needle.len) && needle.len > 1)
				strbuf_truncate(&needle, needle.len - 1);
		}
		compare(strbuf_view(&needle), strbuf_view(&text), false);
		if (utf8_valid(needle.data, needle.len))
			compare(strbuf_view(&needle), strbuf_view(&text), true);
	}
	strbuf_fini(&needle);
	strbuf_fini(&text);
}

TEST(fold, every_code_point_with_case_finds_its_partners)
{
	for (uint32_t cp = 0x41; cp < 0x20000; cp++) {
		char a[4], b[40] = "                                       ";
		uint32_t to = fold_codepoint(cp);
		struct needle n;
		size_t len;

		if (to == cp)
			continue;
		len = codepoint_encode(cp, b + 9);
		CHECK_INT(needle_init(&n, (struct span){a, codepoint_encode(to, a)}, true), 0);
		CHECK_INT(needle_find(&n, (struct span){b, 39}, 0, NULL), 9);
		CHECK_INT(needle_find(&n, (struct span){b, 9 + len}, 0, NULL), 9);
		CHECK_INT(needle_find(&n, (struct span){b, 9 + len - 1}, 0, NULL), -1);
		needle_fini(&n);
	}
}

TEST(fold, a_needle_at_every_place_of_every_short_text)
{
	char text[200];

	for (size_t len = 5; len < sizeof(text); len++) {
		for (size_t at = 0; at + 5 <= len; at++) {
			struct needle n;

			memset(text, 'e', len);
			memcpy(text + at, "PeZeQ", 5);
			for (int fold = 0; fold < 2; fold++) {
				CHECK_INT(needle_init(&n, span_of(fold ? "pEzeq" : "PeZeQ"), fold),
					0);
				CHECK_INT(needle_find(&n, (struct span){text, len}, 0, NULL), at);
				CHECK_INT(needle_find(&n, (struct span){text, len}, at, NULL), at);
				CHECK_INT(needle_find(&n, (struct span){text, len}, at + 1, NULL),
					-1);
				CHECK_INT(needle_find(&n, (struct span){text, len - 1}, 0, NULL),
					at + 5 == len ? -1 : (ssize_t)at);
				needle_fini(&n);
			}
		}
	}
}

TEST(fold, a_needle_that_is_not_utf8_is_folded_in_ascii_only)
{
	struct needle n;

	CHECK_INT(needle_init(&n, span_of("k\xc3"), true), 0);
	CHECK_INT(needle_find(&n, span_of("\u212a\xc3 K\xc3\xa9"), 0, NULL), 5);
	needle_fini(&n);
}

TEST(fold, the_ascii_search_takes_other_bytes_as_they_are)
{
	struct needle n;

	CHECK_INT(needle_init(&n, span_of("sk"), true), 0);
	CHECK_INT(needle_find_ascii(&n, span_of("\u017fk s\u212a .Sk"), 0), 10);
	CHECK_INT(needle_find_ascii(&n, span_of("\u017fk s\u212a"), 0), -1);
	CHECK_INT(needle_find(&n, span_of("\u017fk s\u212a"), 0, NULL), 0);
	needle_fini(&n);
	CHECK_INT(needle_init(&n, span_of("É"), true), 0);
	CHECK_INT(needle_find_ascii(&n, span_of("É é"), 0), 3);
	CHECK_INT(needle_find(&n, span_of("É é"), 0, NULL), 0);
	needle_fini(&n);
}

TEST(fold, an_empty_needle_is_refused)
{
	struct needle n;

	CHECK_INT(needle_init(&n, SPAN_LIT(""), true), -EINVAL);
}

TEST(fold, a_text_full_of_special_letters_is_searched_in_linear_time)
{
	struct strbuf text = {0};
	struct needle n;
	size_t from = 0, found = 0, len;
	ssize_t at;

	for (size_t i = 0; i < 100000; i++)
		CHECK_INT(strbuf_puts(&text, "\u017f"), 0);
	CHECK_INT(needle_init(&n, span_of("ss"), true), 0);
	while ((at = needle_find(&n, strbuf_view(&text), from, &len)) >= 0) {
		found++;
		CHECK_INT(len, 4);
		from = (size_t)at + len;
	}
	CHECK_INT(found, 50000);
	needle_fini(&n);
	strbuf_fini(&text);
}
