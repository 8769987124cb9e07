#include "index/text_eval.h"
#include "text_model.h"

#include <unistd.h>

#define MAX_KIDS 4u

struct place {
	char *dir;
	int dirfd;
};

static struct place place;

static void
set_up(void)
{
	CHECK_INT(mapfile_setup(), 0);
	place.dir = test_dir();
	place.dirfd = open(place.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
tear_down(void)
{
	(void)close(place.dirfd);
	test_dir_remove(place.dir);
}

TestSuite(text_eval, .init = set_up, .fini = tear_down);

/* Of a document of the model, so that something is found, or any. */
static uint32_t
some_gram(struct text_model *m)
{
	const struct model_doc *d = &m->docs[model_dice(m) % m->n];

	if (model_dice(m) % 4 == 0 || d->n_units == 0 || d->units[0].n == 0)
		return model_gram(m);
	return d->units[0].grams[model_dice(m) % d->units[0].n];
}

static const struct gram_node *
random_query(struct text_model *m, struct gram_query *q, unsigned depth)
{
	const struct gram_node *kids[MAX_KIDS];
	size_t n = 2 + model_dice(m) % (MAX_KIDS - 1);
	uint64_t kind = model_dice(m) % 8;
	uint32_t gram = some_gram(m);

	if (depth == 0 || kind < 2)
		return gram_query_range(q, gram, gram);
	if (kind == 2)
		return gram_query_range(q, gram / 64 * 64, gram / 64 * 64 + 63);
	if (kind == 3) {
		uint32_t last = gram + (uint32_t)(model_dice(m) % 9000);

		return gram_query_range(q, gram, MIN(last, (1u << (6 * m->n_symbols)) - 1));
	}
	for (size_t i = 0; i < n; i++)
		kids[i] = random_query(m, q, depth - 1);
	return kind < 6 ? gram_query_and(q, kids, n) : gram_query_or(q, kids, n);
}

/* The grams of units [lo, hi) of a document, ascending. */
static bool
holds(const struct gram_node *node, const struct model_doc *d, uint32_t lo, uint32_t hi)
{
	VEC(uint32_t) grams = {0};
	bool found;

	for (uint32_t u = lo; u < hi; u++) {
		for (size_t i = 0; i < d->units[u].n; i++)
			CHECK_INT(VEC_PUSH(&grams, d->units[u].grams[i]), 0);
	}
	if (grams.len > 0)
		qsort(grams.data, grams.len, sizeof(*grams.data), model_cmp_u32);
	found = gram_query_holds(node, grams.data, grams.len);
	VEC_FINI(&grams);
	return found;
}

static bool
must_find(const struct gram_node *node, const struct model_doc *d, bool in_unit)
{
	if (!in_unit)
		return d->n_units > 0 && holds(node, d, 0, d->n_units);
	for (uint32_t u = 0; u < d->n_units; u++) {
		if (holds(node, d, u, u + 1))
			return true;
	}
	return false;
}

static uint32_t
check_query(const struct text_model *m, const struct text_cols *c, const struct gram_node *node,
	enum text_eval_flags flags, unsigned patience)
{
	struct text_eval_opts opts = {
		.flags = flags, .patience = patience % 8, .worth = patience / 8};
	struct text_found found;
	uint32_t at = 0;

	CHECK_INT(text_eval(c, node, &opts, &found), 0);
	for (uint32_t i = 0; i < m->n; i++) {
		bool is_found = at < found.n && found.docs[at] == i;

		at += is_found;
		if (must_find(node, &m->docs[i], flags & TEXT_EVAL_IN_UNIT))
			CHECK(is_found);
		else if (!patience && !(flags & TEXT_EVAL_NOT_DENSE))
			CHECK(!is_found);
	}
	CHECK_INT(at, found.n);
	text_found_fini(&found);
	return at;
}

/* Documents of the model are those of the segment. */
static void
check_units(const struct text_model *m, const struct text_cols *c, const struct gram_node *node,
	unsigned patience)
{
	struct text_eval_opts opts = {.patience = patience};
	uint64_t *units;
	uint32_t unit = 0;

	CHECK_INT(text_eval_units(c, node, &opts, &units), 0);
	for (uint32_t i = 0; i < m->n; i++) {
		for (uint32_t u = 0; u < m->docs[i].n_units; u++, unit++) {
			bool is_found = units[unit / 64] >> unit % 64 & 1;
			bool must = holds(node, &m->docs[i], u, u + 1);

			CHECK(is_found || !must);
			CHECK(patience || is_found == must);
		}
	}
	CHECK_INT(unit, c->n_units);
	free(units);
}

static uint32_t
check_random_queries(struct text_model *m, const struct text_cols *c, unsigned long rounds)
{
	uint32_t n_found = 0;

	for (unsigned long i = 0; i < rounds; i++) {
		const struct gram_node *node;
		struct gram_query q;

		gram_query_init(&q, m->n_symbols);
		node = random_query(m, &q, (unsigned)(i % 4));
		n_found += check_query(m, c, node, 0, 0) > 0;
		(void)check_query(m, c, node, TEXT_EVAL_IN_UNIT, 0);
		(void)check_query(m, c, node, 0, 1);
		(void)check_query(m, c, node, 0, 1 + 8 * m->n); /* with `worth` */
		(void)check_query(m, c, node, TEXT_EVAL_IN_UNIT, 2);
		(void)check_query(m, c, node, TEXT_EVAL_NOT_DENSE, 0);
		check_units(m, c, node, 0);
		check_units(m, c, node, 2);
		gram_query_fini(&q);
	}
	return n_found;
}

TEST(text_eval, finds_what_satisfies_the_query_and_nothing_else)
{
	static const uint32_t sizes[] = {1, 30, 700};
	unsigned long rounds = 20 + test_scale(3000);

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		struct text_model m;
		struct text *t;

		model_init(&m, 20 + i, 3 + i % 2, 5, sizes[i]);
		model_write(&m, place.dirfd, "t", 0, m.n, 2, 0, NULL);
		t = model_open(place.dirfd, "t", NULL);
		CHECK(check_random_queries(&m, text_cols(t), rounds) > rounds / 10);
		text_unref(t);
		model_fini(&m);
	}
}

TEST(text_eval, units_that_are_documents_need_no_translation)
{
	struct text_model m;
	struct text *t;

	model_init(&m, 30, 3, 5, 400);
	for (uint32_t i = 0; i < m.n; i++) {
		if (m.docs[i].n_units == 0)
			model_fill(&m, &m.docs[i], 0);
		for (; m.docs[i].n_units > 1; m.docs[i].n_units--)
			free(m.docs[i].units[m.docs[i].n_units - 1].grams);
		m.docs[i].n_units = 1;
	}
	model_write(&m, place.dirfd, "t", 0, m.n, 2, 0, NULL);
	t = model_open(place.dirfd, "t", NULL);
	CHECK_INT(text_cols(t)->n_windows, 0);
	(void)check_random_queries(&m, text_cols(t), 20 + test_scale(1000));
	text_unref(t);
	model_fini(&m);
}

TEST(text_eval, a_document_is_found_by_what_its_windows_hold_together)
{
	struct text_model m;
	struct text *t;

	model_init(&m, 34, 3, 5, 300);
	for (uint32_t i = 0; i < m.n; i += 1 + i % 3) {
		struct model_doc *d = &m.docs[i];

		for (; d->n_units < 3; d->n_units++)
			model_fill(&m, d, d->n_units);
	}
	model_write(&m, place.dirfd, "t", 0, m.n, 2, 0, NULL);
	t = model_open(place.dirfd, "t", NULL);
	CHECK(text_cols(t)->n_windows > 300);
	(void)check_random_queries(&m, text_cols(t), 200 + test_scale(3000));
	text_unref(t);
	model_fini(&m);
}

TEST(text_eval, any_is_what_has_units_and_was_not_dropped)
{
	struct text_eval_opts opts = {0};
	struct text_found found;
	struct text_model m;
	struct text *t;
	uint64_t *dropped;
	uint32_t n = 0;

	model_init(&m, 31, 4, 0, 200);
	model_write(&m, place.dirfd, "t", 0, m.n, 2, 0, NULL);
	t = model_open(place.dirfd, "t", NULL);
	n = check_query(&m, text_cols(t), gram_query_any(), 0, 0);
	CHECK(n > 100 && n < 200);
	CHECK_INT(check_query(&m, text_cols(t), gram_query_any(), TEXT_EVAL_IN_UNIT, 0), n);
	CHECK_INT(check_query(&m, text_cols(t), gram_query_none(), 0, 0), 0);
	CHECK_INT(text_eval_estimate(text_cols(t), gram_query_none(), 0), 0);
	dropped = calloc(4, sizeof(*dropped));
	CHECK(dropped);
	memset(dropped, 0xff, 200 / 8);
	dropped[0] = 0;
	opts.dropped = dropped;
	CHECK_INT(text_eval(text_cols(t), gram_query_any(), &opts, &found), 0);
	CHECK(found.n > 0 && found.docs[found.n - 1] < 64);
	text_found_fini(&found);
	free(dropped);
	text_unref(t);
	model_fini(&m);
}

/* By what it needs, some documents of what was found are left out. */
static uint32_t
check_need(const struct text_model *m, const struct text_cols *c, const struct gram_node *node,
	const struct text_need *need)
{
	struct text_eval_opts opts = {0};
	struct text_found all, some;
	uint32_t at = 0;

	for (unsigned i = 0; i < 2; i++) {
		opts = (struct text_eval_opts){.flags = i ? TEXT_EVAL_IN_UNIT : 0};
		CHECK_INT(text_eval(c, node, &opts, &all), 0);
		opts.need = need;
		CHECK_INT(text_eval(c, node, &opts, &some), 0);
		at = 0;
		for (uint32_t k = 0; k < all.n; k++) {
			const struct text_doc_in *d = &m->docs[all.docs[k]].in;
			bool is_there = at < some.n && some.docs[at] == all.docs[k];

			CHECK_INT(is_there, text_need_met(need, d->marks));
			at += is_there;
		}
		CHECK_INT(at, some.n);
		text_found_fini(&all);
		text_found_fini(&some);
	}
	return at;
}

TEST(text_eval, what_lacks_what_is_needed_is_left_out)
{
	struct text_need none = {0}, beyond = {.n = 1, .any_of = {TEXT_MARKS_BEYOND}};
	struct text_need marks = {.n = 2, .any_of = {0x1001, 0x30}};
	struct text_model m;
	struct text *t;
	uint32_t n;

	model_init(&m, 34, 3, 0, 400);
	model_write(&m, place.dirfd, "t", 0, m.n, 2, 0, NULL);
	t = model_open(place.dirfd, "t", NULL);
	for (unsigned i = 0; i < 50; i++) {
		const struct gram_node *node;
		struct gram_query q;

		gram_query_init(&q, m.n_symbols);
		node = random_query(&m, &q, i % 4);
		(void)check_need(&m, text_cols(t), i ? node : gram_query_none(), &beyond);
		(void)check_need(&m, text_cols(t), node, &marks);
		gram_query_fini(&q);
	}
	n = check_need(&m, text_cols(t), gram_query_any(), &none);
	CHECK(n > 300);
	CHECK(check_need(&m, text_cols(t), gram_query_any(), &beyond) < n);
	n = check_need(&m, text_cols(t), gram_query_any(), &marks);
	CHECK(n > 10 && n < 200);
	text_unref(t);
	model_fini(&m);
}

TEST(text_eval, estimates_are_bounds)
{
	struct text_model m;
	struct text *t;

	model_init(&m, 32, 3, 0, 300);
	model_write(&m, place.dirfd, "t", 0, m.n, 2, 0, NULL);
	t = model_open(place.dirfd, "t", NULL);
	for (unsigned i = 0; i < 50; i++) {
		const struct gram_node *node;
		struct gram_query q;
		uint32_t least;

		gram_query_init(&q, m.n_symbols);
		node = random_query(&m, &q, 3);
		least = text_eval_estimate(text_cols(t), node, 0);
		CHECK(check_query(&m, text_cols(t), node, 0, 0) <= least);
		for (uint32_t enough = 1; enough < m.n; enough = enough * 2 + 1) {
			uint32_t n = text_eval_estimate(text_cols(t), node, enough);

			CHECK(n >= least);
			CHECK((n <= enough) == (least <= enough));
		}
		gram_query_fini(&q);
	}
	text_unref(t);
	model_fini(&m);
}

/* Each level twice the one below: as a tree it has 2^60 nodes. */
TEST(text_eval, a_query_that_shares_its_parts_has_an_end)
{
	struct gram_node nodes[62];
	const struct gram_node *kids[62][2];
	struct text_model m;
	struct text *t;

	model_init(&m, 33, 3, 0, 50);
	model_write(&m, place.dirfd, "t", 0, m.n, 1, 0, NULL);
	t = model_open(place.dirfd, "t", NULL);
	nodes[0] = (struct gram_node){.op = GRAM_RANGE, .first = 5, .last = 9};
	for (unsigned i = 1; i < ARRAY_LEN(nodes); i++) {
		kids[i][0] = kids[i][1] = &nodes[i - 1];
		nodes[i] = (struct gram_node){
			.op = i % 2 ? GRAM_OR : GRAM_AND, .n_kids = 2, .kids = kids[i]};
	}
	{
		struct text_eval_opts opts = {0};
		struct text_found found;

		CHECK_INT(text_eval(text_cols(t), &nodes[ARRAY_LEN(nodes) - 1], &opts, &found), 0);
		text_found_fini(&found);
	}
	text_unref(t);
	model_fini(&m);
}
