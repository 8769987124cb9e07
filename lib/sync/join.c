#include "sync/join.h"

#define NOINLINE __attribute__((noinline))
#define LEAP_HOPS 8u   /* how far down the chain of thieves a waiter looks */
#define LEAP_DEPTH 64u /* halves nested in waits; then it only sleeps */

/*
 * note: join. While `a` runs everything it forks is joined, so when it has ended the owner's deque
 * of halves is again as it was after the push: our half on top, or thieves have taken it, and since
 * they take the oldest first, all below it too. Hence a pop yields our half or nothing, and a
 * waiter has no older work of its own. A thief begins with an empty deque of halves for the same
 * reason.
 *
 * Spawned tasks lie in a deque of their own: a join never runs one.
 */

/*
 * note: leapfrog (D. Wagner, B. Calder, PPoPP 1993). Who waits for a stolen half `f` helps along
 * nothing but f: it takes what was forked inside f, from the worker T that runs it, or when T
 * itself waits for a half c forked inside f, from c's thief, and so on. Then
 * - the stack is bounded: each half that is run in a wait lies deeper in the tree of forks than the
 *   one waited for, so all frames of a thread are at ascending depths of one tree, as if it had run
 *   alone;
 * - no lock or other thing that the waiter's callers hold can be asked for by a stranger;
 * - waits never form a ring: each is for a descendant.
 *
 * Why what is taken lies inside f. S is the order of the seq_cst operations. The waiter does
 *   L1 mark V's deque   L2 V serves job?   L3 for each hop back: its awaits, its serves   L4 take
 * and a worker that ends a stolen half does
 *   E1 serves = outer   E2 latch   E3 deque_skip()   E4 anything else
 * L4 succeeds only if no E3 came after L1. If V serves `job` at L2, then V's end of it has E1 after
 * L2, so E3 after L1: L4 fails, or V has not begun anything else, and all in its deque was forked
 * inside `job`. The same holds at each hop: U awaits `job` at L3 while V still serves it until L4,
 * so U is stuck in that wait, inside of what it serves. At the first hop `job` is f, which is alive
 * because its owner is the waiter. Addresses of jobs are compared, never followed: they may be
 * gone.
 */

/* chain[i] serves jobs[i], and awaits jobs[i + 1] from chain[i + 1]. */
static bool
still_serve(struct worker *const *chain, struct fork *const *jobs, unsigned n)
{
	for (unsigned i = n; i-- > 0;) {
		if (i + 1 < n && load_sc(&chain[i]->awaits) != jobs[i + 1])
			return false;
		if (load_sc(&chain[i]->serves) != jobs[i])
			return false;
	}
	return true;
}

static struct fork *
leap(struct worker *w, struct fork *f)
{
	struct worker *chain[LEAP_HOPS], *v = load_sc(&f->thief);
	struct fork *jobs[LEAP_HOPS], *job = f, *got;

	for (unsigned n = 0; n < LEAP_HOPS && v && job; n++) {
		struct deque *d = &v->forks[w->cls];
		int64_t mark = deque_mark(d); /* L1 */

		chain[n] = v;
		jobs[n] = job;
		if (!still_serve(chain, jobs, n + 1)) /* L2, L3 */
			return NULL;
		got = deque_steal_at(d, mark); /* L4 */
		if (got)
			return got;
		job = load_sc(&v->awaits);
		v = load_sc(&v->awaits_from);
	}
	return NULL;
}

void
fork_run(struct worker *w, struct fork *f)
{
	struct fork *outer = load_rlx(&w->serves);
	struct worker *owner = f->owner;

	worker_count(&w->n_stolen);
	store_sc(&w->serves, f);
	store_sc(&f->thief, w);
	f->result = f->fn(f->arg, true);
	lock_assert_none();
	store_sc(&w->serves, outer);                       /* E1 */
	if (swap_ar(&f->latch, LATCH_SET) == LATCH_ASLEEP) /* E2; f is gone now */
		sleeper_wake(&owner->sleeper);
	deque_skip(w->forking); /* E3 */
}

/* Sleep until the latch is set, or the thief forks something. The latch goes back to OPEN, so that
 * it is set without a system call while its owner is awake. */
