#include "text/litset.h"

#include "roll.h"
#include "test.h"
#include "text/pattern.h"
#include <errno.h>

static bool
equal(const char *a, const char *b, size_t len, bool fold)
{
	for (size_t i = 0; i < len; i++) {
		char x = a[i], y = b[i];

		if (fold && x >= 'A' && x <= 'Z')
			x |= 0x20;
		if (fold && y >= 'A' && y <= 'Z')
			y |= 0x20;
		if (x != y)
			return false;
	}
	return true;
}

/* Byte by byte, literal by literal. */
static ssize_t
find_slowly(const struct span *lit, size_t n, bool fold, struct span text, size_t from, size_t *len)
{
	for (size_t at = from; at < text.len; at++) {
		for (size_t i = 0; i < n; i++) {
			*len = lit[i].len;
			if (*len <= text.len - at && equal(text.data + at, lit[i].data, *len, fold))
				return (ssize_t)at;
		}
	}
	return -1;
}

static void
check_all(const struct span *lit, size_t n, bool fold, struct span text)
{
	struct litset *s;
	size_t from = 0, len = 0, want_len = 0;
	ssize_t at = 0;

	CHECK_INT(litset_create(lit, n, fold, &s), 0);
	while (at >= 0) {
		at = litset_find(s, text, from, &len);
		CHECK_INT(at, find_slowly(lit, n, fold, text, from, &want_len));
		CHECK(at < 0 || len == want_len);
		from = (size_t)at + 1;
	}
	litset_destroy(s);
}

TEST(litset, finds_what_a_search_byte_by_byte_finds)
{
	static const char letters[] = "abABk\x80\xff ";
	char bytes[64][6], text[400];
	struct span lit[64];

	for (unsigned long k = test_scale(200000); k > 0; k--) {
		uint32_t n = 1 + roll(ARRAY_LEN(lit)), shortest = 1 + roll(3),
			 len = roll(sizeof(text));

		for (uint32_t i = 0; i < n; i++) {
			lit[i] = (struct span){bytes[i], shortest + roll(3)};
			for (size_t j = 0; j < lit[i].len; j++)
				bytes[i][j] = letters[roll(sizeof(letters) - 1)];
		}
		for (uint32_t i = 0; i < len; i++)
			text[i] = roll(3) ? '.' : letters[roll(sizeof(letters) - 1)];
		check_all(lit, n, roll(2), (struct span){text, len});
	}
}

TEST(litset, holds_as_many_literals_as_it_may)
{
	static char bytes[LITSET_MAX + 1][4];
	static struct span lit[LITSET_MAX + 1];
	struct litset *s;
	size_t len;

	for (uint32_t i = 0; i < ARRAY_LEN(lit); i++) {
		bytes[i][0] = (char)('a' + i % 16);
		bytes[i][1] = (char)('a' + i / 16 % 16);
		bytes[i][2] = (char)('a' + i / 256);
		bytes[i][3] = 'x';
		lit[i] = (struct span){bytes[i], 4};
	}
	CHECK_INT(litset_create(lit, LITSET_MAX + 1, false, &s), -EINVAL);
	CHECK_INT(litset_create(lit, 0, false, &s), -EINVAL);
	CHECK_INT(litset_create(&(struct span){"", 0}, 1, false, &s), -EINVAL);
	CHECK_INT(litset_create(lit, LITSET_MAX, false, &s), 0);
	CHECK_INT(litset_find(s, SPAN_LIT("zzzaaaypppx"), 0, &len), 7);
	CHECK_INT(len, 4);
	CHECK_INT(litset_find(s, SPAN_LIT("zz"), 0, &len), -1);
	CHECK_INT(litset_find(s, SPAN_LIT(""), 0, &len), -1);
	litset_destroy(s);
}

/* Matches as "start-end ". */
static bool
matches(struct span source, enum pattern_flags flags, struct span text, struct strbuf *out)
{
	struct pattern *p;
	struct matcher *m;
	struct match found;

	strbuf_reset(out);
	if (pattern_create(source, flags, &p, NULL) < 0)
		return false;
	CHECK_INT(matcher_create(p, &m), 0);
	for (size_t from = 0; matcher_find(m, text, from, &found) == 1;
		from = found.end + (found.end == found.start))
		(void)strbuf_printf(out, "%zu-%zu ", found.start, found.end);
	matcher_destroy(m);
	pattern_destroy(p);
	return true;
}

/* In a group the alternatives are not seen, and the expression is matched without a set. */
TEST(litset, alternatives_match_as_they_do_in_a_group)
{
	static const char *const tokens[] = {"ab", "ks", "abc", "KS", "|", "|", "|", "a", "\\.",
		"b*", "c?", "(x|y)", "(?:ab|bc)", "[ab]", ".", "\\b", "^", "$", "\\s", "k{2}",
		"\\d", "\xc3\xa9", "[^a]", "x|", "\\Qa|b\\E"};
	static const char *const pieces[] = {"ab", "ks", "abc", "KS", "a", ".", "\n", "x", "y",
		"bc",
		("\xe2\x84\xaa"
		 "s"),
		"k\xc5\xbf", "kk", "1", " ", "\xc3\xa9", "\xff", "a|b"};
	static const enum pattern_flags flags[] = {
		0, PATTERN_FOLD, PATTERN_WORD, PATTERN_LINE, PATTERN_FOLD | PATTERN_WORD};
	struct strbuf source = {0}, group = {0}, text = {0}, a = {0}, b = {0};
	unsigned long n = test_scale(1000000), n_equal = 0;

	for (unsigned long i = 0; i < n; i++) {
		enum pattern_flags f = PATTERN_REGEX | flags[roll(ARRAY_LEN(flags))];

		strbuf_reset(&source);
		strbuf_reset(&group);
		strbuf_reset(&text);
		for (uint32_t k = 1 + roll(7); k > 0; k--)
			(void)strbuf_puts(&source, tokens[roll(ARRAY_LEN(tokens))]);
		for (uint32_t k = roll(16); k > 0; k--)
			(void)strbuf_puts(&text, pieces[roll(ARRAY_LEN(pieces))]);
		(void)strbuf_printf(&group, "(?:%s)", source.data);
		if (!matches(strbuf_view(&source), f, strbuf_view(&text), &a) ||
			!matches(strbuf_view(&group), f, strbuf_view(&text), &b))
			continue;
		CHECK_SAY(span_eq(strbuf_view(&a), strbuf_view(&b)),
			"/%s/ %#x in \"%s\": %s, not %s", source.data, f, text.data, a.data,
			b.data);
		n_equal++;
	}
	CHECK(n_equal > n / 2);
	strbuf_fini(&source);
	strbuf_fini(&group);
	strbuf_fini(&text);
	strbuf_fini(&a);
	strbuf_fini(&b);
}
