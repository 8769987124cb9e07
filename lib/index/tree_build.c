#include "index/tree_builder.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define BUILD_CHUNK_BYTES ((size_t)1 << 20)

int
tree_builder_create(const struct tree_input *root, struct tree_builder **ret)
{
	struct tree_builder *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->arena.chunk_bytes = BUILD_CHUNK_BYTES;
	b->grams_from = TREE_GRAM_ENTRIES;
	r = root->dir == 0 && S_ISDIR(root->mode) ? build_input_row(b, root, &b->root) : -EINVAL;
	if (r == 0)
		r = build_announce(b, 0);
	if (r < 0) {
		tree_builder_destroy(b);
		return r;
	}
	b->root.name = "";
	b->n_entries = 1;
	*ret = b;
	return 0;
}

void
tree_builder_use_pool(struct tree_builder *b, struct pool *pool)
{
	b->pool = pool;
}

void
tree_builder_grams_from(struct tree_builder *b, uint32_t n_entries)
{
	b->grams_from = n_entries;
}

void
tree_builder_destroy(struct tree_builder *b)
{
	if (!b)
		return;
	for (struct walk_batch *next, *batch = b->batches; batch; batch = next) {
		next = batch->next;
		walk_batch_destroy(batch);
	}
	for (size_t i = 0; i < b->dirs.len; i++)
		free(b->dirs.data[i].order);
	VEC_FINI(&b->dirs);
	class_table_fini(&b->classes);
	arena_fini(&b->arena);
	free(b);
}

/* The root is directory 0 whatever became of it (E3). */
static int
write_rows(struct tree_builder *b, int fd, struct stop *stop, uint64_t *ret_bytes)
{
	struct build_plan numbered;
	struct tree_plan *plan = &numbered.plan;
	int r;

	b->dirs.data[0].failed |= !b->dirs.data[0].listed;
	b->dirs.data[0].listed = true;
	r = tree_number(&b->dirs, b->pool, stop, &numbered);
	numbered.root = &b->root;
	plan->classes = b->classes.classes.data;
	plan->with_grams = plan->counts.n_entries >= b->grams_from;
	plan->counts.n_classes = (uint32_t)b->classes.classes.len;
	if (r == 0)
		r = tree_write(fd, plan, b->pool, stop, ret_bytes);
	build_plan_fini(&numbered);
	return r;
}

static int
write_synced(
	struct tree_builder *b, int dirfd, const char *temp, struct stop *stop, uint64_t *ret_bytes)
{
	AUTO(closep)
	int fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : write_rows(b, fd, stop, ret_bytes);

	return r < 0 ? r : fd_sync(fd);
}

static int
write_failed(struct err *err, int r, const char *name)
{
	(void)err_set(err, r, "could not write tree segment \"%s\": %s", name, err_reason(r));
	if (r == -ENOSPC || r == -EDQUOT)
		(void)err_hint(err, "make room in the state directory");
	return r;
}

int
tree_builder_write(struct tree_builder *b, int dirfd, const char *name, struct stop *stop,
	uint64_t *ret_bytes, struct err *err)
{
	char temp[NAME_MAX + 1];
	uint64_t bytes = 0;
	int r;

	assert(!b->spent);
	b->spent = true;
	if (snprintf(temp, sizeof(temp), "%s.tmp", name) >= (int)sizeof(temp))
		return write_failed(err, -ENAMETOOLONG, name);
	r = write_synced(b, dirfd, temp, stop, &bytes);
	if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dirfd, temp, 0);
		return write_failed(err, r, name);
	}
	r = fd_sync(dirfd);
	if (r < 0) {
		(void)unlinkat(dirfd, name, 0);
		return write_failed(err, r, name);
	}
	*ret_bytes = bytes;
	return 0;
}
