#include "index/tree_build.h"

#include <errno.h>

#include "walk/walk.h"

static struct tree_input
input_of(const struct walk_batch *batch, const struct walk_entry *e)
{
	const struct walk_class *c = &batch->classes[e->cls];

	return (struct tree_input){
		.name = {e->name, e->name_len},
		.mode = c->mode,
		.uid = c->uid,
		.gid = c->gid,
		.nlink = e->nlink,
		.dev = c->dev,
		.ino = e->ino,
		.size = e->size,
		.blocks = e->blocks,
		.mtime_ns = e->mtime_ns,
		.ctime_ns = e->ctime_ns,
		.dir = e->dir == WALK_NO_DIR ? TREE_BUILD_NO_DIR : e->dir,
		.not_entered = e->skip != SKIP_NONE,
	};
}

static int
take_list(struct tree_builder *b, const struct walk_batch *batch, const struct walk_list *l)
{
	AUTO(freep) struct tree_input *in = malloc(MAX(l->n_entries, 1u) * sizeof(*in));

	if (!in)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->n_entries; i++)
		in[i] = input_of(batch, &l->entries[i]);
	return tree_builder_add(b, l->dir, in, l->n_entries, l->skip != SKIP_NONE);
}

int
tree_builder_take(struct tree_builder *b, struct walk_batch *batch)
{
	int r = 0;

	for (uint32_t i = 0; i < batch->n_lists && r == 0; i++)
		r = take_list(b, batch, &batch->lists[i]);
	walk_batch_destroy(batch);
	return r;
}
