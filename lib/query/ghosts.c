#include "query/ghosts.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "index/tree_build.h"

/* The gone paths of one root, in an order in which a directory stands right before what is in it.
 */
struct gone_list {
	uint32_t *data;
	size_t len, cap;
};

/* Directories on the way to the path at hand, the root first: where their names end in the path. */
struct open_dir {
	size_t end;
	uint64_t number;
};

struct raising {
	struct tree_builder *builder;
	struct span path; /* the one before */
	VEC(struct open_dir) dirs;
	uint64_t n_dirs; /* numbers given */
};

static int
place_order(const void *a, const void *b)
{
	const struct change_place *x = a, *y = b;

	if (x->layer != y->layer)
		return x->layer < y->layer ? -1 : 1;
	return (x->entry > y->entry) - (x->entry < y->entry);
}

void
change_places_sort(struct change_place *place, size_t n)
{
	if (n > 0)
		qsort(place, n, sizeof(*place), place_order);
}

const struct change_place *
change_place_find(const struct change_place *place, size_t n, uint32_t layer, uint32_t entry)
{
	const struct change_place key = {layer, entry, 0};

	return n > 0 ? bsearch(&key, place, n, sizeof(*place), place_order) : NULL;
}

/* A slash is less than any byte of a name. */
static int
path_order(const void *a, const void *b, void *ctx)
{
	const struct changes *c = ctx;
	struct span x = c->list.data[*(const uint32_t *)a].path;
	struct span y = c->list.data[*(const uint32_t *)b].path;
	size_t n = MIN(x.len, y.len);

	for (size_t i = 0; i < n; i++) {
		unsigned char p = (unsigned char)x.data[i], q = (unsigned char)y.data[i];

		if (p != q)
			return p == '/' ? -1 : q == '/' ? 1 : p < q ? -1 : 1;
	}
	return (x.len > y.len) - (x.len < y.len);
}

static struct tree_input
input_of(const struct record *r)
{
	return (struct tree_input){
		.mode = r->mode,
		.uid = r->uid,
		.gid = r->gid,
		.nlink = r->nlink,
		.dev = r->dev,
		.ino = r->ino,
		.size = r->size,
		.blocks = r->blocks,
		.mtime_ns = r->mtime_ns,
		.ctime_ns = r->ctime_ns,
		.dir = TREE_BUILD_NO_DIR,
	};
}

/* Name [from, to) of the path, in the innermost directory; `row` NULL: one that is still there, or
 * was a directory before it was what it was last. */
static int
raise_name(struct raising *u, struct span path, size_t from, size_t to, const struct record *row)
{
	const struct open_dir *in = &u->dirs.data[u->dirs.len - 1];
	struct tree_input it = row ? input_of(row) : (struct tree_input){.mode = S_IFDIR | 0755};
	bool dir = S_ISDIR(it.mode);
	int r;

	it.name = (struct span){path.data + from, to - from};
	if (dir)
		it.dir = u->n_dirs++;
	r = tree_builder_add(u->builder, in->number, &it, 1, false);
	if (r == 0 && dir)
		r = VEC_PUSH(&u->dirs, ((struct open_dir){to, it.dir}));
	if (r == 0 && dir) /* one without entries was listed as well */
		r = tree_builder_add(u->builder, it.dir, NULL, 0, false);
	return r;
}

/* How much of the path, in whole names, is that of the directories that are open. */
static void
close_dirs(struct raising *u, struct span path)
{
	size_t same = 0, most = MIN(path.len, u->path.len);

	while (same < most && path.data[same] == u->path.data[same])
		same++;
	while (u->dirs.len > 1) {
		size_t end = u->dirs.data[u->dirs.len - 1].end;

		if (end <= same && end < path.len && path.data[end] == '/')
			break;
		u->dirs.len--;
	}
}

static bool
is_below(struct span path, struct span dir)
{
	return path.len > dir.len && path.data[dir.len] == '/' && span_starts(path, dir);
}

/* `next`: the path after it, or NULL. */
static int
raise_path(struct raising *u, const struct change *ch, const struct change *next)
{
	bool holds = next && is_below(next->path, ch->path) && !S_ISDIR(ch->gone->mode);
	struct span path = ch->path;
	size_t from;
	int r = 0;

	if (path.len == 0)
		return 0; /* the root itself */
	close_dirs(u, path);
	from = u->dirs.len > 1 ? u->dirs.data[u->dirs.len - 1].end + 1 : 0;
	u->path = path;
	while (r == 0 && from < path.len) {
		const char *slash = memchr(path.data + from, '/', path.len - from);
		size_t to = slash ? (size_t)(slash - path.data) : path.len;

		r = raise_name(u, path, from, to, to == path.len && !holds ? ch->gone : NULL);
		from = to + 1;
	}
	return r;
}

static int
open_written(struct tree_builder *b, struct tree **ret)
{
	const struct tree_open_opts opts = {.flags = TREE_OPEN_WRITTEN};
	AUTO(closep) int fd = memfd_create("trawl-ghosts", MFD_CLOEXEC);
	uint64_t bytes;
	int r = fd < 0 ? -errno : tree_builder_write_fd(b, fd, NULL, &bytes);

	return r < 0 ? r : tree_open_fd(fd, "of what is gone", &opts, ret, NULL);
}

