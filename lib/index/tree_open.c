#include "base/bytes.h"
#include "base/fd.h"
#include "base/hash.h"
#include "index/tree_format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>

struct tree {
	struct arc arc;
	/* Fixed at open. */
	struct mapfile map;
	struct tree_cols cols;
};

/* FORMAT.md 2. */
struct header {
	uint32_t version, header_bytes, n_sections, reserved;
	uint64_t file_bytes, sum;
};

struct section_row {
	uint32_t id, flags;
	uint64_t offset, length, sum;
};

/* What is being opened; `name` only for sentences. */
struct opening {
	const char *name;
	struct tree *tree;
	struct header head;
	uint64_t end;                     /* of the sections seen so far */
	const char *at[SECTION_LAST + 1]; /* by id; NULL until its row was seen */
	struct err *err;
};

const char *
tree_section_name(enum tree_section id)
{
	static const char *const names[] = {
		[SECTION_CLASSES] = "classes",
		[SECTION_NAME_BASE] = "name_base",
		[SECTION_NAME_REL] = "name_rel",
		[SECTION_NAMES] = "names",
		[SECTION_PARENT] = "parent",
		[SECTION_CLS] = "cls",
		[SECTION_DIR] = "dir",
		[SECTION_SIZE] = "size",
		[SECTION_BLOCKS] = "blocks",
		[SECTION_MTIME] = "mtime",
		[SECTION_CTIME] = "ctime",
		[SECTION_INO] = "ino",
		[SECTION_NLINK] = "nlink",
		[SECTION_FLAGS] = "flags",
		[SECTION_WIDE] = "wide",
		[SECTION_DIR_FIRST] = "dir_first",
		[SECTION_DIR_END] = "dir_end",
		[SECTION_DIR_ENTRY] = "dir_entry",
	};

	return names[id];
}

uint64_t
tree_section_bytes(const struct tree_cols *c, enum tree_section id)
{
	uint64_t n = c->n_entries;

	switch (id) {
	case SECTION_CLASSES:
		return sizeof(struct tree_class) * (uint64_t)c->n_classes;
	case SECTION_NAME_BASE:
		return 8 * (n / TREE_NAME_BLOCK + 1);
	case SECTION_NAMES:
		return c->names_bytes;
	case SECTION_NAME_REL:
		return 2 * n;
	case SECTION_FLAGS:
		return n;
	case SECTION_PARENT:
	case SECTION_CLS:
	case SECTION_DIR:
	case SECTION_NLINK:
		return 4 * n;
	case SECTION_SIZE:
	case SECTION_BLOCKS:
	case SECTION_MTIME:
	case SECTION_CTIME:
	case SECTION_INO:
		return 8 * n;
	case SECTION_WIDE:
		return 4 * (uint64_t)c->n_wide;
	case SECTION_DIR_FIRST:
		return 4 * ((uint64_t)c->n_dirs + 1);
	case SECTION_DIR_END:
	case SECTION_DIR_ENTRY:
		return 4 * (uint64_t)c->n_dirs;
	}
	return 0;
}

static int
damaged(struct opening *o, const char *where, const char *rule)
{
	(void)err_set(
		o->err, -EBADMSG, "tree segment \"%s\" is damaged: %s: %s", o->name, where, rule);
	(void)err_hint(o->err, "the segment is made again by walking its root");
	return -EBADMSG;
}

static int
too_new(struct opening *o, uint32_t version, uint32_t section)
{
	if (section)
		(void)err_set(o->err, -EOPNOTSUPP,
			"tree segment \"%s\" was written by a newer trawld (section %" PRIu32 ")",
			o->name, section);
	else
		(void)err_set(o->err, -EOPNOTSUPP,
			"tree segment \"%s\" was written by a newer trawld (format %" PRIu32 ")",
			o->name, version);
	(void)err_hint(o->err, "use the newer trawld, or let this one walk the root again");
	return -EOPNOTSUPP;
}

static uint64_t
header_sum(const char *data, uint32_t len)
{
	char copy[TREE_HEADER_BYTES + TREE_MAX_SECTIONS * TREE_ROW_BYTES];

	memcpy(copy, data, len);
	memset(copy + TREE_SUM_AT, 0, sizeof(uint64_t));
	return hash64(copy, len, 0);
}

