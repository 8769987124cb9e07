/* One byte of flags, the pattern up to the first newline, and the text that is searched: when the
 * pattern matches, the text satisfies its query, and has the marks that it needs. */
#include "fuzz.h"

#include "gram/regex_grams.h"
#include "text/census.h"
#include "text/text_need.h"

#define TEXT_MAX_BYTES 2048u
#define ALL_FLAGS (0xffu & ~(unsigned)PATTERN_PATH)

static int
gram_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Made once: a maker for grams of four has a large table. */
static struct gram_maker *
maker_of(unsigned n)
{
	static struct gram_maker *made[GRAM_MAX + 1];

	if (!made[n])
		(void)gram_maker_create(n, &made[n]);
	return made[n];
}

static void
check_satisfies(const struct gram_query *q, struct span text)
{
	struct gram_maker *m = maker_of(q->n);
	uint32_t sorted[TEXT_MAX_BYTES + GRAM_PAD_BEFORE + GRAM_PAD_BEHIND];
	const uint32_t *grams;
	size_t n;

	if (!m || gram_maker_add(m, text) < 0 || gram_maker_end(m, &grams, &n) < 0)
		return;
	assert(n <= ARRAY_LEN(sorted));
	if (n > 0)
		memcpy(sorted, grams, n * sizeof(*grams));
	qsort(sorted, n, sizeof(*sorted), gram_cmp);
	assert(gram_query_holds(q->root, sorted, n));
}

static void
check_query(struct span pattern, enum pattern_flags flags, struct span text, bool matches)
{
	for (unsigned n = GRAM_MIN; n <= GRAM_MAX; n++) {
		struct gram_query q;
		struct strbuf said = {0};

		gram_query_init(&q, n);
		if (grams_of_pattern(pattern, flags, &q) == 0) {
			(void)gram_query_print(&q, q.root, &said);
			assert(q.n_nodes <= GRAM_QUERY_MAX_NODES);
			if (matches)
				check_satisfies(&q, text);
		}
		strbuf_fini(&said);
		gram_query_fini(&q);
	}
}

static void
check_marks(const struct pattern *p, struct span text, bool matches)
{
	struct census c = CENSUS_NONE;
	struct text_need need;

	census_add(&c, text);
	text_need_of(p, &need);
	assert(!matches || text_need_met(&need, c.marks));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum pattern_flags flags = size > 0 ? data[0] & ALL_FLAGS : 0;
	struct span text = {(const char *)data + (size > 0), size - (size > 0)};
	struct span pattern = fuzz_cut(&text, '\n');
	struct pattern *p = NULL;
	struct matcher *m = NULL;
	struct match match;
	bool matches = false;

	pattern.len = MIN(pattern.len, PATTERN_MAX_BYTES);
	text.len = MIN(text.len, TEXT_MAX_BYTES);
	if (memchr(data, 0, size)) /* not text */
		text.len = 0;
	if (pattern_create(pattern, flags, &p, NULL) == 0 && matcher_create(p, &m) == 0)
		matches = matcher_find(m, text, 0, &match) == 1;
	if (p)
		check_marks(p, text, matches);
	/* What does not compile must end, too. */
	check_query(pattern, flags, text, matches);
	matcher_destroy(m);
	pattern_destroy(p);
	return 0;
}