static void
sleep_on(struct worker *w, struct fork *f)
{
	struct pool_sleep *ps = &w->pool->sleep;
	struct worker *thief = load_sc(&f->thief);
	uint32_t seen = LATCH_OPEN;

	if (thief)
		pool_watch_begin(ps, &w->sleeper, &thief->sleeper);
	if (cas_ar(&f->latch, &seen, LATCH_ASLEEP)) {
		if (!thief || deque_len(&thief->forks[w->cls]) == 0) {
			worker_count(&w->n_sleeps);
			sleeper_park(&w->sleeper);
		}
		seen = LATCH_ASLEEP;
		(void)cas_ar(&f->latch, &seen, LATCH_OPEN);
	}
	if (thief)
		pool_watch_end(ps, &w->sleeper, &thief->sleeper);
}

static void
await(struct worker *w, struct fork *f)
{
	store_sc(&w->awaits_from, load_sc(&f->thief));
	store_sc(&w->awaits, f);
}

static void
run_leapt(struct worker *w, struct fork *f, struct fork *got)
{
	store_sc(&w->awaits, NULL);
	w->n_leaps++;
	fork_run(w, got);
	w->n_leaps--;
	await(w, f);
}

/* The half was stolen. Out of line, as all that pool_join() seldom does: its frame is a recursion's
 * and its few registers are saved on each call. */
NOINLINE static int
wait_stolen(struct worker *w, struct fork *f)
{
	unsigned n_looks = 0;

	await(w, f);
	while (load_acq(&f->latch) != LATCH_SET) {
		struct fork *got = w->n_leaps < LEAP_DEPTH ? leap(w, f) : NULL;

		if (got) {
			run_leapt(w, f, got);
			n_looks = 0;
		} else if (!pool_spin(w->pool, n_looks++)) {
			sleep_on(w, f);
			await(w, f);
		}
	}
	store_sc(&w->awaits, NULL);
	return f->result;
}

static int
first_failure(int a, int b)
{
	return a ? a : b;
}

NOINLINE static int
join_serially(join_fn a, void *arg_a, join_fn b, void *arg_b)
{
	int r = a(arg_a, false);

	return first_failure(r, b(arg_b, false));
}

struct outside {
	struct pool *pool;
	join_fn a, b;
	void *arg_a, *arg_b;
};

static int
join_inside(void *arg)
{
	struct outside *o = arg;

	return pool_join(o->pool, o->a, o->arg_a, o->b, o->arg_b);
}

NOINLINE static int
join_from_outside(struct pool *p, join_fn a, void *arg_a, join_fn b, void *arg_b)
{
	struct outside o = {p, a, b, arg_a, arg_b};
	int r;

	if (pool_run_elsewhere(p, TASK_QUERY, join_inside, &o, &r) < 0)
		return join_serially(a, arg_a, b, arg_b);
	return r;
}

NOINLINE static void
wake_thieves(struct worker *w)
{
	if (load_rlx(&w->sleeper.n_watchers) > 0)
		pool_watch_wake(&w->pool->sleep, &w->sleeper);
	pool_sleep_notify(&w->pool->sleep);
}

/* A push that fails, for want of memory or because a recursion this deep has enough halves waiting,
 * costs parallelism and nothing else. */
int
pool_join(struct pool *p, join_fn a, void *arg_a, join_fn b, void *arg_b)
{
	struct worker *w = worker_self;
	struct fork f;
	int r;

	if (UNLIKELY(!w || w->pool != p))
		return join_from_outside(p, a, arg_a, b, arg_b);
	lock_assert_none();
	f.fn = b;
	f.arg = arg_b;
	f.owner = w;
	store_rlx(&f.thief, NULL);
	store_rlx(&f.latch, LATCH_OPEN);
	if (UNLIKELY(deque_push(w->forking, &f) < 0))
		return join_serially(a, arg_a, b, arg_b);
	if (UNLIKELY(load_rlx(&p->sleep.n_idle) + load_rlx(&w->sleeper.n_watchers) > 0))
		wake_thieves(w);
	r = a(arg_a, false);
	if (LIKELY(deque_pop(w->forking) != NULL))
		return first_failure(r, b(arg_b, false));
	return first_failure(r, wait_stolen(w, &f));
}
