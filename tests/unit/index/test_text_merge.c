#include "text_place.h"

#include <unistd.h>

TestSuite(text_merge, .init = place_set_up, .fini = place_tear_down);

#define MAX_SOURCES 8u

struct sources {
	struct text_merge_source of[MAX_SOURCES];
	uint32_t ends[MAX_SOURCES];
	unsigned n;
};

/* The model cut into n segments. */
static void
make_sources(struct text_model *m, unsigned n, struct sources *ret)
{
	uint32_t lo = 0;

	*ret = (struct sources){.n = n};
	for (unsigned i = 0; i < n; i++) {
		uint32_t left = n - 1 - i;
		uint32_t hi = left ? lo + 1 + (uint32_t)(model_dice(m) % (m->n - lo - left)) : m->n;
		char name[16];

		(void)snprintf(name, sizeof(name), "s%u", i);
		model_write(m, place.dirfd, name, lo, hi, 2, 0, place.pool);
		ret->of[i].text = model_open(place.dirfd, name, place.pool);
		ret->ends[i] = lo = hi;
	}
}

/* Some documents of each source are dropped after it was written, the whole of one perhaps. */
static void
drop_some(struct text_model *m, struct sources *s)
{
	uint32_t lo = 0;

	for (unsigned i = 0; i < s->n; i++) {
		uint32_t n = s->ends[i] - lo, whole = model_dice(m) % 5 == 0;
		uint64_t *bits = calloc(n / 64 + 1, sizeof(*bits));

		CHECK(bits);
		for (uint32_t k = 0; k < n; k++) {
			if (whole || model_dice(m) % 4 == 0) {
				bits[k / 64] |= (uint64_t)1 << k % 64;
				m->docs[lo + k].dropped = true;
			}
		}
		s->of[i].dropped = bits;
		lo = s->ends[i];
	}
}

static void
merge_sources(struct sources *s, const char *name)
{
	struct text_merge_opts opts = {.pool = place.pool};
	struct text_written written;
	struct err err = {0};

	CHECK_SAY(text_merge(s->of, s->n, &opts, place.dirfd, name, NULL, &written, &err) == 0,
		"%s", err.what);
	for (unsigned i = 0; i < s->n; i++) {
		uint64_t *bits = NULL;

		memcpy(&bits, &s->of[i].dropped, sizeof(bits));
		free(bits);
	}
}

static void
close_sources(struct sources *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct text *t = NULL;

		memcpy(&t, &s->of[i].text, sizeof(t));
		text_unref(t);
	}
}

static void
split_and_merge(uint64_t seed, unsigned n_symbols, uint32_t n, unsigned n_sources, bool drop)
{
	struct sources s;
	struct text_model m;
	struct text *t;

	model_init(&m, seed, n_symbols, 50, n);
	make_sources(&m, n_sources, &s);
	if (drop)
		drop_some(&m, &s);
	merge_sources(&s, "m");
	t = model_open(place.dirfd, "m", place.pool);
	model_check(&m, t, 0, n);
	text_unref(t);
	close_sources(&s);
	model_fini(&m);
}

static struct strbuf
bytes_of_file(const char *name)
{
	struct strbuf b = {0};

	CHECK_INT(fd_slurp(place.dirfd, name, 1u << 28, &b), 0);
	return b;
}

TEST(text_merge, any_split_gives_the_whole)
{
	unsigned long rounds = 1 + test_scale(100);

	for (uint64_t i = 0; i < rounds; i++) {
		split_and_merge(4 * i, 4, 20 + (uint32_t)i * 53 % 300, 2 + i % 7, false);
		split_and_merge(4 * i + 1, 3, 20 + (uint32_t)i * 53 % 300, 1 + i % 8, false);
	}
	split_and_merge(3, 3, 2000, 3, false);
}

TEST(text_merge, what_was_dropped_is_gone)
{
	unsigned long rounds = 1 + test_scale(100);

	for (uint64_t i = 0; i < rounds; i++)
		split_and_merge(4 * i + 2, 3 + i % 2, 20 + (uint32_t)i * 53 % 400, 1 + i % 6, true);
	split_and_merge(4, 3, 2000, 2, true);
}

TEST(text_merge, is_the_file_that_a_builder_makes)
{
	struct strbuf merged, built;
	struct sources s;
	struct text_model m;

	model_init(&m, 11, 4, 0, 500);
	make_sources(&m, 3, &s);
	merge_sources(&s, "m");
	model_write(&m, place.dirfd, "t", 0, m.n, 3, 0, place.pool);
	merged = bytes_of_file("m");
	built = bytes_of_file("t");
	CHECK(span_eq(strbuf_view(&merged), strbuf_view(&built)));
	strbuf_fini(&merged);
	strbuf_fini(&built);
	close_sources(&s);
	model_fini(&m);
}

TEST(text_merge, merges_what_was_merged)
{
	struct sources s, two = {.n = 2};
	struct text_model m;
	struct text *t;

	model_init(&m, 12, 4, 9, 400);
	make_sources(&m, 4, &s);
	drop_some(&m, &s);
	two.of[1] = s.of[3];
	s.n = 3;
	merge_sources(&s, "m");
	two.of[0].text = model_open(place.dirfd, "m", place.pool);
	merge_sources(&two, "n");
	t = model_open(place.dirfd, "n", place.pool);
	model_check(&m, t, 0, m.n);
	text_unref(t);
	close_sources(&two);
	close_sources(&s);
	model_fini(&m);
}

