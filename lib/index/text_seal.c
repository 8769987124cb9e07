#include "index/text_adder.h"

#include "index/text_write.h"
#include "index/tree_par.h"
#include "sync/par_sort.h"

#include <errno.h>

#include "base/vec.h"

/* A document's place among all. */
struct doc_place {
	uint64_t order;
	uint32_t adder, index;
};

/* Sorts one part of a shelf's items at a time. */
struct seal_scratch {
	struct stream_cursor *cursors; /* by adder */
	uint32_t *counts, *starts;     /* by low bits */
	uint32_t *units;               /* sorted by gram */
	size_t cap;
};

struct seal {
	struct text_builder *b;
	struct text_tables tables;
	struct doc_place *places;
	uint32_t *number_of;          /* document by id */
	struct seal_scratch *scratch; /* by worker */
	unsigned n_scratch;
	uint64_t n_postings;
	size_t part_items; /* at a time, unless a single list is longer */
};

static int
cmp_places(const void *a, const void *b, void *ctx)
{
	const struct doc_place *x = a, *y = b;

	(void)ctx;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->adder < y->adder ? -1 : x->adder > y->adder;
}

static int
count(struct seal *s, uint32_t base)
{
	const struct text_builder *b = s->b;
	struct text_tables *t = &s->tables;
	uint64_t n_units = 0, n_docs = b->claims.hashes.len, n_windows = 0;

	for (unsigned i = 0; i < b->opts.n_adders; i++) {
		const struct text_adder *a = &b->adders[i];

		VEC_EACH (&a->docs, d) {
			uint32_t n = d->end_seq - d->first_seq;

			n_units += n;
			n_windows += n > 0 ? n - 1 : 0;
		}
		t->n_files += a->files.len;
	}
	if (n_units > TEXT_MAX_UNITS || base + n_docs > UINT32_MAX)
		return -EFBIG;
	t->n_symbols = b->opts.n_symbols;
	t->base = base;
	t->overlap_bytes = b->opts.overlap_bytes;
	t->n_docs = (uint32_t)n_docs;
	t->n_units = (uint32_t)n_units;
	t->n_windows = (uint32_t)n_windows;
	return 0;
}

static int
sort_docs(struct seal *s, struct stop *stop)
{
	const struct text_builder *b = s->b;
	uint32_t n = 0;

	s->places = malloc((size_t)s->tables.n_docs * sizeof(*s->places));
	s->number_of = malloc((size_t)s->tables.n_docs * sizeof(*s->number_of));
	if (!s->places || !s->number_of)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->opts.n_adders; i++) {
		const struct text_adder *a = &b->adders[i];

		for (uint32_t k = 0; k < a->docs.len; k++)
			s->places[n++] = (struct doc_place){a->docs.data[k].in.order, i, k};
	}
	assert(n == s->tables.n_docs);
	return par_sort(
		b->opts.pool, TASK_INDEX, s->places, n, sizeof(*s->places), cmp_places, NULL, stop);
}

static int
forget_all(struct seal *s)
{
	for (unsigned i = 0; i < s->b->opts.n_adders; i++) {
		struct text_adder *a = &s->b->adders[i];

		a->unit_of = malloc((a->units.len + 1) * sizeof(*a->unit_of));
		if (!a->unit_of)
			return -ENOMEM;
		memset(a->unit_of, 0xff, (a->units.len + 1) * sizeof(*a->unit_of));
	}
	return 0;
}

/* Documents and their units in the order of the numbers. */
static void
number_docs(struct seal *s)
{
	struct text_tables *t = &s->tables;
	uint32_t unit = 0, window = 0;

	for (uint32_t i = 0; i < t->n_docs; i++) {
		struct text_adder *a = &s->b->adders[s->places[i].adder];
		const struct adder_doc *d = &a->docs.data[s->places[i].index];

		s->number_of[d->id] = i;
		t->docs[i] = (struct text_doc){.hash_low = d->in.hash.low,
			.hash_high = d->in.hash.high,
			.size_bytes = d->in.size_bytes,
			.n_lines = d->in.n_lines,
			.first_unit = unit,
			.flags = d->in.flags};
		t->marks[i] = d->in.marks;
		for (uint32_t seq = d->first_seq; seq < d->end_seq; seq++, unit++) {
			const struct adder_unit *u = &a->units.data[seq];

			a->unit_of[seq] = unit;
			s->n_postings += u->n_grams;
			t->unit_doc[unit] = i;
			if (seq > d->first_seq)
				t->windows[window++] = (struct text_window){.unit = unit,
					.flags = u->at_line ? TEXT_WINDOW_LINE : 0,
					.offset_bytes = u->offset_bytes,
					.lines_before = u->lines_before};
		}
	}
}

