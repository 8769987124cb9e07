#include "roll.h"
#include "test.h"

#include "text/pattern.h"
#include "text/stretch.h"

static void
check_least(const char *pattern, uint32_t least)
{
	struct stretch s;

	stretch_of_regex(span_of(pattern), false, &s);
	CHECK_SAY(s.least == least, "%s has %u, not %u", pattern, s.least, least);
}

TEST(stretch, what_is_said_of_plain_expressions)
{
	check_least("[0-9]{9,}", 9);
	check_least("\\w{50,}", 50);
	check_least("0x[0-9a-f]{8}UL", 12);
	check_least("^[A-Z]{7}_[A-Z]{7}_[A-Z]{7}$", 23);
	check_least("\\s+[0-9]{9}?\\s", 9);
	check_least("x*[0-9]{9}", 9);
	check_least("[0-9]{9}.[0-9]{10,12}", 10);
	check_least("[0-9]{3}", 0); /* in too many lines */
	check_least("\\w{9}", 0);
}

TEST(stretch, what_is_not_known_says_nothing)
{
	static const char *const none[] = {"([0-9]{9})", "[0-9]{9}|x", "[^0-9]{90}", "[0-9]{9}{0}",
		"[0-9]{9}*", "[[:digit:]]{90}", "[0-9\\-]{90}x{", "\\d{9}\\Qa", "\\d{90}\\x41",
		"[0-\\d]{90}", "[\\w-z]{90}", "(?i)[a-z]{90}", "[0-9]{,90}", "[0-9]{90", "[0-9",
		"[\\", "\\", "[0-9]{90}\xc3\xa9", "[0-9]{0}", "\\p{L}{90}", "[]0-9]{90}"};

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		check_least(none[i], 0);
}

TEST(stretch, the_first_that_lies_behind_a_place_is_found)
{
	struct span text = SPAN_LIT("12345678 1234567890123 123456789");
	struct stretch s;

	stretch_of_regex(SPAN_LIT("[0-9]{9}"), false, &s);
	CHECK_INT(stretch_find(&s, text, 0), 9);
	CHECK_INT(stretch_find(&s, text, 9), 9);
	CHECK_INT(stretch_find(&s, text, 13), 13);
	CHECK_INT(stretch_find(&s, text, 14), 23);
	CHECK_INT(stretch_find(&s, text, 23), 23);
	CHECK_INT(stretch_find(&s, text, 24), -1);
	CHECK_INT(stretch_find(&s, text, text.len), -1);
}

static const char *const atoms[] = {"[0-9]", "[a-f0-9]", "\\d", "\\w", "[A-Z_]", "[kS]", "[-ab]",
	"1", "k", "_", "\\.", "[\\d.]"};
static const char *const counts[] = {"{8}", "{9,}", "{10,12}", "{7}?", "+", "*", "?", "", "{6}+"};
static const char *const between[] = {"", "", "", ".", "\\s*", "^", "$", "\\b", "x*"};
static const char *const pieces[] = {"0", "1", "7", "a", "f", "k", "K", "s", "S", "_", "Q", "-",
	".", "11111111", "_______", "abcdef", "\xe2\x84\xaa", "\xc5\xbf", "\xd9\xa3", "\xc3\xa9",
	"\xff"};

static void
roll_pattern(struct strbuf *out)
{
	strbuf_reset(out);
	for (uint32_t n = 1 + roll(3); n > 0; n--) {
		CHECK_INT(strbuf_puts(out, atoms[roll(ARRAY_LEN(atoms))]), 0);
		CHECK_INT(strbuf_puts(out, counts[roll(ARRAY_LEN(counts))]), 0);
		CHECK_INT(strbuf_puts(out, between[roll(ARRAY_LEN(between))]), 0);
	}
}

static void
roll_text(struct strbuf *out)
{
	strbuf_reset(out);
	for (uint32_t n = roll(12); n > 0; n--) {
		const char *piece = pieces[roll(ARRAY_LEN(pieces))];

		for (uint32_t k = roll(3) ? 1 : roll(14); k > 0; k--)
			CHECK_INT(strbuf_puts(out, piece), 0);
		CHECK_INT(strbuf_puts(out, roll(6) ? "" : "\n"), 0);
	}
}

static struct matcher *
matcher_of(struct span pattern, enum pattern_flags flags, struct pattern **ret)
{
	struct matcher *m;

	CHECK_INT(pattern_create(pattern, flags, ret, NULL), 0);
	CHECK_INT(matcher_create(*ret, &m), 0);
	return m;
}

/* In a group nothing is known of it. */
TEST(stretch, no_match_of_a_random_expression_is_lost)
{
	static const enum pattern_flags more[] = {0, PATTERN_FOLD, PATTERN_WORD};
	struct strbuf source = {0}, group = {0}, text = {0};
	unsigned long n = test_scale(500000), n_known = 0, n_found = 0;

	for (unsigned long i = 0; i < n; i++) {
		enum pattern_flags flags;
		struct pattern *p, *q;
		struct matcher *a, *b;
		struct stretch s;

		seed = i * 0x9e3779b97f4a7c15ull + 1;
		flags = PATTERN_REGEX | more[roll(ARRAY_LEN(more))];
		roll_pattern(&source);
		stretch_of_regex(strbuf_view(&source), flags & PATTERN_FOLD, &s);
		n_known += s.least > 0;
		strbuf_reset(&group);
		CHECK_INT(strbuf_puts(&group, "(?:"), 0);
		CHECK_INT(strbuf_span(&group, strbuf_view(&source)), 0);
		CHECK_INT(strbuf_puts(&group, ")"), 0);
		a = matcher_of(strbuf_view(&source), flags, &p);
		b = matcher_of(strbuf_view(&group), flags, &q);
		for (unsigned k = 0; k < 20; k++) {
			struct match x = {0}, y = {0};
			size_t from;

			roll_text(&text);
			from = roll((uint32_t)text.len + 1);
			CHECK_INT(matcher_find(a, strbuf_view(&text), from, &x),
				matcher_find(b, strbuf_view(&text), from, &y));
			CHECK_SAY(x.start == y.start && x.end == y.end, "%s in \"%s\" from %zu",
				source.data, text.data, from);
			n_found += s.least > 0 && x.end > 0;
		}
		matcher_destroy(a);
		matcher_destroy(b);
		pattern_destroy(p);
		pattern_destroy(q);
	}
	CHECK(n_known > n / 8 && n_found > n / 20);
	strbuf_fini(&source);
	strbuf_fini(&group);
	strbuf_fini(&text);
}
