#include "index/tree_build.h"

#include "base/fd.h"
#include "base/hash.h"
#include "index/tree_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUILD_CHUNK_BYTES ((size_t)1 << 20)

/* Classes are few: a table of open addressing over their vector, at most half full. */
struct class_table {
	VEC(struct tree_class) classes;
	uint32_t *slots; /* index + 1 into classes, 0 free */
	uint32_t n_slots;
	uint32_t last; /* the class asked for last: neighbours share it */
};

struct tree_builder {
	struct arena arena;
	struct build_dirs dirs; /* by the walk's number */
	struct class_table classes;
	struct row root;
	uint64_t n_entries;
	bool spent;
};

static bool
class_eq(const struct tree_class *a, const struct tree_class *b)
{
	return a->dev == b->dev && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

static uint32_t *
class_slot(struct class_table *t, const struct tree_class *c)
{
	uint64_t h = hash64(c, sizeof(*c), 0);

	for (;; h++) {
		uint32_t *slot = &t->slots[h & (t->n_slots - 1)];

		if (*slot == 0 || class_eq(&t->classes.data[*slot - 1], c))
			return slot;
	}
}

static int
class_grow(struct class_table *t)
{
	uint32_t n = t->n_slots ? t->n_slots * 2 : 64;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	free(t->slots);
	t->slots = slots;
	t->n_slots = n;
	for (uint32_t i = 0; i < t->classes.len; i++)
		*class_slot(t, &t->classes.data[i]) = i + 1;
	return 0;
}

static int
class_intern(struct class_table *t, const struct tree_input *in, uint32_t *ret)
{
	struct tree_class c = {.dev = in->dev, .mode = in->mode, .uid = in->uid, .gid = in->gid};
	uint32_t *slot;

	if (t->classes.len > 0 && class_eq(&t->classes.data[t->last], &c)) {
		*ret = t->last;
		return 0;
	}
	if (t->classes.len * 2 >= t->n_slots && class_grow(t) < 0)
		return -ENOMEM;
	slot = class_slot(t, &c);
	if (*slot == 0) {
		if (VEC_PUSH(&t->classes, c) < 0)
			return -ENOMEM;
		*slot = (uint32_t)t->classes.len;
	}
	*ret = t->last = *slot - 1;
	return 0;
}

/* The walk counts its directories up from 0, so their numbers serve as indices. */
static int
announce(struct tree_builder *b, uint64_t dir)
{
	if (dir > TREE_MAX_ENTRIES)
		return -EFBIG;
	if (dir >= b->dirs.len) {
		size_t more = dir + 1 - b->dirs.len;

		if (VEC_RESERVE(&b->dirs, more) < 0)
			return -ENOMEM;
		memset(b->dirs.data + b->dirs.len, 0, more * sizeof(*b->dirs.data));
		b->dirs.len += more;
	}
	if (b->dirs.data[dir].announced)
		return -EINVAL;
	b->dirs.data[dir].announced = true;
	b->dirs.data[dir].number = ROW_NO_DIR;
	return 0;
}

/* Everything but the name. */
static int
fill_row(struct tree_builder *b, const struct tree_input *in, struct row *row)
{
	bool entered = in->dir != TREE_BUILD_NO_DIR;
	int r;

	if (entered && !S_ISDIR(in->mode))
		return -EINVAL;
	*row = (struct row){
		.size = in->size,
		.blocks = in->blocks,
		.ino = in->ino,
		.mtime_ns = in->mtime_ns,
		.ctime_ns = in->ctime_ns,
		.nlink = in->nlink,
		.sub = entered ? (uint32_t)in->dir : ROW_NO_DIR,
		.flags = S_ISDIR(in->mode) && !entered ? TREE_NOT_ENTERED : 0,
	};
	r = class_intern(&b->classes, in, &row->cls);
	if (r == 0 && entered)
		r = announce(b, in->dir);
	return r;
}

int
tree_builder_create(const struct tree_input *root, struct tree_builder **ret)
{
	struct tree_builder *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->arena.chunk_bytes = BUILD_CHUNK_BYTES;
	r = root->dir == 0 ? fill_row(b, root, &b->root) : -EINVAL;
	if (r < 0) {
		tree_builder_destroy(b);
		return r;
	}
	b->root.name = "";
	b->n_entries = 1;
	*ret = b;
	return 0;
}

void
tree_builder_destroy(struct tree_builder *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->dirs.len; i++)
		free(b->dirs.data[i].order);
	VEC_FINI(&b->dirs);
	VEC_FINI(&b->classes.classes);
	free(b->classes.slots);
	arena_fini(&b->arena);
	free(b);
}

