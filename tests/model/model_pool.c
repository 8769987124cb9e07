/* The pool: what is submitted runs, a join has both halves, and no worker sleeps over work. */
#include "model.h"

#include <errno.h>

#include "sync/pool.h"
#include "sync/thread.h"

#define N_TASKS 2u

struct job {
	struct task task;
	uint32_t n_run;
};

static struct job jobs[N_TASKS];

static void
run_job(struct task *t)
{
	CONTAINER_OF(t, struct job, task)->n_run++;
}

static struct pool *
create(unsigned n)
{
	struct pool *p;

	for (unsigned i = 0; i < N_TASKS; i++)
		jobs[i].task.run = run_job;
	CHECK_MODEL(pool_create("worker", n, &p) == 0);
	return p;
}

static void
check_jobs(uint32_t n)
{
	uint32_t n_run = 0;

	for (unsigned i = 0; i < N_TASKS; i++)
		n_run += jobs[i].n_run;
	CHECK_MODEL(n_run == n);
}

static void
one_worker(void)
{
	struct pool *p = create(1);

	CHECK_MODEL(pool_submit(p, &jobs[0].task, TASK_INDEX) == 0);
	CHECK_MODEL(pool_submit(p, &jobs[1].task, TASK_QUERY) == 0);
	pool_destroy(p);
	check_jobs(2);
}

static void
two_workers(void)
{
	struct pool *p = create(2);

	CHECK_MODEL(pool_submit(p, &jobs[0].task, TASK_INDEX) == 0);
	CHECK_MODEL(pool_submit(p, &jobs[1].task, TASK_INDEX) == 0);
	pool_destroy(p);
	check_jobs(2);
}

/* Waits for a task that nobody else will announce again: a lost wake-up is all asleep. */
static int
return_five(void *arg)
{
	(void)arg;
	return 5;
}

static void
run_and_wait(void)
{
	struct pool *p = create(2);

	CHECK_MODEL(pool_run(p, TASK_QUERY, return_five, NULL) == 5);
	CHECK_MODEL(pool_submit(p, &jobs[0].task, TASK_INDEX) == 0);
	CHECK_MODEL(pool_run(p, TASK_QUERY, return_five, NULL) == 5);
	pool_destroy(p);
	check_jobs(1);
}

static int
half(void *arg, bool stolen)
{
	uint32_t *n = arg;

	(void)stolen;
	++*n;
	return 0;
}

static uint32_t halves[4];

static int
fork_again(void *arg, bool stolen)
{
	(void)arg;
	(void)stolen;
	return pool_join(pool_current(), half, &halves[2], half, &halves[3]);
}

static void
join(void)
{
	struct pool *p = create(2);

	CHECK_MODEL(pool_join(p, half, &halves[0], half, &halves[1]) == 0);
	CHECK_MODEL(halves[0] == 1 && halves[1] == 1);
	pool_destroy(p);
}

static void
join_nested(void)
{
	struct pool *p = create(2);

	CHECK_MODEL(pool_join(p, fork_again, NULL, half, &halves[1]) == 0);
	CHECK_MODEL(halves[1] == 1 && halves[2] == 1 && halves[3] == 1);
	pool_destroy(p);
}

static void
drop_job(struct task *t)
{
	CONTAINER_OF(t, struct job, task)->n_run++;
}

static void
cancel(void)
{
	struct pool *p = create(1);

	CHECK_MODEL(pool_submit(p, &jobs[0].task, TASK_INDEX) == 0);
	CHECK_MODEL(pool_submit(p, &jobs[1].task, TASK_INDEX) == 0);
	pool_cancel(p, drop_job);
	CHECK_MODEL(pool_wait_until(p, USEC_NEVER) == 0);
	pool_destroy(p);
	check_jobs(2);
}

#define WEAKENED(model, func_, expr_, order_)                                           \
	.name = #model ", " func_ " " expr_ " " #order_, .body = (model), .preempt = 2, \
	.weaken = {{func_, expr_, memory_order_##order_}}

static const struct model models[] = {
	{.name = "one_worker", .body = one_worker, .preempt = 2, .preempt_long = 3},
	{.name = "two_workers", .body = two_workers, .preempt = 2, .preempt_long = 3},
	{.name = "run_and_wait", .body = run_and_wait, .preempt = 2, .preempt_long = 3},
	{.name = "join", .body = join, .preempt = 2, .preempt_long = 3},
	{.name = "join_nested", .body = join_nested, .preempt = 2, .preempt_long = 3},
	{.name = "cancel", .body = cancel, .preempt = 2, .preempt_long = 3},
	{WEAKENED(join, "fork_run", "latch", relaxed), .fails = "data race"},
	{WEAKENED(join, "injector_close", "closed", release), .fails = "asleep"},
	{WEAKENED(run_and_wait, "pool_sleep_notify", "n_idle", acquire), .fails = "asleep"},
};

MODEL_MAIN(models)
