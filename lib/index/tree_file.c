#include "index/tree_file.h"

#include "base/fd.h"
#include "index/segment_write.h"
#include "index/tree_format.h"

int
tree_file_failed(struct err *err, int r, const char *name)
{
	return segment_write_failed(err, r, &tree_kind, name);
}

int
tree_file_write(int dirfd, const char *name, tree_file_fn fn, void *ctx, uint64_t *ret_bytes,
	struct err *err)
{
	AUTO(closep) int fd = -1;
	uint64_t bytes = 0;
	int r = segment_create(dirfd, name, &fd);

	if (r < 0)
		return tree_file_failed(err, r, name);
	r = fn(ctx, fd, &bytes);
	if (r < 0)
		segment_discard(dirfd, name);
	else
		r = segment_commit(dirfd, name, fd);
	if (r < 0)
		return tree_file_failed(err, r, name);
	*ret_bytes = bytes;
	return 0;
}
