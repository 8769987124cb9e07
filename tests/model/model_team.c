/* What hangs on a pool, and the protocols inside of it, each apart from the rest: whole pools
 * (model_pool.c) are too large to be explored with more than one or two preemptions. */
#include "model.h"

#include <string.h>

#include "sync/join.h"
#include "sync/par_team.h"
#include "sync/thread.h"

static struct pool_sleep sleepers;
static struct sleeper beds[2];
static _Atomic uint32_t n_ready; /* work: N1 and W2 of note: pool sleep */

static bool
take(void)
{
	uint32_t seen = load_sc(&n_ready);

	while (seen > 0) {
		if (cas_sc(&n_ready, &seen, seen - 1))
			return true;
	}
	return false;
}

/* As search() and nap() of worker.c, for one piece of work. */
static int
find_one(void *arg)
{
	struct sleeper *bed = arg;

	pool_search_begin(&sleepers);
	while (!take()) {
		pool_sleep_begin(&sleepers, bed);
		if (load_sc(&n_ready) == 0)
			sleeper_park(bed);
		pool_sleep_end(&sleepers, bed);
	}
	if (pool_search_end(&sleepers) && load_sc(&n_ready) > 0)
		pool_sleep_notify(&sleepers);
	return 0;
}

static int
bring(void *arg)
{
	(void)arg;
	(void)add_sc(&n_ready, 1); /* N1 */
	pool_sleep_notify(&sleepers);
	return 0;
}

static void
begin_sleepers(void)
{
	pool_sleep_init(&sleepers);
	sleeper_init(&beds[0]);
	sleeper_init(&beds[1]);
}

static void
one_sleeps(void)
{
	struct thread t;

	begin_sleepers();
	CHECK_MODEL(thread_start(&t, "worker", find_one, &beds[0]) == 0);
	(void)bring(NULL);
	(void)thread_join(&t);
	CHECK_MODEL(sleepers.n_idle == 0 && sleepers.n_searching == 0);
}

static void
two_sleep(void)
{
	struct thread t[2];

	begin_sleepers();
	CHECK_MODEL(thread_start(&t[0], "worker 1", find_one, &beds[0]) == 0);
	CHECK_MODEL(thread_start(&t[1], "worker 2", find_one, &beds[1]) == 0);
	(void)bring(NULL);
	(void)bring(NULL);
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	CHECK_MODEL(sleepers.n_idle == 0 && sleepers.n_searching == 0);
}

/* The last searcher finds work that was left to it twice, and forgets to pass the duty on. */
static int
find_and_forget(void *arg)
{
	struct sleeper *bed = arg;

	pool_search_begin(&sleepers);
	while (!take()) {
		pool_sleep_begin(&sleepers, bed);
		if (load_sc(&n_ready) == 0)
			sleeper_park(bed);
		pool_sleep_end(&sleepers, bed);
	}
	(void)pool_search_end(&sleepers);
	return 0;
}

static void
duty_forgotten(void)
{
	struct thread t[2];

	begin_sleepers();
	CHECK_MODEL(thread_start(&t[0], "worker 1", find_and_forget, &beds[0]) == 0);
	CHECK_MODEL(thread_start(&t[1], "worker 2", find_and_forget, &beds[1]) == 0);
	(void)bring(NULL);
	(void)bring(NULL);
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
}

/* A join with one thief: a pool of two workers without its threads. This thread is the first, and
 * forks; the other only steals. */
static struct pool *pool;
static uint32_t halves[4];

static int
half(void *arg, bool stolen)
{
	uint32_t *n = arg;

	(void)stolen;
	++*n;
	return 0;
}

static int
fork_again(void *arg, bool stolen)
{
	(void)arg;
	(void)stolen;
	return pool_join(pool, half, &halves[2], half, &halves[3]);
}

static int
steal(void *arg)
{
	struct worker *w = &pool->workers[1];
	struct fork *f = deque_steal(&pool->workers[0].forks[TASK_QUERY]);

	(void)arg;
	worker_self = w;
	if (f)
		fork_run(w, f);
	return 0;
}

static void
join_with(join_fn a, join_fn b)
{
	struct worker *workers = aligned_alloc(CACHELINE, 2 * sizeof(*workers));
	struct thread t;

	memset(workers, 0, 2 * sizeof(*workers));
	pool = calloc(1, sizeof(*pool));
	pool->workers = workers;
	pool->n_threads = 2;
	pool_sleep_init(&pool->sleep);
	injector_init(&pool->injector);
	for (unsigned i = 0; i < 2; i++)
		CHECK_MODEL(worker_init(&workers[i], pool, i) == 0);
	worker_self = &workers[0];
	CHECK_MODEL(thread_start(&t, "thief", steal, NULL) == 0);
	CHECK_MODEL(pool_join(pool, a, &halves[0], b, &halves[1]) == 0);
	CHECK_MODEL(b == fork_again ? halves[2] == 1 && halves[3] == 1 : halves[1] == 1);
	(void)thread_join(&t);
	worker_self = NULL;
	for (unsigned i = 0; i < 2; i++)
		worker_fini(&workers[i]);
	free(workers);
	free(pool);
}

