#include "index/text_write.h"

#include "base/hash.h"
#include "index/segment_write.h"
#include "index/tree_par.h"
#include "sync/par_sort.h"

/* A shelf that is made and not yet written. */
struct made_shelf {
	char *bytes; /* of malloc */
	size_t len;
	uint32_t *starts; /* of malloc */
	size_t n_starts;
	uint64_t groups, sum;
	bool ready;
};

struct text_writer {
	/* Fixed. */
	int fd;
	const struct text_tables *tables;
	text_make_fn make;
	void *ctx;
	uint32_t n_shelves;
	struct shelf_pack *packs; /* by worker */
	struct segment_section rows[TEXT_SECTION_LAST];

	struct lock lock;        /* RANK_LEAF; guards what follows */
	struct made_shelf *made; /* by shelf */
	uint32_t next;           /* shelf to be written */
	bool writing; /* somebody writes `next`, without the lock, and owns what follows */
	struct text_shelf *shelves;
	VEC(uint32_t) groups;
};

int
text_tables_alloc(struct text_tables *t)
{
	/* One more of each: no allocation of nothing. */
	t->docs = calloc((size_t)t->n_docs + 1, sizeof(*t->docs));
	t->unit_doc = calloc((size_t)t->n_units + 1, sizeof(*t->unit_doc));
	t->windows = calloc((size_t)t->n_windows + 1, sizeof(*t->windows));
	t->file_keys = calloc(t->n_files + 1, sizeof(*t->file_keys));
	t->file_contents = calloc(t->n_files + 1, sizeof(*t->file_contents));
	return t->docs && t->unit_doc && t->windows && t->file_keys && t->file_contents ? 0
	                                                                                : -ENOMEM;
}

void
text_tables_fini(struct text_tables *t)
{
	free(t->docs);
	free(t->hash_order);
	free(t->file_keys);
	free(t->file_contents);
	free(t->unit_doc);
	free(t->windows);
}

static int
cmp_hashes(const void *a, const void *b, void *ctx)
{
	const struct text_doc *docs = ctx;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int r = text_hash_cmp(&docs[x], docs[y].hash_high, docs[y].hash_low);

	return r ? r : x < y ? -1 : x > y;
}

int
text_tables_sort(struct text_tables *t, struct pool *pool, struct stop *stop)
{
	t->hash_order = malloc(((size_t)t->n_docs + 1) * sizeof(*t->hash_order));
	if (!t->hash_order)
		return -ENOMEM;
	t->n_live = 0;
	for (uint32_t i = 0; i < t->n_docs; i++) {
		if (t->docs[i].flags != TEXT_DROPPED)
			t->hash_order[t->n_live++] = i;
	}
	return par_sort(pool, TASK_INDEX, t->hash_order, t->n_live, sizeof(*t->hash_order),
		cmp_hashes, t->docs, stop);
}

static void
place_row(struct text_writer *w, enum text_section id, uint64_t length)
{
	struct segment_section *row = &w->rows[id - 1];
	uint64_t end = segment_table_end(TEXT_SECTION_LAST);

	if (id > 1)
		end = row[-1].offset + row[-1].length;
	*row = (struct segment_section){
		.id = id, .offset = ALIGN_UP(end, SEGMENT_ALIGN), .length = length};
}

static int
write_section(struct text_writer *w, enum text_section id, const void *data)
{
	struct segment_section *row = &w->rows[id - 1];

	row->sum = hash64(data, row->length, id);
	return segment_pwrite(w->fd, data, row->length, row->offset);
}

static int
write_tables(struct text_writer *w)
{
	const struct text_tables *t = w->tables;
	const struct {
		const void *data;
		uint64_t bytes;
	} sections[] = {
		{t->docs, (uint64_t)t->n_docs * sizeof(*t->docs)},
		{t->hash_order, (uint64_t)t->n_live * sizeof(*t->hash_order)},
		{t->file_keys, t->n_files * sizeof(*t->file_keys)},
		{t->file_contents, t->n_files * sizeof(*t->file_contents)},
		{t->unit_doc, (uint64_t)t->n_units * sizeof(*t->unit_doc)},
		{t->windows, (uint64_t)t->n_windows * sizeof(*t->windows)},
	};
	int r = 0;

	for (unsigned i = 0; i < ARRAY_LEN(sections) && r == 0; i++) {
		enum text_section id = (enum text_section)(i + 1);

		place_row(w, id, sections[i].bytes);
		r = write_section(w, id, sections[i].data);
	}
	place_row(w, TEXT_SECTION_SHELVES, (w->n_shelves + 1) * sizeof(*w->shelves));
	place_row(w, TEXT_SECTION_POSTINGS, 0);
	w->rows[TEXT_SECTION_POSTINGS - 1].flags = SEGMENT_PARTS_SUMMED;
	return r;
}

static int
make_one(struct text_writer *w, uint32_t shelf, unsigned worker, struct made_shelf *ret)
{
	struct shelf_pack *p = &w->packs[worker];
	int r;

	text_shelf_begin(p);
	r = w->make(w->ctx, shelf, worker, p);
	if (r == 0)
		r = text_shelf_end(p);
	*ret = (struct made_shelf){.groups = p->groups, .ready = true};
	if (r < 0 || p->groups == 0)
		return r;
	/* What waits is as large as it must be; the pack's own memory is used again. */
	ret->len = p->bytes.len;
	ret->n_starts = p->starts.len;
	ret->bytes = malloc(ret->len);
	ret->starts = malloc(ret->n_starts * sizeof(*ret->starts));
	if (!ret->bytes || !ret->starts) {
		free(ret->bytes);
		free(ret->starts);
		return -ENOMEM;
	}
	memcpy(ret->bytes, p->bytes.data, ret->len);
	memcpy(ret->starts, p->starts.data, ret->n_starts * sizeof(*ret->starts));
	ret->sum = hash64(ret->bytes, ret->len, shelf);
	return 0;
}

