#include "engine/known_tree.h"

#include <dirent.h>
#include <sys/stat.h>

static void
children(const void *ctx, uint32_t dir, uint32_t *ret_lo, uint32_t *ret_hi)
{
	const struct tree_cols *c = ctx;

	*ret_lo = c->dir_first[dir];
	*ret_hi = c->dir_first[dir + 1];
}

static struct span
name(const void *ctx, uint32_t entry)
{
	return tree_name(ctx, entry);
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
read_class(const struct tree_cols *c, uint32_t entry, uint64_t cls, uint64_t flags,
	struct known_entry *ret)
{
	const struct tree_class *from = &c->classes[cls];

	ret->cls = (struct walk_class){
		.dev = from->dev, .mode = from->mode, .uid = from->uid, .gid = from->gid};
	ret->entry.type = (uint8_t)IFTODT(from->mode);
	ret->entry.dir = S_ISDIR(from->mode) ? tree_dir(c, entry) : TREE_NO_DIR;
	ret->broken_off = (flags & TREE_NOT_ENTERED) && ret->entry.dir != TREE_NO_DIR;
	ret->left_out = (flags & TREE_LEFT_OUT) != 0;
}
_Static_assert(TREE_NO_DIR == WALK_NO_DIR, "a directory without a number has none in both");

#define READ_COLUMN(column, field, type)                 \
	do {                                             \
		tree_read(c, (column), lo, n, v);        \
		for (uint32_t i = 0; i < n; i++)         \
			ret[i].entry.field = (type)v[i]; \
	} while (0)

static void
read_entries(const void *ctx, uint32_t lo, uint32_t n, struct known_entry *ret)
{
	const struct tree_cols *c = ctx;
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
		read_class(c, lo + i, v[i], flags[i], &ret[i]);
	read_names(c, lo, n, ret);
}

void
known_tree(const struct tree *t, uint64_t began_usec, struct walk_known *ret)
{
	*ret = (struct walk_known){
		.ctx = tree_cols(t),
		.began_ns = (int64_t)began_usec * 1000,
		.children = children,
		.name = name,
		.read = read_entries,
	};
}
