#include "sync/spill_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

void
spill_segment_name(uint64_t first, bool aside, char ret[SPILL_NAME_BYTES])
{
	(void)snprintf(ret, SPILL_NAME_BYTES, "%016llx%s", (unsigned long long)first,
		aside ? SPILL_SUFFIX_ASIDE : SPILL_SUFFIX);
}

struct spill_segment *
spill_segment_new(struct spill_segment_head head)
{
	struct spill_segment *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct spill_segment){
		.head = head, .fd = -1, .refs = 1, .end = head.first, .bytes = SPILL_SECTOR_BYTES};
	list_init(&s->link);
	return s;
}

void
spill_segment_unlink(const struct spill *c, const struct spill_segment *s)
{
	char name[SPILL_NAME_BYTES];

	spill_segment_name(s->head.first, s->aside, name);
	(void)unlinkat(c->dirfd, name, 0); /* one that stays is removed by the next open */
}

int
spill_segment_settle(const struct spill *c, struct spill_segment *s)
{
	char from[SPILL_NAME_BYTES], to[SPILL_NAME_BYTES];

	spill_segment_name(s->head.first, true, from);
	spill_segment_name(s->head.first, false, to);
	if (renameat(c->dirfd, from, c->dirfd, to) < 0)
		return errno == EDQUOT ? -ENOSPC : -errno;
	s->aside = false;
	return 0;
}

int
spill_segment_reopen(const struct spill *c, const struct spill_segment *s, int flags)
{
	char name[SPILL_NAME_BYTES];
	AUTO(closep) int fd = -1;
	struct stat st;

	spill_segment_name(s->head.first, false, name);
	fd = openat(c->dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -ENODEV;
}

/* It never comes to be tail, side or busy again. Before it is synced it may not be closed: only a
 * descriptor that was open all the time is sure to tell of a failed write-back. */
int
spill_segment_rest_locked(const struct spill *c, struct spill_segment *s)
{
	bool unsynced = s->synced_bytes < s->bytes && !s->doubtful;

	if (s == c->tail || s == c->side || s == c->busy)
		return -1;
	if ((c->opts.flags & SPILL_DURABLE) && unsynced)
		return -1;
	return TAKE_FD(s->fd);
}

static bool
drop_ref(struct spill *c, struct spill_segment *s)
{
	LOCK_SCOPE(&c->log);

	return --s->refs == 0;
}

void
spill_segment_put_ref(struct spill *c, struct spill_segment *s)
{
	if (!s || !drop_ref(c, s))
		return;
	closep(&s->fd);
	free(s);
}

/* At a fixed place, so that an attempt that failed half-way is written over by the next (B2). A
 * user over quota is out of room like a file system that is full. */
static int
write_at(int fd, const unsigned char *buf, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, buf, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EDQUOT ? -ENOSPC : -errno;
		if (n == 0)
			return -EIO;
		buf += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int
spill_segment_write(const struct spill_segment *s, const void *block, size_t len)
{
	int r = write_at(s->fd, block, len, s->bytes);

	/* Half a block takes room that others need; a reader would get over it. */
	if (r < 0)
		(void)!ftruncate(s->fd, (off_t)s->bytes);
	return r;
}

static int
random_salt(uint64_t *ret)
{
	return getrandom(ret, sizeof(*ret), 0) == (ssize_t)sizeof(*ret) ? 0 : -EIO;
}

int
spill_segment_head(uint64_t first, struct spill_segment_head *ret)
{
	ret->first = first;
	return random_salt(&ret->salt);
}

/* What stands in the way is left from an unlink that failed: no number is used twice. */
static int
create(const struct spill *c, const char *name)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(c->dirfd, name, flags, 0600);

	if (fd < 0 && errno == EEXIST && unlinkat(c->dirfd, name, 0) == 0)
		fd = openat(c->dirfd, name, flags, 0600);
	if (fd < 0)
		return errno == EDQUOT ? -ENOSPC : -errno;
	return fd;
}

static int
make_file(struct spill *c, struct spill_segment_head head, bool aside, int *ret)
{
	unsigned char sector[SPILL_SECTOR_BYTES];
	char name[SPILL_NAME_BYTES];
	int fd, r;

	spill_segment_name(head.first, aside, name);
	fd = create(c, name);
	if (fd < 0)
		return fd;
	spill_segment_put(sector, head);
	r = write_at(fd, sector, sizeof(sector), 0);
	if (r < 0) {
		(void)close(fd);
		(void)unlinkat(c->dirfd, name, 0);
		return r;
	}
	*ret = fd;
	return 0;
}

int
spill_segment_make(struct spill *c, uint64_t first, bool aside, struct spill_segment **ret)
{
	struct spill_segment_head head;
	struct spill_segment *s;
	int r = spill_segment_head(first, &head), fd = -1;

	if (r < 0)
		return r;
	s = spill_segment_new(head); /* first: what fails after the file would leave it */
	if (!s)
		return -ENOMEM;
	r = make_file(c, head, aside, &fd);
	if (r < 0) {
		free(s);
		return r;
	}
	s->fd = fd;
	s->aside = aside;
	*ret = s;
	return 0;
}

/* Nearly always the last. */
void
spill_segment_list_locked(struct spill *c, struct spill_segment *s)
{
	struct list *before = c->segments.prev;

	while (before != &c->segments &&
		LIST_ITEM(before, struct spill_segment, link)->head.first > s->head.first)
		before = before->prev;
	list_push_front(before, &s->link);
	c->n_segments++;
	c->disk_bytes += s->bytes;
}
