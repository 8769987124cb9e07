#include "engine/tier.h"
#include "test.h"

static struct tier_weights
weights(uint32_t n, const uint64_t *of)
{
	struct tier_weights w = {.n = n};

	memcpy(w.of, of, n * sizeof(*of));
	return w;
}

#define WEIGHTS(...) \
	weights(sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), (uint64_t[]){__VA_ARGS__})

static uint32_t
keep(struct tier_weights w, uint64_t n)
{
	return tier_keep(&w, n);
}

/* What stays when there is time to merge; the number of layers when nothing is due. */
static uint32_t
due(struct tier_weights w)
{
	uint32_t ret = w.n;

	CHECK(tier_is_due(&w, &ret) == (ret < w.n));
	return ret;
}

TEST(tier, a_change_takes_what_is_light_with_it_and_leaves_the_rest)
{
	CHECK_INT(keep(WEIGHTS(1000000), 1), 1);
	CHECK_INT(keep(WEIGHTS(1000000, 255), 1), 1);
	CHECK_INT(keep(WEIGHTS(1000000, 256), 1), 2);
	CHECK_INT(keep(WEIGHTS(1000000, 2000, 400), 101), 2);
	CHECK_INT(keep(WEIGHTS(1000000, 2000, 400), 501), 1);
	CHECK_INT(keep(WEIGHTS(1000000, 100, 2000, 100), 1), 3); /* not what is below a heavy one */
}

TEST(tier, much_change_makes_a_base)
{
	CHECK_INT(keep(WEIGHTS(1000), 249), 1);
	CHECK_INT(keep(WEIGHTS(1000), 250), 0);
	CHECK_INT(keep(WEIGHTS(1), 1), 0);
	CHECK_INT(keep(WEIGHTS(1000, 990), 9), 2);
	CHECK_INT(keep(WEIGHTS(1000, 990), 10), 0); /* merging has fallen behind */
}

TEST(tier, a_light_change_of_a_small_tree_is_no_base)
{
	struct tier_weights one = WEIGHTS(1), two = WEIGHTS(10, 200), large = WEIGHTS(1000, 990);

	CHECK_INT(tier_keep_light(&one, 255), 1);
	CHECK_INT(tier_keep_light(&one, 256), 0);
	CHECK_INT(tier_keep_light(&two, 55), 1);
	CHECK_INT(tier_keep_light(&two, 56), 0);
	CHECK_INT(tier_keep_light(&large, 9), 2);
	CHECK_INT(tier_keep_light(&large, 10), 0);
}

TEST(tier, what_is_due_waits_for_time)
{
	CHECK_INT(due(WEIGHTS(1000000)), 1);
	CHECK_INT(due(WEIGHTS(1000000, 249999)), 2);
	CHECK_INT(due(WEIGHTS(1000000, 250000)), 0);
	CHECK_INT(due(WEIGHTS(1000000, 200000, 50000)), 0);
	CHECK_INT(due(WEIGHTS(1000000, 40000, 10000)), 3);
	CHECK_INT(due(WEIGHTS(1000000, 39999, 10000)), 1);
	CHECK_INT(due(WEIGHTS(1000000, 100000, 10000, 5000)), 2);
	/* The lowest, though what lies between is heavy enough. */
	CHECK_INT(due(WEIGHTS(1000000, 40000, 10000, 2000)), 1);
}

struct sim {
	struct tier_weights w;
	uint64_t written, changed;
};

/* A new segment upon the `keep` lowest. Nothing cancels out: the worst case. */
static void
write_upon(struct sim *s, uint32_t keep, uint64_t n)
{
	for (; s->w.n > keep; s->w.n--)
		n += s->w.of[s->w.n - 1];
	CHECK(keep < TREE_MAX_LAYERS);
	s->w.of[s->w.n++] = n;
	s->written += n;
}

static void
change(struct sim *s, uint64_t n)
{
	write_upon(s, tier_keep(&s->w, n), n);
	s->changed += n;
}

static void
check_tiers(const struct tier_weights *w)
{
	uint64_t above = 0;

	for (uint32_t i = w->n - 1; i > 0; i--) {
		CHECK(w->of[i] >= TIER_FACTOR * above);
		above += w->of[i];
	}
	CHECK(above < w->of[0] / TIER_FACTOR || w->n == 1);
}

TEST(tier, layers_are_few_and_an_entry_is_written_again_a_few_times)
{
	struct sim s = {.w = WEIGHTS(10000000)};
	uint64_t seed = 1, most = 0;
	uint32_t to;

	for (unsigned i = 0; i < 100000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		change(&s, 1 + (seed >> 33) % (i % 100 == 0 ? 20000 : 50));
		while (tier_is_due(&s.w, &to))
			write_upon(&s, to, 0);
		check_tiers(&s.w);
		most = MAX(most, s.w.n);
	}
	CHECK(most >= 5 && most <= TREE_MAX_LAYERS);
	/* The new bases among it: four times the change by rule 2, and the changes themselves. */
	CHECK(s.written < s.changed * 24);
}

TEST(tier, without_time_to_merge_there_are_never_too_many_and_never_too_heavy_layers)
{
	struct sim s = {.w = WEIGHTS(100000)};
	uint64_t seed = 1;

	for (unsigned i = 0; i < 20000; i++) {
		uint64_t sum = 0;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		change(&s, (uint64_t)1 << (seed >> 40) % 15);
		CHECK(s.w.n <= TREE_MAX_LAYERS);
		for (uint32_t k = 1; k < s.w.n; k++)
			sum += s.w.of[k];
		CHECK(sum < s.w.of[0]);
	}
}
