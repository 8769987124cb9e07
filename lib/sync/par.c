#include "sync/par.h"

#include <errno.h>

#include "sync/park.h"

/* Set in par.state once the caller lets no further helper in. */
#define PAR_CLOSED (1u << 31)

struct helper {
	struct task task;
	struct par *par;
	unsigned worker;
};

/*
 * One loop. On the heap and counted, because a helper may still wait in the pool's queue long after
 * the loop: it then finds the door closed, drops its reference and touches nothing else. So the
 * caller waits only for helpers that are inside, each of which is on a thread and making progress;
 * it never waits for a thread to become free.
 */
struct par {
	_Atomic uint32_t refs;  /* caller and submitted helpers; orders as in arc.c */
	_Atomic uint32_t state; /* PAR_CLOSED | helpers inside; futex of the caller once closed */

	/* Fixed before the first submit; fn, ctx and stop are the caller's and valid only inside.
	 */
	size_t n, grain, n_pieces;
	par_fn fn;
	void *ctx;
	struct stop *stop;

	/* Next piece to take. Relaxed: what pieces write is published by `state`. */
	_Atomic size_t next;
	/* Relaxed hint of the lowest piece that stopped, SIZE_MAX none: written under lock. */
	_Atomic size_t stopped_at;
	_Atomic bool canceled; /* relaxed: read after every helper has left */

	struct lock lock; /* RANK_LEAF: stopped_at and value change together */
	int value;        /* of piece stopped_at */

	struct helper helpers[];
};

unsigned
par_width(const struct pool *p)
{
	return pool_threads(p) + 1;
}

static void
par_put(struct par *par)
{
	if (sub_rel(&par->refs, 1) > 1)
		return;
	(void)load_acq(&par->refs);
	lock_fini(&par->lock);
	free(par);
}

static void
note_stopped(struct par *par, size_t piece, int value)
{
	LOCK_SCOPE(&par->lock);

	if (piece > load_rlx(&par->stopped_at))
		return;
	store_rlx(&par->stopped_at, piece);
	par->value = value;
}

/* Pieces are taken in ascending order and a taken piece is left out only when a lower one stopped:
 * therefore all below the lowest that stopped run to their end. */
static void
run_pieces(struct par *par, unsigned worker)
{
	while (load_rlx(&par->next) < par->n_pieces) {
		size_t piece, lo;
		int r;

		if (stop_requested(par->stop)) {
			store_rlx(&par->canceled, true);
			return;
		}
		piece = add_rlx(&par->next, 1);
		if (piece >= par->n_pieces || piece > load_rlx(&par->stopped_at))
			return;
		lo = piece * par->grain;
		r = par->fn(lo, MIN(par->n - lo, par->grain) + lo, worker, par->ctx);
		if (r != 0) {
			note_stopped(par, piece, r);
			return;
		}
	}
}

/* Acquire pairs with the release of the submitting queue's lock and keeps the work after the door.
 */
static bool
par_enter(struct par *par)
{
	uint32_t s = load_acq(&par->state);

	while (!(s & PAR_CLOSED)) {
		if (cas_ar(&par->state, &s, s + 1))
			return true;
	}
	return false;
}

/* Release: the caller that reads the new state sees what the pieces wrote. */
static void
par_leave(struct par *par)
{
	if (sub_ar(&par->state, 1) == (PAR_CLOSED | 1))
		park_wake(&par->state, 1);
}

static void
helper_run(struct task *t)
{
	struct helper *h = CONTAINER_OF(t, struct helper, task);
	struct par *par = h->par;

	if (par_enter(par)) {
		run_pieces(par, h->worker);
		par_leave(par);
	}
	par_put(par);
}

/* Close the door and wait until nobody is inside. */
static void
par_close(struct par *par)
{
	uint32_t s = or_sc(&par->state, PAR_CLOSED) | PAR_CLOSED;

	while (s != PAR_CLOSED) {
		(void)park_wait(&par->state, s, USEC_NEVER);
		s = load_acq(&par->state); /* pairs with par_leave() */
	}
}

static void
submit_helpers(struct par *par, struct pool *p, enum task_class cls, unsigned n_helpers)
{
	for (unsigned i = 0; i < n_helpers; i++) {
		struct helper *h = &par->helpers[i];

		*h = (struct helper){.task.run = helper_run, .par = par, .worker = i + 1};
		(void)add_rlx(&par->refs, 1); /* relaxed: the caller's own reference protects it */
		if (pool_submit(p, &h->task, cls) < 0) {
			par_put(par);
			return; /* closed: the caller does it alone */
		}
	}
}

static int
par_run(struct par *par)
{
	run_pieces(par, 0);
	par_close(par);
	if (load_rlx(&par->stopped_at) != SIZE_MAX)
		return par->value;
	return load_rlx(&par->canceled) ? -ECANCELED : 0;
}

static void
par_init(struct par *par, size_t n, size_t grain, par_fn fn, void *ctx, struct stop *stop)
{
	*par = (struct par){.refs = 1,
		.n = n,
		.grain = grain,
		.n_pieces = n / grain + (n % grain != 0),
		.fn = fn,
		.ctx = ctx,
		.stop = stop,
		.stopped_at = SIZE_MAX};
	lock_init(&par->lock, RANK_LEAF, "par");
}

int
par_for(struct pool *p, enum task_class cls, size_t n, size_t grain, par_fn fn, void *ctx,
	struct stop *stop)
{
	struct par *par, alone;
	size_t n_helpers;
	int r;

	lock_assert_none();
	grain = MAX(grain, (size_t)1);
	n_helpers = n / grain + (n % grain != 0);
	n_helpers = n_helpers > 0 ? MIN(n_helpers - 1, (size_t)pool_threads(p)) : 0;
	par = n_helpers ? malloc(sizeof(*par) + n_helpers * sizeof(par->helpers[0])) : NULL;
	if (!par) { /* one piece, or no memory for helpers */
		par_init(&alone, n, grain, fn, ctx, stop);
		r = par_run(&alone);
		lock_fini(&alone.lock);
		return r;
	}
	par_init(par, n, grain, fn, ctx, stop);
	submit_helpers(par, p, cls, (unsigned)n_helpers);
	r = par_run(par);
	par_put(par);
	return r;
}
