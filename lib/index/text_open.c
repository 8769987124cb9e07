#include "base/fd.h"
#include "index/text_check.h"
#include "sync/arc.h"

#include <errno.h>
#include <fcntl.h>

struct text {
	struct arc arc;
	/* Fixed at open. */
	struct mapfile map;
	struct text_cols cols;
};

static const char *const section_names[] = {
	[TEXT_SECTION_DOCS] = "docs",
	[TEXT_SECTION_MARKS] = "marks",
	[TEXT_SECTION_HASH_ORDER] = "hash_order",
	[TEXT_SECTION_FILE_KEYS] = "file_keys",
	[TEXT_SECTION_FILE_CONTENTS] = "file_contents",
	[TEXT_SECTION_UNIT_DOC] = "unit_doc",
	[TEXT_SECTION_WINDOWS] = "windows",
	[TEXT_SECTION_SHELVES] = "shelves",
	[TEXT_SECTION_GROUPS] = "groups",
	[TEXT_SECTION_POSTINGS] = "postings",
};

const struct segment_kind text_kind = {
	.what = "text segment",
	.magic = TEXT_MAGIC,
	.version = TEXT_VERSION,
	.again = "the segment is made again by reading its files",
	.newer = "use the newer trawld, or let this one read the files again",
	.names = section_names,
	.n_ids = ARRAY_LEN(section_names),
	.last_needed = TEXT_SECTION_LAST,
	.parts_summed = TEXT_SECTION_POSTINGS,
};

/* FORMAT-TEXT.md 1. */
struct own_fields {
	uint32_t base, n_docs, n_units, n_live, overlap_bytes, reserved;
};
_Static_assert(sizeof(struct own_fields) == SEGMENT_OWN_BYTES, "FORMAT-TEXT.md 1");

static int
read_counts(const struct segment_file *f, struct text_cols *c)
{
	struct own_fields own;

	memcpy(&own, f->map.data + SEGMENT_OWN_AT, sizeof(own));
	*c = (struct text_cols){.n_symbols = f->sub_kind,
		.base = own.base,
		.n_docs = own.n_docs,
		.n_units = own.n_units,
		.n_live = own.n_live,
		.overlap_bytes = own.overlap_bytes};
	if ((c->n_symbols != 3 && c->n_symbols != 4) || own.reserved != 0)
		return segment_damaged(f, 0, "H3: no such kind");
	if (c->n_docs == 0 || (uint64_t)c->base + c->n_docs > UINT32_MAX ||
		c->n_units > TEXT_MAX_UNITS || c->n_live > c->n_docs)
		return segment_damaged(f, 0, "H7: counts out of range");
	return 0;
}

/* H7 of a section: its bytes are `count` times `size`. */
static bool
fits(const struct segment_file *f, enum text_section id, uint64_t count, size_t size)
{
	return f->rows[id].length == count * size;
}

static uint64_t
count_of(const struct segment_file *f, enum text_section id, size_t size)
{
	return f->rows[id].length / size;
}

static int
check_lengths(const struct segment_file *f, struct text_cols *c)
{
	const struct {
		enum text_section id;
		uint64_t count;
		size_t size;
	} rows[] = {
		{TEXT_SECTION_DOCS, c->n_docs, sizeof(struct text_doc)},
		{TEXT_SECTION_MARKS, c->n_docs, 8},
		{TEXT_SECTION_HASH_ORDER, c->n_live, 4},
		{TEXT_SECTION_FILE_KEYS, count_of(f, TEXT_SECTION_FILE_KEYS, 8), 8},
		{TEXT_SECTION_FILE_CONTENTS, count_of(f, TEXT_SECTION_FILE_KEYS, 8), 4},
		{TEXT_SECTION_UNIT_DOC, c->n_units, 4},
		{TEXT_SECTION_WINDOWS,
			count_of(f, TEXT_SECTION_WINDOWS, sizeof(struct text_window)),
			sizeof(struct text_window)},
		{TEXT_SECTION_SHELVES, text_n_shelves(c->n_symbols) + 1, sizeof(struct text_shelf)},
		{TEXT_SECTION_GROUPS, count_of(f, TEXT_SECTION_GROUPS, 4), 4},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!fits(f, rows[i].id, rows[i].count, rows[i].size))
			return segment_damaged(f, rows[i].id, "H7: wrong length");
	}
	if (f->rows[TEXT_SECTION_POSTINGS].length < TEXT_PAD)
		return segment_damaged(f, TEXT_SECTION_POSTINGS, "H7: wrong length");
	if (count_of(f, TEXT_SECTION_WINDOWS, sizeof(struct text_window)) > c->n_units)
		return segment_damaged(f, TEXT_SECTION_WINDOWS, "H7: wrong length");
	if (count_of(f, TEXT_SECTION_GROUPS, 4) > (uint64_t)1 << (6 * c->n_symbols - 6))
		return segment_damaged(f, TEXT_SECTION_GROUPS, "H7: wrong length");
	return 0;
}

