#include "query/content.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "query/halt.h"
#include "query/hash_cache.h"

#define SNIFF_PIECE_BYTES ((size_t)4 << 20)

void
content_reader_init(struct content_reader *r, const struct cursor_opts *opts)
{
	*r = (struct content_reader){.opts = opts, .root_fd = -1, .dir_fd = -1, .fd = -1};
}

void
content_reader_fini(struct content_reader *r)
{
	closep(&r->fd);
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

static void
note_dir(struct content_reader *r, uint32_t layer, uint32_t dir)
{
	r->layer = layer;
	r->dir = dir;
	r->any_dir = true;
}

static int
enter_dir(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t dir)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	int e = enter_root(r, s, s->layers[layer].root);

	if (e < 0 || (r->dir_fd >= 0 && r->layer == layer && r->dir == dir))
		return e;
	close_fd(&r->dir_fd);
	strbuf_reset(&r->path);
	e = tree_path(c, c->dir_entry[dir], &r->path);
	if (e < 0)
		return e;
	r->dir_fd = fd_open_beneath(r->root_fd, strbuf_view(&r->path), O_RDONLY | O_DIRECTORY);
	note_dir(r, layer, dir);
	return MIN(r->dir_fd, 0);
}

/* The first file of a directory by its whole path: mostly it is the only one. */
static int
open_entry(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	uint32_t dir = tree_parent(c, entry);
	int e = enter_root(r, s, s->layers[layer].root);

	if (e == 0 && r->any_dir && r->layer == layer && r->dir == dir) {
		e = enter_dir(r, s, layer, dir);
		return e < 0 ? e : fd_open_beneath(r->dir_fd, tree_name(c, entry), O_RDONLY);
	}
	close_fd(&r->dir_fd);
	note_dir(r, layer, dir);
	strbuf_reset(&r->path);
	if (e == 0)
		e = tree_path(c, entry, &r->path);
	return e < 0 ? e : fd_open_beneath(r->root_fd, strbuf_view(&r->path), O_RDONLY);
}

static int
fate_of(int error)
{
	if (error == -ENOMEM)
		return error;
	if (error == -EFBIG)
		return CONTENT_TOO_LARGE;
	return fd_is_gone(error) ? CONTENT_GONE : CONTENT_UNREADABLE;
}

