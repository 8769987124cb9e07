#include "test.h"

#include <errno.h>
#include <sched.h>

#include "sync/park.h"
#include "sync/pool.h"
#include "sync/thread.h"

static int
add_one(void *arg)
{
	return ++*(int *)arg;
}

/* Each round both sides fall asleep, at all distances from each other's waking. */
TEST(pool_wake, no_submit_is_slept_through)
{
	for (unsigned threads = 1; threads <= 4; threads++) {
		unsigned long n = test_scale(1000000);
		struct pool *p;
		int value = 0;

		CHECK_INT(pool_create("test", threads, &p), 0);
		for (unsigned long i = 0; i < n; i++) {
			for (unsigned long k = i * 7 % 600; k > 0; k--)
				cpu_pause();
			CHECK_INT(pool_run(p, i % N_TASK_CLASSES, add_one, &value), (int)i + 1);
		}
		pool_destroy(p);
	}
}

static int
submit_in_turn(void *arg)
{
	int value = 0;

	for (unsigned long i = test_scale(300000); i > 0; i--)
		(void)pool_run(arg, i % N_TASK_CLASSES, add_one, &value);
	return value;
}

TEST(pool_wake, no_submit_of_many_submitters_is_slept_through)
{
	struct thread threads[4];
	struct pool *p;

	CHECK_INT(pool_create("test", 2, &p), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(thread_start(&threads[i], "submit", submit_in_turn, p), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(thread_join(&threads[i]), (int)test_scale(300000));
	pool_destroy(p);
}

/* Tasks that end only when all have begun: each must have been given a worker of its own. */
#define MEETING 4u

struct meeting {
	struct pool *pool;
	struct guest {
		struct task task;
		struct meeting *at;
	} guests[MEETING];
	_Atomic uint32_t n_here;
	_Atomic uint32_t n_left; /* release, acquired by who takes the meeting away */
	void (*more)(struct meeting *m);
};

static void
wait_for_guests(struct meeting *m)
{
	uint32_t n = add_sc(&m->n_here, 1) + 1;

	if (n == MEETING)
		park_wake(&m->n_here, UINT32_MAX);
	for (; n < MEETING; n = load_acq(&m->n_here))
		(void)park_wait(&m->n_here, n, USEC_NEVER);
}

static void
guest_run(struct task *t)
{
	struct guest *g = CONTAINER_OF(t, struct guest, task);
	struct meeting *m = g->at;

	if (g == &m->guests[0] && m->more)
		m->more(m);
	wait_for_guests(m);
	(void)add_rel(&m->n_left, 1);
}

static void
spawn_others(struct meeting *m)
{
	for (unsigned i = 1; i < MEETING; i++)
		CHECK_INT(pool_spawn(m->pool, &m->guests[i].task, TASK_INDEX), 0);
}

static void
submit_others(struct meeting *m)
{
	for (unsigned i = 1; i < MEETING; i++)
		CHECK_INT(pool_submit(m->pool, &m->guests[i].task, TASK_INDEX), 0);
}

static void
meet(struct pool *p, void (*more)(struct meeting *m), bool from_outside)
{
	struct meeting m = {.pool = p, .more = more};

	for (unsigned i = 0; i < MEETING; i++)
		m.guests[i] = (struct guest){.task.run = guest_run, .at = &m};
	CHECK_INT(pool_submit(p, &m.guests[0].task, TASK_INDEX), 0);
	if (from_outside)
		submit_others(&m);
	while (load_acq(&m.n_left) < MEETING)
		sched_yield();
}

TEST(pool_wake, every_task_gets_a_worker_while_some_sleep)
{
	struct pool *p;

	CHECK_INT(pool_create("test", MEETING, &p), 0);
	for (unsigned long i = test_scale(100000); i > 0; i--) {
		meet(p, NULL, true);
		meet(p, spawn_others, false);
		meet(p, submit_others, false);
	}
	pool_destroy(p);
}

static void
pass_time(usec_t usec)
{
	_Atomic uint32_t never = 0;
	usec_t deadline = clock_deadline(usec);

	while (park_wait(&never, 0, deadline) != -ETIMEDOUT)
		;
}

static uint64_t
sleeps_of(const struct pool *p)
{
	struct pool_stats st;

	pool_get_stats(p, &st);
	return st.n_sleeps;
}

static bool
all_asleep(const struct pool *p)
{
	struct pool_stats st;

	pool_get_stats(p, &st);
	return st.n_asleep == st.n_threads;
}

/* Who sleeps uses no CPU: all do, and nobody wakes while there is nothing to do. A task wakes one,
 * who may wake one more to search in its stead. */
TEST(pool_wake, an_idle_pool_sleeps)
{
	struct pool *p;
	uint64_t before;
	int value = 0;

	CHECK_INT(pool_create("test", 8, &p), 0);
	for (int i = 0; i < 100; i++) {
		CHECK_INT(pool_run(p, TASK_QUERY, add_one, &value), i + 1);
		while (!all_asleep(p))
			sched_yield();
	}
	before = sleeps_of(p);
	CHECK(before <= 8 + 2 * 100);
	pass_time(500000);
	CHECK(all_asleep(p));
	CHECK(sleeps_of(p) <= before + 8); /* the last of each may have been under way */
	pool_destroy(p);
}

struct roll {
	_Atomic unsigned n_calls[8];
	_Atomic unsigned wrong;
	struct pool *pool;
};

static void
call(void *arg, unsigned worker)
{
	struct roll *r = arg;

	(void)add_rlx(&r->n_calls[worker], 1);
	if (pool_current() != r->pool || pool_worker() != worker)
		(void)add_rlx(&r->wrong, 1);
}

static int
broadcast_often(void *arg)
{
	struct roll *r = arg;

	for (unsigned long i = test_scale(20000); i > 0; i--)
		CHECK_INT(pool_broadcast(r->pool, call, r), 0);
	return 0;
}

static int
stay_busy(void *arg)
{
	struct roll *r = arg;

	for (unsigned long i = test_scale(100000); i > 0; i--)
		(void)pool_run(r->pool, TASK_INDEX, add_one, &(int){0});
	return 0;
}

TEST(pool_wake, a_broadcast_reaches_every_worker_once)
{
	struct roll r = {0};
	struct thread threads[3];

	CHECK_INT(pool_create("test", 8, &r.pool), 0);
	CHECK_INT(thread_start(&threads[0], "a", broadcast_often, &r), 0);
	CHECK_INT(thread_start(&threads[1], "b", broadcast_often, &r), 0);
	CHECK_INT(thread_start(&threads[2], "c", stay_busy, &r), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(thread_join(&threads[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(r.n_calls); i++)
		CHECK_INT(r.n_calls[i], 2 * test_scale(20000));
	CHECK_INT(r.wrong, 0);
	pool_close(r.pool);
	CHECK_INT(pool_broadcast(r.pool, call, &r), -EPIPE);
	pool_destroy(r.pool);
	CHECK(pool_current() == NULL);
}

static int
broadcast_until_closed(void *arg)
{
	struct roll r = {.pool = arg};
	int e;

	while ((e = pool_broadcast(r.pool, call, &r)) == 0)
		;
	return e;
}

TEST(pool_wake, who_waits_for_their_turn_to_broadcast_hear_of_the_end)
{
	for (unsigned long i = test_scale(5000) + 5; i > 0; i--) {
		struct thread threads[4];
		struct pool *p;

		CHECK_INT(pool_create("test", 1, &p), 0);
		for (size_t k = 0; k < ARRAY_LEN(threads); k++)
			CHECK_INT(
				thread_start(&threads[k], "caller", broadcast_until_closed, p), 0);
		sched_yield();
		pool_close(p);
		for (size_t k = 0; k < ARRAY_LEN(threads); k++)
			CHECK_INT(thread_join(&threads[k]), -EPIPE);
		pool_destroy(p);
	}
}

/* A task that goes on spawning, until one that was submitted has run. */
struct spawner {
	struct task task;
	struct pool *pool;
	_Atomic uint32_t stop, stopped;
};

static void
spawner_run(struct task *t)
{
	struct spawner *s = CONTAINER_OF(t, struct spawner, task);

	if (load_acq(&s->stop)) {
		store_rel(&s->stopped, 1);
		park_wake(&s->stopped, 1);
		return;
	}
	CHECK_INT(pool_spawn(s->pool, t, TASK_QUERY), 0);
}

TEST(pool_wake, a_task_that_goes_on_spawning_does_not_keep_others_waiting)
{
	struct spawner s = {.task.run = spawner_run};
	int value = 0;

	CHECK_INT(pool_create("test", 1, &s.pool), 0);
	CHECK_INT(pool_submit(s.pool, &s.task, TASK_QUERY), 0);
	CHECK_INT(pool_run(s.pool, TASK_QUERY, add_one, &value), 1);
	CHECK_INT(pool_run(s.pool, TASK_INDEX, add_one, &value), 2);
	store_rel(&s.stop, 1);
	while (!load_acq(&s.stopped))
		(void)park_wait(&s.stopped, 0, USEC_NEVER);
	pool_destroy(s.pool);
}
