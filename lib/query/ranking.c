#include "query/ranking.h"

#include <errno.h>

#include "base/vec.h"

/* A hit whose text and spans are in the window's. */
struct kept_hit {
	struct hit hit;
	size_t text, span;
	uint32_t file; /* of window.files */
	int32_t score; /* of the line */
};

struct kept_file {
	struct rank_place rank;
	uint32_t place; /* after sorting */
};

struct rank {
	struct rank_scorer *scorer;
	struct rank_order *order;

	/* The window: hits in the order in which they are given, from `hit_at` on. */
	VEC(struct kept_hit) hits;
	VEC(struct kept_file) files;
	VEC(struct match) spans;
	struct strbuf text;
	size_t hit_at;
	struct rank_cost cost;
};

int
rank_create(const struct snapshot *s, const struct pattern *pattern, struct sweep *sweep,
	struct rank **ret)
{
	struct rank *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	e = rank_scorer_create(pattern, &r->scorer);
	if (e == 0)
		e = rank_order_create(s, r->scorer, sweep, &r->order);
	if (e < 0)
		rank_destroy(r);
	else
		*ret = r;
	return e;
}

void
rank_destroy(struct rank *r)
{
	if (!r)
		return;
	rank_order_destroy(r->order);
	rank_scorer_destroy(r->scorer);
	VEC_FINI(&r->hits);
	VEC_FINI(&r->files);
	VEC_FINI(&r->spans);
	strbuf_fini(&r->text);
	free(r);
}

int
rank_next(void *rank, uint32_t *ret_layer, uint32_t *ret_entry)
{
	struct rank *r = rank;

	return rank_order_next(r->order, ret_layer, ret_entry);
}

uint64_t
rank_left(const struct rank *r)
{
	return rank_order_left(r->order);
}

void
rank_get_cost(const struct rank *r, struct rank_cost *ret)
{
	*ret = r->cost;
	rank_order_get_cost(r->order, ret);
}

/* By file, then lines that say more first, then as they stand. */
static int
compare_hits(const void *va, const void *vb)
{
	const struct kept_hit *a = va, *b = vb;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->text < b->text ? -1 : a->text > b->text;
}

static int
compare_files(const void *va, const void *vb)
{
	const struct kept_file *a = va, *b = vb;

	return rank_order_compare(&a->rank, &b->rank);
}

static bool
is_of_last_file(const struct rank *r, const struct hit *h)
{
	const struct kept_file *f = r->files.len ? &r->files.data[r->files.len - 1] : NULL;

	return f && f->rank.layer == h->layer && f->rank.entry == h->entry;
}

static bool
window_full(const struct rank *r)
{
	return r->hits.len >= RANK_WINDOW_LINES || r->text.len >= RANK_WINDOW_BYTES;
}

static int
keep_file(struct rank *r, const struct hit *h)
{
	struct kept_file file = {0};
	int e = rank_order_place(r->order, h->layer, h->entry, &file.rank);

	return e < 0 ? e : VEC_PUSH(&r->files, file);
}

static int
keep_hit(struct rank *r, const struct hit *h)
{
	struct kept_hit k = {.hit = *h, .text = r->text.len, .span = r->spans.len};

	if (!is_of_last_file(r, h) && keep_file(r, h) < 0)
		return -ENOMEM;
	k.file = (uint32_t)r->files.len - 1;
	k.score = h->n_spans > 0 ? rank_line(h->text, h->spans[0]) : 0;
	/* A byte each, so that the place in the text is that in the file, also of empty lines. */
	(void)strbuf_span(&r->text, h->text);
	(void)strbuf_putc(&r->text, '\n');
	for (uint32_t i = 0; i < h->n_spans; i++) {
		if (VEC_PUSH(&r->spans, h->spans[i]) < 0)
			return -ENOMEM;
	}
	return r->text.failed || VEC_PUSH(&r->hits, k) < 0 ? -ENOMEM : 0;
}

/* Files get the places that they have by their best lines, and hits those of their files. */
static int
sort_window(struct rank *r, bool keep_lines)
{
	AUTO(freep) uint32_t *place = calloc(r->files.len + 1, sizeof(*place));

	if (!place)
		return -ENOMEM;
	for (size_t i = 0; i < r->files.len; i++)
		r->files.data[i].place = (uint32_t)i;
	for (size_t i = 0, end; i < r->hits.len; i = end) {
		uint32_t file = r->hits.data[i].file;
		int32_t best = 0;

		for (end = i; end < r->hits.len && r->hits.data[end].file == file; end++)
			best = MAX(best, r->hits.data[end].score);
		r->files.data[file].rank.score += best;
	}
	qsort(r->files.data, r->files.len, sizeof(struct kept_file), compare_files);
	for (size_t i = 0; i < r->files.len; i++)
		place[r->files.data[i].place] = (uint32_t)i;
	VEC_EACH (&r->hits, h) {
		h->file = place[h->file];
		if (keep_lines)
			h->score = 0;
	}
	qsort(r->hits.data, r->hits.len, sizeof(struct kept_hit), compare_hits);
	return 0;
}

/* The hits of the next batch that has any, as far as they fit: their number, or an error. */
static int
take_batch(struct rank *r, struct verify *v)
{
	int e = 1;

	while (e > 0 && !window_full(r)) {
		struct hit h = {0};

		e = verify_next_in_batch(v, &h);
		if (e > 0)
			e = keep_hit(r, &h) < 0 ? -ENOMEM : 1;
		else if (e == 0 && r->hits.len == 0)
			e = verify_next_batch(v);
	}
	return e < 0 ? e : (int)r->hits.len;
}

/* The next window: how many hits are in it, or an error. */
static int
fill_window(struct rank *r, struct verify *v, const struct cursor_opts *opts)
{
	uint64_t began;
	int e;

	r->hits.len = r->files.len = r->spans.len = r->hit_at = 0;
	strbuf_reset(&r->text);
	e = take_batch(r, v);
	if (e <= 0)
		return e;
	began = clock_mono_ns();
	e = sort_window(r, opts->before > 0 || opts->after > 0);
	r->cost.n_hits += r->hits.len;
	r->cost.nsec += clock_mono_ns() - began;
	return e < 0 ? e : (int)r->hits.len;
}

int
rank_next_hit(struct rank *r, struct verify *v, const struct cursor_opts *opts, struct hit *ret)
{
	const struct kept_hit *k;

	if (r->hit_at == r->hits.len) {
		int e = fill_window(r, v, opts);

		if (e <= 0)
			return e;
	}
	k = &r->hits.data[r->hit_at++];
	*ret = k->hit;
	ret->text.data = r->text.data + k->text;
	ret->spans = r->spans.data + k->span;
	return 1;
}

uint64_t
rank_hits_left(const struct rank *r)
{
	uint64_t n = 0;

	for (size_t i = r->hit_at; i < r->hits.len; i++)
		n += !r->hits.data[i].hit.context;
	return n;
}
