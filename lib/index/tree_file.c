#include "index/tree_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"

static int
write_synced(int dirfd, const char *temp, tree_file_fn fn, void *ctx, uint64_t *ret_bytes)
{
	AUTO(closep)
	int fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : fn(ctx, fd, ret_bytes);

	return r < 0 ? r : fd_sync(fd);
}

int
tree_file_failed(struct err *err, int r, const char *name)
{
	(void)err_set(err, r, "could not write tree segment \"%s\": %s", name, err_reason(r));
	if (r == -ENOSPC || r == -EDQUOT)
		(void)err_hint(err, "make room in the state directory");
	return r;
}

int
tree_file_write(int dirfd, const char *name, tree_file_fn fn, void *ctx, uint64_t *ret_bytes,
	struct err *err)
{
	char temp[NAME_MAX + 1];
	uint64_t bytes = 0;
	int r;

	if (snprintf(temp, sizeof(temp), "%s.tmp", name) >= (int)sizeof(temp))
		return tree_file_failed(err, -ENAMETOOLONG, name);
	r = write_synced(dirfd, temp, fn, ctx, &bytes);
	if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dirfd, temp, 0);
		return tree_file_failed(err, r, name);
	}
	r = fd_sync(dirfd);
	if (r < 0) {
		(void)unlinkat(dirfd, name, 0);
		return tree_file_failed(err, r, name);
	}
	*ret_bytes = bytes;
	return 0;
}
