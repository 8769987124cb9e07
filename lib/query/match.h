/**
 * match: every entry that a question matches, folded into one value, in parallel.
 *
 * For what needs all answers and none of them as a row: sums, groups, duplicates. Without contents
 * the chunks of the index are evaluated on the compute pool and folded where they are evaluated;
 * a question that reads contents goes through a cursor (which reads in parallel), and is folded by
 * the caller alone. Either way every match comes once.
 *
 * Ownership: borrows everything given. Accumulators as in par_reduce.h.
 * Threads:   `add` runs on several at once, each with an accumulator of its own.
 * Errors:    those of cursor_next(); what `add` or `merge` returned.
 */
#pragma once

#include "query/eval.h"

/** Matches among entries [lo, lo + n) of one layer: bit i is entry lo + i; at least one is set. */
struct match_chunk {
	uint32_t layer, lo, n;
	const struct tree_cols *cols;
	const struct bits *bits;
};

struct match_fold {
	size_t acc_bytes;
	void (*init)(void *acc, void *ctx);
	int (*add)(void *acc, const struct match_chunk *m, void *ctx);
	/* Adds `later` to `acc` and consumes it. */
	int (*merge)(void *acc, void *later, void *ctx);
	void (*fini)(void *acc, void *ctx); /* may be NULL: accumulators own nothing */
};

/** ret_acc: acc_bytes of the caller's; on failure nothing is left in it. ret_stats: what was read
 *  and what could not be; n, total and more mean nothing. */
int match_all(struct query *q, struct snapshot *s, const struct cursor_opts *opts,
	const struct match_fold *fold, void *ctx, void *ret_acc, struct cursor_stats *ret_stats);

/** For each set bit of a chunk, `e` is the entry. */
#define MATCH_EACH(m, e)                                                                   \
	for (uint32_t w_ = 0; w_ < ((m)->n + 63) / 64; w_++)                               \
		for (uint64_t left_ = (m)->bits->word[w_], e = 0;                          \
			left_ &&                                                           \
			(e = (m)->lo + w_ * 64u + (uint64_t)__builtin_ctzll(left_), true); \
			left_ &= left_ - 1)
