/**
 * hints: what of a root is to be looked at again, until it is looked at: names of directories,
 * which are inode numbers. Internal to lib/engine.
 *
 * Each (directory, name) is kept once. Of more than HINTS_MAX_NAMES, or than HINTS_MAX_BYTES of
 * names, nothing single is kept any more: `all` says that everything is to be looked at.
 *
 * Ownership: the caller's storage, zeroed; hints_fini().
 * Threads:   as whoever guards it.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"

#define HINTS_MAX_NAMES 200000u
#define HINTS_MAX_BYTES (16u << 20)

struct hint {
	uint64_t ino;
	uint64_t hash;
	uint32_t at, len; /* in names; no length: the directory itself */
};

struct hints {
	VEC(struct hint) items;
	struct strbuf names;
	uint32_t *slots; /* items + 1 by hash; 0 free */
	size_t n_slots;  /* a power of two, or 0 */
	bool all;
};

void hints_fini(struct hints *g);
/** An empty name is the directory itself. Without memory it is `all`. */
void hints_add(struct hints *g, uint64_t ino, struct span name);
void hints_add_all(struct hints *g);

static inline bool
hints_are_none(const struct hints *g)
{
	return g->items.len == 0 && !g->all;
}

static inline struct span
hint_name(const struct hints *g, const struct hint *i)
{
	return (struct span){g->names.data + i->at, i->len};
}
