#include "base/bytes.h"
#include "base/fd.h"
#include "index/tree_format.h"
#include "index/tree_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

struct tree {
	struct arc arc;
	/* Fixed at open. */
	struct mapfile map;
	struct tree_cols cols;
	char *names; /* mapped: names, and where they start; MAP_FAILED: none */
	size_t n_names;
	uint64_t header_sum;
	/* Of tree_note(). Set once: released by who made it, acquired by who reads it. */
	_Atomic(void *) note;
};

struct opening {
	struct segment_file file;
	struct tree *tree;
	const struct tree_open_opts *opts;
};

static const char *const section_names[] = {
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
	[SECTION_GRAM_NODES] = "gram_nodes",
	[SECTION_GRAM_LISTS] = "gram_lists",
	[SECTION_GRAM_ROWS] = "gram_rows",
	[SECTION_BELOW] = "below",
	[SECTION_DEAD] = "dead",
};

const struct segment_kind tree_kind = {
	.what = "tree segment",
	.magic = TREE_MAGIC,
	.version = TREE_VERSION,
	.again = "the segment is made again by walking its root",
	.newer = "use the newer trawld, or let this one walk the root again",
	.names = section_names,
	.n_ids = ARRAY_LEN(section_names),
	.last_needed = SECTION_NEEDED,
};

const char *
tree_section_name(unsigned id)
{
	return id < ARRAY_LEN(section_names) ? section_names[id] : NULL;
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
	case SECTION_GRAM_NODES:
		return sizeof(struct tree_gram_node);
	case SECTION_GRAM_LISTS:
		return 1;
	case SECTION_GRAM_ROWS:
		return sizeof(uint32_t);
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
	if (id == SECTION_GRAM_NODES)
		return length % bytes == 0 && length / bytes >= TREE_N_SYMBOLS &&
		       length / bytes <= TREE_GRAM_NODES;
	if (id == SECTION_GRAM_ROWS)
		return length % bytes == 0 && length > 0 && length / bytes <= TREE_GRAM_ROWS + 1;
	return id == SECTION_GRAM_LISTS ? length <= UINT32_MAX : length == bytes;
}

/* The counts of the header. */
static int
read_counts(struct opening *o)
{
	const struct segment_file *f = &o->file;
	struct tree_cols *c = &o->tree->cols;
	struct bytes b = bytes_of(f->map.data + SEGMENT_OWN_AT, SEGMENT_OWN_BYTES);

	(void)bytes_u32(&b, &c->n_entries);
	(void)bytes_u32(&b, &c->n_dirs);
	(void)bytes_u32(&b, &c->n_classes);
	(void)bytes_u32(&b, &c->n_wide);
	(void)bytes_u64(&b, &c->names_bytes);
	if (f->sub_kind > TREE_KIND_LAYER)
		return segment_damaged(f, 0, "H3: no such kind");
	if (c->n_entries == 0 || c->n_entries > TREE_MAX_ENTRIES || c->n_dirs == 0 ||
		c->n_dirs > c->n_entries || c->n_classes == 0 || c->n_wide > c->n_entries)
		return segment_damaged(f, 0, "H7: counts out of range");
	o->tree->header_sum = f->header_sum;
	return 0;
}

/* H7, and of H6 and Y1 what concerns sections that not all have. */
static int
check_sections(struct opening *o)
{
	const struct segment_file *f = &o->file;

	for (unsigned id = 1; id <= SECTION_LAST; id++) {
		if (f->rows[id].id && !length_fits(&o->tree->cols, id, f->rows[id].length))
			return segment_damaged(f, id, "H7: wrong length");
	}
	if ((f->rows[SECTION_GRAM_NODES].id == 0) != (f->rows[SECTION_GRAM_LISTS].id == 0) ||
		(f->rows[SECTION_GRAM_NODES].id == 0) != (f->rows[SECTION_GRAM_ROWS].id == 0))
		return segment_damaged(
			f, SECTION_GRAM_NODES, "H6: not there with gram_lists and gram_rows");
	for (unsigned id = SECTION_BELOW; id <= SECTION_DEAD; id++) {
		if ((f->rows[id].id != 0) != (f->sub_kind == TREE_KIND_LAYER))
			return segment_damaged(f, id, "Y1: a layer has it, a base has not");
	}
	return 0;
}

static const void *
section_at(const struct opening *o, enum tree_section id)
{
	return segment_section(&o->file, id);
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
			(o->file.rows[id].length - tree_section_bytes(c, id)) / sizeof(uint64_t);
	}
}

static void
set_grams(struct opening *o)
{
	struct tree_cols *c = &o->tree->cols;

	c->gram_nodes = section_at(o, SECTION_GRAM_NODES);
	c->n_gram_nodes =
		(uint32_t)(o->file.rows[SECTION_GRAM_NODES].length / sizeof(*c->gram_nodes));
	c->gram_rows = section_at(o, SECTION_GRAM_ROWS);
	c->n_gram_rows =
		(uint32_t)(o->file.rows[SECTION_GRAM_ROWS].length / sizeof(*c->gram_rows)) - 1;
	c->gram_lists = section_at(o, SECTION_GRAM_LISTS);
	c->gram_bytes = o->file.rows[SECTION_GRAM_LISTS].length;
}

