#include "index/text_block.h"
#include "test.h"

#include <string.h>

#include "base/hash.h"

static uint64_t
dice(uint64_t i, uint64_t k)
{
	uint64_t pair[2] = {i, k};

	return hash64(pair, sizeof(pair), 5);
}

/* m units from `from` on, with gaps below `gap`. */
static void
make_units(uint64_t seed, uint32_t m, uint32_t from, uint32_t gap, uint32_t *ret)
{
	uint32_t unit = from + (uint32_t)(dice(seed, 1000) % gap);

	for (uint32_t i = 0; i < m; i++) {
		ret[i] = unit;
		unit += 1 + (uint32_t)(dice(seed, i) % gap);
	}
}

static size_t
check_units(const uint32_t *units, uint32_t m, uint32_t from)
{
	char bytes[TEXT_BLOCK_MAX_BYTES + TEXT_BLOCK_SLACK];
	uint32_t back[TEXT_BLOCK], last = m ? units[m - 1] : from;
	size_t n;

	memset(bytes, 0xa5, sizeof(bytes));
	n = text_block_put(units, m, from, bytes);
	for (unsigned level = 0; level < text_block_n_levels(); level++) {
		char same[sizeof(bytes)];

		CHECK_INT(text_block_put_by(level, units, m, from, same), n);
		CHECK(memcmp(same, bytes, n) == 0);
	}
	CHECK(n <= TEXT_BLOCK_MAX_BYTES);
	text_block_get(bytes, n, m, from, last, back);
	CHECK(memcmp(back, units, m * sizeof(*units)) == 0);
	text_block_get(bytes, n, m, from, UINT32_MAX - 1, back);
	CHECK(memcmp(back, units, m * sizeof(*units)) == 0);
	CHECK(text_block_exact(bytes, n, m, from, last));
	CHECK(m < 2 || !text_block_exact(bytes, n, m, from, last - 1));
	return n;
}

TEST(text_block, gives_back_what_it_was_given)
{
	static const uint32_t gaps[] = {1, 2, 3, 7, 100, 5000, 1 << 20, 30000000};
	unsigned long rounds = test_scale(100000);

	for (uint64_t i = 0; i < rounds; i++) {
		uint32_t units[TEXT_BLOCK], m = 1 + (uint32_t)(dice(i, 2000) % TEXT_BLOCK);
		uint32_t gap = gaps[dice(i, 2001) % ARRAY_LEN(gaps)];
		uint32_t from = dice(i, 2002) % 2 ? 0 : (uint32_t)(dice(i, 2003) % 1000000);

		make_units(i, m, from, gap, units);
		(void)check_units(units, m, from);
	}
}

/* Gaps of all widths in one block: each way to write many bits at once meets too many. */
TEST(text_block, is_the_same_by_every_way_when_gaps_are_of_all_sizes)
{
	unsigned long rounds = test_scale(100000);

	for (uint64_t i = 0; i < rounds; i++) {
		uint32_t units[TEXT_BLOCK], m = 1 + (uint32_t)(dice(i, 2000) % TEXT_BLOCK);
		unsigned rare = 1 + dice(i, 2001) % 30, wide = dice(i, 2002) % 28;
		uint64_t unit = dice(i, 2003) % 2000;

		for (uint32_t k = 0; k < m; k++) {
			uint64_t width = dice(i, k) % rare ? dice(i, k + 200) % 4 : wide;

			unit += 1 + dice(i, k + 400) % (1ull << width);
			units[k] = (uint32_t)MIN(unit, (uint64_t)UINT32_MAX - 1 - (m - k));
			unit = units[k];
		}
		(void)check_units(units, m, 0);
	}
}

TEST(text_block, holds_clusters_and_the_ends_of_the_range)
{
	uint32_t units[TEXT_BLOCK] = {0};

	CHECK_INT(check_units(units, 0, 5), 0);
	units[0] = UINT32_MAX - 1;
	(void)check_units(units, 1, 0);
	(void)check_units(units, 1, units[0]);
	units[1] = units[0];
	units[0] = 0;
	(void)check_units(units, 2, 0);
	for (uint32_t i = 0; i < TEXT_BLOCK; i++)
		units[i] = i < 100 ? i : UINT32_MAX - 500 + i;
	(void)check_units(units, TEXT_BLOCK, 0);
	for (uint32_t i = 0; i < TEXT_BLOCK; i++)
		units[i] = i + 5;
	CHECK_INT(check_units(units, TEXT_BLOCK, 5), 17);
}

