#include "test.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

#include "sync/chan.h"
#include "sync/pool.h"

struct counted {
	struct task task;
	_Atomic uint64_t *n;
};

static void
count_run(struct task *t)
{
	(void)add_rlx(CONTAINER_OF(t, struct counted, task)->n, 1);
}

TEST(pool, every_task_runs_once_before_destroy_returns)
{
	uint64_t n_tasks = test_scale(5000000);
	struct counted *tasks = calloc(n_tasks, sizeof(*tasks));
	_Atomic uint64_t n = 0;
	struct pool *p;

	CHECK_INT(pool_create("test", 3, &p), 0);
	CHECK_INT(pool_threads(p), 3);
	for (uint64_t i = 0; i < n_tasks; i++) {
		tasks[i] = (struct counted){.task.run = count_run, .n = &n};
		CHECK_INT(pool_submit(p, &tasks[i].task, i % N_TASK_CLASSES), 0);
	}
	pool_destroy(p);
	CHECK_INT(n, n_tasks);
	free(tasks);
	pool_destroy(NULL);
}

TEST(pool, a_closed_pool_refuses_tasks)
{
	_Atomic uint64_t n = 0;
	struct counted t = {.task.run = count_run, .n = &n};
	struct pool *p;

	CHECK_INT(pool_create("test", 0, &p), 0);
	CHECK(pool_threads(p) >= 1);
	pool_close(p);
	CHECK_INT(pool_submit(p, &t.task, TASK_QUERY), -EPIPE);
	pool_destroy(p);
	CHECK_INT(n, 0);
}

/* A worker is held at a gate while tasks of both classes queue up; their order is then the pool's.
 */
struct gate {
	struct task task;
	struct chan *open;
	_Atomic unsigned reached;
};

static void
wait_at_gate(struct task *t)
{
	struct gate *g = CONTAINER_OF(t, struct gate, task);
	void *item;

	store_rel(&g->reached, 1);
	(void)chan_recv(g->open, &item, NULL);
}

static void
hold_worker(struct pool *p, struct gate *g)
{
	*g = (struct gate){.task.run = wait_at_gate, .open = chan_create(2, NULL)};
	CHECK_INT(pool_submit(p, &g->task, TASK_QUERY), 0);
	while (!load_acq(&g->reached))
		sched_yield();
}

struct noted {
	struct task task;
	char letter;
};

static char order[256];
static unsigned n_order; /* one worker writes */

static void
note_order(struct task *t)
{
	order[n_order++] = CONTAINER_OF(t, struct noted, task)->letter;
}

TEST(pool, queries_overtake_but_do_not_starve_indexing)
{
	struct noted queries[100], index[2];
	struct pool_stats stats;
	struct pool *p;
	struct gate g;

	CHECK_INT(pool_create("test", 1, &p), 0);
	hold_worker(p, &g);
	CHECK(!pool_should_yield(p, TASK_INDEX));
	for (size_t i = 0; i < ARRAY_LEN(index); i++) {
		index[i] = (struct noted){.task.run = note_order, .letter = (char)('0' + i)};
		CHECK_INT(pool_submit(p, &index[i].task, TASK_INDEX), 0);
	}
	CHECK(!pool_should_yield(p, TASK_INDEX));
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		queries[i] = (struct noted){.task.run = note_order, .letter = 'q'};
		CHECK_INT(pool_submit(p, &queries[i].task, TASK_QUERY), 0);
	}
	CHECK(pool_should_yield(p, TASK_INDEX));
	CHECK(!pool_should_yield(p, TASK_QUERY));
	CHECK_INT(pool_n_waiting(p, TASK_QUERY), ARRAY_LEN(queries));
	pool_get_stats(p, &stats);
	CHECK_INT(stats.n_waiting, 102);
	CHECK_INT(stats.n_busy, 1);
	chan_close(g.open);
	pool_destroy(p);
	CHECK_INT(n_order, 102);
	CHECK_INT(order[64], '0');
	CHECK_INT(order[101], '1');
	for (int i = 0; i < 64; i++)
		CHECK_INT(order[i], 'q');
	chan_destroy(g.open);
}

/* A task that submits itself again. */
struct again {
	struct task task;
	struct pool *pool;
	_Atomic uint64_t left;
};

static void
run_again(struct task *t)
{
	struct again *a = CONTAINER_OF(t, struct again, task);

	if (sub_rlx(&a->left, 1) > 1)
		CHECK_INT(pool_submit(a->pool, &a->task, TASK_INDEX), 0);
}

TEST(pool, a_task_may_submit_itself_again)
{
	struct again a = {.task.run = run_again, .left = test_scale(2000000)};

	CHECK_INT(pool_create("test", 2, &a.pool), 0);
	CHECK_INT(pool_submit(a.pool, &a.task, TASK_INDEX), 0);
	while (load_rlx(&a.left) > 0)
		sched_yield();
	pool_destroy(a.pool);
}

static void
free_itself(struct task *t)
{
	free(CONTAINER_OF(t, struct counted, task));
}

TEST(pool, a_task_may_free_itself)
{
	struct pool *p;

	CHECK_INT(pool_create("test", 2, &p), 0);
	for (int i = 0; i < 1000; i++) {
		struct counted *c = malloc(sizeof(*c));

		*c = (struct counted){.task.run = free_itself};
		CHECK_INT(pool_submit(p, &c->task, TASK_QUERY), 0);
	}
	pool_destroy(p);
}

TEST(pool, an_idle_pool_uses_no_cpu)
{
	struct chan *c = chan_create(2, NULL);
	struct rusage before, after;
	struct pool *p;
	void *item;

	CHECK_INT(pool_create("test", 8, &p), 0);
	CHECK_INT(chan_recv_until(c, &item, NULL, clock_deadline(50000)), -ETIMEDOUT);
	CHECK_INT(getrusage(RUSAGE_SELF, &before), 0);
	CHECK_INT(chan_recv_until(c, &item, NULL, clock_deadline(200000)), -ETIMEDOUT);
	CHECK_INT(getrusage(RUSAGE_SELF, &after), 0);
	CHECK(after.ru_nvcsw - before.ru_nvcsw < 20);
	pool_destroy(p);
	chan_destroy(c);
}
