#include "test.h"

#include "base/arena.h"

TEST(arena, what_it_hands_out_is_aligned_and_does_not_overlap)
{
	struct arena a = {.chunk_bytes = 256};
	char *p[200];

	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		p[i] = arena_alloc(&a, i);
		CHECK(p[i] != NULL && (uintptr_t)p[i] % 16 == 0);
		memset(p[i], (int)i, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		for (size_t k = 0; k < i; k++)
			CHECK_INT((unsigned char)p[i][k], i);
	}
	arena_fini(&a);
}

TEST(arena, zeroed_memory_is_zero_after_a_reset_too)
{
	struct arena a = {0};
	char *p = arena_alloc(&a, 1000);

	memset(p, 0xff, 1000);
	arena_reset(&a);
	p = arena_zalloc(&a, 1000);
	for (size_t i = 0; i < 1000; i++)
		CHECK_INT(p[i], 0);
	arena_fini(&a);
}

TEST(arena, reset_keeps_the_first_chunk_and_no_other)
{
	struct arena a = {.chunk_bytes = 1024};
	void *first = arena_alloc(&a, 8);

	for (int i = 0; i < 100; i++)
		CHECK(arena_alloc(&a, 512) != NULL);
	CHECK(a.total_bytes > 1024);
	arena_reset(&a);
	CHECK_INT(a.total_bytes, 1024);
	CHECK(arena_alloc(&a, 8) == first);
	arena_fini(&a);
	CHECK_INT(a.total_bytes, 0);
}

TEST(arena, a_request_larger_than_a_chunk_is_served)
{
	struct arena a = {0};
	char *p = arena_alloc(&a, 1 << 20);

	CHECK(p != NULL);
	memset(p, 1, 1 << 20);
	arena_fini(&a);
}

TEST(arena, an_impossible_request_fails_and_the_arena_stays_usable)
{
	struct arena a = {0};

	CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
	CHECK(arena_alloc(&a, SIZE_MAX / 2) == NULL);
	CHECK(ARENA_ARRAY(&a, uint64_t, SIZE_MAX / 4) == NULL);
	CHECK_STR(arena_copy(&a, "abc", 3), "abc");
	arena_fini(&a);
}

TEST(arena, a_copy_ends_in_a_nul)
{
	struct arena a = {0};

	CHECK_STR(arena_copy(&a, "abcdef", 3), "abc");
	CHECK_STR(arena_copy(&a, NULL, 0), "");
	arena_fini(&a);
}
