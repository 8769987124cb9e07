/**
 * par_scan: running sums, and running results of any associative operation.
 *
 * Inclusive: x[i] becomes x[0] + .. + x[i]; exclusive: x[0] + .. + x[i - 1], and the total is
 * returned apart. In place. Blocks that fit into the shared cache are done one after the other,
 * each in two passes (totals of pieces, then the pieces), so memory is read once.
 *
 * Threads: as par_for().
 * Errors:  -ECANCELED: a part of the array is done, another is not. -ENOMEM (par_scan() only),
 *          before anything is changed.
 */
#pragma once

#include "sync/par.h"

enum par_scan_kind { SCAN_INCLUSIVE, SCAN_EXCLUSIVE };

/** Sums modulo 2^64; ret_total may be NULL. */
int par_scan_u64(struct pool *p, enum task_class cls, uint64_t *x, size_t n,
	enum par_scan_kind kind, struct stop *stop, uint64_t *ret_total);

struct par_scan_op {
	size_t size; /* of an element */
	/* acc = acc op x; associative, need not be commutative. */
	void (*add)(void *acc, const void *x, void *ctx);
	const void *neutral;
	void *ctx;
};
/** ret_total (size bytes) may be NULL. */
int par_scan(struct pool *p, enum task_class cls, void *x, size_t n, const struct par_scan_op *op,
	enum par_scan_kind kind, struct stop *stop, void *ret_total);
