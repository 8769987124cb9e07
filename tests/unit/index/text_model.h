/**
 * text_model: contents with random grams, the segments made of them, and what these must say.
 */
#pragma once

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/vec.h"
#include "index/text_builder.h"
#include "index/text_list.h"
#include "index/text_merge.h"
#include "text/text_need.h"

#define MODEL_MAX_UNITS 3u
#define MODEL_OVERLAP 100u

struct model_doc {
	struct text_doc_in in; /* order: of the document among all, with gaps */
	uint32_t n_units;
	bool dropped;
	struct {
		uint32_t *grams;
		size_t n;
		uint64_t offset_bytes, lines_before;
		bool at_line;
	} units[MODEL_MAX_UNITS];
};

struct text_model {
	unsigned n_symbols;
	uint32_t base, n;
	struct model_doc *docs;
	uint64_t state; /* of the dice */
};

/* What must stand in a segment, gram by gram. */
struct model_pair {
	uint32_t gram, unit;
};

static inline uint64_t
model_dice(struct text_model *m)
{
	m->state++;
	return hash64(&m->state, sizeof(m->state), 7);
}

/* Some grams are in nearly every unit, some in every eighth, most in one or two. */
static inline uint32_t
model_gram(struct text_model *m)
{
	uint64_t d = model_dice(m), most = (1u << (6 * m->n_symbols)) - 1;

	switch (d % 8) {
	case 0:
		return (uint32_t)(most - (d >> 8) % 5); /* the last ones */
	case 1:
		return (uint32_t)((d >> 8) % 30 * 977 % most);
	case 2:
	case 3:
		return (uint32_t)(d >> 8) % 1000; /* neighbours */
	default:
		return (uint32_t)((d >> 8) % most);
	}
}

static inline int
model_cmp_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static inline void
model_fill(struct text_model *m, struct model_doc *d, uint32_t u)
{
	size_t n = model_dice(m) % 60, kept = 0;
	uint32_t *g = malloc((n + 1) * sizeof(*g));

	CHECK(g);
	for (size_t i = 0; i < n; i++)
		g[i] = model_gram(m);
	qsort(g, n, sizeof(*g), model_cmp_u32);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || g[kept - 1] != g[i])
			g[kept++] = g[i];
	}
	/* In any order. */
	for (size_t i = kept; i > 1; i--) {
		size_t k = model_dice(m) % i;
		uint32_t swap = g[i - 1];

		g[i - 1] = g[k];
		g[k] = swap;
	}
	d->units[u].grams = g;
	d->units[u].n = kept;
	d->units[u].offset_bytes = 1000 * u;
	d->units[u].lines_before = 10 * u;
	d->units[u].at_line = u % 2;
}

static inline uint64_t
model_marks(struct text_model *m, uint32_t encoding)
{
	uint64_t letters = model_dice(m) & model_dice(m) & (TEXT_MARKS_BEYOND - 1);

	if (encoding == TEXT_BINARY)
		return 0;
	return letters | (encoding == TEXT_ASCII ? 0 : TEXT_MARKS_BEYOND);
}

static inline void
model_init(struct text_model *m, uint64_t seed, unsigned n_symbols, uint32_t base, uint32_t n)
{
	*m = (struct text_model){.n_symbols = n_symbols, .base = base, .n = n, .state = seed << 32};
	m->docs = calloc(n + 1, sizeof(*m->docs));
	CHECK(m->docs);
	for (uint32_t i = 0; i < n; i++) {
		struct model_doc *d = &m->docs[i];
		uint64_t d6 = model_dice(m);

		d->in.order = 10 + 3 * (uint64_t)i;
		d->in.hash = hash128(&m->state, sizeof(m->state));
		d->in.size_bytes = d6 % 10000;
		d->in.n_lines = d6 % 100;
		d->in.flags = (uint32_t)(d6 % 6) | (d6 % 5 == 0 ? TEXT_FOLDS : 0);
		d->in.marks = model_marks(m, d->in.flags & TEXT_ENCODING_MASK);
		d->n_units = d6 % 20 == 0 ? 3 : d6 % 21 == 0 ? 0 : 1;
		for (uint32_t u = 0; u < d->n_units; u++)
			model_fill(m, d, u);
	}
}

static inline void
model_fini(struct text_model *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		for (uint32_t u = 0; u < m->docs[i].n_units; u++)
			free(m->docs[i].units[u].grams);
	}
	free(m->docs);
}

/* Two files of each content; of the second, the content comes once more. */
static inline uint64_t
model_key(uint32_t doc, unsigned file)
{
	uint64_t pair[2] = {doc, file};

	return hash64(pair, sizeof(pair), 3);
}

