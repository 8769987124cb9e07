#include "test.h"

#include "sync/barrier.h"
#include "sync/lock.h"
#include "sync/thread.h"
#include <signal.h>

#define N 4

struct rounds {
	struct barrier barrier;
	unsigned long n_rounds;
	/* Not atomic: the barrier alone orders the writers. */
	unsigned long arrived[N], n_led, round;
	_Atomic unsigned next;
};

static int
go_round(void *arg)
{
	struct rounds *r = arg;
	unsigned me = add_rlx(&r->next, 1);
	int n_led = 0;

	for (unsigned long i = 1; i <= r->n_rounds; i++) {
		r->arrived[me] = i;
		if (barrier_wait(&r->barrier)) {
			n_led++;
			r->n_led++;
			r->round = i;
		}
		for (unsigned k = 0; k < N; k++)
			CHECK_INT(r->arrived[k], i);
		/* The second wait keeps the next round's writes away from these reads. */
		(void)barrier_wait(&r->barrier);
		CHECK_INT(r->round, i);
		CHECK_INT(r->n_led, i);
		(void)barrier_wait(&r->barrier);
	}
	return n_led;
}

TEST(barrier, each_round_has_one_leader_and_ends_for_all)
{
	struct rounds r = {.n_rounds = test_scale(100000)};
	struct thread t[N];
	unsigned long n_led = 0;

	barrier_init(&r.barrier, N);
	for (size_t i = 0; i < N; i++)
		CHECK_INT(thread_start(&t[i], "round", go_round, &r), 0);
	for (size_t i = 0; i < N; i++)
		n_led += (unsigned long)thread_join(&t[i]);
	CHECK_INT(n_led, r.n_rounds);
}

TEST(barrier, one_alone_leads_every_round)
{
	struct barrier b;

	barrier_init(&b, 1);
	for (int i = 0; i < 3; i++)
		CHECK(barrier_wait(&b));
}

#if TRAWL_DEBUG
TEST(barrier, waiting_with_a_lock_aborts, .signal = SIGABRT)
{
	struct lock l = LOCK_INITIALIZER(RANK_LEAF, "held");
	struct barrier b;

	barrier_init(&b, 1);
	(void)lock_take(&l);
	(void)barrier_wait(&b);
}
#endif
