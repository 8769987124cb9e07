#include "roll.h"
#include "test.h"

#include "text/census.h"
#include "text/text_need.h"

static struct census
census_of(struct span text)
{
	struct census c = CENSUS_NONE;

	census_add(&c, text);
	return c;
}

TEST(census, lines_are_those_with_an_end_and_the_rest)
{
	CHECK_INT(census_lines(&(struct census)CENSUS_NONE), 0);
	for (unsigned i = 0; i < 3; i++) {
		static const struct span texts[] = {
			SPAN_LIT("a"), SPAN_LIT("a\n"), SPAN_LIT("\n\nb")};
		static const unsigned lines[] = {1, 1, 3};
		struct census c = census_of(texts[i]);

		CHECK_INT(census_lines(&c), lines[i]);
	}
}

/* Of all lengths around those that are counted at once. */
TEST(census, every_newline_counts_once_wherever_it_stands)
{
	enum { MOST = 16 * 255 * 2 + 40 };
	char text[MOST];

	for (size_t len = 1; len < MOST; len += len < 70 ? 1 : 997) {
		struct census c = CENSUS_NONE;
		size_t n = 0;

		for (size_t i = 0; i < len; i++) {
			text[i] = i * 2654435761u >> 7 & 1 ? '\n' : 'x';
			n += text[i] == '\n';
		}
		census_add(&c, (struct span){text, len});
		CHECK_INT(c.n_newlines, n);
		CHECK(c.ascii && c.utf8 && !c.folds);
		memset(text, '\n', len);
		c = census_of((struct span){text, len});
		CHECK_INT(c.n_newlines, len);
	}
}

TEST(census, one_byte_beyond_ascii_is_seen_wherever_it_stands)
{
	char text[100];

	for (size_t at = 0; at + 1 < sizeof(text); at++) {
		struct census c;

		memset(text, 'x', sizeof(text));
		text[at] = (char)0xe9;
		c = census_of((struct span){text, sizeof(text)});
		CHECK(!c.ascii && !c.utf8);
		memcpy(text + at, "\xc3\xa9", 2);
		c = census_of((struct span){text, sizeof(text)});
		CHECK(!c.ascii && c.utf8 && !c.folds);
		memcpy(text + at, "\xc5\xbf", 2);
		c = census_of((struct span){text, sizeof(text)});
		CHECK(c.utf8 && c.folds);
	}
}

/* Also at the very end, and not when it is cut there. */
TEST(census, what_folds_into_ascii_is_found_wherever_it_stands)
{
	static const struct span folding[] = {SPAN_LIT("\xc5\xbf"), SPAN_LIT("\xe2\x84\xaa")};
	static const struct span others[] = {SPAN_LIT("\xc5\xbe"), SPAN_LIT("\xe2\x84\xab"),
		SPAN_LIT("\xe2\x85\xaa"), SPAN_LIT("\xe3\x84\xaa"), SPAN_LIT("\xc6\xbf")};
	char text[80];

	for (size_t len = 3; len <= sizeof(text); len++) {
		for (size_t at = 0; at < len; at++) {
			for (size_t i = 0; i < ARRAY_LEN(folding) + ARRAY_LEN(others); i++) {
				bool folds = i < ARRAY_LEN(folding);
				struct span s = folds ? folding[i] : others[i - ARRAY_LEN(folding)];
				size_t n = MIN(s.len, len - at);

				memset(text, 'x', sizeof(text));
				memcpy(text + at, s.data, n);
				CHECK(census_of((struct span){text, len}).folds ==
					(folds && n == s.len));
			}
		}
	}
}

TEST(census, what_a_piece_has_said_stays_said)
{
	struct census c = CENSUS_NONE;

	census_add(&c, SPAN_LIT("\xff\n"));
	census_add(&c, SPAN_LIT("\xe2\x84\xaa plain"));
	census_add(&c, SPAN_LIT(""));
	CHECK(!c.ascii && !c.utf8 && c.folds);
	CHECK_INT(census_lines(&c), 2);
}

/* All bytes, or those that make pairs, or mostly others. */
static void
roll_bytes(char *text, size_t len)
{
	static const char few[] = "09azAZ@[`{/:\xc1\xe1\xb0";
	uint32_t kind = roll(3);

	for (size_t i = 0; i < len; i++) {
		text[i] = (char)roll(256);
		if (kind == 1 || (kind == 2 && roll(40) == 0))
			text[i] = few[roll(sizeof(few) - 1)];
		else if (kind == 2)
			text[i] = 'x';
	}
}

TEST(census, marks_are_those_of_all_pairs_whatever_the_pieces)
{
	unsigned long rounds = 2000 + test_scale(200000);
	char text[400];

	for (unsigned long i = 0; i < rounds; i++) {
		struct census c = CENSUS_NONE;
		size_t len, next;
		uint64_t marks = 0;

		seed = i * 0x9e3779b97f4a7c15ull + 1;
		len = roll(sizeof(text) + 1);
		roll_bytes(text, len);
		for (size_t k = 1; k < len; k++)
			marks |= text_mark_of((unsigned char)text[k - 1], (unsigned char)text[k]);
		for (size_t at = 0; at < len; at = next) {
			next = at + roll(roll(2) ? 5 : 300);
			next = MIN(next, len);
			census_add(&c, (struct span){text + at, next - at});
		}
		CHECK_INT(c.marks, marks | (c.ascii ? 0 : TEXT_MARKS_BEYOND));
	}
}
