#include "engine/hints.h"

#include <errno.h>

#include "base/hash.h"

#define FIRST_SLOTS 64u

void
hints_fini(struct hints *g)
{
	VEC_FINI(&g->items);
	strbuf_fini(&g->names);
	free(g->slots);
	*g = (struct hints){0};
}

void
hints_add_all(struct hints *g)
{
	hints_fini(g);
	g->all = true;
}

static void
put_slot(struct hints *g, uint64_t hash, uint32_t item)
{
	size_t i = hash & (g->n_slots - 1);

	while (g->slots[i])
		i = (i + 1) & (g->n_slots - 1);
	g->slots[i] = item + 1;
}

/* At most half full. */
static int
make_room(struct hints *g)
{
	size_t n = g->n_slots ? 2 * g->n_slots : FIRST_SLOTS;
	uint32_t *slots;

	if (2 * (g->items.len + 1) <= g->n_slots)
		return 0;
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(g->slots);
	g->slots = slots;
	g->n_slots = n;
	for (size_t i = 0; i < g->items.len; i++)
		put_slot(g, g->items.data[i].hash, (uint32_t)i);
	return 0;
}

static bool
has(const struct hints *g, uint64_t hash, uint64_t ino, struct span name)
{
	for (size_t i = hash & (g->n_slots - 1); g->slots[i]; i = (i + 1) & (g->n_slots - 1)) {
		const struct hint *item = &g->items.data[g->slots[i] - 1];

		if (item->hash == hash && item->ino == ino && span_eq(hint_name(g, item), name))
			return true;
	}
	return false;
}

static int
add(struct hints *g, uint64_t ino, struct span name)
{
	struct hint item = {.ino = ino,
		.hash = hash64(name.data, name.len, ino),
		.at = (uint32_t)g->names.len,
		.len = (uint32_t)name.len};

	if (make_room(g) < 0)
		return -ENOMEM;
	if (has(g, item.hash, ino, name))
		return 0;
	if (g->items.len >= HINTS_MAX_NAMES || g->names.len + name.len > HINTS_MAX_BYTES)
		return -EOVERFLOW;
	if (strbuf_span(&g->names, name) < 0 || VEC_PUSH(&g->items, item) < 0)
		return -ENOMEM;
	put_slot(g, item.hash, (uint32_t)g->items.len - 1);
	return 0;
}

void
hints_add(struct hints *g, uint64_t ino, struct span name)
{
	if (!g->all && add(g, ino, name) < 0)
		hints_add_all(g);
}
