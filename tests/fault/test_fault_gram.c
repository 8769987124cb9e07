/* Grams and their queries without memory: -ENOMEM, and nothing is lost. */
#include "fault.h"

#include <errno.h>

#include "gram/regex_grams.h"

static int
derive(void *arg)
{
	struct gram_query q;
	int r;

	gram_query_init(&q, GRAM_MAX);
	r = grams_of_pattern(span_of(arg), PATTERN_REGEX, &q);
	gram_query_fini(&q);
	return r;
}

static int
print(void *unused)
{
	struct gram_query q;
	struct strbuf out = {0};
	int r;

	(void)unused;
	gram_query_init(&q, GRAM_MIN);
	r = grams_of_pattern(SPAN_LIT("memory_order|foo(bar|baz)"), PATTERN_REGEX, &q);
	if (r == 0)
		r = gram_query_print(&q, q.root, &out);
	strbuf_fini(&out);
	gram_query_fini(&q);
	return r;
}

static int
make_grams(void *unused)
{
	static const char text[] =
		"the quick brown fox jumps over the lazy dog, \xe4\xb8\xad\xe6\x96\x87";
	struct gram_maker *m = NULL;
	const uint32_t *grams;
	size_t n;
	int r = gram_maker_create(GRAM_MIN, &m);

	(void)unused;
	for (unsigned i = 0; r == 0 && i < 20; i++)
		r = gram_maker_add(m, (struct span){text, sizeof(text) - 1 - i});
	if (r == 0)
		r = gram_maker_end(m, &grams, &n);
	gram_maker_destroy(m);
	return r;
}

static char word[] = "memory_order_acquire";
static char nested[] = "((a{2}b|c?d){3}(?=[k-s]+x)|foo.*(bar|baz)$|\\d{4}-\\d\\d)+";

static const struct fault_case cases[] = {
	{.name = "word", .run = derive, .arg = word, .flags = FAULT_STRICT, .min_calls = 10},
	{.name = "nested", .run = derive, .arg = nested, .flags = FAULT_STRICT, .min_calls = 20},
	{.name = "print", .run = print, .flags = FAULT_STRICT, .min_calls = 10},
	{.name = "grams", .run = make_grams, .flags = FAULT_STRICT, .min_calls = 3},
};

FAULT_MAIN(cases)
