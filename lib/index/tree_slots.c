#include "index/tree_slots.h"

#include <errno.h>

uint32_t
slots_next(const struct slots *s, uint64_t hash, size_t *pos)
{
	while (s->n > 0) {
		const struct slot *slot = &s->at[(hash + (*pos)++) & (s->n - 1)];

		if (slot->value == 0)
			break;
		if (slot->hash == hash)
			return slot->value - 1;
	}
	return SLOTS_NONE;
}

static void
insert(struct slots *s, uint64_t hash, uint32_t value)
{
	size_t i = hash & (s->n - 1);

	while (s->at[i].value != 0)
		i = (i + 1) & (s->n - 1);
	s->at[i] = (struct slot){hash, value};
}

static int
grow(struct slots *s)
{
	struct slots more = {.n = s->n > 0 ? 2 * s->n : 64, .used = s->used};

	more.at = calloc(more.n, sizeof(*more.at));
	if (!more.at)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		if (s->at[i].value != 0)
			insert(&more, s->at[i].hash, s->at[i].value);
	}
	free(s->at);
	*s = more;
	return 0;
}

int
slots_add(struct slots *s, uint64_t hash, uint32_t value)
{
	if (2 * s->used >= s->n && grow(s) < 0)
		return -ENOMEM;
	insert(s, hash, value + 1);
	s->used++;
	return 0;
}

void
slots_fini(struct slots *s)
{
	free(s->at);
	*s = (struct slots){0};
}
