#include "base/bytes.h"
#include "base/fd.h"
#include "base/hash.h"
#include "index/tree_format.h"
#include "index/tree_frame.h"
#include "index/tree_par.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>

struct tree {
	struct arc arc;
	/* Fixed at open. */
	struct mapfile map;
	struct tree_cols cols;
	char *names; /* mapped: names, and where they start; MAP_FAILED: none */
	size_t n_names;
	uint64_t header_sum;
};

/* FORMAT.md 2. */
struct header {
	uint32_t version, header_bytes, n_sections, kind;
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
	uint64_t end; /* of the sections seen so far */
	const struct tree_open_opts *opts;
	struct section_row rows[SECTION_LAST + 1]; /* by id; id 0 until its row was seen */
	struct err *err;
};

const char *
tree_section_name(unsigned id)
{
	static const char *const names[] = {
		[SECTION_CLASSES] = "classes",
		[SECTION_FRAMES] = "frames",
		[SECTION_UNREAD] = "unread",
		[SECTION_NAMES] = "names",
		[SECTION_PARENT] = "parent",
		[SECTION_CLS] = "cls",
		[SECTION_DIR_BITS] = "dir_bits",
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
		[SECTION_DIR_RANK] = "dir_rank",
		[SECTION_DIR_ORDER] = "dir_order",
		[SECTION_SUMS] = "sums",
		[SECTION_LINKS] = "links",
		[SECTION_LINK_SUMS] = "link_sums",
		[SECTION_GRAM_INDEX] = "gram_index",
		[SECTION_GRAM_LISTS] = "gram_lists",
		[SECTION_BELOW] = "below",
		[SECTION_DEAD] = "dead",
	};

	return id < ARRAY_LEN(names) ? names[id] : NULL;
}

uint64_t
tree_section_bytes(const struct tree_cols *c, enum tree_section id)
{
	uint64_t n = c->n_entries;

	switch (id) {
	case SECTION_CLASSES:
		return sizeof(struct tree_class) * (uint64_t)c->n_classes;
	case SECTION_FRAMES:
		return sizeof(struct tree_frame) * (uint64_t)tree_n_frames(c);
	case SECTION_UNREAD:
		return sizeof(uint32_t);
	case SECTION_NAMES:
		return 0;
	case SECTION_PARENT:
	case SECTION_CLS:
	case SECTION_SIZE:
	case SECTION_BLOCKS:
	case SECTION_MTIME:
	case SECTION_CTIME:
	case SECTION_INO:
	case SECTION_NLINK:
	case SECTION_FLAGS:
		return sizeof(struct tree_block) * (uint64_t)tree_n_blocks(c) + sizeof(uint64_t);
	case SECTION_DIR_BITS:
		return 8 * ((n - 1) / 64 + 1);
	case SECTION_DIR_RANK:
		return 4 * ((n - 1) / 64 + 1);
	case SECTION_WIDE:
		return 4 * (uint64_t)c->n_wide;
	case SECTION_DIR_FIRST:
		return 4 * ((uint64_t)c->n_dirs + 1);
	case SECTION_DIR_END:
	case SECTION_DIR_ENTRY:
	case SECTION_DIR_ORDER:
		return 4 * (uint64_t)c->n_dirs;
	case SECTION_SUMS:
		return sizeof(struct tree_sum) * (n / TREE_BLOCK + 1);
	case SECTION_LINKS:
		return sizeof(struct tree_link);
	case SECTION_LINK_SUMS:
		return sizeof(struct tree_link_sum);
	case SECTION_GRAM_INDEX:
		return 4 * (uint64_t)TREE_N_GRAM_ROWS + 4;
	case SECTION_GRAM_LISTS:
		return 1;
	case SECTION_BELOW:
		return sizeof(struct tree_below);
	case SECTION_DEAD:
		return sizeof(struct tree_range);
	}
	return 0;
}

