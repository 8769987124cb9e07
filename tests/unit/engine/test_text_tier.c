#include "engine/text_tier.h"
#include "test.h"

#define MIB (1ull << 20)

/* Merge as the rules say until nothing is due: how many bytes were written. */
static uint64_t
settle(struct text_weight *w, uint32_t *n)
{
	uint64_t written = 0;
	uint32_t at, k;

	while (text_tier_is_due(w, *n, &at, &k)) {
		struct text_weight sum = {0};

		CHECK(k > 0 && at + k <= *n);
		for (uint32_t i = at; i < at + k; i++) {
			sum.n_bytes += w[i].n_bytes;
			sum.n_docs += w[i].n_docs - w[i].n_dropped;
		}
		written += sum.n_bytes;
		w[at] = sum;
		memmove(&w[at + 1], &w[at + k], (*n - at - k) * sizeof(*w));
		*n -= k - 1;
	}
	return written;
}

TEST(text_tier, one_segment_or_none_is_never_due)
{
	struct text_weight w = {.n_bytes = 1, .n_docs = 1};
	uint32_t at, n;

	CHECK(!text_tier_is_due(&w, 0, &at, &n));
	CHECK(!text_tier_is_due(&w, 1, &at, &n));
}

TEST(text_tier, a_light_one_goes_together_with_what_is_above_it)
{
	struct text_weight w[] = {{.n_bytes = 100 * MIB}, {.n_bytes = MIB}, {.n_bytes = 600 * 1024},
		{.n_bytes = MIB / 8}};
	uint32_t at, n;

	CHECK(text_tier_is_due(w, 4, &at, &n));
	CHECK_INT(at, 1);
	CHECK_INT(n, 3);
	w[1].n_bytes = 4 * MIB;
	CHECK(!text_tier_is_due(w, 4, &at, &n));
}

TEST(text_tier, a_third_of_nobody_s_contents_is_written_again)
{
	struct text_weight w[] = {{.n_bytes = 100 * MIB, .n_docs = 300, .n_dropped = 100},
		{.n_bytes = MIB, .n_docs = 30, .n_dropped = 11}};
	uint32_t at, n;

	CHECK(text_tier_is_due(w, 2, &at, &n));
	CHECK_INT(at, 1);
	CHECK_INT(n, 1);
	w[1].n_dropped = 10;
	CHECK(!text_tier_is_due(w, 2, &at, &n));
	w[1] = (struct text_weight){.n_bytes = MIB, .n_docs = 1, .n_dropped = 1};
	CHECK(text_tier_is_due(w, 2, &at, &n));
}

/* As a large tree makes them: batches of one size, and then changes for long. */
TEST(text_tier, segments_stay_few_and_bytes_are_seldom_written_again)
{
	struct text_weight w[TEXT_SET_MAX];
	uint64_t added = 0, written = 0;
	uint32_t n = 0;

	for (unsigned i = 0; i < 4000; i++) {
		uint64_t bytes = i < 400 ? 60 * MIB : 20000 + i * 977 % 300000;

		if (n >= TEXT_TIER_MANY || i >= 400)
			written += settle(w, &n);
		CHECK(n < TEXT_TIER_MANY);
		w[n++] = (struct text_weight){.n_bytes = bytes, .n_docs = 10};
		added += bytes;
	}
	written += settle(w, &n);
	CHECK(n <= 14);
	CHECK_SAY(written < 8 * added, "%llu times", (unsigned long long)(written / added));
}
