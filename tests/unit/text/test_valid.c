#include "roll.h"
#include "test.h"

#include "text/valid.h"

#define MOST 160u

static void
check(struct span text)
{
	bool want = utf8_valid(text.data, text.len);

	for (unsigned level = 0; level < valid_n_levels(); level++)
		CHECK(valid_utf8_by(level, text) == want);
}

/* Every three bytes in a row, by a byte of each kind before and behind, across the edge of blocks
 * and at the end. */
TEST(valid, three_bytes_are_judged_as_utf8_valid_does_wherever_they_stand)
{
	static const unsigned char third[] = {
		'a', 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xe1, 0xf1};
	static const size_t places[] = {0, 29, 30, 31, 61};
	unsigned step = MAX(1u, (unsigned)(10 / test_scale(10)));
	char text[64];

	memset(text, 'x', sizeof(text));
	for (unsigned two = roll(step); two < 0x10000; two += step) {
		for (size_t i = 0; i < ARRAY_LEN(third) * ARRAY_LEN(places); i++) {
			char *at = text + places[i % ARRAY_LEN(places)];

			at[0] = (char)(two >> 8);
			at[1] = (char)two;
			at[2] = (char)third[i / ARRAY_LEN(places)];
			check((struct span){text, sizeof(text)});
			memset(at, 'x', 3);
		}
	}
}

/* Good characters of all lengths, and now and then a byte that is changed or lost. */
static void
roll_text(struct strbuf *out, unsigned faults)
{
	static const char *const good[] = {"a", "\n", "\x7f", "\xc2\x80", "\xdf\xbf",
		"\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf", "\xe4\xb8\xad"};
	uint32_t n = roll(MOST / 2), plain = roll(100);

	strbuf_reset(out);
	while (n-- > 0) {
		const char *s = roll(100) < plain ? "x" : good[roll(ARRAY_LEN(good))];

		CHECK_INT(strbuf_puts(out, s), 0);
	}
	for (; faults > 0 && out->len > 0; faults--) {
		if (roll(2))
			out->data[roll((uint32_t)out->len)] = (char)roll(256);
		else
			out->len -= roll(3) % out->len;
	}
}

TEST(valid, texts_are_judged_as_utf8_valid_does_with_faults_and_without)
{
	struct strbuf text = {0};
	unsigned long n_good = 0, rounds = test_scale(400000);

	for (unsigned long i = 0; i < rounds; i++) {
		roll_text(&text, i % 3);
		check(strbuf_view(&text));
		n_good += utf8_valid(text.data, text.len);
	}
	CHECK(n_good >= rounds / 3 && n_good < rounds);
	strbuf_fini(&text);
}
