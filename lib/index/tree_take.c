#include "index/tree_builder.h"

#include <errno.h>

/* The walk counts its directories up from 0, so their numbers serve as indices. */
int
build_announce(struct tree_builder *b, uint64_t dir)
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

int
build_input_row(struct class_table *t, const struct tree_input *in, struct walk_entry *ret)
{
	struct tree_class c = {.dev = in->dev, .mode = in->mode, .uid = in->uid, .gid = in->gid};

	*ret = (struct walk_entry){
		.size = in->size,
		.blocks = in->blocks,
		.ino = in->ino,
		.mtime_ns = in->mtime_ns,
		.ctime_ns = in->ctime_ns,
		.nlink = in->nlink,
		.dir = in->dir == TREE_BUILD_NO_DIR ? ROW_NO_DIR : (uint32_t)in->dir,
		.name_len = (uint16_t)in->name.len,
	};
	return class_intern(t, &c, &ret->cls);
}

/* A piece of n rows, n_subs of which are directories: NULL when memory is out. */
static struct piece *
piece_alloc(struct tree_builder *b, struct walk_entry *rows, uint32_t n, uint32_t n_subs)
{
	struct piece *p = arena_alloc(&b->arena, sizeof(*p) + n_subs * sizeof(p->subs[0]));

	if (p)
		*p = (struct piece){.rows = rows, .n = n, .n_subs = n_subs};
	return p;
}

/* The rows' names lie behind each other, so each but the last may be read past its end. */
static bool
in_order(const struct piece *p)
{
	for (uint32_t i = 1; i + 1 < p->n; i++) {
		if (!names_ascend(p->rows[i - 1].name, p->rows[i].name))
			return false;
	}
	return p->n < 2 || row_cmp(&p->rows[p->n - 2], &p->rows[p->n - 1]) < 0;
}

static void
dir_append(struct build_dir *d, struct piece *p)
{
	const struct walk_entry *before = d->last ? &d->last->rows[d->last->n - 1] : NULL;

	if (!d->unsorted)
		d->unsorted = !in_order(p) || (before && row_cmp(before, &p->rows[0]) >= 0);
	if (d->last)
		d->last->next = p;
	else
		d->first = p;
	d->last = p;
}

static int
append(struct tree_builder *b, uint64_t dir, struct piece *p)
{
	struct build_dir *d;
	int r = 0;

	for (uint32_t i = 0; i < p->n_subs && r == 0; i++)
		r = build_announce(b, p->subs[i]);
	if (r < 0)
		return r;
	d = &b->dirs.data[dir]; /* only now: announcing sub-directories moves the vector */
	dir_append(d, p);
	d->n += p->n;
	b->n_entries += p->n;
	return 0;
}

/* Before anything of the piece is taken. */
static int
may_list(const struct tree_builder *b, uint64_t dir, size_t n)
{
	assert(!b->spent);
	if (dir >= b->dirs.len || !b->dirs.data[dir].announced)
		return -EINVAL;
	return n > TREE_MAX_ENTRIES - b->n_entries ? -EFBIG : 0;
}

/* What a piece of inputs will need. */
struct need {
	size_t names_bytes; /* with NULs */
	uint32_t n_subs;
};

int
build_check_input(const struct tree_input *in)
{
	struct name_census s = names_count(in->name.data, in->name.len);

	if (in->name.len > TREE_NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	if (in->name.len == 0 || s.n_nul > 0 || s.n_slash > 0)
		return -EINVAL;
	if (in->dir == TREE_BUILD_NO_DIR)
		return 0;
	return S_ISDIR(in->mode) ? 0 : -EINVAL;
}

static int
measure(const struct tree_input *in, size_t n, struct need *ret)
{
	*ret = (struct need){0};
	for (size_t i = 0; i < n; i++) {
		int r = build_check_input(&in[i]);

		if (r < 0)
			return r;
		ret->names_bytes += in[i].name.len + 1;
		if (in[i].dir == TREE_BUILD_NO_DIR)
			continue;
		if (in[i].dir > TREE_MAX_ENTRIES)
			return -EFBIG;
		ret->n_subs++;
	}
	return 0;
}

static int
fill_piece(struct tree_builder *b, const struct tree_input *in, struct piece *p, char *names)
{
	uint32_t n_subs = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		struct walk_entry *row = &p->rows[i];

		if (build_input_row(&b->classes, &in[i], row) < 0)
			return -ENOMEM;
		if (row->dir != ROW_NO_DIR)
			p->subs[n_subs++] = row->dir;
		memcpy(names, in[i].name.data, in[i].name.len);
		names[in[i].name.len] = '\0';
		row->name = names;
		names += row->name_len + 1u;
	}
	return 0;
}

