#include "index/tree_file.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "index/segment_write.h"
#include "index/tree_format.h"
#include "index/tree_merge.h"

int
tree_file_failed(struct err *err, int r, const char *name)
{
	return segment_write_failed(err, r, &tree_kind, name);
}

int
tree_sync(int dirfd, char *const *names, uint32_t n)
{
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++) {
		AUTO(closep) int fd = openat(dirfd, names[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

		r = fd < 0 ? -errno : fd_sync(fd);
	}
	return r < 0 || n == 0 ? r : fd_sync(dirfd);
}

static int
write_file(int dirfd, const char *name, tree_file_fn fn, void *ctx, bool light, uint64_t *ret_bytes)
{
	AUTO(closep) int fd = -1;
	uint64_t bytes = 0;
	int r = segment_create(dirfd, name, &fd);

	if (r < 0)
		return r;
	r = fn(ctx, fd, &bytes);
	if (r < 0)
		segment_discard(dirfd, name);
	else
		r = light ? segment_commit_light(dirfd, name) : segment_commit(dirfd, name, fd);
	if (r == 0)
		*ret_bytes = bytes;
	return r;
}

int
tree_file_write(int dirfd, const char *name, tree_file_fn fn, void *ctx, uint64_t *ret_bytes,
	struct err *err)
{
	int r = write_file(dirfd, name, fn, ctx, false, ret_bytes);

	return r < 0 ? tree_file_failed(err, r, name) : 0;
}

int
tree_file_write_light(int dirfd, const char *name, tree_file_fn fn, void *ctx, uint64_t *ret_bytes,
	struct err *err)
{
	int r = write_file(dirfd, name, fn, ctx, true, ret_bytes);

	return r < 0 ? tree_file_failed(err, r, name) : 0;
}
