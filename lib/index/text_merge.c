#include "index/text_merge.h"

#include "index/segment_write.h"
#include "index/text_group.h"
#include "index/text_write.h"
#include "index/tree_par.h"

#include <errno.h>

#include "base/fd.h"
#include "base/vec.h"

#define NO_UNIT UINT32_MAX

/* A source, as seen by the merge. */
struct merge_part {
	const struct text_cols *cols;
	const uint64_t *dropped;
	uint32_t doc_shift; /* of its document 0 in the result */
	uint32_t *unit_of;  /* by its units; NO_UNIT: of a dropped document */
	uint64_t file;      /* the next row of its files */
};

struct merge_scratch {
	struct text_entry (*lists)[TEXT_GROUP]; /* by part */
	unsigned *at, *n;                       /* by part: the next list, and how many */
	uint32_t *units;
	size_t cap;
};

struct merge {
	struct merge_part *parts;
	unsigned n_parts;
	const struct text_merge_opts *opts;
	struct text_tables tables;
	struct merge_scratch *scratch; /* by worker */
	unsigned n_scratch;
	_Atomic uint64_t n_postings; /* relaxed: a count */
};

static bool
is_dropped(const struct merge_part *p, uint32_t doc)
{
	return p->cols->docs[doc].flags == TEXT_DROPPED ||
	       (p->dropped && (p->dropped[doc / 64] >> doc % 64 & 1));
}

/* Ranges, and numbers that are too large at most. */
static int
count(struct merge *m)
{
	struct text_tables *t = &m->tables;
	uint64_t end = m->parts[0].cols->base, n_units = 0;

	t->base = m->parts[0].cols->base;
	t->n_symbols = m->parts[0].cols->n_symbols;
	for (unsigned i = 0; i < m->n_parts; i++) {
		const struct text_cols *c = m->parts[i].cols;

		if (c->base < end || c->n_symbols != t->n_symbols)
			return -EINVAL;
		m->parts[i].doc_shift = c->base - t->base;
		end = (uint64_t)c->base + c->n_docs;
		n_units += c->n_units;
		t->n_windows += c->n_windows;
		t->n_files += c->n_files;
		/* What any source promises is the least. */
		if (c->n_windows > 0)
			t->overlap_bytes = t->overlap_bytes
			                           ? MIN(t->overlap_bytes, c->overlap_bytes)
			                           : c->overlap_bytes;
	}
	if (n_units > TEXT_MAX_UNITS)
		return -EFBIG;
	t->n_docs = (uint32_t)(end - t->base);
	t->n_units = (uint32_t)n_units;
	return 0;
}

/* The units of a document that stays, and their windows; *at is its part's next window. */
static void
move_units(struct merge *m, const struct merge_part *p, uint32_t doc, uint32_t *at)
{
	struct text_tables *t = &m->tables;
	uint32_t lo, hi;

	text_units(p->cols, doc, &lo, &hi);
	for (uint32_t u = lo; u < hi; u++, t->n_units++) {
		p->unit_of[u] = t->n_units;
		t->unit_doc[t->n_units] = p->doc_shift + doc;
		if (u == lo)
			continue;
		t->windows[t->n_windows] = p->cols->windows[*at];
		t->windows[t->n_windows++].unit = t->n_units;
		(*at)++;
	}
}

static int
move_docs(struct merge *m, struct merge_part *p)
{
	struct text_tables *t = &m->tables;
	uint32_t window = 0;

	p->unit_of = malloc(((size_t)p->cols->n_units + 1) * sizeof(*p->unit_of));
	if (!p->unit_of)
		return -ENOMEM;
	memset(p->unit_of, 0xff, ((size_t)p->cols->n_units + 1) * sizeof(*p->unit_of));
	for (uint32_t i = 0; i < p->cols->n_docs; i++) {
		struct text_doc *d = &t->docs[p->doc_shift + i];
		uint32_t lo, hi;

		if (!is_dropped(p, i)) {
			*d = p->cols->docs[i];
			d->first_unit = t->n_units;
			t->marks[p->doc_shift + i] = p->cols->marks[i];
			move_units(m, p, i, &window);
			continue;
		}
		*d = (struct text_doc){.flags = TEXT_DROPPED, .first_unit = t->n_units};
		text_units(p->cols, i, &lo, &hi);
		window += hi > lo ? hi - lo - 1 : 0;
	}
	return 0;
}

