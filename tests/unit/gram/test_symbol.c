#include "roll.h"
#include "test.h"

#include <stdio.h>

#include "gram/symbol.h"
#include "text/codepoint.h"
#include "text/pattern.h"

#define PLANES_WITH_CASE_END 0x20000u
#define UNICODE_END 0x110000u
#define WINDOW 1024u

static bool
is_char(uint32_t cp)
{
	return cp >= 0x20 && !(cp >= 0xd800 && cp < 0xe000);
}

static void
add_char(struct strbuf *b, uint32_t cp)
{
	char bytes[4];

	CHECK_INT(strbuf_add(b, bytes, codepoint_encode(cp, bytes)), 0);
}

/* Code points in lines of 1,024, so that a match is asked near where it is. */
static void
add_chars(struct strbuf *b, uint32_t first, uint32_t end)
{
	for (uint32_t cp = first; cp < end; cp++) {
		if (is_char(cp))
			add_char(b, cp);
		if (cp % WINDOW == WINDOW - 1)
			CHECK_INT(strbuf_putc(b, '\n'), 0);
	}
}

typedef void (*match_fn)(void *arg, uint32_t first, uint32_t last);

static void
each_match_in_line(struct matcher *m, struct span line, match_fn fn, void *arg)
{
	struct match found;
	uint32_t first, last;

	for (size_t from = 0; matcher_find(m, line, from, &found) == 1;) {
		size_t end = found.end - 1;

		while (((unsigned char)line.data[end] & 0xc0) == 0x80)
			end--;
		from = found.start +
		       codepoint_decode(line.data + found.start, line.len - found.start, &first);
		(void)codepoint_decode(line.data + end, line.len - end, &last);
		fn(arg, first, last);
	}
}

/* Calls back with the first and the last code point of each match. Matches may overlap. Line by
 * line, because looking back for a line's start is slow with ThreadSanitizer. */
static void
each_match(const char *pattern, enum pattern_flags flags, struct span text, match_fn fn, void *arg)
{
	struct pattern *p;
	struct matcher *m;

	CHECK_INT(pattern_create(span_of(pattern), PATTERN_REGEX | flags, &p, NULL), 0);
	CHECK_INT(matcher_create(p, &m), 0);
	while (text.len > 0) {
		const char *lf = memchr(text.data, '\n', text.len);
		size_t len = lf ? (size_t)(lf - text.data) : text.len;

		each_match_in_line(m, (struct span){text.data, len}, fn, arg);
		len += lf != NULL;
		text = (struct span){text.data + len, text.len - len};
	}
	matcher_destroy(m);
	pattern_destroy(p);
}

static bool
same_symbols(uint32_t a, uint32_t b)
{
	const struct symbols *t = symbols_get();
	uint8_t x[SYMBOL_MAX], y[SYMBOL_MAX];
	size_t n = symbols_of(t, a, x);

	return symbols_of(t, b, y) == n && memcmp(x, y, n) == 0;
}

/* Code points that equal another one without case. */
struct related {
	uint8_t is[UNICODE_END];
	uint32_t window;
};

static struct related related;

static void
note_outside(void *arg, uint32_t cp, uint32_t unused)
{
	struct related *r = arg;

	(void)unused;
	r->is[cp] |= cp < r->window || cp >= r->window + WINDOW;
}

static void
note_pair(void *arg, uint32_t first, uint32_t last)
{
	struct related *r = arg;

	r->is[first] = r->is[last] = 1;
}

/* No character stands twice in the line of a window: one that a back reference finds again is
 * another one that is equal without case. Those of other windows are found by a class. */
static void
relate_window(struct related *r, uint32_t first, struct span all)
{
	struct strbuf line = {0};
	char pattern[64];

	if (first + WINDOW > 0xd800 && first < 0xe000)
		return;
	r->window = first;
	add_chars(&line, first, first + WINDOW);
	each_match("(.).*?\\1", PATTERN_FOLD, strbuf_view(&line), note_pair, r);
	(void)snprintf(pattern, sizeof(pattern), "[\\x{%x}-\\x{%x}]", first, first + WINDOW - 1);
	each_match(pattern, PATTERN_FOLD, all, note_outside, r);
	strbuf_fini(&line);
}

