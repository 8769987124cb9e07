#include "ahead.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

static int
open_file(struct ahead *a)
{
	const char *from_env = getenv("TMPDIR");
	const char *const dirs[] = {from_env && *from_env ? from_env : "/var/tmp", "/tmp"};

	for (size_t i = 0; i < ARRAY_LEN(dirs) && !a->has_file; i++) {
		a->fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		a->has_file = a->fd >= 0;
	}
	return a->has_file ? 0 : -errno;
}

/* What could be written in part only is written again the next time. */
static int
move_to_file(struct ahead *a)
{
	int r = a->has_file ? 0 : open_file(a);

	if (r == 0 && lseek(a->fd, (off_t)a->written, SEEK_SET) < 0)
		r = -errno;
	if (r == 0)
		r = fd_write_full(a->fd, a->mem + a->from, a->to - a->from);
	if (r < 0)
		return r;
	a->written += a->to - a->from;
	a->from = a->to = 0;
	return 0;
}

int
ahead_reserve(struct ahead *a, size_t len)
{
	if (!a->mem)
		a->mem = malloc(AHEAD_MEMORY_BYTES);
	if (!a->mem)
		return -ENOMEM;
	return len > AHEAD_MEMORY_BYTES - a->to ? move_to_file(a) : 0;
}

void
ahead_put(struct ahead *a, const void *data, size_t len)
{
	assert(len <= AHEAD_MEMORY_BYTES - a->to);
	memcpy(a->mem + a->to, data, len);
	a->to += len;
}

static ssize_t
take_from_file(struct ahead *a, void *buf, size_t size)
{
	size_t len = MIN(size, (size_t)MIN(a->written - a->read, (uint64_t)SIZE_MAX));
	ssize_t n = fd_pread_full(a->fd, buf, len, a->read);

	if (n <= 0)
		return n < 0 ? n : -EIO;
	a->read += (size_t)n;
	if (a->read == a->written) {
		a->read = a->written = 0;
		if (ftruncate(a->fd, 0) < 0)
			return n; /* it was to give room back, no more */
	}
	return n;
}

ssize_t
ahead_take(struct ahead *a, void *buf, size_t size)
{
	size_t n;

	if (a->written > a->read)
		return take_from_file(a, buf, size);
	n = MIN(size, a->to - a->from);
	if (n > 0)
		memcpy(buf, a->mem + a->from, n);
	a->from += n;
	if (a->from == a->to)
		a->from = a->to = 0;
	return (ssize_t)n;
}

void
ahead_fini(struct ahead *a)
{
	free(a->mem);
	if (a->has_file)
		closep(&a->fd);
	*a = (struct ahead){0};
}
