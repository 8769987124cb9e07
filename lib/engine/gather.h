/**
 * gather: what of a root is to be looked at again, until it is looked at: names of directories,
 * which are inode numbers. Internal to lib/engine.
 *
 * Each (directory, name) is kept once. Of more than GATHER_MAX_NAMES, or than GATHER_MAX_BYTES of
 * names, nothing single is kept any more: `all` says that everything is to be looked at.
 *
 * Ownership: the caller's storage, zeroed; gather_fini().
 * Threads:   as whoever guards it.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"

#define GATHER_MAX_NAMES 200000u
#define GATHER_MAX_BYTES (16u << 20)

struct gather_item {
	uint64_t ino;
	uint64_t hash;
	uint32_t at, len; /* in names; no length: the directory itself */
};

struct gather {
	VEC(struct gather_item) items;
	struct strbuf names;
	uint32_t *slots; /* items + 1 by hash; 0 free */
	size_t n_slots;  /* a power of two, or 0 */
	bool all;
};

void gather_fini(struct gather *g);
/** An empty name is the directory itself. Without memory it is `all`. */
void gather_add(struct gather *g, uint64_t ino, struct span name);
void gather_add_all(struct gather *g);

static inline bool
gather_is_empty(const struct gather *g)
{
	return g->items.len == 0 && !g->all;
}

static inline struct span
gather_name(const struct gather *g, const struct gather_item *i)
{
	return (struct span){g->names.data + i->at, i->len};
}