static inline void
model_add_units(struct text_adder *a, const struct model_doc *d)
{
	for (uint32_t u = 0; u < d->n_units; u++) {
		struct text_unit_in in = {d->units[u].offset_bytes, d->units[u].lines_before,
			d->units[u].at_line, d->units[u].grams, d->units[u].n};

		CHECK_INT(text_add_unit(a, &in), 0);
	}
}

static inline void
model_add(struct text_adder *a, const struct text_model *m, uint32_t i)
{
	uint32_t id, again;
	struct text_doc_in in = m->docs[i].in;

	if (i % 7 == 3) { /* what was begun and given up leaves nothing */
		model_add_units(a, &m->docs[i]);
		text_add_cancel(a);
	}
	model_add_units(a, &m->docs[i]);
	CHECK_INT(text_add_doc(a, &in, &id), 1);
	CHECK_INT(text_add_file(a, model_key(i, 0), id), 0);
	if (i % 5 == 2) {
		in.order++;
		model_add_units(a, &m->docs[i]);
		CHECK_INT(text_add_doc(a, &in, &again), 0);
		CHECK_INT(again, id);
		CHECK_INT(text_add_file(a, model_key(i, 1), again), 0);
	}
}

/* The documents [lo, hi) as a segment; on several adders, one after the other by chance. */
static inline void
model_write(struct text_model *m, int dirfd, const char *name, uint32_t lo, uint32_t hi,
	unsigned n_adders, size_t budget, struct pool *pool)
{
	struct text_builder_opts opts = {.n_symbols = m->n_symbols,
		.n_adders = n_adders,
		.overlap_bytes = MODEL_OVERLAP,
		.budget_bytes = budget,
		.pool = pool};
	struct text_written written;
	struct text_builder *b;
	struct err err = {0};

	CHECK_INT(text_builder_create(&opts, &b), 0);
	for (uint32_t i = lo; i < hi; i++)
		model_add(text_builder_adder(b, (unsigned)(model_dice(m) % n_adders)), m, i);
	CHECK_SAY(text_builder_write(b, dirfd, name, m->base + lo, NULL, &written, &err) == 0, "%s",
		err.what);
	CHECK_INT(written.n_docs, hi - lo);
	text_builder_destroy(b);
}

static inline struct text *
model_open(int dirfd, const char *name, struct pool *pool)
{
	struct text_open_opts opts = {.flags = TEXT_OPEN_DEEP, .pool = pool};
	struct text *t = NULL;
	struct err err = {0};

	CHECK_SAY(text_open(dirfd, name, &opts, &t, &err) == 0, "%s", err.what);
	return t;
}

