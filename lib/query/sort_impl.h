/**
 * sort_impl: what sort.c and gather.c share.
 */
#pragma once

#include "base/vec.h"
#include "query/sort.h"

struct sort_item {
	uint64_t first; /* the first key in a form that compares as a number; text: 8 bytes */
	uint32_t layer, entry;
};

/** Items of one thread. With sorter.keep no more than so many, then the last in order on top. */
struct sort_heap {
	VEC(struct sort_item) items;
};

struct sorter {
	/* Fixed at create. */
	const struct snapshot *snapshot;
	const struct cursor_opts *opts;
	uint64_t keep; /* 0: all */

	struct sort_heap heap; /* in order after finish */
	uint64_t n_added;
	bool partial; /* what could not be among those kept was not looked at */
	struct sort_cost cost;
	size_t at; /* the next to give */
	bool finished;
};

/** For par_sort(); ctx is the sorter. */
int sorter_compare(const void *a, const void *b, void *ctx);
/** The item of an entry. */
struct sort_item sorter_item(const struct sorter *s, uint32_t layer, uint32_t entry);
/** The first key's value as a number in its order. */
uint64_t sorter_number(const struct query_sort *key, uint64_t value);
/** 0 or -ENOMEM. */
int sort_heap_add(const struct sorter *s, struct sort_heap *h, const struct sort_item *it);

static inline bool
sort_heap_full(const struct sorter *s, const struct sort_heap *h)
{
	return s->keep > 0 && h->items.len == s->keep;
}
