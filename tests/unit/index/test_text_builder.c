#include "text_place.h"

#include <errno.h>
#include <unistd.h>

#include "sync/par.h"

TestSuite(text_builder, .init = place_set_up, .fini = place_tear_down);

static void
build_and_check(uint64_t seed, unsigned n_symbols, uint32_t n, unsigned n_adders, size_t budget)
{
	struct text_model m;
	struct text *t;

	model_init(&m, seed, n_symbols, 1000, n);
	model_write(&m, place.dirfd, "t", 0, n, n_adders, budget, place.pool);
	t = model_open(place.dirfd, "t", place.pool);
	CHECK_INT(text_cols(t)->overlap_bytes, MODEL_OVERLAP);
	model_check(&m, t, 0, n);
	text_unref(t);
	model_fini(&m);
}

TEST(text_builder, a_segment_says_what_it_was_given)
{
	unsigned long rounds = 1 + test_scale(200);

	for (uint64_t i = 0; i < rounds; i++) {
		build_and_check(4 * i, 4, 1 + (uint32_t)i * 37 % 300, 1 + i % 4, 0);
		build_and_check(4 * i + 1, 3, 1 + (uint32_t)i * 31 % 300, 3, 0);
	}
	build_and_check(3, 4, 3000, 3, 0);
	build_and_check(2, 3, 2000, 2, 0);
}

/* Lists are sorted in parts when memory is scarce: here in more parts than one. */
TEST(text_builder, a_small_budget_makes_the_same_segment)
{
	build_and_check(5, 3, 3000, 2, 1);
}

TEST_SINGLE(text_builder, works_without_a_pool)
{
	struct text_model m;
	struct text *t;

	model_init(&m, 6, 4, 0, 300);
	model_write(&m, place.dirfd, "t", 0, 300, 1, 0, NULL);
	t = model_open(place.dirfd, "t", NULL);
	model_check(&m, t, 0, 300);
	text_unref(t);
	model_fini(&m);
}

static struct text_builder *
make_builder(unsigned n_adders, size_t budget)
{
	struct text_builder_opts opts = {.n_symbols = 4,
		.n_adders = n_adders,
		.overlap_bytes = MODEL_OVERLAP,
		.budget_bytes = budget,
		.pool = place.pool};
	struct text_builder *b;

	CHECK_INT(text_builder_create(&opts, &b), 0);
	return b;
}

struct crowd {
	struct text_builder *b;
	const struct text_model *m;
};

static int
add_some(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct crowd *c = ctx;

	for (; lo < hi; lo++)
		model_add(text_builder_adder(c->b, worker), c->m, (uint32_t)lo);
	return 0;
}

TEST(text_builder, threads_add_side_by_side)
{
	struct text_builder *b = make_builder(par_width(place.pool), 0);
	struct text_written written;
	struct text_model m;
	struct text *t;

	model_init(&m, 8, 4, 7, 2000);
	CHECK_INT(
		par_for(place.pool, TASK_INDEX, m.n, 4, add_some, &(struct crowd){b, &m}, NULL), 0);
	CHECK_INT(text_builder_write(b, place.dirfd, "t", 7, NULL, &written, NULL), 0);
	text_builder_destroy(b);
	t = model_open(place.dirfd, "t", place.pool);
	model_check(&m, t, 0, m.n);
	text_unref(t);
	model_fini(&m);
}

/* Two threads read files of the same contents at once: each content is one document. */
static int
add_same(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct text_builder *b = ctx;
	struct text_adder *a = text_builder_adder(b, worker);

	for (; lo < hi; lo++) {
		uint64_t content = lo / 2;
		uint32_t gram = (uint32_t)content, id, seen;
		struct text_doc_in in = {.order = lo, .hash = hash128(&content, sizeof(content))};
		struct text_unit_in unit = {.grams = &gram, .n_grams = 1};

		if (text_builder_find(b, &in.hash, &id) == 0) {
			CHECK_INT(text_add_unit(a, &unit), 0);
			CHECK(text_add_doc(a, &in, &id) >= 0);
		}
		CHECK_INT(text_builder_find(b, &in.hash, &seen), 1);
		CHECK_INT(seen, id);
		CHECK_INT(text_add_file(a, lo, id), 0);
	}
	return 0;
}

TEST(text_builder, equal_contents_are_one_document)
{
	struct text_builder *b = make_builder(par_width(place.pool), 0);
	struct text_written written;
	const struct text_cols *c;
	struct text *t;

	CHECK_INT(par_for(place.pool, TASK_INDEX, 4000, 1, add_same, b, NULL), 0);
	CHECK_INT(text_builder_write(b, place.dirfd, "t", 0, NULL, &written, NULL), 0);
	text_builder_destroy(b);
	CHECK_INT(written.n_docs, 2000);
	CHECK_INT(written.n_postings, 2000);
	t = model_open(place.dirfd, "t", place.pool);
	c = text_cols(t);
	CHECK_INT(c->n_files, 4000);
	for (uint64_t key = 0; key < 4000; key++) {
		uint32_t content, doc;
		uint64_t number = key / 2;
		struct hash128 hash = hash128(&number, sizeof(number));

		CHECK_INT(text_find_file(c, key, &content), 1);
		CHECK_INT(text_find_hash(c, &hash, &doc), 1);
		CHECK_INT(content, doc);
	}
	text_unref(t);
}

