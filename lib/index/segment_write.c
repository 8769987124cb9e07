#include "index/segment_write.h"

#include "base/fd.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int
temp_name(const char *name, char ret[NAME_MAX + 1])
{
	return snprintf(ret, NAME_MAX + 1, "%s.tmp", name) > NAME_MAX ? -ENAMETOOLONG : 0;
}

int
segment_create(int dirfd, const char *name, int *ret_fd)
{
	char temp[NAME_MAX + 1];
	int r = temp_name(name, temp), fd;

	if (r < 0)
		return r;
	fd = openat(dirfd, temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

void
segment_discard(int dirfd, const char *name)
{
	char temp[NAME_MAX + 1];

	if (temp_name(name, temp) == 0)
		(void)unlinkat(dirfd, temp, 0);
}

int
segment_commit_light(int dirfd, const char *name)
{
	char temp[NAME_MAX + 1];
	int r = temp_name(name, temp);

	if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		segment_discard(dirfd, name);
	return r;
}

/* The new name goes before the sync of the file: file systems with a journal then commit both at
 * once, and the sync of the directory finds nothing left to do. */
int
segment_commit(int dirfd, const char *name, int fd)
{
	int r = segment_commit_light(dirfd, name);

	if (r < 0)
		return r;
	r = fd_sync(fd);
	if (r == 0)
		r = fd_sync(dirfd);
	if (r < 0)
		(void)unlinkat(dirfd, name, 0);
	return r;
}

int
segment_pwrite(int fd, const void *data, size_t len, uint64_t offset)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static char *
put(char *p, const void *v, size_t len)
{
	memcpy(p, v, len);
	return p + len;
}

int
segment_write_header(int fd, const struct segment_kind *kind, uint32_t sub_kind, const void *own,
	const struct segment_section *rows, uint32_t n_rows)
{
	char head[SEGMENT_HEADER_BYTES + SEGMENT_MAX_SECTIONS * SEGMENT_ROW_BYTES];
	uint32_t bytes = (uint32_t)segment_table_end(n_rows);
	uint64_t file_bytes = rows[n_rows - 1].offset + rows[n_rows - 1].length, sum = 0;
	char *p = put(head, kind->magic, SEGMENT_MAGIC_BYTES);

	assert(n_rows <= SEGMENT_MAX_SECTIONS);
	p = put(p, &kind->version, 4);
	p = put(p, &bytes, 4);
	p = put(p, &file_bytes, 8);
	p = put(p, &n_rows, 4);
	p = put(p, &sub_kind, 4);
	p = put(p, own, SEGMENT_OWN_BYTES);
	p = put(p, &sum, 8);
	for (uint32_t i = 0; i < n_rows; i++) {
		p = put(p, &rows[i].id, 4);
		p = put(p, &rows[i].flags, 4);
		p = put(p, &rows[i].offset, 8);
		p = put(p, &rows[i].length, 8);
		p = put(p, &rows[i].sum, 8);
	}
	sum = hash64(head, bytes, 0);
	(void)put(head + SEGMENT_SUM_AT, &sum, 8);
	/* The last sections may be empty. */
	if (ftruncate(fd, (off_t)file_bytes) < 0)
		return -errno;
	return segment_pwrite(fd, head, bytes, 0);
}

int
segment_write_failed(struct err *err, int r, const struct segment_kind *kind, const char *name)
{
	(void)err_set(err, r, "could not write %s \"%s\": %s", kind->what, name, err_reason(r));
	if (r == -ENOSPC || r == -EDQUOT)
		(void)err_hint(err, "make room in the state directory");
	return r;
}
