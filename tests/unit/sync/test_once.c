#include "test.h"

#include <errno.h>

#include "sync/barrier.h"
#include "sync/flag.h"
#include "sync/once.h"
#include "sync/thread.h"

#define N 4

static int
count_and_fail_twice(void *arg)
{
	int *n = arg;

	return ++*n <= 2 ? -EIO - *n : 0;
}

TEST(once, a_failure_is_returned_and_the_next_caller_tries_again)
{
	struct once o = {0};
	int n = 0;

	CHECK_INT(once_run(&o, count_and_fail_twice, &n), -EIO - 1);
	CHECK_INT(once_run(&o, count_and_fail_twice, &n), -EIO - 2);
	CHECK_INT(once_run(&o, count_and_fail_twice, &n), 0);
	CHECK_INT(once_run(&o, count_and_fail_twice, &n), 0);
	CHECK_INT(n, 3);
}

struct race {
	struct once *onces;
	struct barrier barrier;
	unsigned long n_rounds;
	int n_run, made; /* written by the function only */
};

static int
make(void *arg)
{
	struct race *r = arg;

	r->n_run++;
	r->made = 42;
	return 0;
}

static int
race(void *arg)
{
	struct race *r = arg;

	for (unsigned long i = 0; i < r->n_rounds; i++) {
		if (barrier_wait(&r->barrier))
			r->n_run = r->made = 0;
		(void)barrier_wait(&r->barrier);
		CHECK_INT(once_run(&r->onces[i], make, r), 0);
		CHECK_INT(r->made, 42);
		CHECK_INT(r->n_run, 1);
	}
	return 0;
}

TEST(once, it_runs_once_and_all_see_what_it_did)
{
	struct race r = {.n_rounds = test_scale(100000)};
	struct thread t[N];

	r.onces = calloc(r.n_rounds, sizeof(r.onces[0]));
	CHECK(r.onces != NULL);
	barrier_init(&r.barrier, N);
	for (size_t i = 0; i < N; i++)
		CHECK_INT(thread_start(&t[i], "race", race, &r), 0);
	for (size_t i = 0; i < N; i++)
		CHECK_INT(thread_join(&t[i]), 0);
	free(r.onces);
}

/* Every call that began while an attempt failed is told of a failure: none returns 0 before the
 * attempt that succeeds, and all after. */
struct trying {
	struct once once;
	struct barrier barrier;
	unsigned long n_failures, n_attempts; /* written by the function only */
	struct flag done;
};

static int
fail_often(void *arg)
{
	struct trying *t = arg;

	if (++t->n_attempts <= t->n_failures)
		return -EAGAIN;
	flag_raise(&t->done);
	return 0;
}

static int
try_until_it_works(void *arg)
{
	struct trying *t = arg;
	int r;

	(void)barrier_wait(&t->barrier);
	while ((r = once_run(&t->once, fail_often, t)) < 0)
		CHECK_INT(r, -EAGAIN);
	CHECK(flag_seen(&t->done));
	CHECK_INT(t->n_attempts, t->n_failures + 1);
	return 0;
}

TEST(once, no_attempt_is_made_twice_and_no_waiter_stays_behind)
{
	struct trying c = {.n_failures = test_scale(1000000)};
	struct thread t[N];

	barrier_init(&c.barrier, N);
	for (size_t i = 0; i < N; i++)
		CHECK_INT(thread_start(&t[i], "try", try_until_it_works, &c), 0);
	for (size_t i = 0; i < N; i++)
		CHECK_INT(thread_join(&t[i]), 0);
}

struct waited {
	struct once once;
	_Atomic unsigned n_run;
};

/* Fails when all others sleep in the wait for it. */
static int
fail_when_waited_for(void *arg)
{
	struct waited *w = arg;

	(void)add_rlx(&w->n_run, 1);
	while ((load_acq(&w->once.word) & ONCE_STATE) != 2)
		cpu_pause();
	return -ENOSPC;
}

static int
run_waited(void *arg)
{
	struct waited *w = arg;

	return once_run(&w->once, fail_when_waited_for, w);
}

TEST(once, who_waited_gets_the_failure_and_does_not_run_it)
{
	for (unsigned long n = test_scale(20000); n > 0; n--) {
		struct waited w = {0};
		struct thread t[2];

		for (size_t i = 0; i < ARRAY_LEN(t); i++)
			CHECK_INT(thread_start(&t[i], "waited", run_waited, &w), 0);
		for (size_t i = 0; i < ARRAY_LEN(t); i++)
			CHECK_INT(thread_join(&t[i]), -ENOSPC);
		CHECK_INT(load_rlx(&w.n_run), 1);
	}
}
