#include "test.h"

#include <errno.h>
#include <string.h>

#include "sync/par_sort.h"

static struct pool *pool;

static void
make_pool(void)
{
	CHECK_INT(pool_create("test", 3, &pool), 0);
}

static void
remove_pool(void)
{
	pool_destroy(pool);
}

static uint64_t
next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Elements of `size` bytes: a key of one or two bytes that repeats, then the place in the input as
 * far as there is room, then a copy of the key's first byte all over. */
struct shape {
	size_t size, key_bytes;
	struct stop *fire; /* after so many comparisons */
	_Atomic uint64_t left;
};

static int
compare_keys(const void *a, const void *b, void *ctx)
{
	struct shape *s = ctx;

	if (s->fire && sub_rlx(&s->left, 1) == 1)
		stop_request(s->fire);
	return memcmp(a, b, s->key_bytes);
}

static int
compare_all(const void *a, const void *b, void *ctx)
{
	return memcmp(a, b, ((struct shape *)ctx)->size);
}

enum pattern { RANDOM, SORTED, REVERSE, EQUAL, SAW, N_PATTERNS };

static char *
make_input(const struct shape *s, size_t n, enum pattern pattern)
{
	char *a = malloc(MAX(n * s->size, (size_t)1));
	uint64_t random = n;

	for (size_t i = 0; i < n; i++) {
		char *x = a + i * s->size;
		uint64_t r = next_random(&random) % 50000;
		size_t key = pattern == RANDOM    ? r
		             : pattern == SORTED  ? i * 50000 / n
		             : pattern == REVERSE ? 50000 - i * 50000 / n
		             : pattern == SAW     ? i % 1000
		                                  : 7;

		memset(x, (int)key, s->size);
		x[0] = (char)(key >> 8);
		for (size_t k = s->key_bytes; k < MIN(s->size, s->key_bytes + 4); k++)
			x[k] = (char)(i >> (8 * (3 - (k - s->key_bytes))));
	}
	return a;
}

/* With their places in the input, all elements are different, and the stable order is the order of
 * all bytes. */
static void
check_sorted(struct shape *s, size_t n, enum pattern pattern, struct pool *p)
{
	char *got = make_input(s, n, pattern), *want = make_input(s, n, pattern);

	CHECK_INT(par_sort(p, TASK_QUERY, got, n, s->size, compare_keys, s, NULL), 0);
	qsort_r(want, n, s->size, compare_all, s);
	CHECK(memcmp(got, want, n * s->size) == 0);
	free(got);
	free(want);
}

TEST(par_sort, equals_a_stable_qsort, .init = make_pool, .fini = remove_pool)
{
	for (size_t n = 0; n <= 10000; n += MAX(2000 / test_scale(20000), 1ul)) {
		struct shape s = {.size = 8, .key_bytes = 2};

		check_sorted(&s, n, RANDOM, n % 2 ? pool : NULL);
	}
}

TEST(par_sort, elements_may_have_any_size, .init = make_pool, .fini = remove_pool)
{
	static const size_t sizes[] = {1, 2, 4, 6, 8, 12, 16, 24, 32, 40, 64, 65, 100};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct shape s = {.size = sizes[i], .key_bytes = MIN(sizes[i], (size_t)2)};

		for (enum pattern k = RANDOM; k < N_PATTERNS; k++) {
			check_sorted(&s, 300, k, pool);
			check_sorted(&s, 8193 + i * 1001, k, pool);
		}
	}
}

TEST(par_sort, many_elements, .init = make_pool, .fini = remove_pool)
{
	struct shape s = {.size = 16, .key_bytes = 2};

	for (enum pattern k = RANDOM; k < N_PATTERNS; k++)
		check_sorted(&s, test_scale(10000000) + 12345, k, pool);
}

/* The sum over all elements of a hash of each: the same for every order. */
static uint64_t
hash_elements(const char *a, size_t n, size_t size)
{
	uint64_t all = 0;

	for (size_t i = 0; i < n; i++, a += size) {
		uint64_t h = 14695981039346656037u;

		for (size_t k = 0; k < size; k++)
			h = (h ^ (unsigned char)a[k]) * 1099511628211u;
		all += h;
	}
	return all;
}

TEST(par_sort, a_stop_loses_no_element, .init = make_pool, .fini = remove_pool)
{
	static const size_t sizes[] = {4, 8, 24, 40, 100};
	uint64_t random = 1;

	for (unsigned long i = 0; i < MAX(test_scale(10000), 40ul); i++) {
		struct shape s = {.size = sizes[i % ARRAY_LEN(sizes)], .key_bytes = 2};
		size_t n = i % 3 ? 30000 : 5000;
		char *a = make_input(&s, n, RANDOM);
		uint64_t h = hash_elements(a, n, s.size);
		struct stop stop;

		stop_init(&stop, NULL);
		s.fire = &stop;
		s.left = 1 + next_random(&random) % (n * 10);
		CHECK_INT(par_sort(pool, TASK_QUERY, a, n, s.size, compare_keys, &s, &stop),
			-ECANCELED);
		CHECK(hash_elements(a, n, s.size) == h);
		stop_fini(&stop);
		free(a);
	}
}

TEST(par_sort, a_closed_pool_leaves_the_work_to_the_caller, .init = make_pool, .fini = remove_pool)
{
	struct shape s = {.size = 8, .key_bytes = 2};

	pool_close(pool);
	check_sorted(&s, 50000, RANDOM, pool);
}

TEST(par_sort, too_many_elements_are_no_memory)
{
	struct shape s = {.size = 8, .key_bytes = 2};
	char a[16];

	CHECK_INT(par_sort(NULL, TASK_QUERY, a, SIZE_MAX / 2, 8, compare_keys, &s, NULL), -ENOMEM);
	CHECK_INT(par_sort(NULL, TASK_QUERY, a, SIZE_MAX / 2 + 1, 80, compare_keys, &s, NULL),
		-ENOMEM);
}
