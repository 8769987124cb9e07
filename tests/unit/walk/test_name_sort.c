#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "walk/name_sort.h"

struct names {
	VEC(struct listed) v;
};

static uint64_t state = 88172645463325252u;

static uint64_t
random_below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* With the bytes behind it that the sort may read, which are not all zeros. */
static void
add_name(struct names *s, const char *name, size_t len)
{
	char *copy = malloc(len + 1 + NAME_PAD_BYTES);

	CHECK(copy != NULL);
	memset(copy, 0xAA, len + 1 + NAME_PAD_BYTES);
	memcpy(copy, name, len);
	copy[len] = '\0';
	CHECK(VEC_PUSH(&s->v,
		      (struct listed){.name = copy, .len = (uint16_t)len, .ino = s->v.len + 1}) ==
		0);
}

static int
by_bytes(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Sort, and hold it against qsort(); each inode number still goes with its name. */
static void
check_sorted(struct names *s)
{
	size_t n = s->v.len;
	struct listed *spare = calloc(n + 1, sizeof(*spare));
	struct listed *oracle = calloc(n + 1, sizeof(*oracle));

	CHECK(spare && oracle);
	if (n > 0)
		memcpy(oracle, s->v.data, n * sizeof(*oracle));
	qsort(oracle, n, sizeof(*oracle), by_bytes);
	names_sort(s->v.data, spare, n);
	for (size_t i = 0; i < n; i++) {
		CHECK_STR(s->v.data[i].name, oracle[i].name);
		CHECK(s->v.data[i].ino == oracle[i].ino ||
			(i > 0 && strcmp(oracle[i].name, oracle[i - 1].name) == 0) ||
			(i + 1 < n && strcmp(oracle[i].name, oracle[i + 1].name) == 0));
	}
	for (size_t i = 0; i < n; i++)
		free((char *)(uintptr_t)s->v.data[i].name);
	VEC_FINI(&s->v);
	free(spare);
	free(oracle);
}

TEST(name_sort, none_and_one_are_sorted)
{
	struct names s = {0};

	check_sorted(&s);
	add_name(&s, "x", 1);
	check_sorted(&s);
}

TEST(name_sort, numbered_names_come_in_order_whatever_they_share)
{
	static const char *const prefixes[] = {"", "f", "a-prefix-of-more-than-eight-bytes-"};

	for (size_t p = 0; p < ARRAY_LEN(prefixes); p++) {
		struct names s = {0};
		char name[64];

		for (unsigned i = 0; i < 1000; i++) {
			int len = snprintf(
				name, sizeof(name), "%s%u.c", prefixes[p], i * 7919 % 1000);
			add_name(&s, name, (size_t)len);
		}
		check_sorted(&s);
	}
}

TEST(name_sort, a_prefix_comes_first_at_every_length)
{
	struct names s = {0};
	char name[256];

	memset(name, 'n', sizeof(name));
	for (size_t len = 255; len > 0; len--)
		add_name(&s, name, len);
	check_sorted(&s);
}

TEST(name_sort, equal_names_stay_both)
{
	struct names s = {0};

	for (unsigned i = 0; i < 60; i++)
		add_name(&s, "the same name, again", i % 3 == 0 ? 20 : 8);
	check_sorted(&s);
}

/* Few different bytes, so that much is shared, among them the extremes. */
TEST(name_sort, random_names_of_any_bytes_come_in_the_order_of_qsort)
{
	static const char bytes[] = {'\x01', '\xff', 'a', 'b', '\x80', '.'};

	for (unsigned long round = 0; round < test_scale(5000) + 20; round++) {
		struct names s = {0};
		size_t n = random_below(300);
		char name[40];

		for (size_t i = 0; i < n; i++) {
			size_t len = 1 + random_below(sizeof(name) - 1);
			size_t kinds = 1 + random_below(sizeof(bytes));

			for (size_t k = 0; k < len; k++)
				name[k] = bytes[random_below(kinds)];
			add_name(&s, name, len);
		}
		check_sorted(&s);
	}
}