/* Offsets are multiples of 64 and the map begins a page: pointers are aligned. */
static void
set_columns(const struct segment_file *f, struct text_cols *c)
{
	c->n_files = count_of(f, TEXT_SECTION_FILE_KEYS, 8);
	c->n_windows = (uint32_t)count_of(f, TEXT_SECTION_WINDOWS, sizeof(struct text_window));
	c->n_groups = (uint32_t)count_of(f, TEXT_SECTION_GROUPS, 4);
	c->postings_bytes = f->rows[TEXT_SECTION_POSTINGS].length - TEXT_PAD;
	c->docs = segment_section(f, TEXT_SECTION_DOCS);
	c->marks = segment_section(f, TEXT_SECTION_MARKS);
	c->hash_order = segment_section(f, TEXT_SECTION_HASH_ORDER);
	c->file_keys = segment_section(f, TEXT_SECTION_FILE_KEYS);
	c->file_contents = segment_section(f, TEXT_SECTION_FILE_CONTENTS);
	c->unit_doc = segment_section(f, TEXT_SECTION_UNIT_DOC);
	c->windows = segment_section(f, TEXT_SECTION_WINDOWS);
	c->shelves = segment_section(f, TEXT_SECTION_SHELVES);
	c->groups = segment_section(f, TEXT_SECTION_GROUPS);
	c->postings = segment_section(f, TEXT_SECTION_POSTINGS);
}

static int
check_content(
	const struct segment_file *f, const struct text_cols *c, const struct text_open_opts *opts)
{
	int flaw = (int)text_check_shelves(c);

	if (flaw == 0)
		flaw = text_check_sums(c, opts->pool);
	if (flaw == 0 && !(opts->flags & TEXT_OPEN_WRITTEN))
		flaw = (int)text_check_docs(c);
	if (flaw == 0 && !(opts->flags & TEXT_OPEN_WRITTEN))
		flaw = text_check_lists(c, opts->flags & TEXT_OPEN_DEEP, opts->pool);
	return flaw ? segment_damaged(f, text_flaw_section(flaw), text_flaw_rule(flaw)) : 0;
}

static int
open_mapped(struct segment_file *f, struct text_cols *c, const struct text_open_opts *opts)
{
	int r = read_counts(f, c);

	if (r == 0)
		r = check_lengths(f, c);
	if (r == 0)
		r = segment_file_sums(f, opts->pool);
	if (r < 0)
		return r;
	set_columns(f, c);
	return check_content(f, c, opts);
}

static void
text_destroy(struct arc *a)
{
	struct text *t = CONTAINER_OF(a, struct text, arc);

	mapfile_close(&t->map);
	free(t);
}

int
text_open_fd(int fd, const char *name, const struct text_open_opts *opts, struct text **ret,
	struct err *err)
{
	AUTO(freep) struct text *t = calloc(1, sizeof(*t));
	struct segment_file f;
	int r;

	if (!t)
		return err_set(err, -ENOMEM, "could not open text segment \"%s\": %s", name,
			err_reason(-ENOMEM));
	r = segment_file_open(fd, name, &text_kind, err, &f);
	if (r < 0)
		return r;
	r = segment_file_result(&f, open_mapped(&f, &t->cols, opts));
	if (r < 0) {
		segment_file_close(&f);
		return r;
	}
	arc_init(&t->arc, text_destroy);
	t->map = f.map;
	*ret = TAKE_PTR(t);
	return 0;
}

int
text_open(int dirfd, const char *name, const struct text_open_opts *opts, struct text **ret,
	struct err *err)
{
	AUTO(closep)
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		int r = -errno;

		return err_set(
			err, r, "could not open text segment \"%s\": %s", name, err_reason(r));
	}
	return text_open_fd(fd, name, opts, ret, err);
}

struct text *
text_ref(struct text *t)
{
	arc_get(&t->arc);
	return t;
}

void
text_unref(struct text *t)
{
	if (t)
		arc_put(&t->arc);
}

const struct text_cols *
text_cols(const struct text *t)
{
	return &t->cols;
}

uint64_t
text_file_bytes(const struct text *t)
{
	return t->map.len;
}

void
text_cool(const struct text *t)
{
	mapfile_pass(&t->map, t->map.len);
}

bool
text_faulted(const struct text *t)
{
	return mapfile_faulted(&t->map);
}