/* Half of the gaps are nothing, so large ones cost the most: even so the length fits its bits. */
TEST(text_block, the_largest_block_has_its_place)
{
	uint32_t units[TEXT_BLOCK], unit = 0;

	for (uint32_t i = 0; i < TEXT_BLOCK; i++) {
		unit += i % 2 ? 1 : (1u << 25) - 1;
		units[i] = unit;
	}
	CHECK(check_units(units, TEXT_BLOCK, 0) < 600);
}

TEST(text_block, no_bytes_lead_out_of_the_block)
{
	unsigned long rounds = test_scale(100000);

	for (uint64_t i = 0; i < rounds; i++) {
		size_t n = dice(i, 4) % 300;
		char *bytes = malloc(n + TEXT_BLOCK_SLACK);
		uint32_t back[TEXT_BLOCK], m = 1 + (uint32_t)(dice(i, 0) % TEXT_BLOCK);
		uint32_t from = (uint32_t)(dice(i, 1) % 1000);
		uint32_t last = from + m - 1 + (uint32_t)(dice(i, 2) % (1u << dice(i, 3) % 30));

		CHECK(bytes);
		for (size_t k = 0; k < n + TEXT_BLOCK_SLACK; k++)
			bytes[k] = (char)dice(i, k + 10);
		if (i % 3 == 0)
			memset(bytes, i % 2 ? 0xff : 0, n + TEXT_BLOCK_SLACK);
		text_block_get(bytes, n, m, from, last, back);
		for (uint32_t k = 0; k < m; k++)
			CHECK(back[k] >= from && back[k] <= last);
		(void)text_block_exact(bytes, n, m, from, last);
		free(bytes);
	}
}

TEST(text_block, damage_is_seen)
{
	uint32_t units[TEXT_BLOCK], back[TEXT_BLOCK];
	char bytes[TEXT_BLOCK_MAX_BYTES + TEXT_BLOCK_SLACK];
	size_t n;

	make_units(1, 100, 0, 50, units);
	n = text_block_put(units, 100, 0, bytes);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
		/* Of other units it may be the right code. */
		text_block_get(bytes, n, 100, 0, units[99], back);
		CHECK(!text_block_exact(bytes, n, 100, 0, units[99]) ||
			memcmp(back, units, sizeof(*units) * 100) != 0);
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
	}
	CHECK(text_block_exact(bytes, n, 100, 0, units[99]));
	CHECK(!text_block_exact(bytes, n - 1, 100, 0, units[99]));
	bytes[1] = 0;
	CHECK(!text_block_exact(bytes, n, 100, 0, units[99]));
}

TEST(text_block, skips_stand_side_by_side)
{
	static const uint32_t sizes[] = {1, 2, 1000, 78576, UINT32_MAX - 1};
	static char skips[64 * 6 + TEXT_BLOCK_SLACK];

	for (unsigned s = 0; s < ARRAY_LEN(sizes); s++) {
		CHECK(text_skips_bytes(sizes[s], 64 * TEXT_BLOCK) <= 64 * 6);
		memset(skips, 0, sizeof(skips));
		for (uint32_t i = 0; i < 64; i++) {
			struct text_skip skip = {(uint32_t)(dice(s, i) % sizes[s]),
				(uint32_t)(dice(s, i) >> 40) % 1024};

			text_skip_put(skips, sizes[s], i, skip);
		}
		for (uint32_t i = 0; i < 64; i++) {
			struct text_skip skip = text_skip_get(skips, sizes[s], i);

			CHECK_INT(skip.last, dice(s, i) % sizes[s]);
			CHECK_INT(skip.bytes, (dice(s, i) >> 40) % 1024);
		}
	}
}
