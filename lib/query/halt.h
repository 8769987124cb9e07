/**
 * halt: a question that must end now, asked by everything that takes long.
 *
 * A question ends early by its token or by its deadline. What knows only tokens (par_sort()) is
 * given one that fires by either.
 *
 * Threads: any.
 */
#pragma once

#include "query/query.h"
#include "sync/par_sort.h"

/** -ECANCELED or -ETIMEDOUT when the question must end now, else 0. */
int query_poll(const struct cursor_opts *opts);

/** par_sort() on the compute pool: 0, -ENOMEM, or what query_poll() says, the array then in any
 *  order. `cmp` is called by several threads at once. */
int query_sort_array(const struct cursor_opts *opts, void *base, size_t n, size_t size,
	par_cmp_fn cmp, void *ctx);
