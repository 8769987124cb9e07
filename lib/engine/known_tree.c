#include "engine/known_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static uint64_t
id_of(struct tree_at at)
{
	return (uint64_t)at.layer << 32 | at.entry;
}

/* The only layer that has entries in the directory, when all of them are live; else n_layers. */
static uint32_t
only_layer(const struct tree_stack *s, const struct tree_dirs *dirs)
{
	uint32_t only = s->n_layers;

	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(s, i);
		uint32_t d = dirs->dir[i];

		if (d == TREE_NO_DIR || c->dir_first[d] == c->dir_first[d + 1])
			continue;
		if (only < s->n_layers || tree_dead_sum(s->layer[i].dead, c, c->dir_first[d],
						  c->dir_first[d + 1], NULL) > 0)
			return s->n_layers;
		only = i;
	}
	/* Without entries it is any of them. */
	return only;
}

static uint32_t
count_entries(const struct tree_stack *s, const struct tree_dirs *dirs)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(s, i);
		uint32_t d = dirs->dir[i];

		n += d == TREE_NO_DIR ? 0 : c->dir_first[d + 1] - c->dir_first[d];
	}
	return n;
}

static int
list_live(
	const struct tree_stack *s, const struct tree_dirs *dirs, uint32_t n, struct known_dir *ret)
{
	struct tree_at *all = malloc((size_t)n * sizeof(*all)), next;
	struct tree_list list;

	if (!all)
		return -ENOMEM;
	*ret = (struct known_dir){.list = all};
	tree_list_open(&list, s, dirs);
	while (tree_list_next(&list, &next))
		all[ret->n++] = next;
	return 0;
}

static int
open_dir(const void *ctx, uint64_t id, struct known_dir *ret)
{
	const struct tree_stack *s = ctx;
	struct tree_at dir = known_at(id), first;
	struct tree_dirs dirs;
	uint32_t n;

	tree_stack_dirs(s, dir.layer, dir.entry, &dirs);
	n = count_entries(s, &dirs);
	*ret = (struct known_dir){0};
	if (n == 0)
		return 0;
	first.layer = only_layer(s, &dirs);
	if (first.layer == s->n_layers)
		return list_live(s, &dirs, n, ret);
	first.entry = tree_stack_cols(s, first.layer)->dir_first[dirs.dir[first.layer]];
	*ret = (struct known_dir){.n = n, .first = id_of(first)};
	return 0;
}

static struct tree_at
at(const struct known_dir *d, uint32_t i)
{
	const struct tree_at *list = d->list;

	return list ? list[i] : known_at(d->first + i);
}

static uint64_t
id(const void *ctx, const struct known_dir *d, uint32_t i)
{
	(void)ctx;
	return id_of(at(d, i));
}

static struct span
name(const void *ctx, const struct known_dir *d, uint32_t i)
{
	struct tree_at e = at(d, i);

	return tree_name(tree_stack_cols(ctx, e.layer), e.entry);
}

static void
read_names(const struct tree_cols *c, uint32_t lo, uint32_t n, struct known_entry *ret)
{
	uint32_t starts[KNOWN_STEP + 1];
	const char *names = c->names + tree_name_starts(c, lo, n, starts);

	for (uint32_t i = 0; i < n; i++) {
		ret[i].entry.name = names + starts[i];
		ret[i].entry.name_len = (uint16_t)(starts[i + 1] - starts[i] - 1);
	}
}

static void
read_class(const struct tree_cols *c, struct tree_at e, uint64_t cls, uint64_t flags,
	struct known_entry *ret)
{
	const struct tree_class *from = &c->classes[cls];
	uint32_t dir = S_ISDIR(from->mode) ? tree_dir(c, e.entry) : TREE_NO_DIR;

	ret->cls = (struct walk_class){
		.dev = from->dev, .mode = from->mode, .uid = from->uid, .gid = from->gid};
	ret->entry.type = (uint8_t)IFTODT(from->mode);
	ret->dir = dir == TREE_NO_DIR ? WALK_NOT_KNOWN : id_of((struct tree_at){e.layer, dir});
	ret->broken_off = (flags & TREE_NOT_ENTERED) && dir != TREE_NO_DIR;
	ret->left_out = (flags & TREE_LEFT_OUT) != 0;
}

#define READ_COLUMN(column, field, type)                 \
	do {                                             \
		tree_read(c, (column), lo, n, v);        \
		for (uint32_t i = 0; i < n; i++)         \
			ret[i].entry.field = (type)v[i]; \
	} while (0)

/* n entries of one layer that follow each other. */
static void
read_run(const struct tree_stack *s, struct tree_at from, uint32_t n, struct known_entry *ret)
{
	const struct tree_cols *c = tree_stack_cols(s, from.layer);
	uint32_t lo = from.entry;
	uint64_t v[KNOWN_STEP], flags[KNOWN_STEP];

	READ_COLUMN(TREE_SIZE, size, uint64_t);
	READ_COLUMN(TREE_BLOCKS, blocks, uint64_t);
	READ_COLUMN(TREE_MTIME, mtime_ns, int64_t);
	READ_COLUMN(TREE_CTIME, ctime_ns, int64_t);
	READ_COLUMN(TREE_INO, ino, uint64_t);
	READ_COLUMN(TREE_NLINK, nlink, uint32_t);
	tree_read(c, TREE_FLAGS, lo, n, flags);
	tree_read(c, TREE_CLS, lo, n, v);
	for (uint32_t i = 0; i < n; i++)
		read_class(c, (struct tree_at){from.layer, lo + i}, v[i], flags[i], &ret[i]);
	read_names(c, lo, n, ret);
}

static void
read_entries(const void *ctx, const struct known_dir *d, uint32_t lo, uint32_t n,
	struct known_entry *ret)
{
	const uint32_t end = lo + n;

	while (lo < end) {
		struct tree_at from = at(d, lo);
		uint32_t len = d->list ? 1 : end - lo;

		while (lo + len < end && id_of(at(d, lo + len)) == id_of(from) + len)
			len++;
		read_run(ctx, from, len, ret);
		ret += len;
		lo += len;
	}
}

static bool
find(const void *ctx, uint64_t dir, struct span of, struct known_entry *ret, uint64_t *ret_id)
{
	const struct tree_stack *s = ctx;
	struct tree_at place = known_at(dir);
	struct tree_dirs dirs;

	tree_stack_dirs(s, place.layer, place.entry, &dirs);
	if (tree_stack_child(s, &dirs, of, &place) < 0)
		return false;
	read_run(s, place, 1, ret);
	*ret_id = id_of(place);
	return true;
}

static void
read_root(const void *ctx, struct known_entry *ret)
{
	struct tree_at root;

	/* It is always there (FORMAT.md Y4). */
	if (tree_stack_lookup(ctx, (struct span){0}, &root) < 0)
		root = (struct tree_at){0};
	read_run(ctx, root, 1, ret);
}

void
known_tree(const struct tree_stack *s, uint64_t began_usec, struct walk_known *ret)
{
	*ret = (struct walk_known){
		.ctx = s,
		.began_ns = (int64_t)began_usec * 1000,
		.root = read_root,
		.open = open_dir,
		.name = name,
		.id = id,
		.read = read_entries,
		.find = find,
	};
}
