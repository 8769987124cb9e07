/* The pool: each allocation and each thread of creation fails; tasks spawn, and deques do not grow.
 */
#include "fault.h"

#include <errno.h>

#include "sync/atomic.h"
#include "sync/pool.h"
#include "sync/thread.h"
#include "sync/waitgroup.h"

#define N_THREADS 4u

static _Atomic long n_started, n_exited; /* relaxed: read when the pool is gone */

static void
on_start(void *ctx, unsigned worker)
{
	(void)ctx;
	FAULT_CHECK(worker < N_THREADS);
	(void)add_rlx(&n_started, 1);
}

static void
on_exit_(void *ctx, unsigned worker)
{
	(void)ctx;
	FAULT_CHECK(worker < N_THREADS);
	(void)add_rlx(&n_exited, 1);
}

/* Each worker that began has ended, whichever of the others could not be started. */
static int
create(void *arg)
{
	struct pool_opts opts = {.name = "fault", .n_threads = N_THREADS, .on_start = on_start};
	struct pool *p = NULL;
	int r;

	(void)arg;
	opts.on_exit = on_exit_;
	r = pool_create_with(&opts, &p);
	FAULT_CHECK((r == 0) == (p != NULL));
	pool_destroy(p);
	FAULT_CHECK(load_rlx(&n_started) == load_rlx(&n_exited));
	FAULT_CHECK(r < 0 || load_rlx(&n_started) == N_THREADS);
	return r;
}

/* A tree of tasks: each spawns its children from its worker, so that its deque must grow. */
#define CHILDREN 200u

struct node {
	struct task task;
	struct pool *pool;
	unsigned depth;
};
static struct node nodes[2 * CHILDREN + 1];
static _Atomic unsigned n_nodes; /* seq_cst */
static struct waitgroup n_left;

static void
run_node(struct task *t)
{
	struct node *n = CONTAINER_OF(t, struct node, task);

	for (unsigned i = 0; n->depth > 0 && i < CHILDREN; i++) {
		struct node *child = &nodes[add_sc(&n_nodes, 1)];

		*child = (struct node){
			.task.run = run_node, .pool = n->pool, .depth = i == 0 ? n->depth - 1 : 0};
		FAULT_CHECK(pool_spawn(n->pool, &child->task, TASK_INDEX) == 0);
	}
	waitgroup_done(&n_left);
}

static void
warm_pool(void *arg)
{
	FAULT_CHECK(pool_create("fault", 2, arg) == 0);
}

/* No thief: what is forked stays in one deque. */
static void
warm_lone(void *arg)
{
	FAULT_CHECK(pool_create("fault", 1, arg) == 0);
}

static void
destroy_pool(void *arg)
{
	struct pool **p = arg;

	pool_destroy(*p);
}

static int
spawn_many(void *arg)
{
	struct pool *p = *(struct pool **)arg;
	int r;

	nodes[0] = (struct node){.task.run = run_node, .pool = p, .depth = 2};
	store_sc(&n_nodes, 1);
	waitgroup_add(&n_left, ARRAY_LEN(nodes));
	r = pool_submit(p, &nodes[0].task, TASK_INDEX);
	FAULT_CHECK(r == 0);
	waitgroup_wait(&n_left);
	return 0;
}

static struct pool *pool;

/* Halves nest deeper than the deque was made for. */
struct half {
	struct pool *pool;
	unsigned lo, hi;
	unsigned sum;
};

static int
sum_half(void *arg, bool stolen)
{
	struct half *h = arg, a, b;
	int r;

	(void)stolen;
	if (h->hi - h->lo < 2) {
		h->sum = h->lo;
		return 0;
	}
	/* Lopsided: as deep as there are items. */
	a = (struct half){h->pool, h->lo + 1, h->hi, 0};
	b = (struct half){h->pool, h->lo, h->lo + 1, 0};
	r = pool_join(h->pool, sum_half, &a, sum_half, &b);
	h->sum = a.sum + b.sum;
	return r;
}

static int
sum_all(void *arg)
{
	struct half h = {arg, 0, 500, 0};
	int r = sum_half(&h, false);

	FAULT_CHECK(h.sum == 500 * 499 / 2);
	return r;
}

static int
join_deep(void *arg)
{
	struct pool *p = *(struct pool **)arg;

	return pool_run(p, TASK_QUERY, sum_all, p);
}

static int
say_seven(void *arg)
{
	(void)arg;
	return 7;
}

static void
count_hearers(void *arg, unsigned worker)
{
	_Atomic unsigned *n = arg;

	(void)worker;
	(void)add_sc(n, 1);
}

static int
run_and_broadcast(void *arg)
{
	struct pool *p = *(struct pool **)arg;
	_Atomic unsigned n = 0; /* seq_cst */

	FAULT_CHECK(pool_run(p, TASK_QUERY, say_seven, NULL) == 7);
	FAULT_CHECK(pool_broadcast(p, count_hearers, &n) == 0);
	FAULT_CHECK(load_sc(&n) == pool_threads(p));
	return 0;
}

static int
default_pool(void *arg)
{
	struct pool *p = pool_default();

	(void)arg;
	if (!p) {
		FAULT_CHECK(fault_off());
		p = pool_default(); /* a later use finds it possible */
		FAULT_CHECK(p != NULL);
		pool_default_destroy();
		return fault_hit() ? -ENOMEM : 0;
	}
	FAULT_CHECK(pool_run(p, TASK_QUERY, say_seven, NULL) == 7);
	pool_default_destroy();
	return 0;
}

struct shared_task {
	struct task task;
	_Atomic unsigned *n; /* seq_cst */
};

static void
run_shared(struct task *t)
{
	(void)add_sc(CONTAINER_OF(t, struct shared_task, task)->n, 1);
}

static int
share(void *arg)
{
	struct pool *p = *(struct pool **)arg;
	static struct shared_task tasks[300];
	_Atomic unsigned n = 0; /* seq_cst */
	struct pool_share s;

	pool_share_init(&s, 2);
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++) {
		tasks[i] = (struct shared_task){.task.run = run_shared, .n = &n};
		FAULT_CHECK(pool_submit_share(p, &tasks[i].task, TASK_INDEX, &s) == 0);
	}
	pool_close(p);
	FAULT_CHECK(pool_wait_until(p, USEC_NEVER) == 0);
	pool_share_fini(&s);
	FAULT_CHECK(load_sc(&n) == ARRAY_LEN(tasks));
	return 0;
}

static const struct fault_case cases[] = {
	/* 4 workers: an array, four deques each, a thread each; and the pool. */
	{.name = "create", .run = create, .min_calls = 22},
	{.name = "create: no quota", .run = create, .kinds = FAULT_FD, .flags = FAULT_NEVER},
	{.name = "default pool", .run = default_pool, .also = -ENOMEM, .min_calls = 7},
	{.name = "spawn, deques grow",
		.run = spawn_many,
		.setup = warm_pool,
		.teardown = destroy_pool,
		.arg = &pool,
		.flags = FAULT_NEVER},
	{.name = "join, deques grow",
		.run = join_deep,
		.setup = warm_lone,
		.teardown = destroy_pool,
		.arg = &pool,
		.flags = FAULT_NEVER,
		.min_calls = 1},
	{.name = "run, broadcast",
		.run = run_and_broadcast,
		.setup = warm_pool,
		.teardown = destroy_pool,
		.arg = &pool,
		.flags = FAULT_NEVER},
	{.name = "share",
		.run = share,
		.setup = warm_pool,
		.teardown = destroy_pool,
		.arg = &pool,
		.flags = FAULT_NEVER},
};

FAULT_MAIN(cases)