TEST(text_builder, a_file_may_have_a_content_of_an_older_segment)
{
	struct text_builder *b = make_builder(1, 0);
	struct text_adder *a = text_builder_adder(b, 0);
	struct text_doc_in in = {.order = 1, .flags = TEXT_BINARY};
	struct text_written written;
	struct text *t;
	uint32_t id, content;

	CHECK_INT(text_add_doc(a, &in, &id), 1);
	CHECK_INT(text_add_known_file(a, 77, 5), 0);
	CHECK_INT(text_add_file(a, 78, id), 0);
	CHECK_INT(text_builder_write(b, place.dirfd, "t", 10, NULL, &written, NULL), 0);
	text_builder_destroy(b);
	t = model_open(place.dirfd, "t", place.pool);
	CHECK_INT(text_find_file(text_cols(t), 77, &content), 1);
	CHECK_INT(content, 5);
	CHECK_INT(text_find_file(text_cols(t), 78, &content), 1);
	CHECK_INT(content, 10);
	CHECK_INT(text_find_file(text_cols(t), 79, &content), 0);
	CHECK_INT(text_cols(t)->n_units, 0);
	text_unref(t);
}

TEST(text_builder, refuses_what_breaks_its_order)
{
	struct text_builder *b = make_builder(1, 0);
	struct text_adder *a = text_builder_adder(b, 0);
	uint32_t gram = 1u << 24, id;
	struct text_doc_in in = {.order = 5};
	struct text_unit_in unit = {.grams = &gram, .n_grams = 1};
	struct text_written written;

	CHECK_INT(text_add_unit(a, &unit), -EINVAL);
	gram = 3;
	CHECK_INT(text_add_unit(a, &unit), 0);
	CHECK_INT(text_add_doc(a, &in, &id), 1);
	in.hash.low = 1;
	CHECK_INT(text_add_doc(a, &in, &id), -EINVAL);
	in = (struct text_doc_in){.order = 6, .hash.low = 1, .flags = 64};
	CHECK_INT(text_add_doc(a, &in, &id), -EINVAL);
	in = (struct text_doc_in){.order = 6, .hash.low = 1, .marks = TEXT_MARKS_BEYOND};
	CHECK_INT(text_add_doc(a, &in, &id), -EINVAL);
	in = (struct text_doc_in){.order = 6, .hash.low = 1, .flags = TEXT_BINARY, .marks = 1};
	CHECK_INT(text_add_doc(a, &in, &id), -EINVAL);
	CHECK_INT(
		text_builder_write(b, place.dirfd, "t", UINT32_MAX, NULL, &written, NULL), -EFBIG);
	CHECK(faccessat(place.dirfd, "t", F_OK, 0) < 0 &&
		faccessat(place.dirfd, "t.tmp", F_OK, 0) < 0);
	text_builder_destroy(b);
}

TEST(text_builder, writes_nothing_of_nothing)
{
	struct text_builder *b = make_builder(1, 0);
	struct text_written written;

	CHECK_INT(text_builder_write(b, place.dirfd, "t", 0, NULL, &written, NULL), -ENODATA);
	CHECK(faccessat(place.dirfd, "t", F_OK, 0) < 0);
	text_builder_destroy(b);
}

TEST(text_builder, says_when_its_memory_is_used_up)
{
	struct text_builder *b = make_builder(1, (size_t)6 << 20);
	struct text_model m;
	uint32_t i;

	model_init(&m, 9, 4, 0, 20000);
	for (i = 0; i < m.n && !text_builder_full(b); i++)
		model_add(text_builder_adder(b, 0), &m, i);
	CHECK(i > 100 && i < m.n);
	text_builder_destroy(b);
	model_fini(&m);
}

TEST(text_builder, stops_when_told)
{
	struct text_builder *b = make_builder(1, 0);
	struct text_doc_in in = {.order = 5};
	struct text_written written;
	struct stop stop;
	uint32_t id;

	stop_init(&stop, NULL);
	stop_request(&stop);
	CHECK_INT(text_add_doc(text_builder_adder(b, 0), &in, &id), 1);
	CHECK_INT(text_builder_write(b, place.dirfd, "t", 0, &stop, &written, NULL), -ECANCELED);
	CHECK(faccessat(place.dirfd, "t.tmp", F_OK, 0) < 0);
	text_builder_destroy(b);
	stop_fini(&stop);
}
