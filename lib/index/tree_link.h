/**
 * tree_link: which entries are links to one inode (FORMAT.md 3.7). Internal to lib/index.
 *
 * Ownership: tree_links_make() fills, tree_links_fini() frees.
 * Errors:    -ENOMEM, -ECANCELED.
 */
#pragma once

#include "base/vec.h"
#include "index/tree_format.h"
#include "sync/par.h"

/** A link before its twin is known. */
struct link_seed {
	uint64_t dev, ino;
	struct tree_sum sum; /* its own */
	uint32_t entry;
	uint32_t parent; /* directory number */
};

struct tree_links {
	VEC(struct tree_link) links;
	VEC(struct tree_link_sum) sums;
};

/** How directories lie below each other: D5, and the parents' numbers. */
struct link_dirs {
	const uint32_t *end, *parent; /* by number */
};

/** `seeds` in any order; they are sorted. Zero-initialised *ret; fini it whatever is returned. */
int tree_links_make(struct link_seed *seeds, size_t n, const struct link_dirs *dirs,
	struct pool *pool, struct stop *stop, struct tree_links *ret);
void tree_links_fini(struct tree_links *l);
