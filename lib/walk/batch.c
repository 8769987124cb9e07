#include "walk/batch.h"

#include <errno.h>

/* The allocator's own word stays below the round number. */
#define BATCH_BYTES ((128u << 10) - 64u)

void
walk_batch_destroy(struct walk_batch *b)
{
	if (!b)
		return;
	free(b->lists); /* the rest is behind them */
	free(b);
}

void
filler_init(struct filler *f, size_t batch_bytes)
{
	*f = (struct filler){.batch_bytes = batch_bytes ? batch_bytes : BATCH_BYTES};
}

void
filler_fini(struct filler *f)
{
	walk_batch_destroy(f->batch);
	VEC_FINI(&f->lists);
	VEC_FINI(&f->classes);
	VEC_FINI(&f->gone);
	f->batch = NULL;
}

static size_t
piece_bytes(size_t n, size_t names_bytes)
{
	return ALIGN_UP(n * sizeof(struct walk_entry) + names_bytes, sizeof(struct walk_entry));
}

/* With room for a piece of so many bytes at least. */
static int
begin(struct filler *f, size_t bytes)
{
	size_t room = MAX(bytes, f->batch_bytes - MIN(f->batch_bytes, sizeof(*f->batch)));

	if (f->batch && (f->lists.len > 0 || bytes <= f->batch->room))
		return 0;
	walk_batch_destroy(f->batch); /* nothing came of what was begun */
	room = ALIGN_UP(room, (size_t)CACHELINE);
	f->batch = aligned_alloc(CACHELINE, sizeof(*f->batch) + room);
	if (!f->batch)
		return -ENOMEM;
	*f->batch = (struct walk_batch){.room = room};
	return 0;
}

bool
filler_fits(const struct filler *f, size_t n, size_t names_bytes)
{
	const struct walk_batch *b = f->batch;

	return f->lists.len == 0 || piece_bytes(n, names_bytes) <= b->room - b->used;
}

int
filler_room(struct filler *f, size_t n, size_t names_bytes, struct walk_entry **ret_entries,
	char **ret_names)
{
	size_t bytes = piece_bytes(n, names_bytes);
	char *at;

	if (begin(f, bytes) < 0)
		return -ENOMEM;
	assert(bytes <= f->batch->room - f->batch->used);
	at = f->batch->data + f->batch->used;
	f->batch->used += bytes;
	*ret_entries = (struct walk_entry *)(void *)at;
	*ret_names = at + n * sizeof(struct walk_entry);
	return 0;
}

void
filler_trim(struct filler *f, struct walk_entry *entries, size_t n, size_t names_bytes)
{
	char *to = (char *)(entries + n);
	const char *from = n > 0 ? entries[0].name : to;

	memmove(to, from, names_bytes);
	for (size_t i = 0; i < n; i++)
		entries[i].name = to + (entries[i].name - from);
	f->batch->used = (size_t)((char *)entries - f->batch->data) + piece_bytes(n, names_bytes);
}

static bool
class_eq(const struct walk_class *a, const struct walk_class *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->dev == b->dev;
}

int
filler_class(struct filler *f, const struct walk_class *c, uint32_t *ret)
{
	uint32_t h = (c->mode ^ c->uid * 31 ^ c->gid * 7 ^ (uint32_t)c->dev * 13) * 2654435769u;
	uint32_t *slot = &f->slots[h >> 26];

	if (*slot == 0 || !class_eq(&f->classes.data[*slot - 1], c)) {
		if (VEC_PUSH(&f->classes, *c) < 0)
			return -ENOMEM;
		*slot = (uint32_t)f->classes.len;
	}
	*ret = *slot - 1;
	return 0;
}
_Static_assert(CLASS_SLOTS == 1u << (32 - 26), "the hash's upper bits are the slot");

int
filler_gone(struct filler *f, uint64_t id)
{
	return VEC_PUSH(&f->gone, id);
}

int
filler_add(struct filler *f, struct walk_list list)
{
	const struct walk_list *before = f->lists.len > 0 ? &f->lists.data[f->lists.len - 1] : NULL;

	list.first_gone = before ? before->first_gone + before->n_gone : 0;
	list.n_gone = (uint32_t)f->gone.len - list.first_gone;
	if (begin(f, 0) < 0 || VEC_PUSH(&f->lists, list) < 0)
		return -ENOMEM;
	f->batch->n_entries += list.n_entries;
	return 0;
}

struct walk_list *
filler_last(struct filler *f, uint32_t dir)
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
	const struct walk_batch *b = f->batch;

	/* Directories without entries take room too, and so does what is gone. */
	return b &&
	       b->used + f->lists.len * sizeof(struct walk_list) + f->gone.len * sizeof(uint64_t) >
	               b->room - b->room / 8;
}

/* Lists, classes and what is gone go into one block behind each other. */
static int
seal(struct filler *f, struct walk_batch *b)
{
	size_t lists = f->lists.len * sizeof(struct walk_list);
	size_t classes = f->classes.len * sizeof(struct walk_class);
	size_t gone = f->gone.len * sizeof(uint64_t);
	char *block = malloc(lists + classes + gone);

	if (!block)
		return -ENOMEM;
	memcpy(block, f->lists.data, lists);
	if (classes > 0)
		memcpy(block + lists, f->classes.data, classes);
	if (gone > 0)
		memcpy(block + lists + classes, f->gone.data, gone);
	b->lists = (struct walk_list *)(void *)block;
	b->classes = (struct walk_class *)(void *)(block + lists);
	b->gone = (uint64_t *)(void *)(block + lists + classes);
	b->n_lists = (uint32_t)f->lists.len;
	b->n_classes = (uint32_t)f->classes.len;
	b->n_gone = (uint32_t)f->gone.len;
	b->bytes = sizeof(*b) + b->room + lists + classes + gone;
	return 0;
}
_Static_assert(sizeof(struct walk_class) % _Alignof(uint64_t) == 0, "what is gone is aligned");
_Static_assert(sizeof(struct walk_list) % _Alignof(struct walk_class) == 0, "classes are aligned");

int
filler_send(struct filler *f, struct chan *out, struct stop *stop)
{
	struct walk_batch *b = f->batch;
	int r;

	if (filler_is_empty(f))
		return 0;
	r = seal(f, b);
	if (r == 0)
		r = chan_send(out, b, stop);
	if (r < 0)
		walk_batch_destroy(b);
	f->batch = NULL;
	f->lists.len = 0;
	f->classes.len = 0;
	f->gone.len = 0;
	memset(f->slots, 0, sizeof(f->slots));
	return r;
}