static inline int
model_cmp_pairs(const void *a, const void *b)
{
	const struct model_pair *x = a, *y = b;

	if (x->gram != y->gram)
		return x->gram < y->gram ? -1 : 1;
	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

/* What a segment of [lo, hi) must hold; of malloc. */
static inline struct model_pair *
model_pairs(const struct text_model *m, uint32_t lo, uint32_t hi, size_t *ret_n)
{
	VEC(struct model_pair) pairs = {0};
	uint32_t unit = 0;

	for (uint32_t i = lo; i < hi; i++) {
		for (uint32_t u = 0; u < m->docs[i].n_units && !m->docs[i].dropped; u++, unit++) {
			for (size_t k = 0; k < m->docs[i].units[u].n; k++) {
				struct model_pair p = {m->docs[i].units[u].grams[k], unit};

				CHECK_INT(VEC_PUSH(&pairs, p), 0);
			}
		}
	}
	if (pairs.len > 0)
		qsort(pairs.data, pairs.len, sizeof(*pairs.data), model_cmp_pairs);
	*ret_n = pairs.len;
	return pairs.data;
}

static inline void
model_check_docs(const struct text_model *m, const struct text_cols *c, uint32_t lo, uint32_t hi)
{
	uint32_t unit = 0, n_live = 0, window = 0;

	CHECK_INT(c->base, m->base + lo);
	CHECK_INT(c->n_docs, hi - lo);
	for (uint32_t i = lo; i < hi; i++) {
		const struct model_doc *d = &m->docs[i];
		const struct text_doc *row = &c->docs[i - lo];
		uint32_t found = UINT32_MAX, a, b;

		text_units(c, i - lo, &a, &b);
		CHECK_INT(a, unit);
		CHECK_INT(b - a, d->dropped ? 0 : d->n_units);
		CHECK_INT(text_find_hash(c, &d->in.hash, &found), !d->dropped);
		CHECK_INT(text_find_file(c, model_key(i, 0), &found), !d->dropped);
		if (d->dropped) {
			CHECK_INT(row->flags, TEXT_DROPPED);
			CHECK_INT(c->marks[i - lo], 0);
			continue;
		}
		CHECK_INT(found, m->base + i);
		CHECK_INT(text_find_file(c, model_key(i, 1), &found), i % 5 == 2);
		CHECK_INT(row->flags, d->in.flags);
		CHECK_INT(c->marks[i - lo], d->in.marks);
		CHECK_INT(row->size_bytes, d->in.size_bytes);
		CHECK_INT(row->n_lines, d->in.n_lines);
		n_live++;
		for (uint32_t u = 0; u < d->n_units; u++, unit++) {
			uint64_t offset, lines;

			CHECK_INT(c->unit_doc[unit], i - lo);
			text_unit_place(c, unit, &offset, &lines);
			CHECK_INT(offset, d->units[u].offset_bytes);
			CHECK_INT(lines, d->units[u].lines_before);
			if (u > 0)
				CHECK_INT(c->windows[window++].flags,
					d->units[u].at_line ? TEXT_WINDOW_LINE : 0);
		}
	}
	CHECK_INT(c->n_units, unit);
	CHECK_INT(c->n_live, n_live);
}

/* A list against n pairs of its gram: as a whole, one by one, marked, and by leaps. */
static inline void
model_check_list(
	struct text_model *m, const struct text_cols *c, const struct model_pair *p, size_t n)
{
	struct text_list l;
	uint32_t unit, *units = malloc((n + 1) * sizeof(*units));
	uint64_t *bits = calloc(c->n_units / 64 + 1, sizeof(*bits));

	CHECK(units && bits);
	CHECK_INT(text_list_find(c, p->gram, &l), 1);
	CHECK_INT(l.n, n);
	CHECK_INT(text_list_read(&l, units, (uint32_t)n + 1), n);
	CHECK_INT(text_list_next(&l, &unit), 0);
	CHECK_INT(text_list_find(c, p->gram, &l), 1);
	text_list_mark(&l, bits);
	CHECK_INT(text_list_find(c, p->gram, &l), 1);
	for (size_t i = 0; i < n; i++) {
		CHECK_INT(units[i], p[i].unit);
		CHECK(bits[p[i].unit / 64] >> p[i].unit % 64 & 1);
		bits[p[i].unit / 64] &= ~((uint64_t)1 << p[i].unit % 64);
		CHECK_INT(text_list_next(&l, &unit), 1);
		CHECK_INT(unit, p[i].unit);
	}
	CHECK_INT(text_list_next(&l, &unit), 0);
	for (uint32_t i = 0; i < c->n_units / 64 + 1; i++)
		CHECK_INT(bits[i], 0);
	CHECK_INT(text_list_find(c, p->gram, &l), 1);
	for (size_t i = 0; i < n;) {
		uint64_t d = model_dice(m);
		uint32_t to = d % 3 == 0 ? p[i].unit + 1 : p[i].unit + (uint32_t)(d >> 8) % 500;

		while (i < n && p[i].unit < to)
			i++;
		CHECK_INT(text_list_leap(&l, to, &unit), i < n);
		if (i == n)
			break;
		CHECK_INT(unit, p[i++].unit);
		if (d % 5 == 0) {
			CHECK_INT(text_list_next(&l, &unit), i < n);
			if (i < n)
				CHECK_INT(unit, p[i++].unit);
		}
	}
	free(units);
	free(bits);
}

/* Everything that a segment of [lo, hi) says. */
static inline void
model_check(struct text_model *m, const struct text *t, uint32_t lo, uint32_t hi)
{
	const struct text_cols *c = text_cols(t);
	size_t n, end;
	AUTO(freep) struct model_pair *p = model_pairs(m, lo, hi, &n);
	struct text_list l;

	model_check_docs(m, c, lo, hi);
	CHECK_INT(text_list_count(c, 0, (1u << (6 * m->n_symbols)) - 1), n);
	for (size_t i = 0; i < n; i = end) {
		for (end = i; end < n && p[end].gram == p[i].gram; end++)
			;
		model_check_list(m, c, p + i, end - i);
		/* The gram before is its own neighbour, or not there. */
		if (p[i].gram > 0 && (i == 0 || p[i - 1].gram != p[i].gram - 1))
			CHECK_INT(text_list_find(c, p[i].gram - 1, &l), 0);
	}
}
