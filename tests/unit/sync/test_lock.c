#include "test.h"

#include <errno.h>
#include <signal.h>

#include "sync/lock.h"
#include "sync/thread.h"

static struct lock low, high;

static void
make_locks(void)
{
	lock_init(&low, RANK_ENGINE, "low");
	lock_init(&high, RANK_LEAF, "high");
}

TEST(lock, locks_are_taken_in_rank_order_and_given_in_any, .init = make_locks)
{
	(void)lock_take(&low);
	(void)lock_take(&high);
	lock_assert_held(&low);
	lock_assert_held(&high);
	lock_give(&low);
	lock_give(&high);
	lock_assert_none();
	lock_fini(&low);
	lock_fini(&high);
}

TEST(lock, a_scope_gives_its_lock_at_the_end, .init = make_locks)
{
	{
		LOCK_SCOPE(&low);
		lock_assert_held(&low);
	}
	lock_assert_none();
	CHECK(lock_try(&low));
	lock_give(&low);
}

#if TRAWL_DEBUG
TEST(lock, a_wrong_order_aborts, .init = make_locks, .signal = SIGABRT)
{
	(void)lock_take(&high);
	(void)lock_take(&low);
}

TEST(lock, an_equal_rank_aborts, .init = make_locks, .signal = SIGABRT)
{
	struct lock other = LOCK_INITIALIZER(RANK_LEAF, "other");

	(void)lock_take(&high);
	(void)lock_take(&other);
}

TEST(lock, taking_twice_aborts, .init = make_locks, .signal = SIGABRT)
{
	(void)lock_take(&low);
	(void)lock_take(&low);
}

TEST(lock, giving_what_is_not_held_aborts, .init = make_locks, .signal = SIGABRT)
{
	lock_give(&low);
}

TEST(lock, waiting_with_a_lock_aborts, .init = make_locks, .signal = SIGABRT)
{
	(void)lock_take(&low);
	lock_assert_none();
}

TEST(lock, waiting_under_one_lock_with_another_aborts, .init = make_locks, .signal = SIGABRT)
{
	struct cond c;

	cond_init(&c);
	(void)lock_take(&low);
	(void)lock_take(&high);
	(void)cond_wait_until(&c, &high, 0);
}

static int
assert_held_by_me(void *arg)
{
	lock_assert_held(arg);
	return 0;
}

TEST(lock, a_lock_of_another_thread_is_not_held_by_this_one, .init = make_locks, .signal = SIGABRT)
{
	struct thread t;

	(void)lock_take(&low);
	CHECK_INT(thread_start(&t, "stranger", assert_held_by_me, &low), 0);
	(void)pthread_join(t.id, NULL);
}
#endif

static int
try_it(void *arg)
{
	struct lock *l = arg;

	if (!lock_try(l))
		return 0;
	lock_give(l);
	return 1;
}

TEST(lock, a_try_fails_while_another_thread_holds_it, .init = make_locks)
{
	struct thread t;

	(void)lock_take(&low);
	CHECK_INT(thread_start(&t, "try", try_it, &low), 0);
	lock_give(&low);
	(void)thread_join(&t);
	(void)lock_take(&low);
	CHECK_INT(lock_take_until(&high, 0), 0);
	lock_give(&high);
	lock_give(&low);
	CHECK_INT(try_it(&low), 1);
}

struct shared {
	struct lock lock;
	struct cond cond;
	unsigned long n, turns;
	unsigned turn;
};

static int
count_up(void *arg)
{
	struct shared *s = arg;

	for (unsigned long i = 0; i < s->turns; i++) {
		LOCK_SCOPE(&s->lock);
		s->n++;
	}
	return 0;
}

TEST(lock, no_count_is_lost_between_threads)
{
	struct shared s = {
		.lock = LOCK_INITIALIZER(RANK_LEAF, "count"), .turns = test_scale(10000000)};
	struct thread t[4];

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "count", count_up, &s), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), 0);
	CHECK_INT(s.n, 4 * s.turns);
}

static int
take_turns(void *arg)
{
	struct shared *s = arg;
	unsigned me = 0;

	for (unsigned long i = 0; i < s->turns; i++) {
		LOCK_SCOPE(&s->lock);
		if (i == 0)
			me = (unsigned)s->n++;
		while (s->turn % 2 != me)
			cond_wait(&s->cond, &s->lock);
		s->turn++;
		cond_signal(&s->cond);
	}
	return 0;
}

TEST(lock, no_wake_up_of_a_condition_is_lost)
{
	struct shared s = {
		.lock = LOCK_INITIALIZER(RANK_LEAF, "turns"), .turns = test_scale(1000000)};
	struct thread t[2];

	cond_init(&s.cond);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "turn", take_turns, &s), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), 0);
	CHECK_INT(s.turn, 2 * s.turns);
	cond_fini(&s.cond);
}

TEST(lock, a_wait_ends_at_its_deadline_and_holds_the_lock_again)
{
	struct shared s = {.lock = LOCK_INITIALIZER(RANK_LEAF, "deadline")};
	usec_t deadline = clock_deadline(5000);

	cond_init(&s.cond);
	LOCK_SCOPE(&s.lock);
	while (cond_wait_until(&s.cond, &s.lock, deadline) == 0)
		;
	CHECK(clock_mono() >= deadline);
	lock_assert_held(&s.lock);
}
