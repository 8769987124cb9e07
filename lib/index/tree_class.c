#include "index/tree_class.h"

#include "base/hash.h"

#include <errno.h>

static bool
class_eq(const struct tree_class *a, const struct tree_class *b)
{
	return a->dev == b->dev && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

static uint32_t *
class_slot(struct class_table *t, const struct tree_class *c)
{
	uint64_t h = hash64(c, sizeof(*c), 0);

	for (;; h++) {
		uint32_t *slot = &t->slots[h & (t->n_slots - 1)];

		if (*slot == 0 || class_eq(&t->classes.data[*slot - 1], c))
			return slot;
	}
}

static int
class_grow(struct class_table *t)
{
	uint32_t n = t->n_slots ? t->n_slots * 2 : 64;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	free(t->slots);
	t->slots = slots;
	t->n_slots = n;
	for (uint32_t i = 0; i < t->classes.len; i++)
		*class_slot(t, &t->classes.data[i]) = i + 1;
	return 0;
}

int
class_intern(struct class_table *t, const struct tree_class *c, uint32_t *ret)
{
	uint32_t *slot;

	if (t->classes.len > 0 && class_eq(&t->classes.data[t->last], c)) {
		*ret = t->last;
		return 0;
	}
	if (t->classes.len * 2 >= t->n_slots && class_grow(t) < 0)
		return -ENOMEM;
	slot = class_slot(t, c);
	if (*slot == 0) {
		if (VEC_PUSH(&t->classes, *c) < 0)
			return -ENOMEM;
		*slot = (uint32_t)t->classes.len;
	}
	*ret = t->last = *slot - 1;
	return 0;
}

void
class_table_fini(struct class_table *t)
{
	VEC_FINI(&t->classes);
	free(t->slots);
}
