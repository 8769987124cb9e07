#include "sync/spill_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/vec.h"

#define POSITION_NAME "position"
#define POSITION_SLOTS 2u
#define MIN_MEM_BYTES 64u
#define MAX_MEM_BYTES (16ull << 30) /* its records differ in the 32 bits that the ring keeps */
#define DEFAULT_SEGMENT_BYTES (16ull << 20)
#define NAME_DIGITS 16u
#define MAX_START (SPILL_NUMBERS / 2) /* leaves room for all that one process will ever send */

static int
open_dir(int dirfd, const char *path)
{
	AUTO(closep) int fd = -1;
	struct stat st;

	if (mkdirat(dirfd, path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return TAKE_FD(fd);
}

static int
read_position(int fd, struct spill_position *ret)
{
	struct spill_position best = {0}, p;

	for (unsigned i = 0; i < POSITION_SLOTS; i++) {
		unsigned char slot[SPILL_SLOT_BYTES];
		ssize_t n = fd_pread_full(fd, slot, sizeof(slot), (uint64_t)i * SPILL_SECTOR_BYTES);
		int r = n < 0 ? (int)n : spill_position_get(slot, (size_t)n, &p);

		if (r == 0 && p.turn >= best.turn)
			best = p;
		if (r < 0 && r != -EBADMSG)
			return r;
	}
	*ret = best;
	return 0;
}

int
spill_position_write(struct spill *c, uint64_t acked)
{
	unsigned char slot[SPILL_SLOT_BYTES];
	uint64_t turn = ++c->position_turn;
	ssize_t n;

	spill_position_put(slot, (struct spill_position){.turn = turn, .acked = acked});
	do
		n = pwrite(c->position_fd, slot, sizeof(slot),
			(off_t)(turn % POSITION_SLOTS * SPILL_SECTOR_BYTES));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EDQUOT ? -ENOSPC : -errno;
	return n == (ssize_t)sizeof(slot) ? 0 : -EIO;
}

static int
open_position(struct spill *c)
{
	struct spill_position p;
	struct stat st;
	int r;

	c->position_fd = openat(c->dirfd, POSITION_NAME,
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (c->position_fd < 0 || fstat(c->position_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENODEV;
	if (flock(c->position_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	r = read_position(c->position_fd, &p);
	if (r < 0)
		return r;
	c->position_turn = p.turn;
	c->acked = c->next = c->filed = p.acked;
	return 0;
}

struct numbers {
	VEC(uint64_t) v;
};

static bool
parse_name(const char *name, const char *suffix, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < NAME_DIGITS; i++) {
		char ch = name[i];

		if (ch >= '0' && ch <= '9')
			v = v << 4 | (uint64_t)(ch - '0');
		else if (ch >= 'a' && ch <= 'f')
			v = v << 4 | (uint64_t)(ch - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return strcmp(name + NAME_DIGITS, suffix) == 0 && v < SPILL_NUMBERS;
}

static int
compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* First numbers of the files with this suffix, ascending. */
static int
list_names(const struct spill *c, const char *suffix, struct numbers *ret)
{
	int fd = openat(c->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	uint64_t first;

	if (!dir) {
		r = -errno;
		closep(&fd);
		return r;
	}
	for (errno = 0; r == 0 && (d = readdir(dir)); errno = 0) {
		if (parse_name(d->d_name, suffix, &first))
			r = VEC_PUSH(&ret->v, first);
	}
	if (r == 0)
		r = -errno;
	(void)closedir(dir);
	if (r == 0 && ret->v.len > 0)
		qsort(ret->v.data, ret->v.len, sizeof(ret->v.data[0]), compare_numbers);
	return r;
}

/* When the header is not valid, or not to be read, a salt stands in for it that no sum was made
 * with. */
static int
read_segment_head(int fd, uint64_t first, struct spill_segment_head *ret, bool *ret_headless)
{
	unsigned char sector[SPILL_SECTOR_BYTES];
	ssize_t n = fd_pread_full(fd, sector, sizeof(sector), 0);
	int r = n < 0 ? (int)n : spill_segment_get(sector, (size_t)n, ret);

	*ret_headless = (r < 0 && r != -EOPNOTSUPP) || (r == 0 && ret->first != first);
	return *ret_headless ? spill_segment_head(first, ret) : r;
}

static int
load_segment(struct spill *c, uint64_t first)
{
	AUTO(closep) int fd = -1;
	struct spill_segment *s = spill_segment_new((struct spill_segment_head){.first = first});
	struct stat st;
	int r;

	if (!s)
		return -ENOMEM;
	fd = spill_segment_reopen(c, s, O_RDONLY);
	r = fd < 0 ? fd : read_segment_head(fd, first, &s->head, &s->headless);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0) {
		free(s);
		return r;
	}
	s->bytes = (uint64_t)st.st_size;
	s->sealed = true; /* D4 */
	spill_segment_list_locked(c, s);
	return 0;
}

/* D1: the numbers of one end before the next begins. */
static int
load_segments(struct spill *c, const struct numbers *found)
{
	struct spill_segment *before = NULL;

	for (size_t i = 0; i < found->v.len; i++) {
		int r = load_segment(c, found->v.data[i]);

		if (r < 0)
			return r;
		if (before)
			before->end = found->v.data[i];
		before = LIST_ITEM(c->segments.prev, struct spill_segment, link);
	}
	return 0;
}

/* Reads the last segment up to its last good block, which ends at *ret_good. */
static int
find_end(struct spill *c, struct spill_segment *s, uint64_t *ret_good)
{
	struct spill_cursor *cur = &c->cursor;
	struct spill_block_head h;
	uint64_t damaged = 0;
	int r;

	cur->offset = *ret_good = SPILL_SECTOR_BYTES;
	while ((r = spill_read_block(cur, s, s->bytes, &h, &damaged)) > 0) {
		*ret_good = cur->offset;
		s->end = MAX(s->end, h.first + h.n_records);
	}
	cur->at = cur->end = NULL;
	cur->of = NULL;
	return r;
}

static void
remove_last(struct spill *c, struct spill_segment *s)
{
	c->torn_bytes += s->bytes;
	c->disk_bytes -= s->bytes;
	c->n_segments--;
	list_remove(&s->link);
	spill_segment_unlink(c, s);
	spill_segment_put_ref(c, s);
}

static int
cut(struct spill *c, struct spill_segment *s, uint64_t good)
{
	if (s->bytes <= good)
		return 0;
	if (ftruncate(c->cursor.fd, (off_t)good) < 0)
		return -errno;
	c->torn_bytes += s->bytes - good;
	c->disk_bytes -= s->bytes - good;
	s->bytes = good;
	return 0;
}

/* As many numbers as may be behind what could be read: they are not used again. */
static void
leave_damaged(struct spill_segment *s, uint64_t good)
{
	s->end += 1 + (s->bytes - MIN(good, s->bytes)) / SPILL_LENGTH_BYTES;
}

/* A death while the header is written, or before the first block is, leaves no more than this; what
 * is longer, or cannot be read, is damage and not torn (SPILL-FORMAT.md 4). */
static int
cut_tail_of(struct spill *c, struct spill_segment *s)
{
	uint64_t good;
	int r = find_end(c, s, &good);

	if (r < 0 || (s->headless && s->bytes > SPILL_SECTOR_BYTES)) {
		leave_damaged(s, good);
		return 0;
	}
	return s->end > s->head.first ? cut(c, s, good) : 0;
}

/* The last segment, as far as it is good; one without any block is no segment (D2), and is removed.
 * Its numbers are not used again all the same. */
static int
cut_tail(struct spill *c)
{
	struct spill_cursor *cur = &c->cursor;
	struct spill_segment *s;
	int r;

	if (list_empty(&c->segments))
		return 0;
	s = LIST_ITEM(c->segments.prev, struct spill_segment, link);
	cur->fd = spill_segment_reopen(c, s, O_RDWR);
	r = cur->fd < 0 ? cur->fd : cut_tail_of(c, s);
	closep(&cur->fd);
	cur->fd = -1;
	if (r < 0)
		return r;
	c->next = c->filed = MAX(c->next, s->end);
	if (s->end == s->head.first)
		remove_last(c, s);
	return 0;
}

static int
load_all(struct spill *c)
{
	struct numbers found = {0};
	int r = list_names(c, SPILL_SUFFIX, &found);

	if (r == 0)
		r = load_segments(c, &found);
	VEC_FINI(&found.v);
	return r;
}

/* What a flush was killed over (D4). */
static int
remove_unfinished(struct spill *c)
{
	struct numbers found = {0};
	int r = list_names(c, SPILL_SUFFIX_ASIDE, &found);

	for (size_t i = 0; r == 0 && i < found.v.len; i++) {
		char name[SPILL_NAME_BYTES];
		struct stat st = {0};

		spill_segment_name(found.v.data[i], true, name);
		if (fstatat(c->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			unlinkat(c->dirfd, name, 0) < 0)
			r = -errno;
		c->torn_bytes += (uint64_t)st.st_size;
	}
	VEC_FINI(&found.v);
	return r;
}

static void
count_found(struct spill *c)
{
	LIST_EACH (&c->segments, it) {
		const struct spill_segment *s = LIST_ITEM(it, struct spill_segment, link);

		c->n_found += s->end - MAX(s->head.first, c->acked);
	}
}

static int
recover(struct spill *c)
{
	int r = load_all(c);

	if (r == 0)
		r = remove_unfinished(c);
	if (r == 0)
		r = cut_tail(c);
	if (r < 0)
		return r;
	if (c->next > MAX_START)
		return -EBADMSG;
	spill_log_trim(c, NULL);
	count_found(c);
	c->spilling = !list_empty(&c->segments);
	if (!c->spilling) /* nothing is left below; the ring's numbers count from near */
		c->acked = c->next;
	c->cursor.number = c->acked;
	c->first_next = c->next;
	return 0;
}

static size_t
ring_bytes(uint64_t max_mem_bytes)
{
	size_t n = MIN_MEM_BYTES;

	while (n * 2 <= max_mem_bytes)
		n *= 2;
	return n;
}

static int
allocate(const struct spill_opts *opts, struct spill **ret)
{
	struct spill *c = aligned_alloc(CACHELINE, ALIGN_UP(sizeof(*c), (size_t)CACHELINE));
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct spill){.opts = *opts, .dirfd = -1, .position_fd = -1, .event_fd = -1};
	if (c->opts.segment_bytes == 0)
		c->opts.segment_bytes =
			MAX(DEFAULT_SEGMENT_BYTES, opts->max_disk_bytes / (SPILL_MAX_SEGMENTS / 2));
	lock_init(&c->flush, RANK_POOL, "spill flush");
	lock_init(&c->send, RANK_CHAN, "spill send");
	lock_init(&c->log, RANK_LEAF, "spill log");
	list_init(&c->segments);
	c->fill.bytes = malloc(SPILL_BLOCK_BYTES);
	r = spill_ring_init(&c->ring, ring_bytes(opts->max_mem_bytes));
	if (spill_cursor_init(&c->cursor) < 0 || !c->fill.bytes)
		r = -ENOMEM;
	*ret = c;
	return r;
}

/* Half-built too. */
static void
let_go(struct spill *c)
{
	struct list *link;

	spill_cursor_fini(c);
	while ((link = list_pop_front(&c->segments)))
		spill_segment_put_ref(c, LIST_ITEM(link, struct spill_segment, link));
	spill_ring_fini(&c->ring);
	free(c->fill.bytes);
	closep(&c->position_fd);
	closep(&c->dirfd);
	lock_fini(&c->log);
	lock_fini(&c->send);
	lock_fini(&c->flush);
	free(c);
}

static int
refuse(int r, const char *path, struct err *err)
{
	if (r == -EBUSY)
		return err_set(err, r, "the spill directory \"%s\" is in use", path);
	if (r == -EOPNOTSUPP)
		return err_set(err, r,
			"cannot read the spill directory \"%s\": it is of a newer version", path);
	if (r == -EBADMSG)
		return err_set(err, r,
			"cannot read the spill directory \"%s\": its numbers are out of bounds",
			path);
	return err_set(
		err, r, "could not open the spill directory \"%s\": %s", path, err_reason(r));
}

static int
start(struct spill *c, int dirfd, const char *path)
{
	int r;

	c->dirfd = open_dir(dirfd, path);
	if (c->dirfd < 0)
		return c->dirfd;
	r = open_position(c);
	return r < 0 ? r : recover(c);
}

int
spill_open(int dirfd, const char *path, const struct spill_opts *opts, struct spill **ret,
	struct err *err)
{
	struct spill *c = NULL;
	int r = -EINVAL;

	if (opts->max_mem_bytes >= MIN_MEM_BYTES && opts->max_mem_bytes <= MAX_MEM_BYTES)
		r = allocate(opts, &c);
	if (r == 0)
		r = start(c, dirfd, path);
	if (r < 0) {
		if (c)
			let_go(c);
		return refuse(r, path, err);
	}
	*ret = c;
	return 0;
}

int
spill_destroy(struct spill *c)
{
	bool partly;
	int r;

	if (!c)
		return 0;
	r = spill_flush(c);
	spill_log_trim(c, &partly);
	if (partly)
		(void)spill_position_write(c, load_acq(&c->acked));
	let_go(c);
	return r;
}
