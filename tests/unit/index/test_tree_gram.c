#include "index/tree_gram.h"
#include "test.h"

#include "base/hash.h"
#include "text/fold.h"

#define MAX_GRAMS 64u

static unsigned
grams(const char *text, uint32_t ret[MAX_GRAMS])
{
	return tree_grams(span_of(text), 0, ret, MAX_GRAMS);
}

/* Every gram of a text is one of any name that holds the text. */
static bool
covered(const char *text, enum tree_gram_flags flags, const char *name)
{
	uint32_t of[MAX_GRAMS], in[MAX_GRAMS];
	unsigned n_of = tree_grams(span_of(text), flags, of, MAX_GRAMS);
	unsigned n_in = tree_grams(span_of(name), TREE_GRAM_NAME, in, MAX_GRAMS), found = 0;

	for (unsigned i = 0; i < n_of; i++) {
		for (unsigned k = 0; k < n_in; k++)
			found += of[i] == in[k];
	}
	return found == n_of;
}

TEST(tree_gram, a_text_has_a_gram_for_each_three_symbols_once)
{
	uint32_t g[MAX_GRAMS];

	CHECK_INT(grams("", g), 0);
	CHECK_INT(grams("ab", g), 0);
	CHECK_INT(grams("abc", g), 1);
	CHECK_INT(grams("abcabcabc", g), 3);
	CHECK_INT(grams("aaaaaaa", g), 1);
	CHECK_INT(tree_grams(SPAN_LIT("ab"), TREE_GRAM_TAIL, g, MAX_GRAMS), 1);
	CHECK_INT(tree_grams(SPAN_LIT("abcdefgh"), 0, g, 4), 4);
}

TEST(tree_gram, what_matches_in_either_case_has_the_same_grams)
{
	CHECK(covered("makefile", 0, "old.MAKEFILE.bak"));
	CHECK(covered("\xc3\xa9t\xc3\xa9", 0, "L'\xc3\x89T\xc3\x89")); /* ete with accents */
	CHECK(covered("kelvin", 0,
		"\xe2\x84\xaa"
		"elvin"));
	CHECK(covered("last", 0, "la\xc5\xbft"));
	CHECK(covered(".h", TREE_GRAM_TAIL, "stdio.h"));
	CHECK(!covered(".h", TREE_GRAM_TAIL, "stdio.hh.c"));
	CHECK(!covered("makefile", 0, "make.file"));
}

TEST(tree_gram, a_text_that_is_no_utf8_says_nothing_beyond_ascii)
{
	/* The second half of an e with accent: a byte search finds it in the name. */
	CHECK(covered("\xa9t.c", 0, "\xc3\xa9t.c"));
	CHECK(covered("abc\xc3", 0, "xabc\xc3\xa9"));
	CHECK(covered("\xff"
		      "abc",
		0,
		"\xff"
		"abc"));
}

/* A piece of a random name, folded or not, is found by needle_find() and must be covered. */
TEST(tree_gram, no_piece_of_a_name_is_missed)
{
	static const char *const letters[] = {"a", "K", "k", "s", "1", ".", "_", "\xe2\x84\xaa",
		"\xc5\xbf", "\xc3\xa9", "\xc3\x89", "\xc4\xb0", "\xc4\xb1", "\xe1\xba\x9e",
		"\xc3\x9f", "\xff", "\xc3", "\xa9", "(", "\xf0\x90\x90\x80", "\xf0\x90\x90\xa8"};
	unsigned long rounds = test_scale(100000), n_found = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		char name[128] = "", text[32] = "";
		struct needle needle;

		for (unsigned k = 0; k < 8; k++) {
			uint64_t dice[2] = {i, k};
			uint64_t h = hash64(dice, sizeof(dice), 1);

			(void)strcat(name, letters[h % ARRAY_LEN(letters)]);
			if (k >= 2 && k < 5) /* mostly the same characters, some in another form */
				(void)strcat(text,
					letters[(h >> 32) % 8 ? h % ARRAY_LEN(letters)
							      : (h >> 40) % ARRAY_LEN(letters)]);
		}
		CHECK_INT(needle_init(&needle, span_of(text), i % 4 != 0), 0);
		if (needle_find(&needle, span_of(name), 0, NULL) >= 0) {
			n_found++;
			cr_assert(covered(text, 0, name), "round %lu: \"%s\" in \"%s\"",
				(unsigned long)i, text, name);
		}
		needle_fini(&needle);
	}
	CHECK(n_found > rounds / 4);
}
