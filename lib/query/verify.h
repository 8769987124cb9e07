/**
 * verify: candidates in, those whose contents match out; with grep, their lines.
 *
 * Candidates are taken in batches (64, doubling to 1,024) and read in parallel on the I/O pool; the
 * answers keep the order of the candidates. A file is opened below its root without following
 * links, must still be a regular file, is read once, and every content term of the question is
 * decided on that one reading. A term is unknown where a file cannot be read: an entry whose
 * membership hangs on it is counted by reason in stats.skipped.
 *
 * Ownership: borrows eval and opts; verify_create()/verify_destroy(). Text and spans of a hit are
 *            valid until the next verify_next().
 * Threads:   one at a time.
 * Errors:    -ECANCELED, -ETIMEDOUT, -ENOMEM, and those of `next`.
 */
#pragma once

#include "query/eval.h"

struct verify;

typedef int (*candidate_fn)(void *ctx, uint32_t *ret_root, uint32_t *ret_entry);

int verify_create(struct eval *e, const struct cursor_opts *opts, candidate_fn next, void *ctx,
	struct verify **ret);
void verify_destroy(struct verify *v); /* NULL is legal */
int verify_next(struct verify *v, struct hit *ret);
/** How many hits are left (lines of context not counted); they cannot be had any more. */
int verify_count_rest(struct verify *v, uint64_t *ret);
/** n_verified, n_bytes_read, skipped. */
void verify_get_stats(const struct verify *v, struct cursor_stats *ret);