/* Documents of all parts, and dropped ones between them. */
static int
make_docs(struct merge *m)
{
	struct text_tables *t = &m->tables;
	uint32_t next = 0;
	int r = text_tables_alloc(t);

	t->n_units = t->n_windows = 0;
	for (unsigned i = 0; i < m->n_parts && r == 0; i++) {
		struct merge_part *p = &m->parts[i];

		for (; next < p->doc_shift; next++)
			t->docs[next] =
				(struct text_doc){.flags = TEXT_DROPPED, .first_unit = t->n_units};
		r = move_docs(m, p);
		next = p->doc_shift + p->cols->n_docs;
	}
	return r;
}

/* The part with the least key, the latest of several; the others step over it. */
static struct merge_part *
next_file(struct merge *m, uint64_t *ret_key, uint32_t *ret_content)
{
	struct merge_part *least = NULL;

	for (unsigned i = 0; i < m->n_parts; i++) {
		struct merge_part *p = &m->parts[i];

		if (p->file < p->cols->n_files &&
			(!least || p->cols->file_keys[p->file] <= *ret_key)) {
			least = p;
			*ret_key = p->cols->file_keys[p->file];
		}
	}
	if (!least)
		return NULL;
	*ret_content = least->cols->file_contents[least->file];
	for (unsigned i = 0; i < m->n_parts; i++) {
		struct merge_part *p = &m->parts[i];

		p->file += p->file < p->cols->n_files && p->cols->file_keys[p->file] == *ret_key;
	}
	return least;
}

static bool
keeps_file(const struct merge *m, uint64_t key, uint32_t content)
{
	const struct text_tables *t = &m->tables;

	if (content >= t->base && t->docs[content - t->base].flags == TEXT_DROPPED)
		return false;
	return !m->opts->keep_file || m->opts->keep_file(m->opts->ctx, key, content);
}

static void
move_files(struct merge *m)
{
	struct text_tables *t = &m->tables;
	uint32_t content;
	uint64_t key;

	t->n_files = 0;
	while (next_file(m, &key, &content)) {
		if (!keeps_file(m, key, content))
			continue;
		t->file_keys[t->n_files] = key;
		t->file_contents[t->n_files++] = content;
	}
}

static int
make_scratch(struct merge *m, struct merge_scratch *x)
{
	x->lists = malloc(m->n_parts * sizeof(*x->lists));
	x->at = malloc(m->n_parts * sizeof(*x->at));
	x->n = malloc(m->n_parts * sizeof(*x->n));
	return x->lists && x->at && x->n ? 0 : -ENOMEM;
}

/* The units of a list, as they are called in the result, to `ret`: their number. Of a damaged list
 * those out of order are left out, so that what is written is right in itself. */
static uint32_t
move_list(const struct merge_part *p, const struct text_entry *e, uint32_t *ret)
{
	struct text_list l;
	uint32_t n, kept = 0;

	text_list_start(p->cols, e, &l);
	n = text_list_read(&l, ret, e->n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t unit = p->unit_of[ret[i]];

		if (unit != NO_UNIT && (kept == 0 || unit > ret[kept - 1]))
			ret[kept++] = unit;
	}
	return kept;
}

static int
merge_gram(struct merge *m, struct merge_scratch *x, uint32_t gram, uint32_t *ret_n)
{
	uint64_t n = 0;
	int r;

	for (unsigned i = 0; i < m->n_parts; i++) {
		if (x->at[i] < x->n[i] && x->lists[i][x->at[i]].gram == gram)
			n += x->lists[i][x->at[i]].n;
	}
	r = vec_reserve((void **)&x->units, 0, &x->cap, n, sizeof(*x->units));
	if (r < 0)
		return r;
	*ret_n = 0;
	for (unsigned i = 0; i < m->n_parts; i++) {
		if (x->at[i] < x->n[i] && x->lists[i][x->at[i]].gram == gram)
			*ret_n += move_list(
				&m->parts[i], &x->lists[i][x->at[i]++], x->units + *ret_n);
	}
	return 0;
}

