/**
 * top: the largest entries below a path, by bytes, disk blocks or number of entries.
 *
 * Ranked are the entries down to `max_depth` below the path (1: its children): a directory by all
 * that is at and below it (total.h), anything else by itself. Directories hold each other, so with
 * a depth above 1 the sums overlap.
 *
 * Ownership: top_rank() gives an array of malloc.
 * Threads:   any; ranks on the compute pool of opts.
 * Errors:    -ENOMEM, -ECANCELED, -ETIMEDOUT.
 */
#pragma once

#include "query/total.h"

enum top_key { TOP_SIZE, TOP_BLOCKS, TOP_COUNT };
enum top_kind { TOP_ANY, TOP_DIRS, TOP_OTHERS };

#define TOP_MAX_ROWS 10000u

struct top_opts {
	enum top_key by;
	enum top_kind kind;
	uint64_t max_depth; /* 0: any */
	uint32_t n;         /* at most TOP_MAX_ROWS */
	const struct cursor_opts *halt;
};

struct top_row {
	struct place at;
	struct total total;
};

/** *ret: the largest, at most opts.n, the largest first, equal ones in the order of the index.
 *  *ret_ranked: how many there were to choose from. */
int top_rank(const struct snapshot *s, const struct totals *t, struct place at,
	const struct top_opts *opts, struct top_row **ret, uint32_t *ret_n, uint64_t *ret_ranked);
