#include "index/tree_builder.h"
#include "index/tree_file.h"

#include <errno.h>

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
	r = root->dir == 0 && S_ISDIR(root->mode) ? build_input_row(&b->classes, root, &b->root)
	                                          : -EINVAL;
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

struct build_write {
	struct tree_builder *b;
	struct stop *stop;
};

static int
write_builder(void *ctx, int fd, uint64_t *ret_bytes)
{
	const struct build_write *w = ctx;

	return write_rows(w->b, fd, w->stop, ret_bytes);
}

int
tree_builder_write(struct tree_builder *b, int dirfd, const char *name, struct stop *stop,
	uint64_t *ret_bytes, struct err *err)
{
	struct build_write w = {b, stop};

	assert(!b->spent);
	b->spent = true;
	return tree_file_write(dirfd, name, write_builder, &w, ret_bytes, err);
}

int
tree_builder_write_fd(struct tree_builder *b, int fd, struct stop *stop, uint64_t *ret_bytes)
{
	assert(!b->spent);
	b->spent = true;
	return write_rows(b, fd, stop, ret_bytes);
}
