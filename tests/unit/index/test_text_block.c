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

static void
check_units(const uint32_t *units, uint32_t m, uint32_t from)
{
	char bytes[TEXT_BLOCK_MAX_BYTES + TEXT_BLOCK_SLACK];
	uint32_t back[TEXT_BLOCK], last = units[m - 1];
	size_t n;

	memset(bytes, 0xa5, sizeof(bytes));
	n = text_block_put(units, m, from, bytes);
	CHECK(n <= TEXT_BLOCK_MAX_BYTES);
	CHECK_INT(text_block_bytes(m, from, last), n);
	CHECK_INT(text_block_get(bytes, m, from, last, back), n);
	CHECK(memcmp(back, units, m * sizeof(*units)) == 0);
	CHECK(text_block_exact(bytes, m, from, last));
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
		check_units(units, m, from);
	}
}

TEST(text_block, holds_clusters_and_the_ends_of_the_range)
{
	uint32_t units[TEXT_BLOCK];

	units[0] = UINT32_MAX - 1;
	check_units(units, 1, 0);
	check_units(units, 1, units[0]);
	units[1] = units[0];
	units[0] = 0;
	check_units(units, 2, 0);
	for (uint32_t i = 0; i < TEXT_BLOCK; i++)
		units[i] = i < 100 ? i : UINT32_MAX - 500 + i;
	check_units(units, TEXT_BLOCK, 0);
	for (uint32_t i = 0; i < TEXT_BLOCK; i++)
		units[i] = i + 5;
	check_units(units, TEXT_BLOCK, 0);
	CHECK_INT(text_block_bytes(TEXT_BLOCK, 5, units[TEXT_BLOCK - 1]), 0);
}

TEST(text_block, no_bytes_lead_out_of_the_block)
{
	unsigned long rounds = test_scale(100000);
	char bytes[TEXT_BLOCK_MAX_BYTES + TEXT_BLOCK_SLACK];

	for (uint64_t i = 0; i < rounds; i++) {
		uint32_t back[TEXT_BLOCK], m = 1 + (uint32_t)(dice(i, 0) % TEXT_BLOCK);
		uint32_t from = (uint32_t)(dice(i, 1) % 1000);
		uint32_t last = from + m - 1 + (uint32_t)(dice(i, 2) % (1u << dice(i, 3) % 30));

		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (char)dice(i, k + 10);
		if (i % 3 == 0)
			memset(bytes, i % 2 ? 0xff : 0, sizeof(bytes));
		CHECK_INT(text_block_get(bytes, m, from, last, back),
			text_block_bytes(m, from, last));
		for (uint32_t k = 0; k < m; k++)
			CHECK(back[k] >= from && back[k] <= last);
		CHECK_INT(back[m - 1], last);
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
		(void)text_block_get(bytes, 100, 0, units[99], back);
		CHECK(!text_block_exact(bytes, 100, 0, units[99]) ||
			memcmp(back, units, sizeof(*units) * 100) != 0);
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
	}
	CHECK(text_block_exact(bytes, 100, 0, units[99]));
	bytes[0] = 0;
	CHECK(!text_block_exact(bytes, 100, 0, units[99]));
}