static int
check_name(struct span name)
{
	if (name.len > TREE_NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	if (name.len == 0 || memchr(name.data, '/', name.len) || memchr(name.data, '\0', name.len))
		return -EINVAL;
	return 0;
}

static bool
has_high_byte(struct span s)
{
	unsigned char all = 0;

	for (size_t i = 0; i < s.len; i++)
		all |= (unsigned char)s.data[i];
	return all & 0x80;
}

/* Rows and names of one piece, in one block of the arena. NULL: out of memory. */
static struct piece *
piece_alloc(struct tree_builder *b, size_t n, size_t names_bytes, char **ret_names)
{
	size_t rows_bytes = sizeof(struct piece) + n * sizeof(struct row);
	struct piece *p = arena_alloc(&b->arena, rows_bytes + names_bytes);

	if (!p)
		return NULL;
	*p = (struct piece){.n = (uint32_t)n};
	*ret_names = (char *)p + rows_bytes;
	return p;
}

static int
fill_piece(struct tree_builder *b, const struct tree_input *in, struct piece *p, char *names,
	uint32_t *ret_wide)
{
	uint32_t n_wide = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		struct row *row = &p->rows[i];
		int r = fill_row(b, &in[i], row);

		if (r < 0)
			return r;
		memcpy(names, in[i].name.data, in[i].name.len);
		names[in[i].name.len] = '\0';
		row->name = names;
		row->name_len = (uint16_t)in[i].name.len;
		row->wide = has_high_byte(in[i].name);
		n_wide += row->wide;
		names += row->name_len + 1u;
	}
	*ret_wide = n_wide;
	return 0;
}

static void
dir_append(struct build_dir *d, struct piece *p)
{
	const struct row *before = d->last ? &d->last->rows[d->last->n - 1] : NULL;

	for (uint32_t i = 0; i < p->n && !d->unsorted; i++) {
		d->unsorted = before && row_cmp(before, &p->rows[i]) >= 0;
		before = &p->rows[i];
	}
	if (d->last)
		d->last->next = p;
	else
		d->first = p;
	d->last = p;
}

static int
add_piece(struct tree_builder *b, uint64_t dir, const struct tree_input *in, size_t n)
{
	size_t names_bytes = 0;
	struct build_dir *d;
	struct piece *p;
	uint32_t n_wide;
	char *names;
	int r;

	for (size_t i = 0; i < n; i++) {
		r = check_name(in[i].name);
		if (r < 0)
			return r;
		names_bytes += in[i].name.len + 1;
	}
	p = piece_alloc(b, n, names_bytes, &names);
	r = p ? fill_piece(b, in, p, names, &n_wide) : -ENOMEM;
	if (r < 0)
		return r;
	d = &b->dirs.data[dir]; /* only now: announcing sub-directories moves the vector */
	dir_append(d, p);
	d->n += p->n;
	d->n_wide += n_wide;
	d->names_bytes += names_bytes;
	b->n_entries += n;
	return 0;
}

int
tree_builder_add(
	struct tree_builder *b, uint64_t dir, const struct tree_input *in, size_t n, bool failed)
{
	int r = 0;

	assert(!b->spent);
	if (dir >= b->dirs.len || !b->dirs.data[dir].announced)
		return -EINVAL;
	if (n > TREE_MAX_ENTRIES - b->n_entries)
		return -EFBIG;
	if (n > 0)
		r = add_piece(b, dir, in, n);
	if (r < 0)
		return r;
	b->dirs.data[dir].listed = true;
	b->dirs.data[dir].failed |= failed;
	return 0;
}

/* Numbering: a stack of directories yet to be visited, so that depth costs no C stack. */
struct visit {
	uint32_t dir;    /* index into dirs */
	uint32_t parent; /* number */
};

struct numbering {
	struct build_dirs *dirs;
	VEC(struct visit) stack;
	VEC(uint32_t) sequence, parent, first; /* by number */
	uint64_t n_entries, names_bytes;
	uint64_t n_wide;
};

static void
numbering_fini(struct numbering *n)
{
	VEC_FINI(&n->stack);
	VEC_FINI(&n->sequence);
	VEC_FINI(&n->parent);
	VEC_FINI(&n->first);
}

/* A row that was announced as a directory gets its final flags. */
static void
settle_flags(struct row *row, const struct build_dir *d)
{
	if (!dir_entered(d) || d->failed)
		row->flags = TREE_NOT_ENTERED;
	else
		row->flags = d->n == 0 ? TREE_EMPTY_DIR : 0;
}

/* Sub-directories on the stack, the first by name on top. */
static int
push_subs(struct numbering *n, const struct build_dir *d)
{
	struct row_cursor rows = dir_rows(d);
	size_t bottom = n->stack.len;
	struct row *row;

	while ((row = row_next(&rows))) {
		const struct build_dir *sub;

		if (row->sub == ROW_NO_DIR)
			continue;
		sub = &n->dirs->data[row->sub];
		settle_flags(row, sub);
		if (dir_entered(sub) &&
			VEC_PUSH(&n->stack, (struct visit){row->sub, d->number}) < 0)
			return -ENOMEM;
	}
	for (size_t lo = bottom, hi = n->stack.len; lo + 1 < hi; lo++, hi--) {
		struct visit swap = n->stack.data[lo];

		n->stack.data[lo] = n->stack.data[hi - 1];
		n->stack.data[hi - 1] = swap;
	}
	return 0;
}

