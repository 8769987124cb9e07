#include "roll.h"
#include "test.h"

#include "gram/gram.h"

static int
gram_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The grams of the padded text, sorted, each once: the definition. */
static size_t
plain_grams(struct span text, unsigned n, uint32_t *grams)
{
	uint8_t *symbols = calloc(text.len + 1 + GRAM_PAD_BEFORE + GRAM_PAD_BEHIND, 1);
	size_t used, len, n_grams = 0, n_distinct = 0;

	CHECK(symbols);
	len = symbols_translate_by(symbols_get(), 0, text, true, symbols + GRAM_PAD_BEFORE,
		text.len + SYMBOL_MAX, &used);
	CHECK_INT(used, text.len);
	symbols[GRAM_PAD_BEFORE + len] = symbols[GRAM_PAD_BEFORE + len + 1] = SYMBOL_END;
	len += GRAM_PAD_BEFORE + GRAM_PAD_BEHIND;
	for (size_t i = 0; i + n <= len; i++) {
		uint32_t gram = 0;

		for (unsigned k = 0; k < n; k++)
			gram = gram << SYMBOL_BITS | symbols[i + k];
		grams[n_grams++] = gram;
	}
	free(symbols);
	qsort(grams, n_grams, sizeof(*grams), gram_cmp);
	for (size_t i = 0; i < n_grams; i++) {
		if (i == 0 || grams[i] != grams[i - 1])
			grams[n_distinct++] = grams[i];
	}
	return n_distinct;
}

/* The maker's, from pieces cut anywhere, sorted. */
static size_t
made_grams(struct gram_maker *m, struct span text, uint32_t *grams)
{
	const uint32_t *made;
	size_t n;

	while (text.len > 0) {
		size_t cut = roll(3) ? text.len : roll(12);

		cut = MIN(cut, text.len);
		CHECK_INT(gram_maker_add(m, (struct span){text.data, cut}), 0);
		text.data += cut;
		text.len -= cut;
	}
	CHECK_INT(gram_maker_end(m, &made, &n), 0);
	if (n > 0)
		memcpy(grams, made, n * sizeof(*grams));
	qsort(grams, n, sizeof(*grams), gram_cmp);
	return n;
}

static void
roll_text(struct strbuf *out, uint32_t max)
{
	static const char *const odd[] = {"\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80", "\xff",
		"\xe4", "\xf0\x9f", "\xf0\xa0\x80\x80", "\n", "the ", "int "};
	uint32_t n = roll(max), letters = 2 + roll(90), percent = roll(3) * 20;

	strbuf_reset(out);
	while (n-- > 0) {
		if (roll(100) < percent)
			CHECK_INT(strbuf_puts(out, odd[roll(ARRAY_LEN(odd))]), 0);
		else
			CHECK_INT(strbuf_putc(out, (char)(' ' + roll(letters))), 0);
	}
}

#define TEXT_MAX 6000u
#define GRAMS_MAX (4 * TEXT_MAX + 16)

static uint32_t want[GRAMS_MAX], got[GRAMS_MAX];

TEST(gram, makers_give_the_grams_of_the_definition_wherever_the_text_is_cut)
{
	struct strbuf text = {0};

	for (unsigned n = GRAM_MIN; n <= GRAM_MAX; n++) {
		for (unsigned level = 0; level < gram_maker_n_levels(); level++) {
			struct gram_maker *m;

			CHECK_INT(gram_maker_create_by(n, level, &m), 0);
			for (unsigned long i = 0; i < test_scale(20000); i++) {
				size_t n_want, n_got;

				roll_text(&text, roll(8) ? 200 : TEXT_MAX);
				n_want = plain_grams(strbuf_view(&text), n, want);
				n_got = made_grams(m, strbuf_view(&text), got);
				CHECK_INT(n_got, n_want);
				CHECK(memcmp(want, got, n_got * sizeof(*got)) == 0);
			}
			gram_maker_destroy(m);
		}
	}
	strbuf_fini(&text);
}

/* So many distinct grams that the table is cleared as a whole, and that the list grows. */
TEST(gram, a_text_of_all_grams_leaves_nothing_behind)
{
	struct gram_maker *m;
	struct strbuf text = {0};
	const uint32_t *made;
	size_t n;

	CHECK_INT(gram_maker_create(GRAM_MAX, &m), 0);
	for (unsigned i = 0; i < 1000000; i++)
		CHECK_INT(strbuf_putc(&text, (char)(' ' + roll(95))), 0);
	CHECK_INT(gram_maker_add(m, strbuf_view(&text)), 0);
	CHECK_INT(gram_maker_end(m, &made, &n), 0);
	CHECK(n > 800000 && n < 1000000);
	CHECK_INT(gram_maker_add(m, SPAN_LIT("abcd")), 0);
	CHECK_INT(gram_maker_end(m, &made, &n), 0);
	CHECK_INT(n, 4); /* 0abc abcd bcd0 cd00 */
	gram_maker_destroy(m);
	strbuf_fini(&text);
}

TEST(gram, every_short_run_of_a_text_begins_a_gram)
{
	struct gram_maker *m;
	const uint32_t *made;
	size_t n;

	CHECK_INT(gram_maker_create(4, &m), 0);
	CHECK_INT(gram_maker_end(m, &made, &n), 0);
	CHECK_INT(n, 0);
	CHECK_INT(gram_maker_add(m, SPAN_LIT("a")), 0);
	CHECK_INT(gram_maker_end(m, &made, &n), 0);
	CHECK_INT(n, 1);
	CHECK_INT(made[0], 1 << 12); /* 0a00 */
	gram_maker_destroy(m);
	CHECK_INT(gram_maker_create(3, &m), 0);
	CHECK_INT(gram_maker_end(m, &made, &n), 0);
	CHECK_INT(n, 1);
	CHECK_INT(made[0], 0);
	gram_maker_destroy(m);
}