static int
add_inputs(struct tree_builder *b, uint64_t dir, const struct tree_input *in, size_t n)
{
	struct walk_entry *rows;
	struct piece *p;
	struct need need;
	int r = measure(in, n, &need);

	if (r < 0)
		return r;
	rows = arena_alloc(&b->arena, n * sizeof(*rows) + need.names_bytes);
	p = rows ? piece_alloc(b, rows, (uint32_t)n, need.n_subs) : NULL;
	r = p ? fill_piece(b, in, p, (char *)(rows + n)) : -ENOMEM;
	return r < 0 ? r : append(b, dir, p);
}

int
tree_builder_add(
	struct tree_builder *b, uint64_t dir, const struct tree_input *in, size_t n, bool failed)
{
	int r = may_list(b, dir, n);

	if (r == 0 && n > 0)
		r = add_inputs(b, dir, in, n);
	if (r < 0)
		return r;
	b->dirs.data[dir].listed = true;
	b->dirs.data[dir].failed |= failed;
	return 0;
}

static uint32_t
count_subs(const struct walk_list *l)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n_entries; i++)
		n += l->entries[i].dir != ROW_NO_DIR;
	return n;
}

static int
take_list(struct tree_builder *b, const struct walk_list *l, const uint32_t *classes)
{
	struct piece *p = piece_alloc(b, l->entries, l->n_entries, count_subs(l));
	uint32_t n_subs = 0;

	if (!p)
		return -ENOMEM;
	p->classes = classes;
	for (uint32_t i = 0; i < p->n && n_subs < p->n_subs; i++) {
		uint32_t dir = p->rows[i].dir;

		if (dir != ROW_NO_DIR)
			p->subs[n_subs++] = dir;
	}
	return append(b, l->dir, p);
}

/* The batch's classes as the builder's. */
static int
map_classes(struct tree_builder *b, const struct walk_batch *batch, uint32_t **ret)
{
	uint32_t *map = arena_alloc(&b->arena, batch->n_classes * sizeof(*map));

	if (!map)
		return -ENOMEM;
	for (uint32_t i = 0; i < batch->n_classes; i++) {
		const struct walk_class *c = &batch->classes[i];
		struct tree_class mine = {
			.dev = c->dev, .mode = c->mode, .uid = c->uid, .gid = c->gid};

		if (class_intern(&b->classes, &mine, &map[i]) < 0)
			return -ENOMEM;
	}
	*ret = map;
	return 0;
}

int
tree_builder_take(struct tree_builder *b, struct walk_batch *batch)
{
	uint32_t *classes;
	int r;

	batch->next = b->batches;
	b->batches = batch;
	r = map_classes(b, batch, &classes);
	for (uint32_t i = 0; i < batch->n_lists && r == 0; i++) {
		const struct walk_list *l = &batch->lists[i];

		r = may_list(b, l->dir, l->n_entries);
		if (r == 0 && l->n_entries > 0)
			r = take_list(b, l, classes);
		if (r < 0)
			break;
		b->dirs.data[l->dir].listed = true;
		b->dirs.data[l->dir].failed |= l->skip != SKIP_NONE;
		b->dirs.data[l->dir].left_out |= l->left_out;
	}
	return r;
}
