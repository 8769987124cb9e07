#include "test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "sync/lock.h"
#include "sync/rwlock.h"
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
take_both_in_order(void *arg)
{
	(void)arg;
	LOCK_SCOPE(&low);
	LOCK_SCOPE(&high);
	return 0;
}

/* No thread has to hang for it: the second one's order is wrong whatever the first one does. */
TEST(lock, abba_is_reported_though_nobody_waits, .init = make_locks, .signal = SIGABRT)
{
	struct thread t;

	CHECK_INT(thread_start(&t, "ab", take_both_in_order, NULL), 0);
	(void)pthread_join(t.id, NULL);
	(void)lock_take(&high);
	(void)lock_take(&low);
}

TEST(lock, a_timed_take_in_the_wrong_order_aborts, .init = make_locks, .signal = SIGABRT)
{
	(void)lock_take(&high);
	CHECK_INT(lock_take_until(&low, 0), 0);
}

TEST(lock, abba_between_equal_ranks_is_reported, .init = make_locks, .signal = SIGABRT)
{
	struct rwlock other = RWLOCK_INITIALIZER(RANK_LEAF, "other");

	(void)rwlock_take_read(&other);
	(void)lock_take(&high);
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

/* What another thread finds while the test holds `low`. A join is no way to wait for it: nothing
 * is waited for under a lock. */
struct other {
	struct thread thread;
	int (*fn)(void);
	_Atomic uint32_t ended;
};

static int
other_run(void *arg)
{
	struct other *o = arg;
	int r = o->fn();

	store_rel(&o->ended, 1);
	park_wake(&o->ended, 1);
	return r;
}

static int
elsewhere_while_held(int (*fn)(void))
{
	struct other o = {.fn = fn};

	(void)lock_take(&low);
	CHECK_INT(thread_start(&o.thread, "other", other_run, &o), 0);
	while (load_acq(&o.ended) == 0)
		(void)park_wait(&o.ended, 0, USEC_NEVER);
	lock_give(&low);
	return thread_join(&o.thread);
}

static int
try_low(void)
{
	if (!lock_try(&low))
		return 0;
	lock_give(&low);
	return 1;
}

static int
take_low_until(void)
{
	int r = lock_take_until(&low, clock_deadline(1000));

	if (r == 0)
		lock_give(&low);
	return r;
}

TEST(lock, a_try_fails_while_another_thread_holds_it, .init = make_locks)
{
	CHECK_INT(elsewhere_while_held(try_low), 0);
	CHECK_INT(try_low(), 1);
}

TEST(lock, a_timed_take_gives_up_at_its_deadline_and_leaves_no_trace, .init = make_locks)
{
	CHECK_INT(elsewhere_while_held(take_low_until), -ETIMEDOUT);
	CHECK_INT(take_low_until(), 0);
	CHECK_INT(lock_take_until(&low, 0), 0);
	lock_give(&low);
	lock_fini(&low);
}

struct waiter {
	struct lock lock;
	unsigned long n_taken, n_wanted;
	_Atomic bool over;
};

static int
take_some(void *arg)
{
	struct waiter *w = arg;

	for (unsigned long i = 0; i < w->n_wanted; i++) {
		LOCK_SCOPE(&w->lock);
		w->n_taken++;
	}
	store_rel(&w->over, true);
	return 0;
}

/* The test gives the lock and has it back before the woken thread gets there, as a hog does. Each
 * time it waits until the other one sleeps again, or is about to; when that is owed the lock, the
 * test cannot get it. */
TEST(lock, a_sleeper_that_lost_its_patience_is_handed_the_lock)
{
	struct waiter w = {.lock = LOCK_INITIALIZER(RANK_ENGINE, "fair"), .n_wanted = 1};
	unsigned n_lost = 0;
	struct thread t;

	(void)lock_take(&w.lock);
	CHECK_INT(thread_start(&t, "sleeper", take_some, &w), 0);
	for (;;) {
		while (load_acq(&w.lock.word) < 2)
			(void)sched_yield();
		lock_give(&w.lock);
		if (!lock_try(&w.lock))
			break;
		if (w.n_taken > 0) {
			lock_give(&w.lock);
			break;
		}
		n_lost++;
		CHECK(n_lost <= LOCK_PATIENCE);
	}
	CHECK_INT(thread_join(&t), 0);
	CHECK_INT(w.n_taken, 1);
	lock_fini(&w.lock);
}

static int
hog(void *arg)
{
	struct waiter *w = arg;

	while (!load_acq(&w->over)) {
		LOCK_SCOPE(&w->lock);
		for (unsigned i = 0; i < 20; i++)
			cpu_pause();
	}
	return 0;
}

/* Without the hand-over this takes as long as chance wants. */
TEST(lock, four_hogs_cannot_keep_a_fifth_thread_out)
{
	struct waiter w = {
		.lock = LOCK_INITIALIZER(RANK_LEAF, "hogs"), .n_wanted = test_scale(200000)};
	struct thread hogs[4], t;

	for (size_t i = 0; i < ARRAY_LEN(hogs); i++)
		CHECK_INT(thread_start(&hogs[i], "hog", hog, &w), 0);
	CHECK_INT(thread_start(&t, "fifth", take_some, &w), 0);
	CHECK_INT(thread_join(&t), 0);
	for (size_t i = 0; i < ARRAY_LEN(hogs); i++)
		CHECK_INT(thread_join(&hogs[i]), 0);
	CHECK_INT(w.n_taken, w.n_wanted);
	lock_fini(&w.lock);
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

/* Every third take has a deadline that is mostly too short. */
static int
count_up_or_not(void *arg)
{
	struct shared *s = arg;
	int n = 0;

	for (unsigned long i = 0; i < s->turns; i++) {
		if (i % 3 != 0)
			(void)lock_take(&s->lock);
		else if (lock_take_until(&s->lock, clock_deadline(i % 5)) < 0)
			continue;
		s->n++;
		n++;
		lock_give(&s->lock);
	}
	return n;
}

static void
count_with(size_t n_threads, int (*fn)(void *arg), unsigned long turns)
{
	struct shared s = {.lock = LOCK_INITIALIZER(RANK_LEAF, "count"), .turns = turns};
	unsigned long sum = 0;
	struct thread t[16];

	for (size_t i = 0; i < n_threads; i++)
		CHECK_INT(thread_start(&t[i], "count", fn, &s), 0);
	for (size_t i = 0; i < n_threads; i++)
		sum += (unsigned long)thread_join(&t[i]);
	CHECK_INT(s.n, fn == count_up ? n_threads * turns : sum);
	lock_fini(&s.lock);
}

TEST(lock, no_count_is_lost_between_threads)
{
	count_with(2, count_up, test_scale(10000000));
	count_with(4, count_up, test_scale(5000000));
	count_with(16, count_up, test_scale(1000000));
}

TEST(lock, who_gives_up_takes_no_wake_up_along)
{
	count_with(4, count_up_or_not, test_scale(2000000));
	count_with(16, count_up_or_not, test_scale(500000));
}

struct shared_object {
	struct lock lock;
	unsigned refs;
};

static int
drop(void *arg)
{
	struct shared_object *o = arg;
	bool last;

	(void)lock_take(&o->lock);
	last = --o->refs == 0;
	lock_give(&o->lock);
	if (last)
		free(o);
	return 0;
}

/* AddressSanitizer and ThreadSanitizer look at the give of the one that is not last. */
TEST(lock, the_last_holder_may_free_it)
{
	for (unsigned long n = test_scale(50000); n > 0; n--) {
		struct shared_object *o = malloc(sizeof(*o));
		struct thread t;

		CHECK(o != NULL);
		*o = (struct shared_object){
			.lock = LOCK_INITIALIZER(RANK_LEAF, "object"), .refs = 2};
		CHECK_INT(thread_start(&t, "drop", drop, o), 0);
		(void)drop(o);
		CHECK_INT(thread_join(&t), 0);
	}
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

/* One slot between four that fill and four that empty it, each waiting now and then for no longer
 * than a moment: a signal that nobody gets would leave them all asleep. */
struct slot {
	struct lock lock;
	struct cond filled, emptied;
	bool full;
	unsigned long turns;
};

static int
fill_or_empty(struct slot *s, bool fill, struct cond *wait, struct cond *tell)
{
	for (unsigned long i = 0; i < s->turns; i++) {
		LOCK_SCOPE(&s->lock);
		while (s->full == fill) {
			if (i % 4 == 0)
				(void)cond_wait_until(wait, &s->lock, clock_deadline(i % 7));
			else
				cond_wait(wait, &s->lock);
		}
		s->full = fill;
		cond_signal(tell);
	}
	return 0;
}

static int
fill(void *arg)
{
	struct slot *s = arg;

	return fill_or_empty(s, true, &s->emptied, &s->filled);
}

static int
empty(void *arg)
{
	struct slot *s = arg;

	return fill_or_empty(s, false, &s->filled, &s->emptied);
}

TEST(lock, each_signal_wakes_somebody_who_waits)
{
	struct slot s = {.lock = LOCK_INITIALIZER(RANK_LEAF, "slot"), .turns = test_scale(250000)};
	struct thread t[8];

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "slot", i % 2 ? fill : empty, &s), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), 0);
	CHECK(!s.full);
	cond_fini(&s.filled);
	cond_fini(&s.emptied);
}
