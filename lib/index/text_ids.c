#include "index/text_ids.h"

#include <errno.h>
#include <string.h>

#include "text/members.h"

/* A list is half as large as the bitmap when one in this many is in the set. */
#define FEW 64u

int
text_ids_init(struct text_ids *s, uint32_t range)
{
	*s = (struct text_ids){.range = range};
	s->bits = calloc(text_ids_words(range), sizeof(*s->bits));
	return s->bits ? 0 : -ENOMEM;
}

void
text_ids_fini(struct text_ids *s)
{
	free(s->list);
	free(s->bits);
	*s = (struct text_ids){0};
}

static void
list_bits(const struct text_ids *s, uint32_t *ret)
{
	for (size_t i = 0; i < text_ids_words(s->range); i++) {
		for (uint64_t word = s->bits[i]; word; word &= word - 1)
			*ret++ = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(word);
	}
}

int
text_ids_count(struct text_ids *s)
{
	uint32_t *list, n;

	if (s->list)
		return 0;
	s->n = n = (uint32_t)members_count(s->bits, text_ids_words(s->range));
	if (n > s->range / FEW)
		return 0;
	list = malloc(((size_t)n + 1) * sizeof(*list));
	if (!list) {
		text_ids_fini(s);
		return -ENOMEM;
	}
	list_bits(s, list);
	free(s->bits);
	s->bits = NULL;
	s->list = list;
	return 0;
}

static void
keep_bits(struct text_ids *a, const uint64_t *bits)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < a->n; i++) {
		if (text_ids_has_bit(bits, a->list[i]))
			a->list[kept++] = a->list[i];
	}
	a->n = kept;
}

static void
keep_list(struct text_ids *a, const struct text_ids *b)
{
	uint32_t kept = 0, k = 0;

	for (uint32_t i = 0; i < a->n; i++) {
		while (k < b->n && b->list[k] < a->list[i])
			k++;
		if (k < b->n && b->list[k] == a->list[i])
			a->list[kept++] = a->list[i];
	}
	a->n = kept;
}

int
text_ids_and(struct text_ids *a, const struct text_ids *b)
{
	if (a->list && b->list) {
		keep_list(a, b);
	} else if (a->list) {
		keep_bits(a, b->bits);
	} else if (b->list) {
		struct text_ids few = {.range = a->range, .n = b->n};

		few.list = malloc(((size_t)b->n + 1) * sizeof(*few.list));
		if (few.list) {
			memcpy(few.list, b->list, b->n * sizeof(*few.list));
			keep_bits(&few, a->bits);
		}
		text_ids_fini(a);
		*a = few;
		return few.list ? 0 : -ENOMEM;
	} else {
		for (size_t i = 0; i < text_ids_words(a->range); i++)
			a->bits[i] &= b->bits[i];
	}
	return text_ids_count(a);
}

void
text_ids_mark(const struct text_ids *s, uint64_t *bits)
{
	if (s->list) {
		for (uint32_t i = 0; i < s->n; i++)
			text_ids_set_bit(bits, s->list[i]);
		return;
	}
	for (size_t i = 0; i < text_ids_words(s->range); i++)
		bits[i] |= s->bits[i];
}
