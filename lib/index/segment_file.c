#include "index/segment_file.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "index/tree_par.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

struct header {
	uint32_t version, header_bytes, n_sections, sub_kind;
	uint64_t file_bytes, sum;
};

static const char *
section_name(const struct segment_file *f, unsigned id)
{
	if (id == 0)
		return "header";
	return id < f->kind->n_ids && f->kind->names[id] ? f->kind->names[id] : "unknown section";
}

int
segment_damaged(const struct segment_file *f, unsigned id, const char *rule)
{
	(void)err_set(f->err, -EBADMSG, "%s \"%s\" is damaged: %s: %s", f->kind->what, f->name,
		section_name(f, id), rule);
	(void)err_hint(f->err, "%s", f->kind->again);
	return -EBADMSG;
}

static int
wrong_version(const struct segment_file *f, uint32_t version)
{
	(void)err_set(f->err, -EOPNOTSUPP,
		"%s \"%s\" was written by %s trawld (format %" PRIu32 ")", f->kind->what, f->name,
		version > f->kind->version ? "a newer" : "an older", version);
	(void)err_hint(f->err, "%s", version > f->kind->version ? f->kind->newer : f->kind->again);
	return -EOPNOTSUPP;
}

static int
unknown_section(const struct segment_file *f, uint32_t id)
{
	(void)err_set(f->err, -EOPNOTSUPP,
		"%s \"%s\" was written by a newer trawld (section %" PRIu32 ")", f->kind->what,
		f->name, id);
	(void)err_hint(f->err, "%s", f->kind->newer);
	return -EOPNOTSUPP;
}

static uint64_t
header_sum(const char *data, uint32_t len)
{
	char copy[SEGMENT_HEADER_BYTES + SEGMENT_MAX_SECTIONS * SEGMENT_ROW_BYTES];

	memcpy(copy, data, len);
	memset(copy + SEGMENT_SUM_AT, 0, sizeof(uint64_t));
	return hash64(copy, len, 0);
}

static struct header
parse_header(const char *data)
{
	struct bytes b =
		bytes_of(data + SEGMENT_MAGIC_BYTES, SEGMENT_HEADER_BYTES - SEGMENT_MAGIC_BYTES);
	struct header h;

	(void)bytes_u32(&b, &h.version);
	(void)bytes_u32(&b, &h.header_bytes);
	(void)bytes_u64(&b, &h.file_bytes);
	(void)bytes_u32(&b, &h.n_sections);
	(void)bytes_u32(&b, &h.sub_kind);
	(void)bytes_skip(&b, SEGMENT_OWN_BYTES);
	(void)bytes_u64(&b, &h.sum);
	return h;
}

/* H1 to H4. */
static int
check_header(struct segment_file *f, struct header *h)
{
	const char *data = f->map.data;
	size_t len = f->map.len;

	if (len < SEGMENT_HEADER_BYTES || memcmp(data, f->kind->magic, SEGMENT_MAGIC_BYTES) != 0)
		return segment_damaged(f, 0, "H1: of another kind, or none");
	*h = parse_header(data);
	if (h->n_sections > SEGMENT_MAX_SECTIONS || h->header_bytes > len ||
		h->header_bytes != SEGMENT_HEADER_BYTES + h->n_sections * SEGMENT_ROW_BYTES ||
		header_sum(data, h->header_bytes) != h->sum)
		return segment_damaged(f, 0, "H2: wrong checksum");
	if (h->version == 0)
		return segment_damaged(f, 0, "H3: no such version");
	if (h->version != f->kind->version)
		return wrong_version(f, h->version);
	if (h->file_bytes != len)
		return segment_damaged(f, 0, "H4: the file has another length");
	f->sub_kind = h->sub_kind;
	f->header_sum = h->sum;
	return 0;
}

static bool
is_zero(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != '\0')
			return false;
	}
	return true;
}

static struct segment_section
parse_row(const char *data, uint32_t i)
{
	struct bytes b = bytes_of(
		data + SEGMENT_HEADER_BYTES + (size_t)i * SEGMENT_ROW_BYTES, SEGMENT_ROW_BYTES);
	struct segment_section row;

	(void)bytes_u32(&b, &row.id);
	(void)bytes_u32(&b, &row.flags);
	(void)bytes_u64(&b, &row.offset);
	(void)bytes_u64(&b, &row.length);
	(void)bytes_u64(&b, &row.sum);
	return row;
}

