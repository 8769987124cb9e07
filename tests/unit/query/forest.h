/**
 * forest: a snapshot of a few roots in plain structs, and the same as segments.
 *
 * Names are few and short, so that words meet names, capitals meet small letters, and the same name
 * stands at several depths.
 */
#pragma once

#include "index/snapshot.h"
#include "index/tree_build.h"
#include "one_stack.h"
#include "query/query.h"
#include "test.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOREST static __attribute__((unused))
#define FOREST_ROOTS 3u
#define FOREST_MAX 20000u

struct plant {
	char name[64];
	char path[1024]; /* below the root */
	uint32_t root, parent, entry;
	uint32_t depth, mode, uid, gid, nlink;
	uint64_t ino, size;
	int64_t mtime_ns, ctime_ns;
	bool dir, entered, has_children;
};

struct forest {
	struct plant *plant; /* parents before children; of root 0 first */
	uint32_t n;
	uint32_t *by_entry[FOREST_ROOTS]; /* plant of an entry */
	struct snapshot *snapshot;
	char *dir;
};

static uint64_t forest_seed;

/* xorshift: the same sequence for the same seed everywhere. */
FOREST uint32_t
roll(uint32_t sides)
{
	forest_seed ^= forest_seed << 13;
	forest_seed ^= forest_seed >> 7;
	forest_seed ^= forest_seed << 17;
	return (uint32_t)((forest_seed >> 16) % sides);
}

static const char *const forest_roots[FOREST_ROOTS] = {"/r/one", "/r/two", "/r/one/nested"};
static const char *const forest_names[] = {"a", "b", "ab", "Foo", "foo", "foo.c", "FOO.C", "x.h",
	".c", ".a.c", "a b", "tar.gz", "x.tar.gz", "-x", "a.b.c", "\xc3\xa9t\xc3\xa9",
	"\xc3\x89T\xc3\x89", "\xe2\x84\xaa", "k", "bar", "Bar.PY", "bad\xff.c", "\xcf\x82",
	"Makefile", "o", "a-b", "nested"};

static bool forest_one_size; /* links to one inode are of one size */

FOREST struct plant
plant_roll(void)
{
	static const uint32_t modes[] = {0644, 0755, 0600, 04755, 0};
	static const uint32_t kinds[] = {S_IFREG, S_IFREG, S_IFREG, S_IFREG, S_IFLNK, S_IFIFO};
	struct plant p = {.uid = roll(3), .gid = roll(3), .nlink = 1 + roll(3)};

	p.dir = roll(4) == 0;
	p.mode = modes[roll(5)] | (p.dir ? S_IFDIR : kinds[roll(6)]);
	p.entered = p.dir && roll(8) > 0;
	p.ino = 1000 + roll(50);
	p.size = roll(4) == 0 ? 0 : roll(20000);
	if (forest_one_size && !p.dir && p.nlink > 1)
		p.size = p.ino * 7;
	p.mtime_ns = ((int64_t)roll(4000) - 100) * 86400 * NSEC_PER_SEC;
	p.ctime_ns = (int64_t)roll(4000) * 86400 * NSEC_PER_SEC;
	return p;
}

FOREST bool
name_taken(const struct forest *f, uint32_t parent, const char *name)
{
	for (uint32_t i = parent + 1; i < f->n; i++) {
		if (f->plant[i].parent == parent && strcmp(f->plant[i].name, name) == 0)
			return true;
	}
	return false;
}

FOREST void
forest_add(struct forest *f, uint32_t first)
{
	struct plant p = plant_roll();
	uint32_t parent;
	struct plant *above;

	do
		parent = first + roll(f->n - first);
	while (!f->plant[parent].entered || f->plant[parent].depth > 8);
	above = &f->plant[parent];
	(void)snprintf(p.name, sizeof(p.name), "%s", forest_names[roll(ARRAY_LEN(forest_names))]);
	if (name_taken(f, parent, p.name))
		(void)snprintf(p.name, sizeof(p.name), "f%u", f->n);
	p.parent = parent;
	p.root = above->root;
	p.depth = above->depth + 1;
	(void)snprintf(
		p.path, sizeof(p.path), "%s%s%s", above->path, above->path[0] ? "/" : "", p.name);
	above->has_children = true;
	f->plant[f->n++] = p;
}

FOREST struct tree_input
plant_input(const struct forest *f, uint32_t i, uint32_t first)
{
	const struct plant *p = &f->plant[i];

	return (struct tree_input){
		.name = span_of(p->name),
		.mode = p->mode,
		.uid = p->uid,
		.gid = p->gid,
		.nlink = p->nlink,
		.dev = 1,
		.ino = p->ino,
		.size = p->size,
		.blocks = p->size / 512,
		.mtime_ns = p->mtime_ns,
		.ctime_ns = p->ctime_ns,
		.dir = p->entered ? i - first : TREE_BUILD_NO_DIR,
		.not_entered = p->dir && !p->entered,
	};
}

