#include "walk/name_sort.h"

#include <endian.h>

/* Up to here insertion beats counting digits. */
#define INSERTION_MAX 24u
#define DIGITS 8u
#define DIGIT_VALUES 256u

/* How many of each value of each digit. */
struct counts {
	uint32_t n[DIGITS][DIGIT_VALUES];
};

static uint64_t
key_at(const struct listed *x, size_t at)
{
	size_t left = x->len > at ? x->len - at : 0;
	uint64_t key = 0;

	if (left == 0)
		return 0;
	memcpy(&key, x->name + at, sizeof(key));
	key = be64toh(key);
	return left < sizeof(key) ? key & ~(UINT64_MAX >> (8 * left)) : key;
}

static bool
is_after(const struct listed *a, const struct listed *b)
{
	if (a->key != b->key)
		return a->key > b->key;
	return span_cmp((struct span){a->name, a->len}, (struct span){b->name, b->len}) > 0;
}

static void
sort_few(struct listed *v, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++) {
		struct listed x = v[i];
		size_t j = i;

		x.key = key_at(&x, at);
		for (; j > 0 && is_after(&v[j - 1], &x); j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

/* From `at` on, how many bytes all names share: none of them ends within these. */
static size_t
shared_bytes(const struct listed *v, size_t n, size_t at)
{
	size_t shared = v[0].len > at ? v[0].len - at : 0;

	for (size_t i = 1; i < n && shared > 0; i++) {
		size_t k = 0, most = MIN(shared, v[i].len > at ? v[i].len - at : 0u);

		while (k < most && v[i].name[at + k] == v[0].name[at + k])
			k++;
		shared = k;
	}
	return shared;
}

static void
count_digits(const struct listed *v, size_t n, struct counts *c)
{
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < n; i++) {
		for (unsigned d = 0; d < DIGITS; d++)
			c->n[d][(v[i].key >> (8 * d)) & 255]++;
	}
}

/* One digit from one array into the other, stable. False: they all have the same there. */
static bool
move_by_digit(const struct listed *from, struct listed *to, size_t n, unsigned digit, uint32_t *c)
{
	uint32_t at = 0;

	if (c[(from[0].key >> (8 * digit)) & 255] == n)
		return false;
	for (unsigned value = 0; value < DIGIT_VALUES; value++) {
		uint32_t here = c[value];

		c[value] = at;
		at += here;
	}
	for (size_t i = 0; i < n; i++)
		to[c[(from[i].key >> (8 * digit)) & 255]++] = from[i];
	return true;
}

/* By key, the least significant digit first. */
static void
radix_sort(struct listed *v, struct listed *spare, size_t n)
{
	struct listed *from = v, *to = spare;
	struct counts c;

	count_digits(v, n, &c);
	for (unsigned d = 0; d < DIGITS; d++) {
		struct listed *swap = from;

		if (!move_by_digit(from, to, n, d, c.n[d]))
			continue;
		from = to;
		to = swap;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(*v));
}

/* Many names whose first `at` bytes are alike: returns how many bytes are, after this pass, in the
 * keys or before them. */
static size_t
sort_pass(struct listed *v, struct listed *spare, size_t n, size_t at)
{
	at += shared_bytes(v, n, at);
	for (size_t i = 0; i < n; i++)
		v[i].key = key_at(&v[i], at);
	radix_sort(v, spare, n);
	return at + sizeof(v->key);
}

/* No deeper than a name has keys: 32 of Linux's longest. */
static void
sort_from(struct listed *v, struct listed *spare, size_t n, size_t at)
{
	if (n <= INSERTION_MAX) {
		sort_few(v, n, at);
		return;
	}
	at = sort_pass(v, spare, n, at);
	for (size_t lo = 0, hi; lo < n; lo = hi) {
		for (hi = lo + 1; hi < n && v[hi].key == v[lo].key; hi++)
			;
		/* A name that ends within its key is the same as all that have this key. */
		if (hi - lo > 1 && (v[lo].key & 255) != 0)
			sort_from(v + lo, spare, hi - lo, at);
	}
}

void
names_sort(struct listed *v, struct listed *spare, size_t n)
{
	sort_from(v, spare, n, 0);
}
