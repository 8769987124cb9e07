#include "test.h"

#include <errno.h>
#include <sched.h>

#include "sync/park.h"
#include "sync/pool.h"
#include "sync/thread.h"

/* What became of a task. Each is touched by one of the two only, which the counts show. */
struct fate {
	struct task task;
	struct pool *pool;
	_Atomic uint32_t n_run, n_dropped;
	/* The next ones, spawned when this is run. */
	struct fate *children;
	unsigned n_children;
};

static void
fate_run(struct task *t)
{
	struct fate *f = CONTAINER_OF(t, struct fate, task);

	(void)add_rlx(&f->n_run, 1);
	for (unsigned i = 0; i < f->n_children; i++) {
		struct fate *child = &f->children[i];

		*child = (struct fate){.task.run = fate_run, .pool = f->pool};
		if (pool_spawn(f->pool, &child->task, i % N_TASK_CLASSES) < 0)
			(void)add_rlx(&child->n_dropped, 1); /* refused counts as dropped */
	}
}

static void
fate_drop(struct task *t)
{
	(void)add_rlx(&CONTAINER_OF(t, struct fate, task)->n_dropped, 1);
}

#define CHILDREN 8u

struct crowd {
	struct fate *fates, *children;
	size_t n;
	struct pool_share share;
};

static void
crowd_init(struct crowd *c, struct pool *p, size_t n)
{
	*c = (struct crowd){
		.fates = calloc(n, sizeof(c->fates[0])),
		.children = calloc(n * CHILDREN, sizeof(c->children[0])),
		.n = n,
	};
	pool_share_init(&c->share, 2);
	for (size_t i = 0; i < n; i++)
		c->fates[i] = (struct fate){.task.run = fate_run,
			.pool = p,
			.children = &c->children[i * CHILDREN],
			.n_children = i % 3 ? 0 : CHILDREN};
}

/* Some in a share, of both classes; how many the pool took. */
static size_t
crowd_submit(struct crowd *c, struct pool *p)
{
	size_t n = 0;

	for (; n < c->n; n++) {
		struct pool_share *share = n % 5 == 0 ? &c->share : NULL;
		int r = pool_submit_share(p, &c->fates[n].task, n % N_TASK_CLASSES, share);

		if (r < 0) {
			CHECK_INT(r, -EPIPE);
			break;
		}
	}
	return n;
}

static void
check_once(const struct fate *f)
{
	CHECK_INT(load_rlx(&f->n_run) + load_rlx(&f->n_dropped), 1);
}

/* The first `n` had one end each, the rest none. */
static void
crowd_fini(struct crowd *c, size_t n)
{
	pool_share_fini(&c->share);
	for (size_t i = 0; i < c->n; i++) {
		struct fate *f = &c->fates[i];

		if (i >= n) {
			CHECK_INT(load_rlx(&f->n_run) + load_rlx(&f->n_dropped), 0);
			continue;
		}
		check_once(f);
		for (unsigned k = 0; k < f->n_children && load_rlx(&f->n_run); k++)
			check_once(&f->children[k]);
	}
	free(c->fates);
	free(c->children);
}

TEST(pool_end, what_was_submitted_runs_before_destroy_returns)
{
	for (unsigned long i = test_scale(5000); i > 0; i--) {
		struct crowd c;
		struct pool *p;

		CHECK_INT(pool_create("test", i % 5 + 1, &p), 0);
		crowd_init(&c, p, 200);
		CHECK_INT(crowd_submit(&c, p), c.n);
		pool_destroy(p);
		for (size_t k = 0; k < c.n; k++)
			CHECK_INT(load_rlx(&c.fates[k].n_run), 1);
		crowd_fini(&c, c.n);
	}
}

