#include "text/stretch.h"

#include <string.h>

#include "text/simple_regex.h"

/* What a byte of a set says, in tenths of a bit, by how many of the characters of ASCII are in it;
 * and what all of a stretch must say, so that few lines have one. */
#define WORTH_LEAST 160u

/* Items that stand side by side, and the best of them so far. */
struct search {
	struct stretch run, best;
	uint32_t best_worth;
};

static uint32_t
worth_of(const struct stretch *s)
{
	static const struct {
		uint32_t n, tenths;
	} worths[] = {{11, 30}, {23, 20}, {32, 15}, {47, 10}, {63, 6}};
	uint32_t n = 0;

	for (unsigned c = 0; c < 128; c++)
		n += s->has[c];
	for (size_t i = 0; i < ARRAY_LEN(worths); i++) {
		if (n <= worths[i].n)
			return s->least * worths[i].tenths;
	}
	return 0;
}

static void
keep_best(struct search *s, const struct stretch *one)
{
	uint32_t worth = worth_of(one);

	if (worth <= s->best_worth)
		return;
	s->best = *one;
	s->best_worth = worth;
}

/* By itself, and with those before it. */
static void
add_item(struct search *s, const struct simple_item *item)
{
	struct stretch alone = {.least = item->least};

	if (!item->known || item->least == 0) {
		s->run = (struct stretch){0};
		return;
	}
	memcpy(alone.has, item->has, sizeof(alone.has));
	keep_best(s, &alone);
	for (unsigned c = 0; c < ARRAY_LEN(s->run.has); c++)
		s->run.has[c] = s->run.has[c] || item->has[c];
	s->run.least = MIN(s->run.least + item->least, SIMPLE_LEAST_MAX);
	keep_best(s, &s->run);
}

void
stretch_of_regex(struct span pattern, bool fold, struct stretch *ret)
{
	struct simple_regex r = SIMPLE_REGEX(pattern, fold);
	struct simple_item item;
	struct search s = {0};
	int more;

	while ((more = simple_regex_next(&r, &item)) == 1)
		add_item(&s, &item);
	*ret = (struct stretch){0};
	if (more == 0 && s.best_worth >= WORTH_LEAST)
		*ret = s.best;
}

ssize_t
stretch_find(const struct stretch *s, struct span text, size_t from)
{
	const unsigned char *p = (const unsigned char *)text.data;
	size_t at = from;

	/* The stretch at hand would begin at `at`. */
	while (at < text.len && text.len - at >= s->least) {
		size_t last = at + s->least - 1, first = last;

		if (!s->has[p[last]]) {
			at = last + 1;
			continue;
		}
		while (first > at && s->has[p[first - 1]])
			first--;
		if (first == at)
			return (ssize_t)at;
		/* It begins at `first`, or nowhere before the byte that ends what is there. */
		for (at = first;
			last + 1 < text.len && last + 1 - at < s->least && s->has[p[last + 1]];)
			last++;
		if (last + 1 - at >= s->least)
			return (ssize_t)at;
		at = last + 1;
	}
	return -1;
}