/* The caller made sure that the header's 64 bytes are there. */
static void
parse_header(const char *data, struct header *h, struct tree_cols *c)
{
	struct bytes b = bytes_of(data + TREE_MAGIC_BYTES, TREE_HEADER_BYTES - TREE_MAGIC_BYTES);

	(void)bytes_u32(&b, &h->version);
	(void)bytes_u32(&b, &h->header_bytes);
	(void)bytes_u64(&b, &h->file_bytes);
	(void)bytes_u32(&b, &h->n_sections);
	(void)bytes_u32(&b, &h->reserved);
	(void)bytes_u32(&b, &c->n_entries);
	(void)bytes_u32(&b, &c->n_dirs);
	(void)bytes_u32(&b, &c->n_classes);
	(void)bytes_u32(&b, &c->n_wide);
	(void)bytes_u64(&b, &c->names_bytes);
	(void)bytes_u64(&b, &h->sum);
}

/* H1 to H4, and the ranges of H7. */
static int
open_header(struct opening *o)
{
	struct tree_cols *c = &o->tree->cols;
	struct header *h = &o->head;
	const char *data = o->tree->map.data;
	size_t len = o->tree->map.len;

	if (len < TREE_HEADER_BYTES || memcmp(data, TREE_MAGIC, TREE_MAGIC_BYTES) != 0)
		return damaged(o, "header", "H1: not a tree segment");
	parse_header(data, h, c);
	if (h->n_sections > TREE_MAX_SECTIONS || h->header_bytes > len ||
		h->header_bytes != TREE_HEADER_BYTES + h->n_sections * TREE_ROW_BYTES ||
		header_sum(data, h->header_bytes) != h->sum)
		return damaged(o, "header", "H2: wrong checksum");
	if (h->version > TREE_VERSION)
		return too_new(o, h->version, 0);
	if (h->version != TREE_VERSION || h->reserved != 0)
		return damaged(o, "header", "H3: no such version");
	if (h->file_bytes != len)
		return damaged(o, "header", "H4: the file has another length");
	if (c->n_entries == 0 || c->n_entries > TREE_MAX_ENTRIES || c->n_dirs == 0 ||
		c->n_dirs > c->n_entries || c->n_classes == 0 || c->n_wide > c->n_entries)
		return damaged(o, "header", "H7: counts out of range");
	o->end = h->header_bytes;
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

static struct section_row
parse_row(const char *data, uint32_t i)
{
	struct bytes b =
		bytes_of(data + TREE_HEADER_BYTES + (size_t)i * TREE_ROW_BYTES, TREE_ROW_BYTES);
	struct section_row row;

	(void)bytes_u32(&b, &row.id);
	(void)bytes_u32(&b, &row.flags);
	(void)bytes_u64(&b, &row.offset);
	(void)bytes_u64(&b, &row.length);
	(void)bytes_u64(&b, &row.sum);
	return row;
}

/* H5 and, for sections of this version, H7 and H8. */
static int
open_section(struct opening *o, const struct section_row *row)
{
	const struct mapfile *m = &o->tree->map;
	bool known = row->id >= 1 && row->id <= SECTION_LAST;
	const char *name = known ? tree_section_name(row->id) : "unknown section";

	if (row->offset != ALIGN_UP(o->end, TREE_ALIGN) || row->offset > m->len ||
		row->length > m->len - row->offset)
		return damaged(o, name, "H5: not where it belongs");
	if (!is_zero(m->data + o->end, row->offset - o->end))
		return damaged(o, name, "H5: padding before it is not zero");
	o->end = row->offset + row->length;
	if (!known)
		return row->flags & TREE_SECTION_OPTIONAL ? 0 : too_new(o, 0, row->id);
	if (row->length != tree_section_bytes(&o->tree->cols, row->id))
		return damaged(o, name, "H7: wrong length");
	if (hash64(m->data + row->offset, row->length, row->id) != row->sum)
		return damaged(o, name, "H8: wrong checksum");
	o->at[row->id] = m->data + row->offset;
	return 0;
}

static int
open_sections(struct opening *o)
{
	const struct mapfile *m = &o->tree->map;
	uint32_t last = 0;

	for (uint32_t i = 0; i < o->head.n_sections; i++) {
		struct section_row row = parse_row(m->data, i);
		int r = row.id > last ? open_section(o, &row)
		                      : damaged(o, "header", "H5: sections out of order");

		if (r < 0)
			return r;
		last = row.id;
	}
	if (o->end != m->len)
		return damaged(o, "header", "H5: bytes after the last section");
	for (unsigned id = 1; id <= SECTION_LAST; id++) {
		if (!o->at[id])
			return damaged(o, tree_section_name(id), "H6: not there");
	}
	return 0;
}

/* Offsets are multiples of 64 and the map begins a page: the casts keep alignment. */
static void
set_columns(struct opening *o)
{
	struct tree_cols *c = &o->tree->cols;

#define COLUMN(id) ((const void *)o->at[id])
	c->classes = COLUMN(SECTION_CLASSES);
	c->name_base = COLUMN(SECTION_NAME_BASE);
	c->name_rel = COLUMN(SECTION_NAME_REL);
	c->names = COLUMN(SECTION_NAMES);
	c->parent = COLUMN(SECTION_PARENT);
	c->cls = COLUMN(SECTION_CLS);
	c->dir = COLUMN(SECTION_DIR);
	c->size = COLUMN(SECTION_SIZE);
	c->blocks = COLUMN(SECTION_BLOCKS);
	c->mtime_ns = COLUMN(SECTION_MTIME);
	c->ctime_ns = COLUMN(SECTION_CTIME);
	c->ino = COLUMN(SECTION_INO);
	c->nlink = COLUMN(SECTION_NLINK);
	c->flags = COLUMN(SECTION_FLAGS);
	c->wide = COLUMN(SECTION_WIDE);
	c->dir_first = COLUMN(SECTION_DIR_FIRST);
	c->dir_end = COLUMN(SECTION_DIR_END);
	c->dir_entry = COLUMN(SECTION_DIR_ENTRY);
#undef COLUMN
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

static int
open_mapped(struct opening *o)
{
	struct mapfile *m = &o->tree->map;
	struct tree_flaw flaw;
	int r;

	populate(m);
	r = open_header(o);
	if (r == 0)
		r = open_sections(o);
	if (r == 0) {
		set_columns(o);
		if (tree_check(&o->tree->cols, &flaw) < 0)
			r = damaged(o, tree_section_name(flaw.section), flaw.rule);
	}
	/* Zeros in place of bytes that the disk could not give look like damage; say what it was.
	 */
	if (mapfile_faulted(m))
		r = err_set(o->err, -EIO, "could not read tree segment \"%s\": %s", o->name,
			err_reason(-EIO));
	return r;
}

static void
tree_destroy(struct arc *a)
{
	struct tree *t = CONTAINER_OF(a, struct tree, arc);

	mapfile_close(&t->map);
	free(t);
}

int
tree_open_fd(int fd, const char *name, struct tree **ret, struct err *err)
{
	struct opening o = {.name = name, .err = err};
	int r;

	o.tree = calloc(1, sizeof(*o.tree));
	r = o.tree ? mapfile_open(fd, INT64_MAX, &o.tree->map) : -ENOMEM;
	if (r < 0) {
		free(o.tree);
		return err_set(
			err, r, "could not open tree segment \"%s\": %s", name, err_reason(r));
	}
	arc_init(&o.tree->arc, tree_destroy);
	r = open_mapped(&o);
	if (r < 0) {
		tree_unref(o.tree);
		return r;
	}
	*ret = o.tree;
	return 0;
}

int
tree_open(int dirfd, const char *name, struct tree **ret, struct err *err)
{
	AUTO(closep)
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		int r = -errno;

		return err_set(
			err, r, "could not open tree segment \"%s\": %s", name, err_reason(r));
	}
	return tree_open_fd(fd, name, ret, err);
}

struct tree *
tree_ref(struct tree *t)
{
	arc_get(&t->arc);
	return t;
}

void
tree_unref(struct tree *t)
{
	if (t)
		arc_put(&t->arc);
}

const struct tree_cols *
tree_cols(const struct tree *t)
{
	return &t->cols;
}

bool
tree_faulted(const struct tree *t)
{
	return mapfile_faulted(&t->map);
}

uint64_t
tree_file_bytes(const struct tree *t)
{
	return t->map.len;
}