static void
builder_destroyp(struct tree_builder **b)
{
	tree_builder_destroy(*b);
}

static int
raise_root(const struct changes *c, const struct gone_list *gone, struct tree **ret)
{
	const struct tree_input top = {.mode = S_IFDIR | 0755, .nlink = 2};
	AUTO(builder_destroyp) struct tree_builder *b = NULL;
	struct raising u = {.n_dirs = 1};
	int r = tree_builder_create(&top, &b);

	u.builder = b;
	if (r == 0)
		r = VEC_PUSH(&u.dirs, ((struct open_dir){0, 0}));
	if (r == 0)
		r = tree_builder_add(b, 0, NULL, 0, false);
	for (size_t i = 0; i < gone->len && r == 0; i++)
		r = raise_path(&u, &c->list.data[gone->data[i]],
			i + 1 < gone->len ? &c->list.data[gone->data[i + 1]] : NULL);
	VEC_FINI(&u.dirs);
	return r < 0 ? r : open_written(b, ret);
}

static int
find_gone(const struct changes *c, uint32_t root, struct gone_list *ret)
{
	for (size_t i = 0; i < c->list.len; i++) {
		const struct change *ch = &c->list.data[i];

		if (ch->root == root && !ch->now && VEC_PUSH(ret, (uint32_t)i) < 0)
			return -ENOMEM;
	}
	if (ret->len > 0)
		qsort_r(ret->data, ret->len, sizeof(*ret->data), path_order, (void *)(uintptr_t)c);
	return 0;
}

/* One root of the snapshot within: its stack when anything of it is gone. */
static int
make_root(const struct changes *c, const struct gone_list *gone, const struct snap_root *like,
	struct snap_root *ret)
{
	struct tree *tree = NULL;
	int r = 0;

	ret->id = like->id;
	ret->name = strdup(like->name);
	ret->path = strdup(like->path);
	if (!ret->name || !ret->path)
		return -ENOMEM;
	ret->content = SNAP_CONTENT_OFF;
	if (gone->len > 0)
		r = raise_root(c, gone, &tree);
	if (tree) {
		r = tree_stack_create(&tree, 1, &ret->stack, NULL);
		tree_unref(tree);
	}
	return r;
}

static int
make_roots(const struct changes *c, const struct snapshot *s, struct snapshot *made,
	struct gone_list *gone)
{
	int r = 0;

	for (uint32_t i = 0; i < s->n_roots && r == 0; i++) {
		r = find_gone(c, s->roots[i].id, &gone[i]);
		if (r == 0)
			r = make_root(c, &gone[i], &s->roots[i], &made->roots[i]);
	}
	snapshot_seal(made);
	return r;
}

static int
place_gone(struct ghosts *g, const struct changes *c, const struct snap_root *root,
	const struct gone_list *gone)
{
	for (size_t i = 0; i < gone->len; i++) {
		struct change_place p = {.change = gone->data[i]};
		struct tree_at at;

		if (tree_stack_lookup(root->stack, c->list.data[gone->data[i]].path, &at) < 0)
			return -EBADMSG;
		p.layer = root->first_layer + at.layer;
		p.entry = at.entry;
		g->place[g->n++] = p;
		if (entry_set_add(&g->set, p.layer, p.entry) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int
place_all(struct ghosts *g, const struct changes *c, const struct gone_list *gone)
{
	const struct snapshot *s = g->snapshot;
	size_t n = 0;
	int r = entry_set_init(&g->set, s->n_layers);

	for (uint32_t i = 0; i < s->n_roots; i++)
		n += gone[i].len;
	g->place = calloc(n + 1, sizeof(*g->place));
	if (!g->place)
		r = -ENOMEM;
	for (uint32_t i = 0; i < s->n_roots && r == 0; i++)
		r = place_gone(g, c, &s->roots[i], &gone[i]);
	if (r == 0)
		entry_set_seal(&g->set);
	change_places_sort(g->place, g->n);
	return r;
}

static bool
any_gone(const struct changes *c)
{
	for (size_t i = 0; i < c->list.len; i++) {
		if (!c->list.data[i].now)
			return true;
	}
	return false;
}

int
ghosts_make(const struct changes *c, const struct snapshot *s, struct ghosts *ret)
{
	struct gone_list *gone;
	int r;

	*ret = (struct ghosts){0};
	if (!any_gone(c))
		return 0;
	gone = calloc((size_t)s->n_roots + 1, sizeof(*gone));
	ret->snapshot = gone ? snapshot_create(s->n_roots) : NULL;
	r = ret->snapshot ? make_roots(c, s, ret->snapshot, gone) : -ENOMEM;
	if (r == 0)
		r = place_all(ret, c, gone);
	for (uint32_t i = 0; gone && i < s->n_roots; i++)
		VEC_FINI(&gone[i]);
	free(gone);
	if (r < 0)
		ghosts_fini(ret);
	return r;
}

void
ghosts_fini(struct ghosts *g)
{
	snapshot_unref(g->snapshot);
	entry_set_fini(&g->set);
	free(g->place);
	*g = (struct ghosts){0};
}
