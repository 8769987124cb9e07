#include "engine/live_marks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "engine/internal.h"
#include "engine/live_impl.h"
#include "walk/aim.h"

void
dirmarks_fini(struct dirmarks *m)
{
	free(m->at);
	*m = (struct dirmarks){0};
}

static size_t
home(const struct dirmarks *m, uint64_t ino)
{
	return (ino * 0x9e3779b97f4a7c15ull >> 20) & (m->n - 1);
}

static size_t
find(const struct dirmarks *m, uint64_t ino)
{
	size_t i = home(m, ino);

	while (m->at[i] && m->at[i] != ino + 1)
		i = (i + 1) & (m->n - 1);
	return i;
}

static bool
dirmarks_have(const struct dirmarks *m, uint64_t ino)
{
	return m->n > 0 && m->at[find(m, ino)] != 0;
}

static int
grow(struct dirmarks *m)
{
	struct dirmarks more = {.n = m->n ? 2 * m->n : 64};

	more.at = calloc(more.n, sizeof(*more.at));
	if (!more.at)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++) {
		if (m->at[i])
			more.at[find(&more, m->at[i] - 1)] = m->at[i];
	}
	more.len = m->len;
	free(m->at);
	*m = more;
	return 0;
}

int
dirmarks_add(struct dirmarks *m, uint64_t ino)
{
	if (dirmarks_have(m, ino))
		return 0;
	if (2 * (m->len + 1) > m->n && grow(m) < 0)
		return -ENOMEM;
	m->at[find(m, ino)] = ino + 1;
	m->len++;
	return 0;
}

struct marking {
	struct root *root;
	struct walk_aim *aim;
	int root_fd;
	struct strbuf path;
	uint64_t n_marked, n_refused;
	/* The newest of those that are marked, a ring: what can be given back (note: reserve,
	 * watch.h), for until this pass they had none, and nobody counts on them. */
	struct newest {
		uint32_t mount;
		uint64_t ino;
	} newest[WATCH_RESERVE_MAX];
};

static void
marking_fini(struct marking *m)
{
	closep(&m->root_fd);
	strbuf_fini(&m->path);
}

/* The file system that the path is on: the one mounted nearest above it. */
static uint32_t
mount_of(const struct root *r, struct span path)
{
	const struct live_mount *best = &r->live.mounts.data[0];

	VEC_EACH (&r->live.mounts, m) {
		struct span at = span_of(m->path);

		if (m->number && at.len > strlen(best->path) && span_starts(path, at) &&
			(path.len == at.len || path.data[at.len] == '/'))
			best = m;
	}
	return best->number;
}

/* 1: it has a mark from now on; 0: it had one; -errno: it has none. */
static int
mark_at(struct marking *m, uint64_t ino)
{
	struct root *r = m->root;
	struct span path = strbuf_view(&m->path);
	AUTO(closep) int fd = fd_open_beneath(m->root_fd, path, O_PATH | O_DIRECTORY);
	struct stat st;
	uint32_t mount;
	int code;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != ino)
		return -ESTALE; /* what is there now is told, and found */
	mount = mount_of(r, path);
	code = watch_dir(r->engine->live->watch, mount, fd, ino);
	if (code > 0)
		m->newest[m->n_marked++ % WATCH_RESERVE_MAX] = (struct newest){mount, ino};
	return code;
}

/* What the user's other programs need. */
static void
give_back(struct marking *m)
{
	struct watch *w = m->root->engine->live->watch;
	uint64_t n = MIN(watch_dirs_excess(w), MIN(m->n_marked, WATCH_RESERVE_MAX));

	m->n_refused += n;
	for (uint64_t i = 1; i <= n; i++) {
		const struct newest *d = &m->newest[(m->n_marked - i) % WATCH_RESERVE_MAX];

		watch_dir_end(w, d->mount, d->ino);
	}
}

static int
mark_one(struct marking *m, uint64_t ino, struct tree_at at)
{
	struct root *r = m->root;
	int code;

	strbuf_reset(&m->path);
	if (tree_path(tree_stack_cols(r->stack, at.layer), at.entry, &m->path) < 0)
		return -ENOMEM;
	code = mark_at(m, ino);
	if (code < 0) {
		/* What is gone, or may not be read, has nothing to be told. */
		m->n_refused +=
			code == -ENOSPC || code == -ENOMEM || code == -EMFILE || code == -ENFILE;
		return 0;
	}
	if (code == 0)
		return 0;
	code = dirmarks_add(&r->live.marks, ino);
	if (code == 0 && m->aim)
		code = aim_add(m->aim, strbuf_view(&m->path), AIM_LIST);
	return code;
}

/* What left the root without being removed keeps its mark until there are many of them. */
static void
sweep(struct root *r)
{
	const struct live_root *l = &r->live;
	struct dirmarks kept = {0};

	if (r->live.marks.len < 2 * tree_inodes_count(l->inodes) + 1024)
		return;
	for (size_t i = 0; i < l->marks.n; i++) {
		struct tree_inode_at at = {0};
		struct tree_at ignored;
		uint64_t ino = l->marks.at[i] - 1;

		if (!l->marks.at[i])
			continue;
		if (tree_inodes_next(l->inodes, r->stack, ino, &at, &ignored)) {
			(void)dirmarks_add(&kept, ino); /* what is forgotten is marked again */
			continue;
		}
		VEC_EACH (&r->live.mounts, m)
			watch_dir_end(r->engine->live->watch, m->number, ino);
	}
	dirmarks_fini(&r->live.marks);
	r->live.marks = kept;
}

uint64_t
marks_make(struct root *r, struct walk_aim *aim)
{
	AUTO(marking_fini) struct marking m = {.root = r, .aim = aim, .root_fd = -1};
	struct tree_inode_walk walk = {0};
	struct tree_at at;
	uint64_t ino;
	int code = 0;

	if (!r->stack || !r->live.inodes || r->live.mounts.len == 0)
		return 0;
	m.root_fd = fd_open_absolute(span_of(r->path), O_PATH | O_DIRECTORY);
	while (m.root_fd >= 0 && code == 0 &&
		tree_inodes_each(r->live.inodes, r->stack, r->live.marked, &walk, &ino, &at))
		code = mark_one(&m, ino, at);
	m.n_refused += code < 0 || m.root_fd < 0;
	give_back(&m);
	tree_inodes_unref(r->live.marked);
	/* Those that were refused are tried again. */
	r->live.marked = m.n_refused == 0 ? tree_inodes_ref(r->live.inodes) : NULL;
	sweep(r);
	LOCK_SCOPE(&r->engine->lock);
	r->live.n_unmarked = m.n_refused;
	return m.n_marked;
}
