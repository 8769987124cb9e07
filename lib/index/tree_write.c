#include "base/hash.h"
#include "index/tree_rows.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* All columns grow at the same time, so the rows are walked once: each has a buffer of its own and
 * its own place in the file, which the counts decide beforehand. A buffer is summed while it is
 * still in the cache, just before it is written. The header comes last: until then it is zeros. */

#define COLUMN_BYTES ((size_t)64 << 10)
#define BATCH_ROWS 1024u

struct column {
	/* Fixed at open. */
	uint64_t offset, length;
	struct hash_stream *sum;
	char *buf; /* COLUMN_BYTES */

	uint64_t written;
	size_t fill;
};

struct writer {
	int fd;
	int error; /* the first one; nothing is written after it */
	uint64_t file_bytes;
	char *bufs;
	struct column columns[SECTION_LAST + 1]; /* by section id; 0 is unused */
};

/* Rows on their way into the columns. */
struct batch {
	const struct row *rows[BATCH_ROWS];
	uint32_t parent[BATCH_ROWS]; /* number of the directory */
	uint32_t n;
	uint32_t first; /* entry of rows[0] */
	uint64_t names_at;
};

static int
pwrite_full(int fd, const char *buf, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, buf, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
		offset += (size_t)n;
	}
	return 0;
}

static void
column_flush(struct writer *w, struct column *c)
{
	if (c->fill == 0 || w->error < 0)
		return;
	hash_stream_add(c->sum, c->buf, c->fill);
	w->error = pwrite_full(w->fd, c->buf, c->fill, c->offset + c->written);
	c->written += c->fill;
	c->fill = 0;
}

/* Room for `bytes` (at most COLUMN_BYTES) at the column's end, counted as filled. After an error
 * the buffer is used over and over and goes nowhere. */
static void *
column_room(struct writer *w, enum tree_section id, size_t bytes)
{
	struct column *c = &w->columns[id];
	void *room;

	if (COLUMN_BYTES - c->fill < bytes)
		column_flush(w, c);
	if (w->error < 0)
		c->fill = 0;
	room = c->buf + c->fill;
	c->fill += bytes;
	return room;
}

static void
column_add(struct writer *w, enum tree_section id, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		size_t n = MIN(len, COLUMN_BYTES);

		memcpy(column_room(w, id, n), p, n);
		p += n;
		len -= n;
	}
}

static int
writer_open(struct writer *w, int fd, const struct tree_cols *counts)
{
	uint64_t end = TREE_HEADER_BYTES + SECTION_LAST * TREE_ROW_BYTES;

	*w = (struct writer){.fd = fd, .bufs = malloc(SECTION_LAST * COLUMN_BYTES)};
	if (!w->bufs)
		return -ENOMEM;
	for (unsigned id = 1; id <= SECTION_LAST; id++) {
		struct column *c = &w->columns[id];

		c->offset = ALIGN_UP(end, TREE_ALIGN);
		c->length = tree_section_bytes(counts, id);
		c->buf = w->bufs + (id - 1) * COLUMN_BYTES;
		c->sum = hash_stream_create(id);
		if (!c->sum)
			return -ENOMEM;
		end = c->offset + c->length;
	}
	w->file_bytes = end;
	return 0;
}

static void
writer_close(struct writer *w)
{
	for (unsigned id = 1; id <= SECTION_LAST; id++) {
		if (w->columns[id].sum)
			hash_stream_destroy(w->columns[id].sum);
	}
	free(w->bufs);
}

/* Columns that are copies of a field of the row. */
static const struct {
	enum tree_section id;
	size_t at, width;
} fields[] = {
	{SECTION_CLS, offsetof(struct row, cls), 4},
	{SECTION_SIZE, offsetof(struct row, size), 8},
	{SECTION_BLOCKS, offsetof(struct row, blocks), 8},
	{SECTION_MTIME, offsetof(struct row, mtime_ns), 8},
	{SECTION_CTIME, offsetof(struct row, ctime_ns), 8},
	{SECTION_INO, offsetof(struct row, ino), 8},
	{SECTION_NLINK, offsetof(struct row, nlink), 4},
	{SECTION_FLAGS, offsetof(struct row, flags), 1},
};

/* The widths are constants within each loop, so that a copy is one load and one store. */
static void
put_field(const struct batch *b, size_t at, size_t width, char *out)
{
	if (width == 8) {
		for (uint32_t i = 0; i < b->n; i++)
			memcpy(out + 8 * (size_t)i, (const char *)b->rows[i] + at, 8);
	} else if (width == 4) {
		for (uint32_t i = 0; i < b->n; i++)
			memcpy(out + 4 * (size_t)i, (const char *)b->rows[i] + at, 4);
	} else {
		for (uint32_t i = 0; i < b->n; i++)
			out[i] = ((const char *)b->rows[i])[at];
	}
}

static void
put_names(struct writer *w, struct batch *b)
{
	uint16_t *rel = column_room(w, SECTION_NAME_REL, b->n * sizeof(*rel));
	uint64_t base = 0;

	/* A batch begins a group of names: its size is a multiple of theirs. */
	for (uint32_t i = 0; i < b->n; i++) {
		const struct row *row = b->rows[i];
		size_t len = row->name_len + 1u;

		if (i % TREE_NAME_BLOCK == 0) {
			base = b->names_at;
			column_add(w, SECTION_NAME_BASE, &base, sizeof(base));
		}
		rel[i] = (uint16_t)(b->names_at - base);
		memcpy(column_room(w, SECTION_NAMES, len), row->name, len);
		b->names_at += len;
		if (row->wide) {
			uint32_t e = b->first + i;

			column_add(w, SECTION_WIDE, &e, sizeof(e));
		}
	}
}
_Static_assert(BATCH_ROWS % TREE_NAME_BLOCK == 0, "a batch begins a group of names");