TEST(text_merge, numbers_between_segments_are_dropped_documents)
{
	struct sources s;
	struct text_model m;
	struct text *t;

	model_init(&m, 13, 4, 0, 90);
	make_sources(&m, 3, &s);
	for (uint32_t i = s.ends[0]; i < s.ends[1]; i++)
		m.docs[i].dropped = true;
	{
		struct sources ends = {.of = {s.of[0], s.of[2]}, .n = 2};

		merge_sources(&ends, "m");
	}
	t = model_open(place.dirfd, "m", place.pool);
	model_check(&m, t, 0, m.n);
	text_unref(t);
	close_sources(&s);
	model_fini(&m);
}

/* A file with one content in the first segment, and with another in the second. */
static struct text *
one_file(const char *name, uint32_t base, uint64_t content, uint64_t key)
{
	struct text_builder_opts opts = {.n_symbols = 4, .n_adders = 1};
	struct text_doc_in in = {.order = 1, .hash.low = content};
	struct text_written written;
	struct text_builder *b;
	uint32_t id;

	CHECK_INT(text_builder_create(&opts, &b), 0);
	CHECK_INT(text_add_doc(text_builder_adder(b, 0), &in, &id), 1);
	CHECK_INT(text_add_file(text_builder_adder(b, 0), key, id), 0);
	CHECK_INT(text_add_file(text_builder_adder(b, 0), content, id), 0);
	CHECK_INT(text_builder_write(b, place.dirfd, name, base, NULL, &written, NULL), 0);
	text_builder_destroy(b);
	return model_open(place.dirfd, name, NULL);
}

static bool
keep_even(void *ctx, uint64_t key, uint32_t content)
{
	(void)content;
	*(unsigned *)ctx += 1;
	return key % 2 == 0;
}

TEST(text_merge, the_later_row_of_a_file_stays_and_those_of_no_file_go)
{
	struct text *a = one_file("a", 0, 101, 8), *b = one_file("b", 1, 102, 8), *t;
	struct text_merge_source s[] = {{.text = a}, {.text = b}};
	unsigned n_asked = 0;
	struct text_merge_opts opts = {.keep_file = keep_even, .ctx = &n_asked};
	struct text_written written;
	uint32_t content;

	CHECK_INT(text_merge(s, 2, &opts, place.dirfd, "m", NULL, &written, NULL), 0);
	CHECK_INT(n_asked, 3);
	t = model_open(place.dirfd, "m", NULL);
	CHECK_INT(text_cols(t)->n_files, 2);
	CHECK_INT(text_find_file(text_cols(t), 8, &content), 1);
	CHECK_INT(content, 1);
	CHECK_INT(text_find_file(text_cols(t), 101, &content), 0);
	CHECK_INT(text_find_file(text_cols(t), 102, &content), 1);
	text_unref(t);
	text_unref(a);
	text_unref(b);
}

TEST(text_merge, one_content_may_stand_in_both)
{
	struct text *a = one_file("a", 0, 101, 8), *b = one_file("b", 1, 101, 9), *t;
	struct text_merge_source s[] = {{.text = a}, {.text = b}};
	struct text_merge_opts opts = {0};
	struct text_written written;
	struct hash128 hash = {.low = 101};
	uint32_t doc;

	CHECK_INT(text_merge(s, 2, &opts, place.dirfd, "m", NULL, &written, NULL), 0);
	t = model_open(place.dirfd, "m", NULL);
	CHECK_INT(text_find_hash(text_cols(t), &hash, &doc), 1);
	CHECK_INT(doc, 0);
	text_unref(t);
	text_unref(a);
	text_unref(b);
}

TEST(text_merge, refuses_ranges_that_are_not_in_order)
{
	struct text *a = one_file("a", 5, 1, 2), *b = one_file("b", 5, 3, 4);
	struct text_merge_source s[] = {{.text = a}, {.text = b}};
	struct text_merge_opts opts = {0};
	struct text_written written;
	struct err err = {0};

	CHECK_INT(text_merge(s, 2, &opts, place.dirfd, "m", NULL, &written, &err), -EINVAL);
	CHECK(err.what[0]);
	CHECK(faccessat(place.dirfd, "m.tmp", F_OK, 0) < 0);
	text_unref(a);
	text_unref(b);
}

TEST(text_merge, stops_when_told)
{
	struct text *a = one_file("a", 5, 1, 2);
	struct text_merge_source s = {.text = a};
	struct text_merge_opts opts = {.pool = place.pool};
	struct text_written written;
	struct stop stop;

	stop_init(&stop, NULL);
	stop_request(&stop);
	CHECK_INT(text_merge(&s, 1, &opts, place.dirfd, "m", &stop, &written, NULL), -ECANCELED);
	CHECK(faccessat(place.dirfd, "m", F_OK, 0) < 0 &&
		faccessat(place.dirfd, "m.tmp", F_OK, 0) < 0);
	stop_fini(&stop);
	text_unref(a);
}
