#include "tree_model.h"

#include "base/hash.h"
#include "index/tree_dead.h"

#define N 1000u

static uint64_t seed;

static uint32_t
pick(uint32_t below)
{
	seed++;
	return (uint32_t)(hash64(&seed, sizeof(seed), 11) % below);
}

struct fixture {
	struct model m;
	char *dir;
	struct tree *tree;
	const struct tree_cols *c;
};

static void
fixture_init(struct fixture *f)
{
	model_init(&f->m);
	for (uint32_t i = 1; i < N; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%05u", i);
		(void)model_add(&f->m, 0, name, false, FATE_READ);
	}
	f->dir = test_dir();
	f->tree = model_tree(&f->m, f->dir, N);
	f->c = tree_cols(f->tree);
}

static void
fixture_fini(struct fixture *f)
{
	tree_unref(f->tree);
	test_dir_remove(f->dir);
	model_fini(&f->m);
}

/* Ranges of some length with some entries between, and which entries they hold. */
static uint32_t
random_ranges(struct tree_range *ranges, bool *dead, uint32_t gap, uint32_t len)
{
	uint32_t n = 0;

	memset(dead, 0, N);
	for (uint32_t at = pick(gap); at < N; at += 1 + pick(gap)) {
		uint32_t hi = at + 1 + pick(len);

		hi = MIN(hi, N);
		ranges[n++] = (struct tree_range){at, hi};
		memset(dead + at, 1, hi - at);
		at = hi;
	}
	return n;
}

static void
check_range(const struct fixture *f, const struct tree_dead *d, const bool *dead)
{
	uint32_t lo = pick(N + 1), hi = lo + pick(N + 1 - lo), n = 0;
	uint64_t bits[N / 64 + 1];
	struct tree_sum want = {0}, got;

	for (uint32_t e = lo; e < hi; e++) {
		if (!dead[e])
			continue;
		n++;
		want.size += tree_size(f->c, e);
		want.blocks += tree_blocks(f->c, e);
	}
	CHECK_INT(tree_dead_sum(d, f->c, lo, hi, &got), n);
	CHECK_INT(tree_dead_sum(d, f->c, lo, hi, NULL), n);
	CHECK(got.size == want.size && got.blocks == want.blocks);
	memset(bits, 0xff, sizeof(bits));
	tree_dead_clear(d, lo, hi - lo, bits);
	for (uint32_t i = 0; i < N; i++)
		CHECK((bits[i / 64] >> i % 64 & 1) == !(i < hi - lo && dead[lo + i]));
}

static void
check_entries(const struct tree_dead *d, const bool *dead)
{
	for (uint32_t e = 0; e < N; e++) {
		uint32_t next = e;

		while (next < N && dead[next])
			next++;
		CHECK_INT(tree_dead_skip(d, e), next);
		CHECK(tree_is_dead(d, e) == dead[e]);
	}
}

TEST(tree_dead, ranges_say_of_each_entry_and_range_what_is_dead)
{
	struct fixture f;

	fixture_init(&f);
	for (uint32_t round = 0; round < 30; round++) {
		const struct tree_range *have;
		struct tree_range ranges[N];
		struct tree_dead *d = NULL;
		bool dead[N];
		uint32_t n = random_ranges(ranges, dead, 1 + pick(100), 1 + pick(100));

		CHECK_INT(tree_dead_create(f.c, ranges, n, NULL, &d), 0);
		CHECK_INT(tree_dead_ranges(d, &have), n);
		CHECK_INT(memcmp(have, ranges, n * sizeof(*have)), 0);
		check_entries(d, dead);
		for (uint32_t i = 0; i < 50; i++)
			check_range(&f, d, dead);
		tree_dead_destroy(d);
	}
	fixture_fini(&f);
}

TEST(tree_dead, nothing_dead_is_null_and_counts_nothing)
{
	const struct tree_range *have;
	struct tree_dead *d = NULL;
	struct tree_sum sum = {1, 1};
	uint64_t word = UINT64_MAX;
	struct fixture f;

	fixture_init(&f);
	CHECK_INT(tree_dead_create(f.c, NULL, 0, NULL, &d), 0);
	CHECK(d == NULL);
	CHECK(!tree_is_dead(d, 5));
	CHECK_INT(tree_dead_skip(d, 5), 5);
	CHECK_INT(tree_dead_ranges(d, &have), 0);
	CHECK_INT(tree_dead_sum(d, f.c, 0, N, &sum), 0);
	CHECK(sum.size == 0 && sum.blocks == 0);
	tree_dead_clear(d, 0, 64, &word);
	CHECK(word == UINT64_MAX);
	tree_dead_destroy(d);
	fixture_fini(&f);
}

TEST(tree_dead, a_tree_may_be_dead_as_a_whole)
{
	struct tree_range all = {0, N};
	struct tree_dead *d = NULL;
	struct fixture f;

	fixture_init(&f);
	CHECK_INT(tree_dead_create(f.c, &all, 1, NULL, &d), 0);
	CHECK_INT(tree_dead_sum(d, f.c, 0, N, NULL), N);
	CHECK_INT(tree_dead_skip(d, 0), N);
	tree_dead_destroy(d);
	fixture_fini(&f);
}