/* Called by the one who is `writing`. */
static int
write_shelf(struct text_writer *w, uint32_t shelf, const struct made_shelf *m)
{
	struct segment_section *row = &w->rows[TEXT_SECTION_POSTINGS - 1];
	uint64_t at = row->length;

	w->shelves[shelf] = (struct text_shelf){
		.at = at, .groups = m->groups, .sum = m->sum, .rank = (uint32_t)w->groups.len};
	if (m->groups == 0) {
		w->shelves[shelf].sum = hash64("", 0, shelf);
		return 0;
	}
	if (VEC_RESERVE(&w->groups, m->n_starts) < 0)
		return -ENOMEM;
	memcpy(w->groups.data + w->groups.len, m->starts, m->n_starts * sizeof(*m->starts));
	w->groups.len += m->n_starts;
	row->length += m->len;
	return segment_pwrite(w->fd, m->bytes, m->len, row->offset + at);
}

static void
made_fini(struct made_shelf *m)
{
	free(m->bytes);
	free(m->starts);
	*m = (struct made_shelf){0};
}

/* The next shelf, when it is ready and nobody else writes. */
static bool
begin_writing(struct text_writer *w, struct made_shelf *ret)
{
	LOCK_SCOPE(&w->lock);

	if (w->writing || w->next == w->n_shelves || !w->made[w->next].ready)
		return false;
	w->writing = true;
	*ret = w->made[w->next];
	w->made[w->next] = (struct made_shelf){0};
	return true;
}

static void
end_writing(struct text_writer *w)
{
	LOCK_SCOPE(&w->lock);

	w->next++;
	w->writing = false;
}

static void
put_made(struct text_writer *w, uint32_t shelf, const struct made_shelf *m)
{
	LOCK_SCOPE(&w->lock);

	w->made[shelf] = *m;
}

static int
make_shelves(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct text_writer *w = ctx;
	int r = 0;

	for (; lo < hi && r == 0; lo++) {
		struct made_shelf m;

		r = make_one(w, (uint32_t)lo, worker, &m);
		if (r < 0)
			break;
		put_made(w, (uint32_t)lo, &m);
		/* A failure leaves `writing` set: nobody goes on. */
		while (r == 0 && begin_writing(w, &m)) {
			r = write_shelf(w, w->next, &m);
			made_fini(&m);
			if (r == 0)
				end_writing(w);
		}
	}
	return r;
}

static int
finish(struct text_writer *w, uint64_t *ret_bytes)
{
	static const char pad[TEXT_PAD];
	const struct text_tables *t = w->tables;
	const uint32_t own[] = {t->base, t->n_docs, t->n_units, t->n_live, t->overlap_bytes, 0};
	struct segment_section *row = &w->rows[TEXT_SECTION_POSTINGS - 1];
	int r = segment_pwrite(w->fd, pad, TEXT_PAD, row->offset + row->length);

	w->shelves[w->n_shelves] =
		(struct text_shelf){.at = row->length, .rank = (uint32_t)w->groups.len};
	row->length += TEXT_PAD;
	place_row(w, TEXT_SECTION_GROUPS, w->groups.len * sizeof(*w->groups.data));
	if (r == 0)
		r = write_section(w, TEXT_SECTION_SHELVES, w->shelves);
	if (r == 0)
		r = write_section(w, TEXT_SECTION_GROUPS, w->groups.data);
	if (r == 0)
		r = segment_write_header(
			w->fd, &text_kind, t->n_symbols, own, w->rows, TEXT_SECTION_LAST);
	*ret_bytes = row[1].offset + row[1].length;
	return r;
}

static int
writer_init(struct text_writer *w, struct pool *pool)
{
	unsigned width = tree_par_width(pool);

	lock_init(&w->lock, RANK_LEAF, "text shelves");
	w->n_shelves = text_n_shelves(w->tables->n_symbols);
	w->made = calloc(w->n_shelves, sizeof(*w->made));
	w->shelves = calloc(w->n_shelves + 1, sizeof(*w->shelves));
	w->packs = calloc(width, sizeof(*w->packs));
	for (unsigned i = 0; w->packs && i < width; i++)
		text_shelf_init(&w->packs[i], w->tables->n_units);
	return w->made && w->shelves && w->packs ? 0 : -ENOMEM;
}

static void
writer_fini(struct text_writer *w, struct pool *pool)
{
	for (uint32_t i = 0; w->made && i < w->n_shelves; i++)
		made_fini(&w->made[i]);
	for (unsigned i = 0; w->packs && i < tree_par_width(pool); i++)
		text_shelf_fini(&w->packs[i]);
	free(w->made);
	free(w->shelves);
	free(w->packs);
	VEC_FINI(&w->groups);
	lock_fini(&w->lock);
}

int
text_write(int fd, const struct text_tables *t, text_make_fn make, void *ctx, struct pool *pool,
	struct stop *stop, uint64_t *ret_bytes)
{
	struct text_writer w = {.fd = fd, .tables = t, .make = make, .ctx = ctx};
	int r = writer_init(&w, pool);

	if (r == 0)
		r = write_tables(&w);
	if (r == 0)
		r = tree_par(pool, TASK_INDEX, w.n_shelves, make_shelves, &w, stop);
	if (r == 0)
		r = finish(&w, ret_bytes);
	writer_fini(&w, pool);
	return r;
}