TEST(pool_end, cancel_runs_or_drops_every_task_once)
{
	for (unsigned long i = test_scale(10000) + 10; i > 0; i--) {
		struct crowd c;
		struct pool *p;

		CHECK_INT(pool_create("test", i % 5 + 1, &p), 0);
		crowd_init(&c, p, 200);
		CHECK_INT(crowd_submit(&c, p), c.n);
		for (unsigned long k = i % 7; k > 0; k--)
			sched_yield();
		pool_cancel(p, fate_drop);
		pool_destroy(p);
		crowd_fini(&c, c.n);
	}
}

struct ending {
	struct pool *pool;
	unsigned long yields;
	bool cancel;
};

static int
end_soon(void *arg)
{
	struct ending *e = arg;

	for (unsigned long k = e->yields; k > 0; k--)
		sched_yield();
	if (e->cancel)
		pool_cancel(e->pool, fate_drop);
	else
		pool_close(e->pool);
	return 0;
}

/* One thread submits, one ends the pool, at any moment of that; then it is destroyed. */
TEST(pool_end, a_pool_may_be_closed_or_canceled_in_the_middle_of_everything)
{
	for (unsigned long i = test_scale(10000) + 10; i > 0; i--) {
		struct ending e = {.yields = i % 11, .cancel = i % 2};
		struct thread thread;
		struct crowd c;
		size_t n;

		CHECK_INT(pool_create("test", i % 4 + 1, &e.pool), 0);
		crowd_init(&c, e.pool, 300);
		CHECK_INT(thread_start(&thread, "ender", end_soon, &e), 0);
		n = crowd_submit(&c, e.pool);
		CHECK_INT(thread_join(&thread), 0);
		pool_destroy(e.pool);
		crowd_fini(&c, n);
	}
}

/* A task that stays until it is let go. */
struct gate {
	struct task task;
	_Atomic uint32_t reached, open;
};

static void
gate_run(struct task *t)
{
	struct gate *g = CONTAINER_OF(t, struct gate, task);

	store_rel(&g->reached, 1);
	park_wake(&g->reached, 1);
	while (!load_acq(&g->open))
		(void)park_wait(&g->open, 0, USEC_NEVER);
}

static void
gate_hold(struct gate *g, struct pool *p, struct pool_share *share)
{
	*g = (struct gate){.task.run = gate_run};
	CHECK_INT(pool_submit_share(p, &g->task, TASK_QUERY, share), 0);
	while (!load_acq(&g->reached))
		(void)park_wait(&g->reached, 0, USEC_NEVER);
}

static void
gate_open(struct gate *g)
{
	store_rel(&g->open, 1);
	park_wake(&g->open, 1);
}

TEST(pool_end, cancel_drops_at_once_what_waits_behind_a_task_that_hangs)
{
	struct pool_share share;
	struct crowd c;
	struct gate g;
	struct pool *p;

	pool_share_init(&share, 1);
	CHECK_INT(pool_create("test", 1, &p), 0);
	crowd_init(&c, p, 100);
	gate_hold(&g, p, &share);
	CHECK_INT(crowd_submit(&c, p), c.n);
	pool_cancel(p, fate_drop);
	for (size_t i = 0; i < c.n; i++)
		CHECK_INT(load_rlx(&c.fates[i].n_dropped), 1);
	CHECK_INT(pool_wait_until(p, clock_deadline(1000)), -ETIMEDOUT);
	gate_open(&g);
	CHECK_INT(pool_wait_until(p, USEC_NEVER), 0);
	CHECK_INT(pool_wait_until(p, 0), 0);
	pool_destroy(p);
	crowd_fini(&c, c.n);
	pool_share_fini(&share);
}

static int
return_seven(void *arg)
{
	(void)arg;
	return 7;
}

static int
run_seven(void *arg)
{
	return pool_run(arg, TASK_INDEX, return_seven, NULL);
}

