#include "test.h"

#include "base/bisect.h"
#include "base/defs.h"

/* One after the other, the slow way. */
static size_t
plainly(const uint32_t *of, size_t n, uint32_t key)
{
	size_t i = 0;

	while (i < n && of[i] < key)
		i++;
	return i;
}

TEST(bisect, finds_the_place_that_looking_at_each_finds)
{
	uint32_t of[40];

	/* Twos and gaps, of every length, with each key that is in it, between, before and behind.
	 */
	for (size_t n = 0; n <= ARRAY_LEN(of); n++) {
		for (size_t i = 0; i < n; i++)
			of[i] = 5 + (uint32_t)(i / 2) * 3;
		for (uint32_t key = 0; key < 80; key++)
			CHECK_INT(FIRST_NOT(i, n, of[i] < key), plainly(of, n, key));
	}
}

TEST(bisect, the_whole_range_of_the_count_is_searched)
{
	const uint32_t n = UINT32_MAX;
	unsigned n_asked = 0;

	CHECK_INT(FIRST_NOT(i, n, (n_asked++, i < UINT32_MAX - 1)), UINT32_MAX - 1);
	CHECK(n_asked <= 33);
	CHECK_INT(FIRST_NOT(i, n, true), UINT32_MAX);
	CHECK_INT(FIRST_NOT(i, n, false), 0);
	CHECK_INT(FIRST_NOT(i, (uint64_t)INT64_MAX, i < (uint64_t)INT64_MAX - 7), INT64_MAX - 7);
}
