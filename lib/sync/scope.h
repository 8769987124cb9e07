/**
 * scope: threads that borrow the caller's stack, all joined when the C scope ends, on every path.
 *
 *     SCOPE(s, stop);
 *     for (size_t i = 0; i < n; i++)
 *             (void)scope_spawn(&s, "read", read_one, &files[i]);
 *     return scope_join(&s, err);
 *
 * A thread fails by returning -errno, with its words in thread_err(). The first failure in time
 * fires the scope's stop token, so that the others, who get it as an argument and wait with it, end
 * early; scope_join() returns that first failure, whatever the others say when they were stopped.
 * A thread that could not be started is a failure of the scope as well.
 *
 * Leaving the C scope without scope_join() is giving up: the token is fired, all are joined, and
 * failures are dropped. So an early return never leaves a thread behind that uses a dead frame.
 *
 * Not a pool: each spawn is a thread (30 us); for short pieces of work see par.h.
 *
 * Ownership: SCOPE() or scope_init()/scope_fini() on caller's storage. `arg` is borrowed until the
 *            join; the name is copied.
 * Threads:   the owner, and scope_spawn() also the scope's own threads: a thread that spawns has
 * not ended, therefore the join that waits for it finds what it started. The parent token may be
 * fired by anybody. Errors:    -EAGAIN, -ENOMEM of starting; what the threads return.
 * scope_join_until(): -EINPROGRESS, which no thread should return, when threads still run at the
 * deadline.
 */
#pragma once

#include "sync/stop.h"
#include "sync/thread.h"

struct scope {
	struct stop stop; /* child of the parent's; fires at the first failure */

	struct lock lock;  /* RANK_LEAF; guards what follows */
	struct list live;  /* struct scope_thread.link: to be joined */
	size_t n_failures; /* the first of which is in code and err */
	int code;
	struct err err;
};

/** The parent token may be NULL. */
#define SCOPE(name, parent)                 \
	AUTO(scope_fini) struct scope name; \
	scope_init(&name, (parent))

void scope_init(struct scope *s, struct stop *parent);
/** Fires the token when threads are left, and joins them. */
void scope_fini(struct scope *s);

typedef int (*scope_fn)(void *arg, struct stop *stop);

int scope_spawn(struct scope *s, const char *name, scope_fn fn, void *arg);
/** Wait for all: 0, or the first failure with its sentence. May be followed by more spawns. */
int scope_join(struct scope *s, struct err *err);
/** As scope_join(), but at the deadline -EINPROGRESS with the names of those who still run in err;
 *  they remain to be joined. */
int scope_join_until(struct scope *s, usec_t deadline, struct err *err);

/**
 * fn(i, ctx, stop) for each i in [0, n), on up to n_threads threads that each take one contiguous
 * piece. Item i's result goes where fn puts it, so order is the input's: `out[i] = ...`. The first
 * failure stops the others before their next item.
 */
typedef int (*scope_map_fn)(size_t i, void *ctx, struct stop *stop);
int scope_map(unsigned n_threads, size_t n, scope_map_fn fn, void *ctx, struct stop *parent,
	struct err *err);