static void
put_dirs(struct writer *w, const struct tree_plan *plan, const struct batch *b)
{
	uint32_t *dir = column_room(w, SECTION_DIR, b->n * sizeof(*dir));

	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t sub = b->rows[i]->sub;

		dir[i] = sub == ROW_NO_DIR ? TREE_NO_DIR : plan->dirs->data[sub].number;
		if (dir[i] != TREE_NO_DIR)
			plan->dir_entry[dir[i]] = b->first + i;
	}
	column_add(w, SECTION_PARENT, b->parent, b->n * sizeof(*b->parent));
}
_Static_assert(ROW_NO_DIR == TREE_NO_DIR, "a directory without a number has none in the file");

static void
batch_put(struct writer *w, const struct tree_plan *plan, struct batch *b)
{
	for (size_t f = 0; f < ARRAY_LEN(fields); f++)
		put_field(b, fields[f].at, fields[f].width,
			column_room(w, fields[f].id, b->n * fields[f].width));
	put_dirs(w, plan, b);
	put_names(w, b);
	b->first += b->n;
	b->n = 0;
}

static void
write_entries(struct writer *w, const struct tree_plan *plan, struct batch *b, struct stop *stop)
{
	b->rows[0] = plan->root;
	b->parent[0] = 0;
	b->n = 1;
	for (uint32_t d = 0; d < plan->counts.n_dirs && w->error == 0; d++) {
		struct row_cursor rows = dir_rows(&plan->dirs->data[plan->sequence[d]]);
		const struct row *row;

		while ((row = row_next(&rows))) {
			if (b->n == BATCH_ROWS) {
				batch_put(w, plan, b);
				if (stop_requested(stop) && w->error == 0)
					w->error = -ECANCELED;
			}
			b->rows[b->n] = row;
			b->parent[b->n++] = d;
		}
	}
	batch_put(w, plan, b);
	if (plan->counts.n_entries % TREE_NAME_BLOCK == 0)
		column_add(w, SECTION_NAME_BASE, &b->names_at, sizeof(b->names_at));
}

static char *
put_u32(char *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static char *
put_u64(char *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

/* FORMAT.md 2. */
static void
write_header(struct writer *w, const struct tree_cols *counts)
{
	char head[TREE_HEADER_BYTES + SECTION_LAST * TREE_ROW_BYTES] = TREE_MAGIC;
	char *p = put_u32(head + TREE_MAGIC_BYTES, TREE_VERSION);

	p = put_u32(p, sizeof(head));
	p = put_u64(p, w->file_bytes);
	p = put_u32(p, SECTION_LAST);
	p = put_u32(p, 0);
	p = put_u32(p, counts->n_entries);
	p = put_u32(p, counts->n_dirs);
	p = put_u32(p, counts->n_classes);
	p = put_u32(p, counts->n_wide);
	p = put_u64(p, counts->names_bytes);
	p = put_u64(p, 0);
	for (uint32_t id = 1; id <= SECTION_LAST; id++) {
		struct column *c = &w->columns[id];

		p = put_u32(p, id);
		p = put_u32(p, 0);
		p = put_u64(p, c->offset);
		p = put_u64(p, c->length);
		p = put_u64(p, hash_stream_sum(c->sum));
	}
	(void)put_u64(head + TREE_SUM_AT, hash64(head, sizeof(head), 0));
	w->error = pwrite_full(w->fd, head, sizeof(head), 0);
}

static int
write_all(struct writer *w, const struct tree_plan *plan, struct stop *stop)
{
	AUTO(freep) struct batch *b = calloc(1, sizeof(*b));
	const struct tree_cols *n = &plan->counts;

	if (!b)
		return -ENOMEM;
	write_entries(w, plan, b, stop);
	column_add(
		w, SECTION_CLASSES, plan->classes, sizeof(*plan->classes) * (size_t)n->n_classes);
	column_add(w, SECTION_DIR_FIRST, plan->dir_first, 4 * ((size_t)n->n_dirs + 1));
	column_add(w, SECTION_DIR_END, plan->dir_end, 4 * (size_t)n->n_dirs);
	column_add(w, SECTION_DIR_ENTRY, plan->dir_entry, 4 * (size_t)n->n_dirs);
	for (unsigned id = 1; id <= SECTION_LAST && w->error == 0; id++) {
		column_flush(w, &w->columns[id]);
		assert(w->error < 0 || w->columns[id].written == w->columns[id].length);
	}
	if (w->error == 0)
		write_header(w, n);
	return w->error;
}

int
tree_write(int fd, const struct tree_plan *plan, struct stop *stop, uint64_t *ret_bytes)
{
	struct writer w;
	int r = writer_open(&w, fd, &plan->counts);

	if (r == 0)
		r = write_all(&w, plan, stop);
	if (r == 0)
		*ret_bytes = w.file_bytes;
	writer_close(&w);
	return r;
}
