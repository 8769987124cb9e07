#include "test.h"

#include "gram/gram_strings.h"

/* Letters are symbols; '.' is the end as a character; '^' in front and '$' behind are the bounds.
 */
static gram_string
string_of(const char *text)
{
	uint8_t symbols[GRAMS_MAX_SYMBOLS];
	bool starts = *text == '^', ends;
	size_t len = strlen(text += starts);

	ends = len > 0 && text[len - 1] == '$';
	len -= ends;
	CHECK(len <= GRAMS_MAX_SYMBOLS);
	for (size_t i = 0; i < len; i++)
		symbols[i] = text[i] == '.' ? SYMBOL_END : (uint8_t)(1 + text[i] - 'a');
	return gram_string_of(symbols, (unsigned)len, starts, ends);
}

static struct gram_strings
set_of(const char *const *texts, size_t n)
{
	struct gram_strings set = {0};

	for (size_t i = 0; i < n; i++)
		CHECK(gram_strings_add(&set, string_of(texts[i])));
	return set;
}

#define SET(...) \
	set_of((const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void
check_set(struct gram_strings got, struct gram_strings want)
{
	CHECK_INT(got.n, want.n);
	for (uint32_t i = 0; i < want.n; i++)
		CHECK(gram_strings_add(&got, want.s[i]));
	CHECK_INT(got.n, want.n);
}

static void
check_join(const char *a, const char *b, const char *want)
{
	gram_string got = 0;
	enum gram_joined r = gram_string_join(string_of(a), string_of(b), &got);

	CHECK_INT(r, want ? JOIN_OK : JOIN_NEVER);
	if (want)
		CHECK(got == string_of(want));
}

TEST(gram_strings, strings_meet_where_their_ends_allow_it)
{
	check_join("ab", "cd", "abcd");
	check_join("", "ab", "ab");
	check_join("^a", "b$", "^ab$");
	check_join("^", "ab", "^ab");
	check_join("^", "^ab", "^ab");
	check_join("ab", "$", "ab$");
	check_join("^", "$", "^$");
	check_join("a", "^b", NULL);
	check_join("a$", "b", NULL);
	check_join("a.", "^b", "a.b");
	check_join("a$", ".b", "a.b");
	check_join("$", "a", NULL);
	check_join("", "^a", "^a");
}

TEST(gram_strings, one_that_is_too_long_is_refused)
{
	gram_string got = 0;

	CHECK_INT(gram_string_join(string_of("abcde"), string_of("fghi"), &got), JOIN_OK);
	CHECK_INT(gram_string_len(got), GRAMS_MAX_SYMBOLS);
	CHECK_INT(gram_string_join(got, string_of("j"), &got), JOIN_LONG);
}

TEST(gram_strings, the_ends_it_is_bound_to_are_symbols)
{
	uint8_t symbols[GRAMS_MAX_SYMBOLS + 2];

	CHECK_INT(gram_string_symbols(string_of("^ab$"), symbols), 4);
	CHECK(memcmp(symbols, "\0\1\2\0", 4) == 0);
	CHECK_INT(gram_string_symbols(string_of(""), symbols), 0);
	CHECK_INT(gram_string_symbols(string_of("abcdefghi"), symbols), 9);
	CHECK_INT(symbols[8], 9);
}

TEST(gram_strings, heads_and_tails_keep_the_end_that_they_have)
{
	struct gram_strings all = SET("^abcd", "abce$", "xy$", ""), part;

	gram_strings_heads(&all, 3, &part);
	check_set(part, SET("^abc", "abc", "xy$", ""));
	gram_strings_tails(&all, 3, &part);
	check_set(part, SET("bcd", "bce$", "xy$", ""));
	gram_strings_heads(&all, 0, &part);
	check_set(part, SET(""));
}

TEST(gram_strings, a_product_leaves_out_what_cannot_be)
{
	struct gram_strings a = SET("a", "b$", "c."), b = SET("x", "^y", ""), both;

	CHECK(gram_strings_product(&a, &b, &both));
	check_set(both, SET("ax", "a", "b$", "c.x", "c.y", "c."));
	a = SET("a$");
	b = SET("b", "c");
	CHECK(gram_strings_product(&a, &b, &both));
	CHECK_INT(both.n, 0);
}

TEST(gram_strings, a_set_has_a_limit)
{
	struct gram_strings a = {0}, b = {0}, both;

	for (uint8_t i = 1; i <= 16; i++)
		CHECK(gram_strings_add(&a, gram_string_of(&i, 1, false, false)));
	for (uint8_t i = 1; i <= 4; i++)
		CHECK(gram_strings_add(&b, gram_string_of(&i, 1, false, false)));
	CHECK(gram_strings_product(&a, &b, &both));
	CHECK_INT(both.n, GRAMS_MAX_STRINGS);
	CHECK(gram_strings_add(&both, both.s[5]));
	CHECK(!gram_strings_add(&both, string_of("abc")));
	CHECK(!gram_strings_union(&both, &a));
	CHECK(!gram_strings_product(&a, &a, &both));
}