/* H5, and of H6 what concerns sections that nobody knows. */
static int
check_row(struct segment_file *f, const struct segment_section *row, uint64_t *end)
{
	const struct mapfile *m = &f->map;
	bool known = row->id < f->kind->n_ids && f->kind->names[row->id];
	unsigned id = known ? row->id : UINT32_MAX;

	if (row->offset != ALIGN_UP(*end, SEGMENT_ALIGN) || row->offset > m->len ||
		row->length > m->len - row->offset)
		return segment_damaged(f, id, "H5: not where it belongs");
	if (!is_zero(m->data + *end, row->offset - *end))
		return segment_damaged(f, id, "H5: padding before it is not zero");
	*end = row->offset + row->length;
	if (!known)
		return row->flags & SEGMENT_OPTIONAL ? 0 : unknown_section(f, row->id);
	if (((row->flags & SEGMENT_PARTS_SUMMED) != 0) != (row->id == f->kind->parts_summed))
		return segment_damaged(f, id, "H8: summed in another way");
	f->rows[row->id] = *row;
	return 0;
}

static int
check_table(struct segment_file *f, const struct header *h)
{
	uint64_t end = h->header_bytes;
	uint32_t before = 0;

	for (uint32_t i = 0; i < h->n_sections; i++) {
		struct segment_section row = parse_row(f->map.data, i);
		int r = row.id > before ? check_row(f, &row, &end)
		                        : segment_damaged(f, 0, "H5: sections out of order");

		if (r < 0)
			return r;
		before = row.id;
	}
	if (end != f->map.len)
		return segment_damaged(f, 0, "H5: bytes after the last section");
	for (unsigned id = 1; id <= f->kind->last_needed; id++) {
		if (f->kind->names[id] && f->rows[id].id == 0)
			return segment_damaged(f, id, "H6: not there");
	}
	return 0;
}

/* Everything is about to be read: one call instead of a fault every 16 pages. Kernels before 5.14
 * do not know the advice, and nothing depends on it. */
static void
populate(const struct mapfile *m)
{
	/* The parameter lacks const; the call changes nothing. */
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	void *start = (void *)(uintptr_t)m->data;

	if (m->len > 0)
		(void)madvise(start, m->len, MADV_POPULATE_READ);
}

int
segment_file_open(int fd, const char *name, const struct segment_kind *kind, struct err *err,
	struct segment_file *ret)
{
	struct header h = {0};
	int r;

	assert(kind->n_ids <= SEGMENT_MAX_SECTIONS);
	*ret = (struct segment_file){.kind = kind, .name = name, .err = err};
	r = mapfile_open(fd, INT64_MAX, &ret->map);
	if (r < 0)
		return err_set(
			err, r, "could not open %s \"%s\": %s", kind->what, name, err_reason(r));
	populate(&ret->map);
	r = check_header(ret, &h);
	if (r == 0)
		r = check_table(ret, &h);
	r = segment_file_result(ret, r);
	if (r < 0)
		segment_file_close(ret);
	return r;
}

int
segment_file_result(const struct segment_file *f, int r)
{
	/* Zeros in place of bytes that the disk could not give look like damage; say what it was.
	 */
	if (mapfile_faulted(&f->map))
		r = err_set(f->err, -EIO, "could not read %s \"%s\": %s", f->kind->what, f->name,
			err_reason(-EIO));
	return r;
}

void
segment_file_close(struct segment_file *f)
{
	mapfile_close(&f->map);
}

struct summing {
	const struct segment_file *file;
	unsigned largest; /* done first, in the place of 0, which is no id */
};

/* A piece of work: the id of a section with a wrong sum, or 0. */
static int
sum_sections(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const struct summing *s = ctx;

	(void)worker;
	for (; lo < hi; lo++) {
		unsigned id = lo == 0 ? s->largest : (unsigned)lo;
		const struct segment_section *row = &s->file->rows[id];
		uint64_t sum = 0;

		if (row->id == 0 || (lo > 0 && id == s->largest))
			continue;
		if (!(row->flags & SEGMENT_PARTS_SUMMED))
			sum = hash64(s->file->map.data + row->offset, row->length, row->id);
		if (sum != row->sum)
			return (int)id;
	}
	return 0;
}

int
segment_file_sums(const struct segment_file *f, struct pool *pool)
{
	struct summing s = {.file = f};
	int id;

	for (unsigned i = 0; i < SEGMENT_MAX_SECTIONS; i++) {
		if (f->rows[i].length > f->rows[s.largest].length)
			s.largest = i;
	}
	id = tree_par(pool, TASK_QUERY, SEGMENT_MAX_SECTIONS, sum_sections, &s, NULL);
	return id > 0 ? segment_damaged(f, (unsigned)id, "H8: wrong checksum") : 0;
}
