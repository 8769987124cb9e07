/* The pool's figures: fork and join, detached tasks, waking and idling. */
#include "bench_sync.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sync/pool.h"

#define FIB_JOINS 1346268u /* of fib(30) */
#define WAKES 2001u
#define TASKS 1000000u

static struct pool *
make(unsigned n_threads)
{
	struct pool *p;

	bench_must(pool_create("bench", n_threads, &p), "make a pool");
	return p;
}

struct fib {
	struct pool *pool;
	uint64_t n, value;
};

static int
fib(void *arg, bool stolen)
{
	struct fib *f = arg;
	struct fib a = {.pool = f->pool, .n = f->n - 1}, b = {.pool = f->pool, .n = f->n - 2};

	(void)stolen;
	if (f->n < 2) {
		f->value = f->n;
		return 0;
	}
	bench_must(pool_join(f->pool, fib, &a, fib, &b), "join");
	f->value = a.value + b.value;
	return 0;
}

static int
fib_task(void *arg)
{
	return fib(arg, false);
}

static double
join(unsigned n_threads)
{
	struct pool *p = make(n_threads);
	struct fib warm = {.pool = p, .n = 20}, f = {.pool = p, .n = 30};
	uint64_t began;
	double took;

	bench_must(pool_run(p, TASK_QUERY, fib_task, &warm), "run");
	began = bench_now();
	bench_must(pool_run(p, TASK_QUERY, fib_task, &f), "run");
	took = bench_per(began, FIB_JOINS);
	bench_must(f.value == 832040 ? 0 : -1, "compute fib(30)");
	pool_destroy(p);
	return took;
}

double
bench_join_1(void)
{
	return join(1);
}

double
bench_join_2(void)
{
	return join(2);
}

struct spawner {
	struct pool *pool;
	struct task *tasks;
};

static void
do_nothing(struct task *t)
{
	(void)t;
}

static int
spawn_all(void *arg)
{
	const struct spawner *s = arg;

	for (unsigned i = 0; i < TASKS; i++)
		bench_must(pool_spawn(s->pool, &s->tasks[i], TASK_QUERY), "spawn");
	return 0;
}

double
bench_spawn(void)
{
	struct spawner s = {.pool = make(2), .tasks = calloc(TASKS, sizeof(struct task))};
	uint64_t began;

	bench_must(s.tasks ? 0 : -1, "allocate the tasks");
	for (unsigned i = 0; i < TASKS; i++)
		s.tasks[i].run = do_nothing;
	began = bench_now();
	bench_must(pool_run(s.pool, TASK_QUERY, spawn_all, &s), "run");
	pool_destroy(s.pool); /* runs what is left */
	free(s.tasks);
	return bench_per(began, TASKS);
}

struct stamp {
	struct task task;
	_Atomic uint64_t at; /* release by the task, acquire by who waits for it */
};

static void
stamp_run(struct task *t)
{
	struct stamp *s = CONTAINER_OF(t, struct stamp, task);

	store_rel(&s->at, bench_now());
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double
bench_pool_wake(void)
{
	static double took[WAKES];
	struct pool *p = make(2);

	for (unsigned i = 0; i < WAKES; i++) {
		struct stamp s = {.task.run = stamp_run};
		uint64_t began;

		(void)usleep(200);
		began = bench_now();
		bench_must(pool_submit(p, &s.task, TASK_QUERY), "submit");
		while (load_acq(&s.at) == 0)
			cpu_pause();
		took[i] = (double)(load_acq(&s.at) - began) / 1e3;
	}
	pool_destroy(p);
	qsort(took, WAKES, sizeof(took[0]), compare);
	return took[WAKES / 2];
}

static double
cpu_seconds(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

double
bench_pool_idle(void)
{
	struct pool *p = make(2);
	struct fib warm = {.pool = p, .n = 20};
	double before;

	bench_must(pool_run(p, TASK_QUERY, fib_task, &warm), "run");
	(void)usleep(10000);
	before = cpu_seconds();
	(void)sleep(1);
	before = cpu_seconds() - before;
	pool_destroy(p);
	return 100 * before;
}

double
bench_pool_create(void)
{
	uint64_t began = bench_now();

	for (unsigned i = 0; i < 200; i++)
		pool_destroy(make(4));
	return bench_per(began, 200) / 1e3;
}