static int
visit_dir(struct numbering *n, struct visit v)
{
	struct build_dir *d = &n->dirs->data[v.dir];

	if (d->unsorted && !d->order && dir_sort(d, n->dirs) < 0)
		return -ENOMEM;
	d->number = (uint32_t)n->sequence.len;
	if (VEC_PUSH(&n->sequence, v.dir) < 0 || VEC_PUSH(&n->parent, v.parent) < 0 ||
		VEC_PUSH(&n->first, (uint32_t)n->n_entries) < 0)
		return -ENOMEM;
	n->n_entries += d->n;
	n->n_wide += d->n_wide;
	n->names_bytes += d->names_bytes;
	return push_subs(n, d);
}

static int
number_dirs(struct numbering *n, struct stop *stop)
{
	int r = VEC_PUSH(&n->stack, (struct visit){0, 0});

	n->n_entries = 1; /* the root, whose name is one NUL */
	n->names_bytes = 1;
	while (r == 0 && n->stack.len > 0) {
		r = visit_dir(n, VEC_POP(&n->stack));
		if (r == 0 && n->sequence.len % 1024 == 0 && stop_requested(stop))
			r = -ECANCELED;
	}
	if (r == 0)
		r = VEC_PUSH(&n->first, (uint32_t)n->n_entries);
	return r;
}

/* Children have greater numbers than their parent: backwards, each range is complete when it is
 * handed to the parent's. `end` takes the place of the parents. */
static void
close_ranges(const uint32_t *parent, uint32_t n_dirs, uint32_t *end)
{
	for (uint32_t d = 0; d < n_dirs; d++)
		end[d] = d + 1;
	for (uint32_t d = n_dirs; d-- > 1;)
		end[parent[d]] = MAX(end[parent[d]], end[d]);
}

static int
write_numbered(
	struct tree_builder *b, int fd, struct numbering *n, struct stop *stop, uint64_t *ret_bytes)
{
	uint32_t n_dirs = (uint32_t)n->sequence.len;
	AUTO(freep) uint32_t *end = malloc(2 * sizeof(*end) * n_dirs);
	struct tree_plan plan = {
		.root = &b->root,
		.dirs = &b->dirs,
		.sequence = n->sequence.data,
		.classes = b->classes.classes.data,
		.dir_first = n->first.data,
		.dir_end = end,
		.dir_entry = end + n_dirs,
		.counts =
			{
				.n_entries = (uint32_t)n->n_entries,
				.n_dirs = n_dirs,
				.n_classes = (uint32_t)b->classes.classes.len,
				.n_wide = (uint32_t)n->n_wide,
				.names_bytes = n->names_bytes,
			},
	};

	if (!end)
		return -ENOMEM;
	close_ranges(n->parent.data, n_dirs, end);
	return tree_write(fd, &plan, stop, ret_bytes);
}

/* The root is directory 0 whatever became of it (E3). */
static int
write_rows(struct tree_builder *b, int fd, struct stop *stop, uint64_t *ret_bytes)
{
	struct numbering n = {.dirs = &b->dirs};
	int r;

	b->dirs.data[0].failed |= !b->dirs.data[0].listed;
	b->dirs.data[0].listed = true;
	r = number_dirs(&n, stop);
	if (r == 0) {
		settle_flags(&b->root, &b->dirs.data[0]);
		r = write_numbered(b, fd, &n, stop, ret_bytes);
	}
	numbering_fini(&n);
	return r;
}

static int
write_synced(
	struct tree_builder *b, int dirfd, const char *temp, struct stop *stop, uint64_t *ret_bytes)
{
	AUTO(closep)
	int fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : write_rows(b, fd, stop, ret_bytes);

	return r < 0 ? r : fd_sync(fd);
}

static int
write_failed(struct err *err, int r, const char *name)
{
	(void)err_set(err, r, "could not write tree segment \"%s\": %s", name, err_reason(r));
	if (r == -ENOSPC || r == -EDQUOT)
		(void)err_hint(err, "make room in the state directory");
	return r;
}

int
tree_builder_write(struct tree_builder *b, int dirfd, const char *name, struct stop *stop,
	uint64_t *ret_bytes, struct err *err)
{
	char temp[NAME_MAX + 1];
	uint64_t bytes = 0;
	int r;

	assert(!b->spent);
	b->spent = true;
	if (snprintf(temp, sizeof(temp), "%s.tmp", name) >= (int)sizeof(temp))
		return write_failed(err, -ENAMETOOLONG, name);
	r = write_synced(b, dirfd, temp, stop, &bytes);
	if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dirfd, temp, 0);
		return write_failed(err, r, name);
	}
	r = fd_sync(dirfd);
	if (r < 0) {
		(void)unlinkat(dirfd, name, 0);
		return write_failed(err, r, name);
	}
	*ret_bytes = bytes;
	return 0;
}
