/**
 * verify: candidates in, those whose contents match out; with grep, their lines.
 *
 * Candidates are taken in batches (64, or 8 with a limit, doubling to 1,024) and read in parallel
 * on the I/O pool; the answers keep the order of the candidates. Lines that are to be ranked come
 * from batches of VERIFY_BATCH_RANKED, which double only after one of whose files fewer than half
 * had any: a batch hangs on the candidates and the files, never on what was asked of them. With a
 * limit some of those that follow are read together with it, as many as are likely to be needed, so
 * that threads are woken less often; they are given batch by batch all the same. A file is opened
 * below its root without following links, must still be a regular file, is read once, and every
 * content term of the question is decided on that one reading; but a large one all of whose lines
 * are asked for is searched in parts, by several threads (verify.c, note: parts). A term is unknown
 * where a file cannot be read: an entry whose membership hangs on it is counted by reason in
 * stats.skipped.
 *
 * What is kept is bounded, whatever matches. A batch ends early when its files are large. A round
 * over it gives each file a piece of its lines (see grep.h) while all of them together keep less
 * than VERIFY_KEPT_FILES times what one may, and, when ranked lines have a limit, are fewer than
 * the greater of what is wanted and RANK_WINDOW_LINES; files it did not come to, and those with
 * more lines than their piece, have their next round when all before them was given. A file that is
 * no longer the same by then is counted in skipped.changed and left.
 *
 * Ownership: borrows eval and opts; verify_create()/verify_destroy(). Text and spans of a hit are
 *            valid until the next verify_next().
 * Threads:   one at a time.
 * Errors:    -ECANCELED, -ETIMEDOUT, -ENOMEM, and those of `next`.
 */
#pragma once

#include "query/eval.h"

/** Of one file: default of opts.max_kept_bytes. */
#define VERIFY_KEPT_BYTES (1u << 20)
/** Of a batch: this many times as much, and once more for each thread. */
#define VERIFY_KEPT_FILES 32u
/** A batch with a file for each thread takes no more when their sizes pass this. */
#define VERIFY_BATCH_BYTES (32u << 20)

#define VERIFY_BATCH_RANKED 16u

struct verify;

typedef int (*candidate_fn)(void *ctx, uint32_t *ret_layer, uint32_t *ret_entry);

int verify_create(struct eval *e, const struct cursor_opts *opts, candidate_fn next, void *ctx,
	struct verify **ret);
void verify_destroy(struct verify *v); /* NULL is legal */
int verify_next(struct verify *v, struct hit *ret);
/** The same in two steps: what is left of the batch at hand (1; 0: nothing), and on to the next one
 *  (1; 0: there is none), after which there may be nothing in it. */
int verify_next_in_batch(struct verify *v, struct hit *ret);
int verify_next_batch(struct verify *v);
/** How many hits are left (lines of context not counted); they cannot be had any more. */
int verify_count_rest(struct verify *v, uint64_t *ret);
/** Adds n_verified, n_bytes_read, skipped. */
void verify_get_stats(const struct verify *v, struct cursor_stats *ret);