static int
cmp_files(const void *a, const void *b, void *ctx)
{
	const struct adder_file *x = a, *y = b;

	(void)ctx;
	return x->key < y->key ? -1 : x->key > y->key;
}

static int
sort_files(struct seal *s, struct stop *stop)
{
	struct text_tables *t = &s->tables;
	AUTO(freep)
	struct adder_file *files = malloc((t->n_files + 1) * sizeof(*files));
	uint64_t n = 0, kept = 0;
	int r;

	if (!files)
		return -ENOMEM;
	for (unsigned i = 0; i < s->b->opts.n_adders; i++) {
		VEC_EACH (&s->b->adders[i].files, f) {
			files[n] = *f;
			if (!f->known)
				files[n].number = t->base + s->number_of[f->number];
			n++;
		}
	}
	r = par_sort(s->b->opts.pool, TASK_INDEX, files, n, sizeof(*files), cmp_files, NULL, stop);
	if (r < 0)
		return r;
	for (uint64_t i = 0; i < n; i++) {
		if (kept > 0 && t->file_keys[kept - 1] == files[i].key)
			continue;
		t->file_keys[kept] = files[i].key;
		t->file_contents[kept++] = files[i].number;
	}
	t->n_files = kept;
	return 0;
}

static int
make_tables(struct seal *s, uint32_t base, struct stop *stop)
{
	int r = count(s, base);

	if (r == 0)
		r = text_tables_alloc(&s->tables);
	if (r == 0)
		r = sort_docs(s, stop);
	if (r == 0)
		r = forget_all(s);
	if (r < 0)
		return r;
	number_docs(s);
	r = sort_files(s, stop);
	if (r == 0)
		r = text_tables_sort(&s->tables, s->b->opts.pool, stop);
	return r;
}

static int
make_scratch(struct seal *s, struct seal_scratch *x)
{
	size_t n = (size_t)1 << text_shelf_bits(s->tables.n_symbols);

	x->cursors = malloc(s->b->opts.n_adders * sizeof(*x->cursors));
	x->counts = malloc(n * sizeof(*x->counts));
	x->starts = malloc((n + 1) * sizeof(*x->starts));
	return x->cursors && x->counts && x->starts ? 0 : -ENOMEM;
}

static void
begin_cursors(const struct seal *s, struct seal_scratch *x, uint32_t shelf)
{
	for (unsigned i = 0; i < s->b->opts.n_adders; i++) {
		const struct text_adder *a = &s->b->adders[i];

		stream_cursor_init(&x->cursors[i], &a->streams, shelf, a->unit_of);
	}
}

/* How long the list of each gram is. */
static void
count_items(const struct seal *s, struct seal_scratch *x, uint32_t shelf, uint32_t n_grams)
{
	memset(x->counts, 0, n_grams * sizeof(*x->counts));
	begin_cursors(s, x, shelf);
	for (unsigned i = 0; i < s->b->opts.n_adders; i++) {
		struct stream_cursor c = x->cursors[i];

		stream_count(&c, x->counts);
	}
}

/* The cursor with the lowest unit, and the lowest unit of the others: their items come after it. */
static struct stream_cursor *
lowest(struct stream_cursor *cursors, unsigned n, uint32_t *ret_limit)
{
	struct stream_cursor *least = &cursors[0];

	*ret_limit = UINT32_MAX;
	for (unsigned i = 1; i < n; i++) {
		if (cursors[i].unit < least->unit) {
			*ret_limit = least->unit;
			least = &cursors[i];
		} else {
			*ret_limit = MIN(*ret_limit, cursors[i].unit);
		}
	}
	return least;
}