/* H7 */
static bool
length_fits(const struct tree_cols *c, enum tree_section id, uint64_t length)
{
	uint64_t bytes = tree_section_bytes(c, id);

	for (unsigned col = 0; col < N_TREE_COLUMNS; col++) {
		if (tree_column_section((enum tree_column)col) == id)
			return length >= bytes && length % 8 == 0;
	}
	if (id == SECTION_NAMES)
		return true; /* frames say what */
	if (id == SECTION_UNREAD)
		return length % bytes == 0 && length / bytes <= c->n_entries;
	if (id == SECTION_LINKS || id == SECTION_LINK_SUMS)
		return length % bytes == 0 && length / bytes <= c->n_entries;
	if (id == SECTION_BELOW)
		return length > 0 && length % bytes == 0 && length / bytes < TREE_MAX_LAYERS;
	if (id == SECTION_DEAD)
		return length % bytes == 0 && length / bytes <= UINT32_MAX;
	return id == SECTION_GRAM_LISTS ? length <= UINT32_MAX : length == bytes;
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
wrong_version(struct opening *o)
{
	uint32_t version = o->head.version;

	(void)err_set(o->err, -EOPNOTSUPP,
		"tree segment \"%s\" was written by %s trawld (format %" PRIu32 ")", o->name,
		version > TREE_VERSION ? "a newer" : "an older", version);
	(void)err_hint(o->err, version > TREE_VERSION
				       ? "use the newer trawld, or let this one walk the root again"
				       : "the segment is made again by walking its root");
	return -EOPNOTSUPP;
}

static int
too_new(struct opening *o, uint32_t section)
{
	(void)err_set(o->err, -EOPNOTSUPP,
		"tree segment \"%s\" was written by a newer trawld (section %" PRIu32 ")", o->name,
		section);
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
	(void)bytes_u32(&b, &h->kind);
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
	if (h->version == 0)
		return damaged(o, "header", "H3: no such version");
	if (h->version != TREE_VERSION)
		return wrong_version(o);
	if (h->kind > TREE_KIND_LAYER)
		return damaged(o, "header", "H3: no such kind");
	if (h->file_bytes != len)
		return damaged(o, "header", "H4: the file has another length");
	if (c->n_entries == 0 || c->n_entries > TREE_MAX_ENTRIES || c->n_dirs == 0 ||
		c->n_dirs > c->n_entries || c->n_classes == 0 || c->n_wide > c->n_entries)
		return damaged(o, "header", "H7: counts out of range");
	o->tree->header_sum = h->sum;
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

/* H5 and, for sections of this version, H7. */
static int
open_section(struct opening *o, const struct section_row *row)
{
	const struct mapfile *m = &o->tree->map;
	const char *name = tree_section_name(row->id);

	if (row->offset != ALIGN_UP(o->end, TREE_ALIGN) || row->offset > m->len ||
		row->length > m->len - row->offset)
		return damaged(o, name ? name : "unknown section", "H5: not where it belongs");
	if (!is_zero(m->data + o->end, row->offset - o->end))
		return damaged(
			o, name ? name : "unknown section", "H5: padding before it is not zero");
	o->end = row->offset + row->length;
	if (!name)
		return row->flags & TREE_SECTION_OPTIONAL ? 0 : too_new(o, row->id);
	if (!length_fits(&o->tree->cols, row->id, row->length))
		return damaged(o, name, "H7: wrong length");
	o->rows[row->id] = *row;
	return 0;
}

static int
open_table(struct opening *o)
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
	for (unsigned id = 1; id <= SECTION_NEEDED; id++) {
		if (o->rows[id].id == 0)
			return damaged(o, tree_section_name(id), "H6: not there");
	}
	if ((o->rows[SECTION_GRAM_INDEX].id == 0) != (o->rows[SECTION_GRAM_LISTS].id == 0))
		return damaged(o, "gram_index", "H6: not there with gram_lists");
	for (unsigned id = SECTION_BELOW; id <= SECTION_DEAD; id++) {
		if ((o->rows[id].id != 0) != (o->head.kind == TREE_KIND_LAYER))
			return damaged(
				o, tree_section_name(id), "Y1: a layer has it, a base has not");
	}
	return 0;
}

/* H8, a piece of work: the id of the wrong section, or 0. Names are half of the file; the order of
 * the others does not matter. */
static int
sum_sections(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const struct opening *o = ctx;

	(void)worker;
	for (; lo < hi; lo++) {
		unsigned id = lo == 0              ? SECTION_NAMES
		              : lo < SECTION_NAMES ? (unsigned)lo
		                                   : (unsigned)lo + 1;
		const struct section_row *row = &o->rows[id];

		if (row->id == id &&
			hash64(o->tree->map.data + row->offset, row->length, id) != row->sum)
			return (int)id;
	}
	return 0;
}

static int
open_sums(struct opening *o)
{
	int id = tree_par(o->opts->pool, TASK_QUERY, SECTION_LAST, sum_sections, o, NULL);

	return id > 0 ? damaged(o, tree_section_name((unsigned)id), "H8: wrong checksum") : 0;
}

/* Offsets are multiples of 64 and the map begins a page: the casts keep alignment. */
static const void *
section_at(const struct opening *o, enum tree_section id)
{
	return o->tree->map.data + o->rows[id].offset;
}

static void
set_packed(struct opening *o)
{
	struct tree_cols *c = &o->tree->cols;

	for (unsigned col = 0; col < N_TREE_COLUMNS; col++) {
		enum tree_section id = tree_column_section((enum tree_column)col);
		const struct tree_block *blocks = section_at(o, id);

		c->columns[col].blocks = blocks;
		c->columns[col].words = (const char *)(blocks + tree_n_blocks(c));
		c->columns[col].n_words =
			(o->rows[id].length - tree_section_bytes(c, id)) / sizeof(uint64_t);
	}
}

static void
set_columns(struct opening *o)
{
	struct tree_cols *c = &o->tree->cols;

	c->classes = section_at(o, SECTION_CLASSES);
	c->unread = section_at(o, SECTION_UNREAD);
	c->n_unread = (uint32_t)(o->rows[SECTION_UNREAD].length / sizeof(*c->unread));
	c->wide = section_at(o, SECTION_WIDE);
	c->dir_first = section_at(o, SECTION_DIR_FIRST);
	c->dir_end = section_at(o, SECTION_DIR_END);
	c->dir_entry = section_at(o, SECTION_DIR_ENTRY);
	c->dir_bits = section_at(o, SECTION_DIR_BITS);
	c->dir_rank = section_at(o, SECTION_DIR_RANK);
	c->dir_order = section_at(o, SECTION_DIR_ORDER);
	c->sums = section_at(o, SECTION_SUMS);
	c->links = section_at(o, SECTION_LINKS);
	c->n_links = (uint32_t)(o->rows[SECTION_LINKS].length / sizeof(*c->links));
	c->link_sums = section_at(o, SECTION_LINK_SUMS);
	c->n_link_sums = (uint32_t)(o->rows[SECTION_LINK_SUMS].length / sizeof(*c->link_sums));
	set_packed(o);
	if (o->head.kind == TREE_KIND_LAYER) {
		c->below = section_at(o, SECTION_BELOW);
		c->n_below = (uint32_t)(o->rows[SECTION_BELOW].length / sizeof(*c->below));
		c->dead = section_at(o, SECTION_DEAD);
		c->n_dead = (uint32_t)(o->rows[SECTION_DEAD].length / sizeof(*c->dead));
	}
	if (o->rows[SECTION_GRAM_INDEX].id == 0)
		return;
	c->gram_index = section_at(o, SECTION_GRAM_INDEX);
	c->gram_lists = section_at(o, SECTION_GRAM_LISTS);
	c->gram_bytes = o->rows[SECTION_GRAM_LISTS].length;
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

/* Memory of its own, where a scan of all names meets few entries of the TLB. */
static int
open_names(struct opening *o)
{
	struct tree *t = o->tree;
	const struct frames_in in = {section_at(o, SECTION_FRAMES), section_at(o, SECTION_NAMES),
		o->rows[SECTION_NAMES].length};
	int r = -ENOMEM;

	/* H7: and so the room is in proportion to the file. */
	if (t->cols.names_bytes > (uint64_t)t->cols.n_entries * (TREE_NAME_MAX_BYTES + 1))
		return damaged(o, "header", "H7: counts out of range");
	t->n_names = frames_room(&t->cols);
	t->names =
		mmap(NULL, t->n_names, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->names != MAP_FAILED) {
		(void)madvise(t->names, t->n_names, MADV_HUGEPAGE); /* or not */
		r = frames_unpack(&t->cols, &in, o->opts->pool, t->names);
	}
	if (r == -EBADMSG)
		return damaged(o, "names", "N1: a frame does not hold its names");
	if (r < 0)
		(void)err_set(o->err, r, "could not open tree segment \"%s\": %s", o->name,
			err_reason(r));
	return r;
}

static int
open_checked(struct opening *o)
{
	struct tree_flaw flaw;
	int r;

	set_columns(o);
	r = open_names(o);
	if (r < 0)
		return r;
	if (o->opts->flags & TREE_OPEN_WRITTEN)
		return 0;
	r = tree_check(&o->tree->cols, o->opts->flags & TREE_OPEN_DEEP, o->opts->pool, &flaw);
	if (r == -EBADMSG)
		return damaged(o, tree_section_name(flaw.section), flaw.rule);
	if (r < 0)
		(void)err_set(o->err, r, "could not check tree segment \"%s\": %s", o->name,
			err_reason(r));
	return r;
}

static int
open_mapped(struct opening *o)
{
	struct mapfile *m = &o->tree->map;
	int r;

	populate(m);
	r = open_header(o);
	if (r == 0)
		r = open_table(o);
	if (r == 0)
		r = open_sums(o);
	if (r == 0)
		r = open_checked(o);
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

	if (t->names != MAP_FAILED)
		(void)munmap(t->names, t->n_names);
	mapfile_close(&t->map);
	free(t);
}

int
tree_open_fd(int fd, const char *name, const struct tree_open_opts *opts, struct tree **ret,
	struct err *err)
{
	struct opening o = {.name = name, .opts = opts, .err = err};
	int r;

	o.tree = calloc(1, sizeof(*o.tree));
	r = o.tree ? mapfile_open(fd, INT64_MAX, &o.tree->map) : -ENOMEM;
	if (r < 0) {
		free(o.tree);
		return err_set(
			err, r, "could not open tree segment \"%s\": %s", name, err_reason(r));
	}
	arc_init(&o.tree->arc, tree_destroy);
	o.tree->names = MAP_FAILED;
	r = open_mapped(&o);
	if (r < 0) {
		tree_unref(o.tree);
		return r;
	}
	*ret = o.tree;
	return 0;
}

int
tree_open_with(int dirfd, const char *name, const struct tree_open_opts *opts, struct tree **ret,
	struct err *err)
{
	AUTO(closep)
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		int r = -errno;

		return err_set(
			err, r, "could not open tree segment \"%s\": %s", name, err_reason(r));
	}
	return tree_open_fd(fd, name, opts, ret, err);
}

int
tree_open(int dirfd, const char *name, struct tree **ret, struct err *err)
{
	return tree_open_with(dirfd, name, &(struct tree_open_opts){0}, ret, err);
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

uint64_t
tree_header_sum(const struct tree *t)
{
	return t->header_sum;
}