TEST(pool_end, who_waits_for_a_canceled_run_is_told)
{
	struct thread thread;
	struct pool_stats s;
	struct gate g;
	struct pool *p;

	CHECK_INT(pool_create("test", 1, &p), 0);
	CHECK_INT(pool_run(p, TASK_QUERY, return_seven, NULL), 7);
	gate_hold(&g, p, NULL);
	CHECK_INT(thread_start(&thread, "waiter", run_seven, p), 0);
	do {
		sched_yield();
		pool_get_stats(p, &s);
	} while (s.n_waiting == 0);
	pool_cancel(p, NULL);
	CHECK_INT(thread_join(&thread), -ECANCELED);
	CHECK_INT(pool_run(p, TASK_QUERY, return_seven, NULL), -EPIPE);
	gate_open(&g);
	pool_destroy(p);
}

struct hooks {
	_Atomic unsigned n_started, n_exited, n_destroyed;
	_Atomic bool wrong;
};

static pthread_key_t key;

static void
count_destroyed(void *arg)
{
	(void)add_rlx(&((struct hooks *)arg)->n_destroyed, 1);
}

static void
hook_start(void *ctx, unsigned worker)
{
	if (pool_worker() != worker || !pool_current() || pthread_setspecific(key, ctx) != 0)
		store_rlx(&((struct hooks *)ctx)->wrong, true);
	(void)add_rlx(&((struct hooks *)ctx)->n_started, 1);
}

static void
hook_exit(void *ctx, unsigned worker)
{
	if (pool_worker() != worker || pthread_getspecific(key) != ctx)
		store_rlx(&((struct hooks *)ctx)->wrong, true);
	(void)add_rlx(&((struct hooks *)ctx)->n_exited, 1);
}

TEST(pool_end, hooks_and_destructors_of_thread_data_run_on_every_worker)
{
	struct hooks h = {0};
	struct pool_opts opts = {.name = "test",
		.n_threads = 5,
		.on_start = hook_start,
		.on_exit = hook_exit,
		.ctx = &h};
	struct pool *p;

	CHECK_INT(pthread_key_create(&key, count_destroyed), 0);
	CHECK_INT(pool_create_with(&opts, &p), 0);
	pool_destroy(p);
	CHECK_INT(h.n_started, 5);
	CHECK_INT(h.n_exited, 5);
	CHECK_INT(h.n_destroyed, 5);
	CHECK(!h.wrong);
	CHECK_INT(pthread_key_delete(key), 0);
}

TEST(pool_end, threads_that_cannot_be_made_leave_nothing_behind)
{
	struct pool_opts opts = {.name = "test", .n_threads = 4, .stack_bytes = SIZE_MAX / 4};
	struct pool *p = NULL;

	CHECK(pool_create_with(&opts, &p) < 0);
	CHECK(p == NULL);
}

/* Pools come and go on several threads at once. */
static int
storm(void *arg)
{
	for (unsigned long i = *(unsigned long *)arg; i > 0; i--) {
		struct crowd c;
		struct pool *p;

		CHECK_INT(pool_create("storm", i % 3 + 1, &p), 0);
		crowd_init(&c, p, i % 40);
		CHECK_INT(crowd_submit(&c, p), c.n);
		if (i % 3 == 0)
			pool_cancel(p, fate_drop);
		if (i % 3 == 1)
			pool_close(p);
		pool_destroy(p);
		crowd_fini(&c, c.n);
	}
	return 0;
}

TEST(pool_end, storms_of_pools_leave_nothing)
{
	unsigned long n = test_scale(10000) + 5;
	struct thread threads[4];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(thread_start(&threads[i], "storm", storm, &n), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(thread_join(&threads[i]), 0);
}

TEST(pool_end, the_default_pool_is_made_once_and_can_be_ended)
{
	struct pool *p = pool_default();

	CHECK(p != NULL);
	CHECK(pool_default() == p);
	CHECK_INT(pool_threads(p), thread_cpus());
	CHECK_INT(pool_run(p, TASK_QUERY, return_seven, NULL), 7);
	pool_default_destroy();
	pool_default_destroy();
}