/* The items of the grams [lo, hi) to their lists, in the order of the units. */
static void
place_items(const struct seal *s, struct seal_scratch *x, uint32_t shelf, uint32_t lo, uint32_t hi)
{
	unsigned n = s->b->opts.n_adders;
	uint32_t limit;

	begin_cursors(s, x, shelf);
	for (unsigned i = 0; i < n; i++) {
		if (!stream_next(&x->cursors[i]))
			x->cursors[i--] = x->cursors[--n];
	}
	while (n > 0) {
		struct stream_cursor *least = lowest(x->cursors, n, &limit);

		if (!stream_place(least, limit, lo, hi - lo, x->starts, x->units))
			*least = x->cursors[--n];
	}
}

static int
add_lists(struct seal_scratch *x, uint32_t lo, uint32_t hi, struct shelf_pack *pack)
{
	int r = 0;

	for (uint32_t g = lo; g < hi && r == 0; g++) {
		if (x->counts[g] > 0)
			r = text_shelf_add(
				pack, g, x->units + x->starts[g] - x->counts[g], x->counts[g]);
	}
	return r;
}

/* As many grams from `lo` on as may be sorted at once: their end. */
static uint32_t
next_part(
	const struct seal *s, struct seal_scratch *x, uint32_t lo, uint32_t n_grams, size_t *ret_n)
{
	uint32_t hi = lo;
	size_t n = 0;

	for (; hi < n_grams; hi++) {
		if (n > 0 && n + x->counts[hi] > s->part_items)
			break;
		x->starts[hi] = (uint32_t)n;
		n += x->counts[hi];
	}
	*ret_n = n;
	return hi;
}

static bool
is_empty(const struct seal *s, uint32_t shelf)
{
	for (unsigned i = 0; i < s->b->opts.n_adders; i++) {
		if (s->b->adders[i].streams.streams[shelf].at)
			return false;
	}
	return true;
}

static int
seal_shelf(void *ctx, uint32_t shelf, unsigned worker, struct shelf_pack *pack)
{
	struct seal *s = ctx;
	struct seal_scratch *x = &s->scratch[worker];
	uint32_t n_grams = 1u << text_shelf_bits(s->tables.n_symbols), hi;
	int r = x->counts ? 0 : make_scratch(s, x);

	if (r < 0 || is_empty(s, shelf))
		return r;
	count_items(s, x, shelf, n_grams);
	for (uint32_t lo = 0; lo < n_grams && r == 0; lo = hi) {
		size_t n;

		hi = next_part(s, x, lo, n_grams, &n);
		if (n == 0)
			continue;
		r = vec_reserve((void **)&x->units, 0, &x->cap, n, sizeof(*x->units));
		if (r < 0)
			break;
		place_items(s, x, shelf, lo, hi);
		r = add_lists(x, lo, hi, pack);
	}
	return r;
}

static void
seal_fini(struct seal *s)
{
	for (unsigned i = 0; s->scratch && i < s->n_scratch; i++) {
		free(s->scratch[i].cursors);
		free(s->scratch[i].counts);
		free(s->scratch[i].starts);
		free(s->scratch[i].units);
	}
	free(s->scratch);
	free(s->places);
	free(s->number_of);
	text_tables_fini(&s->tables);
}

static int
write_tables(struct seal *s, int fd, struct stop *stop, struct text_written *ret)
{
	const struct text_builder *b = s->b;
	uint64_t bytes;
	int r;

	s->n_scratch = tree_par_width(b->opts.pool);
	s->part_items = MAX(b->opts.budget_bytes / 16 / s->n_scratch / sizeof(uint32_t), 1024u);
	s->scratch = calloc(s->n_scratch, sizeof(*s->scratch));
	if (!s->scratch)
		return -ENOMEM;
	r = text_write(fd, &s->tables, seal_shelf, s, b->opts.pool, stop, &bytes);
	if (r < 0)
		return r;
	*ret = (struct text_written){.file_bytes = bytes,
		.n_docs = s->tables.n_docs,
		.n_units = s->tables.n_units,
		.n_files = s->tables.n_files,
		.n_postings = s->n_postings};
	return 0;
}

int
text_seal(
	struct text_builder *b, int fd, uint32_t base, struct stop *stop, struct text_written *ret)
{
	struct seal s = {.b = b};
	int r = make_tables(&s, base, stop);

	if (r == 0)
		r = write_tables(&s, fd, stop, ret);
	seal_fini(&s);
	return r;
}
