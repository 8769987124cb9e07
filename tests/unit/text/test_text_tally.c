#include "roll.h"
#include "test.h"

#include "text/text_need.h"
#include "text/text_tally.h"

/* More blocks than are put off, and than lanes count in. */
#define MOST 20000u

static void
check(unsigned char before, struct span text)
{
	struct text_tally want = {.n_newlines = 3, .marks = 5};

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		want.n_newlines += c == '\n';
		want.marks |= text_mark_of(i ? (unsigned char)text.data[i - 1] : before, c);
		want.marks |= c >= 0x80 ? TEXT_MARKS_BEYOND : 0;
	}
	for (unsigned level = 0; level < text_tally_n_levels(); level++) {
		struct text_tally got = {.n_newlines = 3, .marks = 5};

		text_tally_add_by(level, &got, before, text);
		CHECK_INT(got.n_newlines, want.n_newlines);
		CHECK_INT(got.marks, want.marks);
	}
}

/* Every pair of bytes, at all places of a block and across its ends. */
TEST(text_tally, every_pair_is_seen_wherever_it_stands)
{
	char text[150];

	memset(text, ' ', sizeof(text));
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		size_t at = pair * 2654435761u % (sizeof(text) - 1);

		text[at] = (char)(pair >> 8);
		text[at + 1] = (char)pair;
		check(0, (struct span){text, sizeof(text)});
		text[at] = text[at + 1] = ' ';
	}
	for (size_t at = 0; at + 1 < sizeof(text); at++) {
		memcpy(text + at, "9U", 2);
		for (size_t len = at + 1; len <= sizeof(text); len++)
			check('a', (struct span){text, len});
		text[at] = text[at + 1] = ' ';
	}
}

/* All bytes, or those that make pairs, or mostly others. */
static void
roll_bytes(char *text, size_t len)
{
	static const char few[] = "09azAZ@[`{/:_\xc1\xe1\xb0\n";
	uint32_t kind = roll(4);

	for (size_t i = 0; i < len; i++) {
		text[i] = (char)(kind == 3 ? '\n' : kind == 2 ? 'x' : roll(256));
		if (kind == 1 || (kind == 2 && roll(40) == 0))
			text[i] = few[roll(sizeof(few) - 1)];
	}
}

TEST(text_tally, random_texts)
{
	unsigned long rounds = 500 + test_scale(200000);
	char *text = malloc(MOST);

	CHECK(text);
	for (unsigned long i = 0; i < rounds; i++) {
		size_t len;

		seed = i * 0x9e3779b97f4a7c15ull + 1;
		len = 1 + roll(roll(10) ? 400 : MOST);
		roll_bytes(text, len);
		check((unsigned char)roll(256), (struct span){text, len});
	}
	free(text);
}
