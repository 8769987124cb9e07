#include "test.h"

#include <errno.h>
#include <signal.h>

#include "sync/lock.h"
#include "sync/thread.h"
#include "sync/waitgroup.h"

TEST(waitgroup, an_empty_group_is_waited_for_at_once)
{
	struct waitgroup g = {0};

	waitgroup_wait(&g);
	CHECK_INT(waitgroup_wait_until(&g, 0), 0);
	waitgroup_add(&g, 0);
	waitgroup_wait(&g);
}

TEST(waitgroup, a_wait_ends_at_its_deadline_and_later_with_the_last_done)
{
	struct waitgroup g = {0};

	waitgroup_add(&g, 2);
	waitgroup_done(&g);
	CHECK_INT(waitgroup_wait_until(&g, clock_deadline(1000)), -ETIMEDOUT);
	waitgroup_done(&g);
	CHECK_INT(waitgroup_wait_until(&g, 0), 0);
}

TEST(waitgroup, a_done_too_many_aborts, .signal = SIGABRT)
{
	struct waitgroup g = {0};

	waitgroup_done(&g);
}

#define N 3

struct crew {
	struct waitgroup *work; /* on the stack of the one who waits, a new one each round */
	struct waitgroup ready; /* reused round after round */
	_Atomic uint32_t round; /* release: publishes work */
	unsigned long n_rounds, done[N];
	_Atomic unsigned next;
};

static int
work(void *arg)
{
	struct crew *c = arg;
	unsigned me = add_rlx(&c->next, 1);

	for (uint32_t i = 1; i <= c->n_rounds; i++) {
		struct waitgroup *g;

		while (load_acq(&c->round) != i)
			(void)park_wait(&c->round, i - 1, USEC_NEVER);
		g = c->work;
		c->done[me] = i;
		waitgroup_done(&c->ready);
		waitgroup_done(g);
	}
	return 0;
}

/* The group of a round is gone when its wait has returned, while a worker may still be in done. */
static void
one_round(struct crew *c, uint32_t round)
{
	struct waitgroup g = {0};

	waitgroup_add(&g, N);
	waitgroup_add(&c->ready, N);
	c->work = &g;
	store_rel(&c->round, round);
	park_wake(&c->round, N);
	waitgroup_wait(&g);
	for (unsigned k = 0; k < N; k++)
		CHECK_INT(c->done[k], round);
	waitgroup_wait(&c->ready);
}

TEST(waitgroup, a_wait_sees_all_that_was_done_and_the_group_may_go)
{
	struct crew c = {.n_rounds = test_scale(200000)};
	struct thread t[N];

	for (size_t i = 0; i < N; i++)
		CHECK_INT(thread_start(&t[i], "crew", work, &c), 0);
	for (uint32_t i = 1; i <= c.n_rounds; i++)
		one_round(&c, i);
	for (size_t i = 0; i < N; i++)
		CHECK_INT(thread_join(&t[i]), 0);
}

static int
wait_for(void *arg)
{
	waitgroup_wait(arg);
	return 7;
}

/* The waiter may look only when the next round is under way: its own has ended all the same. */
TEST(waitgroup, a_wait_is_for_the_round_in_which_it_began)
{
	for (unsigned long n = test_scale(20000); n > 0; n--) {
		struct waitgroup g = {0};
		struct thread t;

		waitgroup_add(&g, 1);
		CHECK_INT(thread_start(&t, "wait", wait_for, &g), 0);
		while (!(load_acq(&g.word) & 1))
			cpu_pause();
		waitgroup_done(&g);
		waitgroup_add(&g, 1);
		CHECK_INT(thread_join(&t), 7);
		waitgroup_done(&g);
	}
}

#if TRAWL_DEBUG
TEST(waitgroup, waiting_with_a_lock_aborts, .signal = SIGABRT)
{
	struct lock l = LOCK_INITIALIZER(RANK_LEAF, "held");
	struct waitgroup g = {0};

	(void)lock_take(&l);
	waitgroup_wait(&g);
}
#endif