/* Into r->raw: 1 read to its end, 0 it is larger than what is read, or -errno. */
static int
read_small(struct content_reader *r, int fd, uint64_t size)
{
	ssize_t got;

	strbuf_reset(&r->raw);
	/* One byte more than it should have tells a file that grew; it is then read on. */
	if (strbuf_reserve(&r->raw, (size_t)size + 1) < 0)
		return -ENOMEM;
	got = read(fd, r->raw.data, (size_t)size + 1);
	r->raw.len = (size_t)MAX(got, 0);
	if (got == (ssize_t)size) /* as it was to be, and short: the end */
		return 1;
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

/* Its state into r->stamp. */
static int
look_into(struct content_reader *r, int fd, uint64_t max_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENODEV;
	if ((uint64_t)st.st_size > max_bytes)
		return -EFBIG;
	r->stamp = stamp_of(&st);
	return 0;
}

static int
load(struct content_reader *r, int fd, uint64_t max_bytes, struct span *ret)
{
	int e = 0;

	if ((uint64_t)r->stamp.size <= CONTENT_READ_MAX_BYTES)
		e = read_small(r, fd, (uint64_t)r->stamp.size);
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
	*ret = sniff_unmarked(raw);
	if (kind == SNIFF_BINARY)
		return CONTENT_BINARY;
	if (kind != SNIFF_TEXT && raw.len > CONTENT_DECODE_MAX_BYTES)
		return CONTENT_TOO_LARGE;
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

/* The file, and its state in r->stamp: an enum content_fate, or -ENOMEM. *ret_fd, which was -1, is
 * to be closed in any case. */
static int
open_file(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry,
	int *ret_fd)
{
	const struct snap_root *sr = snapshot_root(s, layer);
	int e;

	if (!sr->content)
		return CONTENT_OFF;
	*ret_fd = open_entry(r, s, layer, entry);
	e = *ret_fd < 0 ? *ret_fd : look_into(r, *ret_fd, sr->content_max_bytes);
	return e < 0 ? fate_of(e) : CONTENT_OK;
}

/* The bytes as they are: an enum content_fate, or -ENOMEM. */
static int
open_raw(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry,
	struct span *ret)
{
	AUTO(closep) int fd = -1;
	int e = open_file(r, s, layer, entry, &fd);

	if (e != CONTENT_OK)
		return e;
	e = load(r, fd, snapshot_root(s, layer)->content_max_bytes, ret);
	return e < 0 ? fate_of(e) : CONTENT_OK;
}

/* Is it, unchanged, what the index of contents calls text? */
static bool
is_known_text(
	const struct content_stamp *now, const struct snapshot *s, uint32_t layer, uint32_t entry)
{
	const struct text_map *m = s->layers[layer].map;
	const struct tree_cols *c = snapshot_cols(s, layer);

	if (!m || !(m->text[entry / 64] >> entry % 64 & 1))
		return false;
	return now->ino == tree_ino(c, entry) && (uint64_t)now->size == tree_size(c, entry) &&
	       now->dev == c->classes[tree_cls(c, entry)].dev &&
	       clock_ns(now->mtime.tv_sec, (uint32_t)now->mtime.tv_nsec) == tree_mtime(c, entry) &&
	       clock_ns(now->ctime.tv_sec, (uint32_t)now->ctime.tv_nsec) == tree_ctime(c, entry);
}

/* SNIFF_BINARY when the file itself has a NUL there, else -ESTALE: behind the end of a file that
 * was cut a mapping has zeros, and so does SEEK_HOLE find a hole there. */
static int
confirm_nul(struct content_reader *r, int fd, enum sniff kind, size_t at, size_t len)
{
	ssize_t n;

	if (!r->mapped)
		return SNIFF_BINARY;
	strbuf_reset(&r->raw);
	if (strbuf_reserve(&r->raw, len) < 0)
		return -ENOMEM;
	n = fd_pread_full(fd, r->raw.data, len, at);
	return n > 0 && sniff_has_nul(kind, (struct span){r->raw.data, (size_t)n}) ? SNIFF_BINARY
	                                                                           : -ESTALE;
}

/* As sniff_bytes(), what query_poll() says, or -ESTALE: it was cut meanwhile. In UTF-16 a hole is
 * found when it is read. */
static int
sniff_file(struct content_reader *r, int fd, struct span raw)
{
	enum sniff kind = sniff_mark(raw);
	off_t hole = r->mapped && kind == SNIFF_TEXT ? lseek(fd, 0, SEEK_HOLE) : -1;

	if (hole >= 0 && (uint64_t)hole < raw.len)
		return confirm_nul(r, fd, kind, (size_t)hole, 1);
	for (size_t at = 0; at < raw.len; at += SNIFF_PIECE_BYTES) {
		size_t len = MIN(raw.len - at, SNIFF_PIECE_BYTES);
		int e = query_poll(r->opts);

		if (e < 0)
			return e;
		if (kind == SNIFF_TEXT) {
			const char *nul = memchr(raw.data + at, 0, len);

			if (nul)
				return confirm_nul(r, fd, kind, (size_t)(nul - raw.data), 1);
		} else if (sniff_has_nul(kind, (struct span){raw.data + at, len})) {
			return confirm_nul(r, fd, kind, at, len);
		}
	}
	return (int)kind;
}

/* Only what is not known is looked through for a NUL. */
static int
kind_of(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry, int fd,
	struct span raw)
{
	r->known_text = sniff_mark(raw) == SNIFF_TEXT && is_known_text(&r->stamp, s, layer, entry);
	return r->known_text ? SNIFF_TEXT : sniff_file(r, fd, raw);
}

/* All of a file that r->stamp is of. */
static int
open_loaded(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry,
	int fd, struct span *ret_text, uint64_t *ret_bytes)
{
	struct span raw = {0};
	int e = load(r, fd, snapshot_root(s, layer)->content_max_bytes, &raw), kind;

	*ret_bytes = raw.len;
	if (e < 0)
		return fate_of(e);
	kind = kind_of(r, s, layer, entry, fd, raw);
	e = kind < 0 ? kind : as_text(r, raw, (enum sniff)kind, ret_text);
	if (e != CONTENT_OK)
		(void)content_close(r);
	return e == -ESTALE ? CONTENT_UNREADABLE : e;
}

int
content_open(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry,
	struct span *ret_text, uint64_t *ret_bytes)
{
	AUTO(closep) int fd = -1;
	int e = open_file(r, s, layer, entry, &fd);

	*ret_bytes = 0;
	return e != CONTENT_OK ? e : open_loaded(r, s, layer, entry, fd, ret_text, ret_bytes);
}

int
content_open_known(struct content_reader *r, const struct snapshot *s, uint32_t layer,
	uint32_t entry, struct span *ret_text, uint64_t *ret_bytes)
{
	AUTO(closep) int fd = -1;
	int e = open_file(r, s, layer, entry, &fd);

	*ret_bytes = 0;
	if (e == CONTENT_OK && !is_known_text(&r->stamp, s, layer, entry))
		e = CONTENT_CHANGED;
	return e != CONTENT_OK ? e : open_loaded(r, s, layer, entry, fd, ret_text, ret_bytes);
}

/* The first lines into r->raw: their length, 0 when it cannot be by lines, or -errno. */
static ssize_t
read_head(struct content_reader *r, int fd)
{
	const char *lf;
	ssize_t n;

	strbuf_reset(&r->raw);
	if (strbuf_reserve(&r->raw, CONTENT_HEAD_BYTES) < 0)
		return -ENOMEM;
	n = fd_pread_full(fd, r->raw.data, CONTENT_HEAD_BYTES, 0);
	if (n < (ssize_t)CONTENT_HEAD_BYTES)
		return MIN(n, 0);
	r->raw.len = (size_t)n;
	lf = memrchr(r->raw.data, '\n', r->raw.len);
	return lf && sniff_mark(strbuf_view(&r->raw)) == SNIFF_TEXT ? lf - r->raw.data + 1 : 0;
}

static bool
suits_head(const struct content_stamp *st)
{
	return st->size > 3 * (off_t)CONTENT_HEAD_BYTES && st->size <= CONTENT_READ_MAX_BYTES;
}

int
content_open_head(struct content_reader *r, const struct snapshot *s, uint32_t layer,
	uint32_t entry, struct span *ret_text, bool *ret_more, uint64_t *ret_bytes)
{
	AUTO(closep) int fd = -1;
	ssize_t n = 0;
	int e = open_file(r, s, layer, entry, &fd);

	*ret_more = false;
	*ret_bytes = 0;
	if (e != CONTENT_OK)
		return e;
	if (suits_head(&r->stamp) && is_known_text(&r->stamp, s, layer, entry))
		n = read_head(r, fd);
	if (n < 0)
		return fate_of((int)n);
	if (n == 0)
		return open_loaded(r, s, layer, entry, fd, ret_text, ret_bytes);
	*ret_text = sniff_unmarked((struct span){r->raw.data, (size_t)n});
	*ret_bytes = r->raw.len;
	*ret_more = true;
	r->fd = TAKE_FD(fd);
	return CONTENT_OK;
}

int
content_read_on(struct content_reader *r, struct span *ret_text, uint64_t *ret_bytes)
{
	size_t had = r->raw.len, room;
	ssize_t n;

	*ret_bytes = 0;
	do {
		/* One byte more than it should have tells a file that grew. */
		room = r->raw.len <= (size_t)r->stamp.size ? (size_t)r->stamp.size + 1 - r->raw.len
		                                           : CONTENT_HEAD_BYTES;
		if (strbuf_reserve(&r->raw, room) < 0)
			return -ENOMEM;
		n = fd_pread_full(r->fd, r->raw.data + r->raw.len, room, r->raw.len);
		if (n < 0)
			return CONTENT_UNREADABLE;
		r->raw.len += (size_t)n;
	} while ((size_t)n == room && r->raw.len <= CONTENT_READ_MAX_BYTES);
	*ret_bytes = r->raw.len - had;
	*ret_text = sniff_unmarked(strbuf_view(&r->raw));
	return CONTENT_OK;
}

int
content_reopen(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry,
	const struct content_stamp *stamp, struct span *ret_text)
{
	struct span raw = {0};
	int e = open_raw(r, s, layer, entry, &raw);

	if (e != CONTENT_OK)
		return e;
	e = same_state(&r->stamp, stamp) ? as_text(r, raw, stamp->kind, ret_text) : CONTENT_CHANGED;
	if (e == CONTENT_OK && ret_text->len != stamp->len)
		e = CONTENT_CHANGED; /* while it was read, within one tick of its time stamps */
	if (e != CONTENT_OK)
		(void)content_close(r);
	return e;
}

/* What the entry's name stands for now: an enum content_fate or -ENOMEM. */
static int
look_at(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry,
	struct content_stamp *ret)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	struct span name = tree_name(c, entry);
	char text[TREE_NAME_MAX_BYTES + 1];
	struct stat st;
	int e;

	if (!snapshot_root(s, layer)->content)
		return CONTENT_OFF;
	e = enter_dir(r, s, layer, tree_parent(c, entry));
	if (e < 0)
		return fate_of(e);
	memcpy(text, name.data, name.len);
	text[name.len] = '\0';
	if (fstatat(r->dir_fd, text, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return fate_of(-errno);
	*ret = stamp_of(&st);
	if (!S_ISREG(st.st_mode))
		return CONTENT_GONE;
	return (uint64_t)st.st_size > snapshot_root(s, layer)->content_max_bytes ? CONTENT_TOO_LARGE
	                                                                         : CONTENT_OK;
}

static bool
all_zeros(const char *data, size_t len)
{
	return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* The piece of the file at or after `at` that holds data: its offset, the file's size when there is
 * none. */
static uint64_t
next_piece(int fd, uint64_t at, uint64_t size)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? size : at; /* not told: as if all were data */
	return MAX(at, (uint64_t)data / CONTENT_READ_MAX_BYTES * CONTENT_READ_MAX_BYTES);
}

static int
hash_pieces(struct content_reader *r, int fd, const struct cursor_opts *opts, struct hash_stream *h,
	struct content_digest *d)
{
	uint64_t size = (uint64_t)d->stamp.size;

	for (uint64_t at = 0; (at = next_piece(fd, at, size)) < size;
		at += CONTENT_READ_MAX_BYTES) {
		size_t len = (size_t)MIN(size - at, (uint64_t)CONTENT_READ_MAX_BYTES);
		ssize_t n = fd_pread_full(fd, r->raw.data, len, at);
		int e = query_poll(opts);

		if (n < 0 || e < 0)
			return n < 0 ? (int)n : e;
		d->n_read += (uint64_t)n;
		if ((size_t)n < len)
			return CONTENT_CHANGED;
		if (all_zeros(r->raw.data, len))
			continue;
		hash_stream_add(h, &at, sizeof(at));
		hash_stream_add(h, r->raw.data, len);
	}
	return CONTENT_OK;
}

static int
hash_large(
	struct content_reader *r, int fd, const struct cursor_opts *opts, struct content_digest *d)
{
	struct hash_stream *h = hash_stream_create(0);
	int e;

	strbuf_reset(&r->raw);
	if (!h || strbuf_reserve(&r->raw, CONTENT_READ_MAX_BYTES) < 0) {
		hash_stream_destroy(h);
		return -ENOMEM;
	}
	e = hash_pieces(r, fd, opts, h, d);
	d->hash = hash_stream_sum128(h);
	hash_stream_destroy(h);
	return e;
}

static int
hash_small(struct content_reader *r, int fd, struct content_digest *d)
{
	int e = read_small(r, fd, (uint64_t)d->stamp.size);

	if (e < 0)
		return e;
	d->n_read = r->raw.len;
	d->hash = hash128(r->raw.data, r->raw.len);
	return r->raw.len == (uint64_t)d->stamp.size ? CONTENT_OK : CONTENT_CHANGED;
}

/* The file as d->stamp has it, else it has changed: it is looked at again after it was read. */
static int
hash_fd(struct content_reader *r, int fd, const struct cursor_opts *opts, struct content_digest *d)
{
	int64_t now_ns = (int64_t)clock_real() * 1000;
	struct content_stamp after;
	struct stat st;
	int e = d->stamp.size <= CONTENT_READ_MAX_BYTES ? hash_small(r, fd, d)
	                                                : hash_large(r, fd, opts, d);

	if (e != CONTENT_OK)
		return e;
	if (fstat(fd, &st) < 0)
		return -errno;
	after = stamp_of(&st);
	if (!same_state(&after, &d->stamp))
		return CONTENT_CHANGED;
	if (opts->hashes)
		hash_cache_put(opts->hashes, &after, now_ns, d->hash);
	return CONTENT_OK;
}

static bool
is_known(const struct cursor_opts *opts, const struct content_digest *before,
	struct content_digest *d)
{
	if (before && same_state(&before->stamp, &d->stamp)) {
		d->hash = before->hash;
		return true;
	}
	return opts->hashes && hash_cache_get(opts->hashes, &d->stamp, &d->hash);
}

int
content_hash(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry,
	const struct cursor_opts *opts, const struct content_digest *before,
	struct content_digest *ret)
{
	AUTO(closep) int fd = -1;
	int e;

	*ret = (struct content_digest){0};
	e = look_at(r, s, layer, entry, &ret->stamp);
	if (e != CONTENT_OK || is_known(opts, before, ret))
		return e;
	fd = fd_open_beneath(r->dir_fd, tree_name(snapshot_cols(s, layer), entry), O_RDONLY);
	ret->opened = fd >= 0;
	e = fd < 0 ? fd : hash_fd(r, fd, opts, ret);
	return e < 0 && e != -ECANCELED && e != -ETIMEDOUT ? fate_of(e) : e;
}

enum content_fate
content_check(const struct content_reader *r)
{
	return r->mapped && mapfile_faulted(&r->map) ? CONTENT_UNREADABLE : CONTENT_OK;
}

enum content_fate
content_close(struct content_reader *r)
{
	enum content_fate fate = content_check(r);

	close_fd(&r->fd);
	if (r->mapped)
		mapfile_close(&r->map);
	r->mapped = false;
	return fate;
}
