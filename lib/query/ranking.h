/**
 * ranking: answers in the order of what is likely meant, when contents are asked for with a limit
 * and no order is.
 *
 * Two stages around the verification, each of them bounded:
 *
 *     candidates -> best file first (rank_order.h) -> verify -> the lines of a batch of files, best
 *     file first -> answers
 *
 * The first looks at names and places alone; what it gives away first is read first. The second
 * knows the lines: a file is worth its best one. It looks at those of one batch of the verification
 * (VERIFY_BATCH_RANKED files, more where few files match): who wants a hundred lines has them when
 * some dozen files were read. Within a file lines that define something come first, unless there
 * are lines of context, which keep the order of the file. When a bound is reached, what is at hand
 * is given, and then the same begins with what follows: all comes once, and in the same order
 * whatever the limit and the page.
 *
 * Ownership: borrows what it is created with; what a hit of the second stage points to is valid
 *            until its next one.
 * Threads:   one at a time.
 * Errors:    -ENOMEM, and those of the sweep.
 */
#pragma once

#include "query/rank_order.h"
#include "query/verify.h"

#define RANK_WINDOW_LINES 500u
#define RANK_WINDOW_BYTES (2u << 20)

struct rank;

int rank_create(const struct snapshot *s, const struct pattern *pattern, struct sweep *sweep,
	struct rank **ret);
void rank_destroy(struct rank *r); /* NULL is legal */
/** The next candidate: a candidate_fn whose ctx is the rank. */
int rank_next(void *rank, uint32_t *ret_layer, uint32_t *ret_entry);
/** Candidates that were taken and not given. */
uint64_t rank_left(const struct rank *r);

/** In all so far. */
void rank_get_cost(const struct rank *r, struct rank_cost *ret);

/** The next hit of a verification whose candidates come from rank_next(). */
int rank_next_hit(
	struct rank *r, struct verify *v, const struct cursor_opts *opts, struct hit *ret);
/** Hits that were taken and not given, lines of context not counted. */
uint64_t rank_hits_left(const struct rank *r);