static void
check_same(void *arg, uint32_t cp, uint32_t unused)
{
	uint32_t of = *(const uint32_t *)arg;

	(void)unused;
	CHECK_SAY(same_symbols(of, cp), "U+%04X equals U+%04X without case, but not in symbols", of,
		cp);
}

TEST(symbol, characters_that_are_equal_without_case_are_one_symbol)
{
	struct strbuf all = {0}, some = {0};
	uint32_t n = 0, step = MAX(1u, (uint32_t)(50 / test_scale(50)));
	char pattern[32];

	add_chars(&all, 0, PLANES_WITH_CASE_END);
	for (uint32_t cp = 0; cp < PLANES_WITH_CASE_END; cp += WINDOW)
		relate_window(&related, cp, strbuf_view(&all));
	/* No script there has case: some windows, in the long tier each. */
	for (uint32_t cp = PLANES_WITH_CASE_END; cp < UNICODE_END; cp += WINDOW * step)
		relate_window(&related, cp, strbuf_view(&all));
	for (uint32_t cp = 0; cp < UNICODE_END; cp++) {
		if (related.is[cp])
			add_char(&some, cp);
		n += related.is[cp];
	}
	for (uint32_t cp = 0; cp < UNICODE_END; cp++) {
		if (!related.is[cp])
			continue;
		(void)snprintf(pattern, sizeof(pattern), "\\x{%x}", cp);
		each_match(pattern, PATTERN_FOLD, strbuf_view(&some), check_same, &cp);
	}
	CHECK_SAY(n > 2700 && n < 4000, "%u code points have case", n);
	strbuf_fini(&all);
	strbuf_fini(&some);
}

TEST(symbol, kelvin_is_k_and_the_long_s_is_s)
{
	CHECK(same_symbols(0x212a, 'k') && same_symbols('K', 'k'));
	CHECK(same_symbols(0x17f, 's') && same_symbols('S', 's'));
	CHECK(same_symbols(0x3b8, 0x3f4) && same_symbols(0x3b8, 0x398) &&
		same_symbols(0xe5, 0x212b));
	CHECK(same_symbols(0xfb05, 0xfb06) && same_symbols(0xa7cb, 0x264)); /* since Unicode 16 */
	CHECK(!same_symbols('s', 'k') && !same_symbols(0xe9, 0xe8) &&
		!same_symbols(0x4e00, 0x4e01));
}

static void
check_in_mask(void *arg, uint32_t cp, uint32_t unused)
{
	symbol_mask mask = *(const symbol_mask *)arg;
	uint8_t s[SYMBOL_MAX];

	(void)unused;
	CHECK_SAY(symbols_of(symbols_get(), cp, s) == 1 && (mask >> s[0] & 1),
		"U+%04X is not in its class", cp);
}

TEST(symbol, digits_and_spaces_of_all_scripts_are_in_their_masks)
{
	static const char *const spaces[] = {"\\s", "\\h", "\\v", "[[:space:]]", "[[:blank:]]"};
	symbol_mask digit = SYMBOLS_DIGIT, space = SYMBOLS_SPACE;
	struct strbuf all = {0};

	CHECK_INT(strbuf_puts(&all, "\t\v\f\r"), 0);
	add_chars(&all, 0, UNICODE_END);
	each_match("\\d", 0, strbuf_view(&all), check_in_mask, &digit);
	each_match("[[:digit:]]", 0, strbuf_view(&all), check_in_mask, &digit);
	for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
		each_match(spaces[i], 0, strbuf_view(&all), check_in_mask, &space);
	strbuf_fini(&all);
}

