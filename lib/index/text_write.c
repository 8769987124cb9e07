#include "index/text_write.h"

#include <fcntl.h>

#include "base/hash.h"
#include "base/str.h"
#include "index/segment_write.h"
#include "index/tree_par.h"
#include "sync/par_sort.h"

/* Shelves go to the file so many bytes at a time: larger writes get larger pages, and memory that
 * nobody had for a while, which a virtual machine must ask its host for. */
#define WRITE_BYTES ((size_t)64 << 10)
/* The disk is told to begin when there is so much more. */
#define FLUSH_BYTES ((uint64_t)4 << 20)

/* A shelf that is made and not yet written. */
struct made_shelf {
	char *bytes; /* of malloc while it waits, else the pack's; so are `starts` */
	size_t len;
	uint32_t *starts;
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

	_Atomic uint32_t taken; /* relaxed: shelves that are made or being made */

	struct lock lock;        /* RANK_LEAF; guards what follows */
	struct made_shelf *made; /* by shelf */
	uint32_t next;           /* shelf to be written */
	bool writing; /* somebody writes `next`, without the lock, and owns what follows */
	struct text_shelf *shelves;
	VEC(uint32_t) groups;
	struct strbuf tail; /* of the postings: what is not in the file yet */
	uint64_t flushed;   /* so far the disk was told to begin */
};

int
text_tables_alloc(struct text_tables *t)
{
	/* One more of each: no allocation of nothing. */
	t->docs = calloc((size_t)t->n_docs + 1, sizeof(*t->docs));
	t->marks = calloc((size_t)t->n_docs + 1, sizeof(*t->marks));
	t->unit_doc = calloc((size_t)t->n_units + 1, sizeof(*t->unit_doc));
	t->windows = calloc((size_t)t->n_windows + 1, sizeof(*t->windows));
	t->file_keys = calloc(t->n_files + 1, sizeof(*t->file_keys));
	t->file_contents = calloc(t->n_files + 1, sizeof(*t->file_contents));
	return t->docs && t->marks && t->unit_doc && t->windows && t->file_keys && t->file_contents
	               ? 0
	               : -ENOMEM;
}

void
text_tables_fini(struct text_tables *t)
{
	free(t->docs);
	free(t->marks);
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
		{t->marks, (uint64_t)t->n_docs * sizeof(*t->marks)},
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

static void
made_fini(struct made_shelf *m)
{
	free(m->bytes);
	free(m->starts);
	*m = (struct made_shelf){0};
}

/* *ret is of the pack's memory, until its next shelf begins. */
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
	ret->bytes = p->bytes.data;
	ret->len = p->bytes.len;
	ret->starts = p->starts.data;
	ret->n_starts = p->starts.len;
	ret->sum = hash64(ret->bytes, ret->len, shelf);
	return 0;
}

/* What waits is as large as it must be; the pack's own memory is used again. */
static int
keep(const struct made_shelf *m, struct made_shelf *ret)
{
	*ret = *m;
	if (m->groups == 0)
		return 0;
	ret->bytes = malloc(m->len);
	ret->starts = malloc(m->n_starts * sizeof(*m->starts));
	if (!ret->bytes || !ret->starts) {
		made_fini(ret);
		return -ENOMEM;
	}
	memcpy(ret->bytes, m->bytes, m->len);
	memcpy(ret->starts, m->starts, m->n_starts * sizeof(*m->starts));
	return 0;
}

/* The tail of the postings to the file; the disk begins while shelves are made, and what is left of
 * it when all is synced is little. */
static int
write_tail(struct text_writer *w)
{
	const struct segment_section *row = &w->rows[TEXT_SECTION_POSTINGS - 1];
	uint64_t end = row->offset + row->length;
	int r = segment_pwrite(w->fd, w->tail.data, w->tail.len, end - w->tail.len);

	strbuf_reset(&w->tail);
	if (r == 0 && end - w->flushed >= FLUSH_BYTES) {
		/* A wish: what could not be written is told by the sync. */
		(void)sync_file_range(
			w->fd, (off_t)w->flushed, (off_t)(end - w->flushed), SYNC_FILE_RANGE_WRITE);
		w->flushed = end;
	}
	return r;
}

static int
write_postings(struct text_writer *w, const void *data, size_t len)
{
	int r = strbuf_add(&w->tail, data, len);

	if (r < 0)
		return r;
	w->rows[TEXT_SECTION_POSTINGS - 1].length += len;
	return w->tail.len >= WRITE_BYTES ? write_tail(w) : 0;
}

/* Called by the one who is `writing`. */
static int
write_shelf(struct text_writer *w, uint32_t shelf, const struct made_shelf *m)
{
	uint64_t at = w->rows[TEXT_SECTION_POSTINGS - 1].length;

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
	return write_postings(w, m->bytes, m->len);
}

/* Is this one the next, and nobody else writes? */
static bool
begin_at_once(struct text_writer *w, uint32_t shelf)
{
	LOCK_SCOPE(&w->lock);

	if (w->writing || w->next != shelf)
		return false;
	w->writing = true;
	return true;
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

/* A failure leaves `writing` set: nobody goes on. */
static int
write_one(struct text_writer *w, uint32_t shelf, const struct made_shelf *m)
{
	int r = write_shelf(w, shelf, m);

	if (r == 0)
		end_writing(w);
	return r;
}

/* A shelf that is made is written when its turn has come, or waits. */
static int
put_made(struct text_writer *w, uint32_t shelf, const struct made_shelf *m)
{
	struct made_shelf kept;
	int r;

	if (begin_at_once(w, shelf))
		return write_one(w, shelf, m);
	r = keep(m, &kept);
	if (r == 0) {
		LOCK_SCOPE(&w->lock);
		w->made[shelf] = kept;
	}
	return r;
}

/* A range is so many shelves, whichever come next: in their order, few wait for their turn. */
static int
make_shelves(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct text_writer *w = ctx;
	int r = 0;

	for (; lo < hi && r == 0; lo++) {
		uint32_t shelf = add_rlx(&w->taken, 1);
		struct made_shelf m;

		r = make_one(w, shelf, worker, &m);
		if (r == 0)
			r = put_made(w, shelf, &m);
		while (r == 0 && begin_writing(w, &m)) {
			r = write_one(w, w->next, &m);
			made_fini(&m);
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
	int r;

	w->shelves[w->n_shelves] =
		(struct text_shelf){.at = row->length, .rank = (uint32_t)w->groups.len};
	r = write_postings(w, pad, TEXT_PAD);
	if (r == 0)
		r = write_tail(w);
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
	strbuf_fini(&w->tail);
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