static void
set_columns(struct opening *o)
{
	struct tree_cols *c = &o->tree->cols;

	c->classes = section_at(o, SECTION_CLASSES);
	c->unread = section_at(o, SECTION_UNREAD);
	c->n_unread = (uint32_t)(o->file.rows[SECTION_UNREAD].length / sizeof(*c->unread));
	c->wide = section_at(o, SECTION_WIDE);
	c->dir_first = section_at(o, SECTION_DIR_FIRST);
	c->dir_end = section_at(o, SECTION_DIR_END);
	c->dir_entry = section_at(o, SECTION_DIR_ENTRY);
	c->dir_bits = section_at(o, SECTION_DIR_BITS);
	c->dir_rank = section_at(o, SECTION_DIR_RANK);
	c->dir_order = section_at(o, SECTION_DIR_ORDER);
	c->sums = section_at(o, SECTION_SUMS);
	c->links = section_at(o, SECTION_LINKS);
	c->n_links = (uint32_t)(o->file.rows[SECTION_LINKS].length / sizeof(*c->links));
	c->link_sums = section_at(o, SECTION_LINK_SUMS);
	c->n_link_sums = (uint32_t)(o->file.rows[SECTION_LINK_SUMS].length / sizeof(*c->link_sums));
	set_packed(o);
	if (o->file.sub_kind == TREE_KIND_LAYER) {
		c->below = section_at(o, SECTION_BELOW);
		c->n_below = (uint32_t)(o->file.rows[SECTION_BELOW].length / sizeof(*c->below));
		c->dead = section_at(o, SECTION_DEAD);
		c->n_dead = (uint32_t)(o->file.rows[SECTION_DEAD].length / sizeof(*c->dead));
	}
	if (o->file.rows[SECTION_GRAM_NODES].id != 0)
		set_grams(o);
}

/* Memory of its own, where a scan of all names meets few entries of the TLB. */
static int
open_names(struct opening *o)
{
	struct tree *t = o->tree;
	const struct frames_in in = {section_at(o, SECTION_FRAMES), section_at(o, SECTION_NAMES),
		o->file.rows[SECTION_NAMES].length};
	int r = -ENOMEM;

	/* H7: and so the room is in proportion to the file. */
	if (t->cols.names_bytes > (uint64_t)t->cols.n_entries * (TREE_NAME_MAX_BYTES + 1))
		return segment_damaged(&o->file, 0, "H7: counts out of range");
	t->n_names = frames_room(&t->cols);
	t->names =
		mmap(NULL, t->n_names, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->names != MAP_FAILED) {
		(void)madvise(t->names, t->n_names, MADV_HUGEPAGE); /* or not */
		r = frames_unpack(&t->cols, &in, o->opts->pool, t->names);
	}
	if (r == -EBADMSG)
		return segment_damaged(
			&o->file, SECTION_NAMES, "N1: a frame does not hold its names");
	if (r < 0)
		(void)err_set(o->file.err, r, "could not open tree segment \"%s\": %s",
			o->file.name, err_reason(r));
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
		return segment_damaged(&o->file, flaw.section, flaw.rule);
	if (r < 0)
		(void)err_set(o->file.err, r, "could not check tree segment \"%s\": %s",
			o->file.name, err_reason(r));
	return r;
}

static int
open_mapped(struct opening *o)
{
	int r = read_counts(o);

	if (r == 0)
		r = check_sections(o);
	if (r == 0)
		r = segment_file_sums(&o->file, o->opts->pool);
	if (r == 0)
		r = open_checked(o);
	return segment_file_result(&o->file, r);
}

static void
tree_destroy(struct arc *a)
{
	struct tree *t = CONTAINER_OF(a, struct tree, arc);

	if (t->names != MAP_FAILED)
		(void)munmap(t->names, t->n_names);
	mapfile_close(&t->map);
	free(load_rlx(&t->note)); /* nobody else is left */
	free(t);
}

int
tree_open_fd(int fd, const char *name, const struct tree_open_opts *opts, struct tree **ret,
	struct err *err)
{
	struct opening o = {.tree = calloc(1, sizeof(*o.tree)), .opts = opts};
	int r;

	if (!o.tree)
		return err_set(err, -ENOMEM, "could not open tree segment \"%s\": %s", name,
			err_reason(-ENOMEM));
	r = segment_file_open(fd, name, &tree_kind, err, &o.file);
	if (r < 0) {
		free(o.tree);
		return r;
	}
	o.tree->map = o.file.map;
	o.tree->names = MAP_FAILED;
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

const void *
tree_note(struct tree *t, void *(*make)(const struct tree_cols *c))
{
	void *note = load_acq(&t->note), *mine;

	if (note)
		return note;
	mine = make(&t->cols);
	/* Release: what was made is seen with it. Acquire, of who came second: the other's. */
	if (!mine || cas_ar(&t->note, &note, mine))
		return mine;
	free(mine);
	return note;
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