/* The symbols of a text, its first `cut` bytes apart, through a buffer of `cap`. */
static size_t
translate(struct span text, unsigned level, size_t cut, size_t cap, uint8_t *out)
{
	const struct symbols *t = symbols_get();
	uint8_t part[256];
	size_t n = 0, at = 0, used = 1;

	for (bool last = cut == text.len; at < text.len && used > 0;) {
		struct span piece = {text.data + at, (last ? text.len : cut) - at};
		size_t got = symbols_translate_by(t, level, piece, last, part, cap, &used);

		CHECK(got <= cap && used <= piece.len);
		memcpy(out + n, part, got);
		n += got;
		at += used;
		if (used == 0 && !last)
			last = true, used = 1;
	}
	CHECK_INT(at, text.len);
	return n;
}

static void
roll_text(struct strbuf *out)
{
	static const char *const odd[] = {"\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80", "\xff",
		"\xe4", "\xc3", "\x80", "\xf0\x9f", "\xe2\x84\xaa", "\xf0\xa0\x80\x80",
		"\xed\xa0\x80", "\n"};
	uint32_t n = roll(150), percent = roll(3) * 30;

	strbuf_reset(out);
	while (n-- > 0) {
		if (roll(100) < percent)
			CHECK_INT(strbuf_puts(out, odd[roll(ARRAY_LEN(odd))]), 0);
		else
			CHECK_INT(strbuf_putc(out, (char)(1 + roll(127))), 0);
	}
}

TEST(symbol, every_way_to_translate_says_the_same_wherever_the_text_is_cut)
{
	struct strbuf text = {0};
	uint8_t want[1024], got[1024];

	for (unsigned long i = 0; i < test_scale(500000); i++) {
		size_t n = 0, len;
		uint32_t cp;

		roll_text(&text);
		for (size_t at = 0; at < text.len; n += symbols_of(symbols_get(), cp, want + n))
			at += codepoint_decode(text.data + at, text.len - at, &cp);
		for (unsigned level = 0; level < symbols_n_levels(); level++) {
			len = translate(strbuf_view(&text), level, roll((uint32_t)text.len + 1),
				SYMBOL_MAX + roll(200), got);
			CHECK_INT(len, n);
			CHECK(n == 0 || memcmp(want, got, n) == 0);
		}
	}
	strbuf_fini(&text);
}

TEST(symbol, a_character_is_the_same_after_broken_bytes)
{
	struct span text = SPAN_LIT("\xe4\xb8\xc3\xa9\xf0\x9f\x98 k");
	uint8_t got[32], alone[SYMBOL_MAX];
	size_t n = translate(text, 0, text.len, 32, got);

	CHECK_INT(n, 2 + 1 + 3 + 2);
	CHECK_INT(symbols_of(symbols_get(), 0xe9, alone), 1);
	CHECK_INT(got[2], alone[0]);
	CHECK_INT(got[3], SYMBOL_ODD);
}

/* A change here is a change of every index of contents: make it knowingly. */
TEST(symbol, the_marks_that_share_a_symbol)
{
	static const char *const shared[] = {
		"[]", "{}", "!?", "%\\", "@^`~", "\t \r\v\f", "\x01\x7f"};
	uint64_t seen = 0;

	for (uint32_t c = 1; c < 0x80; c++) {
		uint8_t s[SYMBOL_MAX];
		bool first = true;

		CHECK_INT(symbols_of(symbols_get(), c, s), 1);
		seen |= SYMBOL_BIT(s[0]);
		for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
			if (strchr(shared[i], (int)c))
				CHECK(same_symbols(c, (unsigned char)shared[i][0]));
			first = first && (!strchr(shared[i], (int)c) || shared[i][0] == (int)c);
		}
		for (uint32_t other = 1; other < c && first && c > 0x20; other++)
			CHECK(!same_symbols(c, other) || (c | 0x20) == (other | 0x20));
	}
	CHECK(seen == UINT64_MAX);
}