FOREST int
input_by_name(const void *a, const void *b)
{
	return strcmp(((const struct tree_input *)a)->name.data,
		((const struct tree_input *)b)->name.data);
}

FOREST struct tree *
forest_tree(const struct forest *f, uint32_t first, int dirfd, const char *name)
{
	struct tree_input root = plant_input(f, first, first);
	struct tree_input *in = calloc(f->n, sizeof(*in));
	static unsigned n_made;
	struct tree_builder *b;
	struct tree *t;
	uint64_t bytes;
	struct err err = {0};

	CHECK_INT(tree_builder_create(&root, &b), 0);
	if (n_made++ % 2) /* a filter over the names is for large trees otherwise */
		tree_builder_grams_from(b, 1);
	for (uint32_t d = first; d < f->n; d++) {
		size_t n = 0;

		if (!f->plant[d].entered)
			continue;
		for (uint32_t i = d + 1; i < f->n; i++) {
			if (f->plant[i].parent == d)
				in[n++] = plant_input(f, i, first);
		}
		qsort(in, n, sizeof(*in), input_by_name);
		CHECK_INT(tree_builder_add(b, d - first, in, n, false), 0);
	}
	CHECK_INT(tree_builder_write(b, dirfd, name, NULL, &bytes, &err), 0);
	tree_builder_destroy(b);
	CHECK_INT(tree_open(dirfd, name, &t, &err), 0);
	free(in);
	return t;
}

FOREST void
forest_root(struct forest *f, uint32_t root, uint32_t n, int dirfd)
{
	uint32_t first = f->n;
	struct snap_root *r = &f->snapshot->roots[root];
	char name[16];

	f->plant[f->n++] = (struct plant){.root = root,
		.parent = UINT32_MAX,
		.mode = S_IFDIR | 0755,
		.dir = true,
		.entered = true,
		.nlink = 2,
		.size = 4096,
		.ino = 1};
	for (uint32_t i = 1; i < n; i++)
		forest_add(f, first);
	(void)snprintf(name, sizeof(name), "t%u", root);
	r->name = strdup(strrchr(forest_roots[root], '/') + 1);
	r->path = strdup(forest_roots[root]);
	r->stack = one_stack(forest_tree(f, first, dirfd, name));
	r->content = true;
	r->content_max_bytes = UINT64_MAX;
	f->by_entry[root] = calloc(n, sizeof(uint32_t));
	for (uint32_t i = first; i < f->n; i++) {
		CHECK_INT(tree_lookup(tree_stack_cols(r->stack, 0), span_of(f->plant[i].path),
				  &f->plant[i].entry),
			0);
		f->by_entry[root][f->plant[i].entry] = i;
	}
}

/* Roots of about n entries each. */
FOREST void
forest_grow(struct forest *f, uint64_t seed, uint32_t n)
{
	*f = (struct forest){.plant = calloc(FOREST_MAX, sizeof(struct plant))};
	forest_seed = seed * 0x9e3779b97f4a7c15ull + 1;
	f->dir = test_dir();
	f->snapshot = snapshot_create(FOREST_ROOTS);
	AUTO(closep) int dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (uint32_t i = 0; i < FOREST_ROOTS; i++)
		forest_root(f, i, i == 2 ? 10 : n, dirfd);
	snapshot_seal(f->snapshot); /* a layer has the number of its root */
}

FOREST void
forest_fell(struct forest *f)
{
	snapshot_unref(f->snapshot);
	test_dir_remove(f->dir);
	for (uint32_t i = 0; i < FOREST_ROOTS; i++)
		free(f->by_entry[i]);
	free(f->plant);
}

FOREST const struct plant *
forest_at(const struct forest *f, uint32_t root, uint32_t entry)
{
	return &f->plant[f->by_entry[root][entry]];
}

FOREST struct query *
ask(const char *text)
{
	struct query_env env = {.now_ns = 4000ll * 86400 * NSEC_PER_SEC};
	struct query *q = NULL;
	struct err err = {0};
	int r = query_parse(span_of(text), &env, &q, &err);

	CHECK_SAY(r == 0, "%s: %s (column %u)", text, err.what, err.pos);
	return q;
}

FOREST struct cursor *
ask_cursor(struct snapshot *s, const char *text, const struct cursor_opts *opts)
{
	struct query *q = ask(text);
	struct cursor *c = NULL;
	struct err err = {0};
	int r = cursor_open(q, s, opts, &c, &err);

	CHECK_SAY(r == 0, "%s: %s", text, err.what);
	query_unref(q);
	return c;
}
