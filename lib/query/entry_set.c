#include "query/entry_set.h"

#include <errno.h>

#include "base/bisect.h"
#include "base/vec.h"

int
entry_set_init(struct entry_set *s, uint32_t n_layers)
{
	struct entry_list *layer = calloc((size_t)n_layers + 1, sizeof(*layer));

	*s = (struct entry_set){.n_layers = layer ? n_layers : 0, .layer = layer};
	return layer ? 0 : -ENOMEM;
}

void
entry_set_fini(struct entry_set *s)
{
	for (uint32_t i = 0; i < s->n_layers; i++)
		free(s->layer[i].data);
	free(s->layer);
	*s = (struct entry_set){0};
}

int
entry_set_add(struct entry_set *s, uint32_t layer, uint32_t entry)
{
	struct entry_list *l = &s->layer[layer];

	return VEC_PUSH(l, entry);
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
seal_list(struct entry_list *l)
{
	size_t n = 0;

	if (l->len == 0)
		return;
	qsort(l->data, l->len, sizeof(*l->data), compare);
	for (size_t i = 0; i < l->len; i++) {
		if (n == 0 || l->data[i] != l->data[n - 1])
			l->data[n++] = l->data[i];
	}
	l->len = n;
}

void
entry_set_seal(struct entry_set *s)
{
	for (uint32_t i = 0; i < s->n_layers; i++)
		seal_list(&s->layer[i]);
}

uint64_t
entry_set_count(const struct entry_set *s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->n_layers; i++)
		n += s->layer[i].len;
	return n;
}

bool
entry_set_range(const struct entry_set *s, uint32_t layer, uint32_t *ret_lo, uint32_t *ret_hi)
{
	const struct entry_list *l = &s->layer[layer];

	if (l->len == 0)
		return false;
	*ret_lo = l->data[0];
	*ret_hi = l->data[l->len - 1] + 1;
	return true;
}

/* Where the first at or after `entry` is in the list. */
static size_t
find(const struct entry_list *l, uint32_t entry)
{
	return FIRST_NOT(i, l->len, l->data[i] < entry);
}

bool
entry_set_any(const struct entry_set *s, uint32_t layer, uint32_t lo, uint32_t n)
{
	const struct entry_list *l = &s->layer[layer];
	size_t at = find(l, lo);

	return at < l->len && l->data[at] - lo < n;
}

void
entry_set_keep(
	const struct entry_set *s, uint32_t layer, uint32_t lo, uint32_t n, struct bits *bits)
{
	const struct entry_list *l = &s->layer[layer];
	struct bits in = {0};

	for (size_t at = find(l, lo); at < l->len && l->data[at] - lo < n; at++)
		bits_set(&in, l->data[at] - lo);
	for (size_t i = 0; i < ARRAY_LEN(in.word); i++)
		bits->word[i] &= in.word[i];
}
