#include "walk/batch.h"

#include <errno.h>

/* The entries of a batch, their names and lists fit one chunk in most cases. */
#define BATCH_CHUNK_BYTES (48u << 10)

void
walk_batch_destroy(struct walk_batch *b)
{
	if (!b)
		return;
	arena_fini(&b->arena);
	free(b);
}

void
filler_fini(struct filler *f)
{
	walk_batch_destroy(f->batch);
	VEC_FINI(&f->lists);
	*f = (struct filler){0};
}

static int
begin(struct filler *f)
{
	if (f->batch)
		return 0;
	f->batch = calloc(1, sizeof(*f->batch));
	if (!f->batch)
		return -ENOMEM;
	f->batch->arena.chunk_bytes = BATCH_CHUNK_BYTES;
	return 0;
}

int
filler_room(struct filler *f, size_t n, size_t names_len, struct walk_entry **ret_entries,
	char **ret_names)
{
	/* Not zeroed: every field of an entry is written. */
	if (begin(f) < 0)
		return -ENOMEM;
	*ret_entries = arena_alloc(&f->batch->arena, n * sizeof(**ret_entries));
	*ret_names = arena_alloc(&f->batch->arena, names_len);
	return *ret_entries && *ret_names ? 0 : -ENOMEM;
}

int
filler_add(struct filler *f, struct walk_list list)
{
	if (begin(f) < 0 || VEC_PUSH(&f->lists, list) < 0)
		return -ENOMEM;
	f->batch->n_entries += list.n_entries;
	return 0;
}

struct walk_list *
filler_last(struct filler *f, uint64_t dir)
{
	struct walk_list *l = f->lists.len > 0 ? &f->lists.data[f->lists.len - 1] : NULL;

	return l && l->dir == dir ? l : NULL;
}

bool
filler_is_empty(const struct filler *f)
{
	return f->lists.len == 0;
}

bool
filler_is_full(const struct filler *f)
{
	/* Directories without entries take room too. */
	return f->batch && f->batch->n_entries + f->lists.len >= BATCH_ENTRIES;
}

int
filler_send(struct filler *f, struct chan *out, struct stop *stop)
{
	struct walk_batch *b = f->batch;
	int r = 0;

	if (filler_is_empty(f))
		return 0;
	b->lists = arena_alloc(&b->arena, f->lists.len * sizeof(b->lists[0]));
	if (b->lists) {
		memcpy(b->lists, f->lists.data, f->lists.len * sizeof(b->lists[0]));
		b->n_lists = (uint32_t)f->lists.len;
		r = chan_send(out, b, stop);
	} else {
		r = -ENOMEM;
	}
	if (r < 0)
		walk_batch_destroy(b);
	f->batch = NULL;
	f->lists.len = 0;
	return r;
}