static int
merge_group(struct merge *m, struct merge_scratch *x, uint32_t group, struct shelf_pack *pack)
{
	uint32_t shelf_mask = (1u << text_shelf_bits(m->tables.n_symbols)) - 1;
	int r = 0;

	for (unsigned i = 0; i < m->n_parts; i++) {
		x->at[i] = 0;
		x->n[i] = text_group_lists(m->parts[i].cols, group, x->lists[i]);
	}
	while (r == 0) {
		uint32_t gram = UINT32_MAX, n;

		for (unsigned i = 0; i < m->n_parts; i++) {
			if (x->at[i] < x->n[i])
				gram = MIN(gram, x->lists[i][x->at[i]].gram);
		}
		if (gram == UINT32_MAX)
			break;
		r = merge_gram(m, x, gram, &n);
		if (r == 0 && n > 0)
			r = text_shelf_add(pack, gram & shelf_mask, x->units, n);
		add_rlx(&m->n_postings, r == 0 ? n : 0);
	}
	return r;
}

static int
merge_shelf(void *ctx, uint32_t shelf, unsigned worker, struct shelf_pack *pack)
{
	struct merge *m = ctx;
	struct merge_scratch *x = &m->scratch[worker];
	uint32_t n = text_groups_per_shelf(m->parts[0].cols);
	int r = x->n ? 0 : make_scratch(m, x);

	for (uint32_t g = shelf * n; g < (shelf + 1) * n && r == 0; g++)
		r = merge_group(m, x, g, pack);
	return r;
}

static int
merge_to(struct merge *m, int fd, struct stop *stop, struct text_written *ret)
{
	uint64_t bytes;
	int r = count(m);

	if (r == 0)
		r = make_docs(m);
	if (r < 0)
		return r;
	move_files(m);
	r = text_tables_sort(&m->tables, m->opts->pool, stop);
	m->n_scratch = tree_par_width(m->opts->pool);
	m->scratch = calloc(m->n_scratch, sizeof(*m->scratch));
	if (!m->scratch)
		return -ENOMEM;
	if (r == 0)
		r = text_write(fd, &m->tables, merge_shelf, m, m->opts->pool, stop, &bytes);
	if (r < 0)
		return r;
	*ret = (struct text_written){.file_bytes = bytes,
		.n_postings = load_rlx(&m->n_postings),
		.n_docs = m->tables.n_docs,
		.n_units = m->tables.n_units,
		.n_files = m->tables.n_files};
	return 0;
}

static void
merge_fini(struct merge *m)
{
	for (unsigned i = 0; m->parts && i < m->n_parts; i++)
		free(m->parts[i].unit_of);
	for (unsigned i = 0; m->scratch && i < m->n_scratch; i++) {
		free(m->scratch[i].lists);
		free(m->scratch[i].at);
		free(m->scratch[i].n);
		free(m->scratch[i].units);
	}
	free(m->scratch);
	free(m->parts);
	text_tables_fini(&m->tables);
}

/* A source whose disk failed meanwhile has given zeros: what was made of them is nothing. */
static int
merge_sources(struct merge *m, const struct text_merge_source *sources, int fd, struct stop *stop,
	struct text_written *ret)
{
	int r;

	m->parts = calloc(m->n_parts, sizeof(*m->parts));
	if (!m->parts)
		return -ENOMEM;
	for (unsigned i = 0; i < m->n_parts; i++) {
		m->parts[i].cols = text_cols(sources[i].text);
		m->parts[i].dropped = sources[i].dropped;
	}
	r = merge_to(m, fd, stop, ret);
	for (unsigned i = 0; i < m->n_parts; i++)
		r = text_faulted(sources[i].text) ? -EIO : r;
	return r;
}

int
text_merge(const struct text_merge_source *sources, unsigned n, const struct text_merge_opts *opts,
	int dirfd, const char *name, struct stop *stop, struct text_written *ret, struct err *err)
{
	struct merge m = {.n_parts = n, .opts = opts};
	AUTO(closep) int fd = -1;
	int r;

	assert(n > 0);
	r = segment_create(dirfd, name, &fd);
	if (r < 0)
		return segment_write_failed(err, r, &text_kind, name);
	r = merge_sources(&m, sources, fd, stop, ret);
	merge_fini(&m);
	if (r < 0)
		segment_discard(dirfd, name);
	else
		r = segment_commit(dirfd, name, fd);
	return r < 0 ? segment_write_failed(err, r, &text_kind, name) : 0;
}
