/**
 * entry_set: entries of a snapshot that a question is asked of, in place of all.
 *
 *     entry_set_init(&set, snapshot->n_layers);
 *     entry_set_add(&set, layer, entry) ...        any order, any number of times
 *     entry_set_seal(&set);                        from here on it can be asked
 *     opts.only = &set;
 *
 * What is asked of few entries of a large tree costs in proportion to the chunks that hold them.
 *
 * Ownership: the caller's; entry_set_fini(). A cursor borrows it.
 * Threads:   sealed: any number of readers.
 * Errors:    -ENOMEM.
 */
#pragma once

#include "query/eval.h"

struct entry_list {
	uint32_t *data;
	size_t len, cap;
};

struct entry_set {
	uint32_t n_layers;
	struct entry_list *layer; /* sorted, without doubles, once sealed */
};

int entry_set_init(struct entry_set *s, uint32_t n_layers);
void entry_set_fini(struct entry_set *s); /* of a zeroed one too */
int entry_set_add(struct entry_set *s, uint32_t layer, uint32_t entry);
void entry_set_seal(struct entry_set *s);

/** How many entries; after the seal without doubles. */
uint64_t entry_set_count(const struct entry_set *s);
/** The first and the end of those of a layer; false: it has none. */
bool entry_set_range(const struct entry_set *s, uint32_t layer, uint32_t *ret_lo, uint32_t *ret_hi);
/** Is any of [lo, lo + n) in it? */
bool entry_set_any(const struct entry_set *s, uint32_t layer, uint32_t lo, uint32_t n);
/** Clear in *bits (bit i is entry lo + i) what is not in it. */
void entry_set_keep(
	const struct entry_set *s, uint32_t layer, uint32_t lo, uint32_t n, struct bits *bits);