static void
join_one_thief(void)
{
	join_with(half, half);
}

/* The stolen half forks itself: who waits for it may take the inner half (note: leapfrog), and is
 * woken for that. */
static void
join_leapfrog(void)
{
	join_with(half, fork_again);
}

/* At most one task of the share at a time; its memory goes as soon as the last slot is back. */
static struct pool_share *share;
static _Atomic uint32_t n_in;   /* relaxed: a CHECK of its own */
static _Atomic uint32_t n_left; /* release, acquired by who waits for both tasks */

struct job {
	struct task task;
};

static void
run_in_share(struct task *t)
{
	(void)t;
	CHECK_MODEL(add_rlx(&n_in, 1) == 0);
	(void)sub_rlx(&n_in, 1);
	(void)add_rel(&n_left, 1);
}

static void
shares_with(unsigned n_threads)
{
	struct job jobs[2] = {{.task.run = run_in_share}, {.task.run = run_in_share}};
	struct pool *p;

	CHECK_MODEL(pool_create("worker", n_threads, &p) == 0);
	share = malloc(sizeof(*share));
	pool_share_init(share, 1);
	for (int i = 0; i < 2; i++)
		CHECK_MODEL(pool_submit_share(p, &jobs[i].task, TASK_INDEX, share) == 0);
	while (load_acq(&n_left) < 2)
		cpu_pause();
	pool_share_fini(share);
	free(share);
	pool_destroy(p);
}

static void
share_one_worker(void)
{
	shares_with(1);
}

static void
share_two_workers(void)
{
	shares_with(2);
}

/* The door of a parallel call: what helpers wrote is seen once it is closed, none comes in later.
 */
static uint32_t *inside;

static void
help(void *arg, unsigned worker)
{
	uint32_t **n = arg;

	CHECK_MODEL(worker == 1);
	++**n;
}

static void
door(void)
{
	struct pool *p;
	struct team *t;

	CHECK_MODEL(pool_create("worker", 1, &p) == 0);
	inside = calloc(1, sizeof(*inside));
	t = team_create(p, TASK_QUERY, 1, help, &inside);
	CHECK_MODEL(t && team_invite(t));
	(void)team_invite(t); /* again, when the first has left */
	team_close(t);
	CHECK_MODEL(*inside <= 2);
	free(inside);
	pool_destroy(p);
}

#define WEAKENED(model, func_, expr_, order_)                                           \
	.name = #model ", " func_ " " expr_ " " #order_, .body = (model), .preempt = 2, \
	.stale = 2, .weaken = {{func_, expr_, memory_order_##order_}}

static const struct model models[] = {
	{.name = "one_sleeps", .body = one_sleeps, .preempt = 4, .preempt_long = 6},
	{.name = "two_sleep", .body = two_sleep, .preempt = 2, .preempt_long = 3},
	{.name = "duty_forgotten", .body = duty_forgotten, .preempt = 2, .fails = "asleep"},
	{.name = "join_one_thief", .body = join_one_thief, .preempt = 4, .preempt_long = 6},
	{.name = "join_leapfrog", .body = join_leapfrog, .preempt = 3, .preempt_long = 4},
	{.name = "share_one_worker", .body = share_one_worker, .preempt = 2, .preempt_long = 3},
	{.name = "share_two_workers", .body = share_two_workers, .preempt = 1, .preempt_long = 2},
	{.name = "door", .body = door, .preempt = 2, .preempt_long = 3},
	{WEAKENED(one_sleeps, "pool_sleep_begin", "n_idle", acq_rel), .fails = "asleep"},
	{WEAKENED(one_sleeps, "pool_sleep_begin", "n_searching", acq_rel), .fails = "asleep"},
	{WEAKENED(one_sleeps, "pool_sleep_notify", "n_idle", acquire), .fails = "asleep"},
	{WEAKENED(one_sleeps, "pool_sleep_notify", "n_searching", acquire), .fails = "asleep"},
	{WEAKENED(one_sleeps, "bring", "n_ready", acq_rel), .fails = "asleep"},
	{WEAKENED(one_sleeps, "find_one", "n_ready", acquire), .fails = "asleep"},
	{WEAKENED(two_sleep, "pool_search_end", "n_searching", acq_rel), .fails = "asleep"},
	{WEAKENED(join_one_thief, "fork_run", "latch", relaxed), .fails = "data race"},
	{WEAKENED(join_one_thief, "wait_stolen", "latch", relaxed), .fails = "data race"},
	{WEAKENED(share_one_worker, "pool_share_fini", "n_running", relaxed), .fails = "data race"},
	{WEAKENED(share_one_worker, "injector_leave_share", "n_running", relaxed),
		.fails = "data race"},
	{WEAKENED(share_one_worker, "pool_sleep_wake_all", "n_idle", acquire), .fails = "asleep"},
	{WEAKENED(share_one_worker, "nap", "closed", acquire), .fails = "asleep"},
	{WEAKENED(door, "door_leave", "door", relaxed), .fails = "data race"},
	{WEAKENED(door, "team_close", "door", relaxed), .fails = "data race"},
	{WEAKENED(door, "team_put", "refs", relaxed), .fails = "data race"},
};

MODEL_MAIN(models)
