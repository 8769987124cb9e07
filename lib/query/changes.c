#include "query/changes.h"

#include <errno.h>

#include "base/hash.h"

#define FIRST_SLOTS 64u

void
changes_fini(struct changes *c)
{
	VEC_FINI(&c->list);
	free(c->slot);
	arena_fini(&c->arena);
	*c = (struct changes){0};
}

/* Where the path is in the table, or would be. */
static uint32_t *
slot_of(const struct changes *c, uint32_t root, struct span path)
{
	size_t at = hash64(path.data, path.len, root) & (c->n_slots - 1);

	for (; c->slot[at]; at = (at + 1) & (c->n_slots - 1)) {
		const struct change *ch = &c->list.data[c->slot[at] - 1];

		if (ch->root == root && span_eq(ch->path, path))
			break;
	}
	return &c->slot[at];
}

static int
grow(struct changes *c)
{
	size_t n = c->n_slots ? c->n_slots * 2 : FIRST_SLOTS;
	uint32_t *slot = calloc(n, sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	free(c->slot);
	c->slot = slot;
	c->n_slots = n;
	for (size_t i = 0; i < c->list.len; i++)
		*slot_of(c, c->list.data[i].root, c->list.data[i].path) = (uint32_t)i + 1;
	return 0;
}

/* The path's change, made when it is new: then it was there before exactly when `was`. */
static int
touch(struct changes *c, uint32_t root, struct span path, bool was, uint32_t *ret)
{
	struct change ch = {.root = root, .origin = NO_CHANGE, .was = was, .now = was};
	uint32_t *slot;
	char *copy;

	if (2 * (c->list.len + 1) > c->n_slots && grow(c) < 0)
		return -ENOMEM;
	slot = slot_of(c, root, path);
	if (*slot == 0) {
		if (c->list.len >= c->max)
			return -E2BIG;
		copy = arena_copy(&c->arena, path.data, path.len);
		if (!copy)
			return -ENOMEM;
		ch.path = (struct span){copy, path.len};
		if (VEC_PUSH(&c->list, ch) < 0)
			return -ENOMEM;
		*slot = (uint32_t)c->list.len;
	}
	*ret = *slot - 1;
	return 0;
}

/* What was there is not any more; `r` is what it was. */
static int
leave(struct changes *c, struct change *ch, const struct record *r)
{
	struct record *row = ch->gone ? ch->gone : ARENA_NEW(&c->arena, struct record);

	if (!row)
		return -ENOMEM;
	ch->now = ch->fresh = false;
	ch->origin = NO_CHANGE;
	*row = *r;
	row->path = row->from = (struct span){0};
	ch->gone = row;
	return 0;
}

/* At `from` there was something before the batch, which may have come since the first. At `path`
 * there may have been something, too; if so, it is gone: a deletion too many, later, does no harm.
 */
static int
add_move(struct changes *c, uint32_t root, const struct record *r)
{
	uint32_t from, to, origin = NO_CHANGE;
	bool fresh;
	int result = touch(c, root, r->from, true, &from);
	size_t n = c->list.len;

	if (result == 0)
		result = touch(c, root, r->path, true, &to);
	if (result < 0)
		return result;
	if (to == n)
		c->list.data[to].unsure = true;
	fresh = c->list.data[from].fresh;
	if (!fresh)
		origin = c->list.data[from].origin != NO_CHANGE ? c->list.data[from].origin : from;
	result = leave(c, &c->list.data[from], r);
	c->list.data[to].now = true;
	c->list.data[to].fresh = fresh;
	c->list.data[to].origin = origin;
	return result;
}

static int
add_record(struct changes *c, uint32_t root, const struct record *r)
{
	uint32_t i;
	int result;

	if (r->kind == RECORD_MOVE)
		return add_move(c, root, r);
	result = touch(c, root, r->path, r->kind != RECORD_ADD, &i);
	if (result < 0)
		return result;
	if (r->kind == RECORD_DELETE)
		return leave(c, &c->list.data[i], r);
	if (r->kind == RECORD_ADD) {
		c->list.data[i].fresh = true;
		c->list.data[i].origin = NO_CHANGE;
	}
	c->list.data[i].now = true;
	return 0;
}

int
changes_add(struct changes *c, uint32_t root, struct span packed)
{
	struct record_list l;
	struct record rec;
	int r = record_open(&l, packed);

	while (r == 0 && (r = record_next(&l, &rec)) == 1)
		r = add_record(c, root, &rec);
	record_close(&l);
	return r;
}

enum change_kind
change_kind(const struct changes *c, size_t i)
{
	const struct change *ch = &c->list.data[i];

	if (!ch->now)
		return CHANGE_DELETE;
	if (ch->fresh)
		return ch->was && !ch->unsure ? CHANGE_MODIFY : CHANGE_ADD;
	return ch->origin != NO_CHANGE && ch->origin != i ? CHANGE_MOVE : CHANGE_MODIFY;
}
