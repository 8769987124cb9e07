#include "query/content.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

void
content_reader_init(struct content_reader *r)
{
	*r = (struct content_reader){.root_fd = -1, .dir_fd = -1};
}

void
content_reader_fini(struct content_reader *r)
{
	closep(&r->dir_fd);
	closep(&r->root_fd);
	strbuf_fini(&r->path);
	strbuf_fini(&r->raw);
	strbuf_fini(&r->decoded);
}

static void
close_fd(int *fd)
{
	closep(fd);
	*fd = -1;
}

static int
enter_root(struct content_reader *r, const struct snapshot *s, uint32_t root)
{
	if (r->root_fd >= 0 && r->root == root)
		return 0;
	close_fd(&r->dir_fd);
	close_fd(&r->root_fd);
	r->root_fd = fd_open_absolute(span_of(s->roots[root].path), O_PATH | O_DIRECTORY);
	r->root = root;
	return MIN(r->root_fd, 0);
}

static int
enter_dir(struct content_reader *r, const struct snapshot *s, uint32_t root, uint32_t dir)
{
	const struct tree_cols *c = tree_cols(s->roots[root].tree);
	int e = enter_root(r, s, root);

	if (e < 0 || (r->dir_fd >= 0 && r->dir == dir))
		return e;
	close_fd(&r->dir_fd);
	strbuf_reset(&r->path);
	e = tree_path(c, c->dir_entry[dir], &r->path);
	if (e < 0)
		return e;
	r->dir_fd = fd_open_beneath(r->root_fd, strbuf_view(&r->path), O_RDONLY | O_DIRECTORY);
	r->dir = dir;
	return MIN(r->dir_fd, 0);
}

static int
fate_of(int error)
{
	switch (error) {
	case -ENOMEM:
		return -ENOMEM;
	case -ENOENT:
	case -ENOTDIR:
	case -ELOOP: /* a link now */
	case -EXDEV:
	case -ENXIO: /* a pipe or a socket now */
	case -ENODEV:
	case -ESTALE:
		return CONTENT_GONE;
	case -EFBIG:
		return CONTENT_TOO_LARGE;
	default:
		return CONTENT_UNREADABLE;
	}
}

/* Into r->raw: 1 read to its end, 0 it is larger than what is read, or -errno. */
static int
read_small(struct content_reader *r, int fd, uint64_t size)
{
	strbuf_reset(&r->raw);
	/* One byte more than it should have tells a file that grew; it is then read on. */
	for (size_t want = (size_t)size + 1; r->raw.len <= CONTENT_READ_MAX_BYTES; want *= 2) {
		size_t room = want - r->raw.len;
		ssize_t n;

		if (strbuf_reserve(&r->raw, room) < 0)
			return -ENOMEM;
		n = fd_read_full(fd, r->raw.data + r->raw.len, room);
		if (n < 0)
			return (int)n;
		r->raw.len += (size_t)n;
		if ((size_t)n < room)
			return 1;
	}
	return 0;
}

static struct content_stamp
stamp_of(const struct stat *st)
{
	return (struct content_stamp){.dev = st->st_dev,
		.ino = st->st_ino,
		.size = st->st_size,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim};
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
same_state(const struct content_stamp *a, const struct content_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

static int
load(struct content_reader *r, int fd, uint64_t max_bytes, struct span *ret)
{
	struct stat st;
	int e = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENODEV;
	if ((uint64_t)st.st_size > max_bytes)
		return -EFBIG;
	r->stamp = stamp_of(&st);
	if ((uint64_t)st.st_size <= CONTENT_READ_MAX_BYTES)
		e = read_small(r, fd, (uint64_t)st.st_size);
	if (e < 0)
		return e;
	if (e > 0) {
		*ret = strbuf_view(&r->raw);
		return 0;
	}
	e = mapfile_open(fd, max_bytes, &r->map);
	if (e == -ENOMEM)
		return -EFBIG; /* a sparse file larger than the address space: this file's fault,
		                  not ours */
	if (e < 0)
		return e;
	r->mapped = true;
	*ret = (struct span){r->map.data, r->map.len};
	return 0;
}

/* Text as it is searched: UTF-16 decoded. */
static int
as_text(struct content_reader *r, struct span raw, enum sniff kind, struct span *ret)
{
	*ret = raw;
	if (kind == SNIFF_BINARY)
		return CONTENT_BINARY;
	if (kind != SNIFF_TEXT) {
		strbuf_reset(&r->decoded);
		if (sniff_decode(kind, raw, &r->decoded) < 0)
			return -ENOMEM;
		*ret = strbuf_view(&r->decoded);
	}
	r->stamp.kind = kind;
	r->stamp.len = ret->len;
	return CONTENT_OK;
}

/* The bytes as they are: an enum content_fate, or -ENOMEM. */
static int
open_raw(struct content_reader *r, const struct snapshot *s, uint32_t root, uint32_t entry,
	struct span *ret)
{
	const struct snap_root *sr = &s->roots[root];
	const struct tree_cols *c = tree_cols(sr->tree);
	AUTO(closep) int fd = -1;
	int e;

	if (!sr->content)
		return CONTENT_OFF;
	e = enter_dir(r, s, root, tree_parent(c, entry));
	if (e < 0)
		return fate_of(e);
	fd = fd_open_beneath(r->dir_fd, tree_name(c, entry), O_RDONLY);
	if (fd < 0)
		return fate_of(fd);
	e = load(r, fd, sr->content_max_bytes, ret);
	return e < 0 ? fate_of(e) : CONTENT_OK;
}

int
content_open(struct content_reader *r, const struct snapshot *s, uint32_t root, uint32_t entry,
	struct span *ret_text, uint64_t *ret_bytes)
{
	struct span raw = {0};
	int e = open_raw(r, s, root, entry, &raw);

	*ret_bytes = raw.len;
	if (e != CONTENT_OK)
		return e;
	e = as_text(r, raw, sniff_bytes(raw), ret_text);
	if (e != CONTENT_OK)
		(void)content_close(r);
	return e;
}

int
content_reopen(struct content_reader *r, const struct snapshot *s, uint32_t root, uint32_t entry,
	const struct content_stamp *stamp, struct span *ret_text)
{
	struct span raw = {0};
	int e = open_raw(r, s, root, entry, &raw);

	if (e != CONTENT_OK)
		return e;
	e = same_state(&r->stamp, stamp) ? as_text(r, raw, stamp->kind, ret_text) : CONTENT_CHANGED;
	if (e == CONTENT_OK && ret_text->len != stamp->len)
		e = CONTENT_CHANGED; /* while it was read, within one tick of its time stamps */
	if (e != CONTENT_OK)
		(void)content_close(r);
	return e;
}

int
content_hash(struct content_reader *r, const struct snapshot *s, uint32_t root, uint32_t entry,
	struct hash128 *ret, uint64_t *ret_bytes)
{
	struct span raw = {0};
	int e = open_raw(r, s, root, entry, &raw);

	*ret_bytes = raw.len;
	if (e != CONTENT_OK)
		return e;
	*ret = hash128(raw.data, raw.len);
	return (int)content_close(r);
}

enum content_fate
content_close(struct content_reader *r)
{
	bool cut = r->mapped && mapfile_faulted(&r->map);

	if (r->mapped)
		mapfile_close(&r->map);
	r->mapped = false;
	return cut ? CONTENT_UNREADABLE : CONTENT_OK;
}
