/* Mutex, condition, reader-writer lock, wait group, barrier and once: exclusion, order, and nobody
 * asleep for ever. LOCK_PATIENCE is 1 here, so that handing over is within reach. */
#include "model.h"

#include <errno.h>

#include "sync/barrier.h"
#include "sync/cond.h"
#include "sync/once.h"
#include "sync/rwlock.h"
#include "sync/thread.h"
#include "sync/waitgroup.h"

static struct lock lock = LOCK_INITIALIZER(RANK_LEAF, "lock");
static struct rwlock rwlock = RWLOCK_INITIALIZER(RANK_LEAF, "rwlock");
static struct cond cond;
static struct waitgroup group;
static struct barrier barrier;
static struct once once;
static uint32_t guarded, n_ready, n_failed;

static void
run_threads(int (*const *fns)(void *), unsigned n)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct thread t[4];

	for (unsigned i = 0; i < n; i++)
		CHECK_MODEL(thread_start(&t[i], names[i], fns[i], NULL) == 0);
	for (unsigned i = 0; i < n; i++)
		(void)thread_join(&t[i]);
}

#define RUN(...)                                                    \
	do {                                                        \
		static int (*const fns_[])(void *) = {__VA_ARGS__}; \
		run_threads(fns_, (unsigned)ARRAY_LEN(fns_));       \
	} while (0)

static int
add_one(void *arg)
{
	(void)arg;
	(void)lock_take(&lock);
	guarded++;
	lock_give(&lock);
	return 0;
}

static int
add_two(void *arg)
{
	(void)add_one(arg);
	return add_one(arg);
}

static int
add_in_time(void *arg)
{
	(void)arg;
	if (lock_take_until(&lock, clock_mono() + 5) < 0) {
		n_failed = 1;
		return 0;
	}
	guarded++;
	lock_give(&lock);
	return 0;
}

static void
two_take(void)
{
	RUN(add_two, add_two);
	CHECK_MODEL(guarded == 4 && lock.word == 0);
}

static void
three_take(void)
{
	RUN(add_one, add_two, add_one);
	CHECK_MODEL(guarded == 4 && lock.word == 0);
}

static void
one_is_hasty(void)
{
	RUN(add_two, add_in_time, add_one);
	CHECK_MODEL(guarded + n_failed == 4 && lock.word == 0);
}

/* One thing a signal; two wait for one each. */
static int
consume(void *arg)
{
	(void)arg;
	(void)lock_take(&lock);
	while (n_ready == 0)
		cond_wait(&cond, &lock);
	n_ready--;
	lock_give(&lock);
	return 0;
}

static int
produce_two(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++) {
		(void)lock_take(&lock);
		n_ready++;
		cond_signal(&cond);
		lock_give(&lock);
	}
	return 0;
}

static void
signals(void)
{
	RUN(consume, consume, produce_two);
	CHECK_MODEL(n_ready == 0);
}

/* The condition changed outside of the lock: what cond.h forbids. */
static _Atomic uint32_t loose;

static int
consume_loose(void *arg)
{
	(void)arg;
	(void)lock_take(&lock);
	while (load_acq(&loose) == 0)
		cond_wait(&cond, &lock);
	lock_give(&lock);
	return 0;
}

static int
produce_loose(void *arg)
{
	(void)arg;
	store_rel(&loose, 1);
	cond_signal(&cond);
	return 0;
}

static void
signals_without_lock(void)
{
	RUN(consume_loose, produce_loose);
}

static int
read_guarded(void *arg)
{
	(void)arg;
	(void)rwlock_take_read(&rwlock);
	CHECK_MODEL(guarded == n_ready);
	rwlock_give_read(&rwlock);
	return 0;
}

static int
write_guarded(void *arg)
{
	(void)arg;
	(void)rwlock_take_write(&rwlock);
	guarded++;
	n_ready++;
	rwlock_give_write(&rwlock);
	return 0;
}

static int
write_in_time(void *arg)
{
	(void)arg;
	if (rwlock_take_write_until(&rwlock, clock_mono() + 5) < 0)
		return 0;
	guarded++;
	n_ready++;
	rwlock_give_write(&rwlock);
	return 0;
}

static void
readers_and_writers(void)
{
	RUN(read_guarded, write_guarded, write_guarded);
	CHECK_MODEL(guarded == 2);
	CHECK_MODEL(rwlock.word == 0);
}

static void
a_writer_gives_up(void)
{
	RUN(read_guarded, write_in_time, read_guarded);
	CHECK_MODEL(rwlock.word == 0);
}

static int
work(void *arg)
{
	(void)arg;
	guarded = 1;
	waitgroup_done(&group);
	return 0;
}

static int
wait_for_work(void *arg)
{
	(void)arg;
	waitgroup_wait(&group);
	CHECK_MODEL(guarded == 1);
	return 0;
}

static int
done_too(void *arg)
{
	(void)arg;
	waitgroup_done(&group);
	return 0;
}

static void
groups(void)
{
	waitgroup_add(&group, 2);
	RUN(work, done_too, wait_for_work, wait_for_work);
}

static int
meet(void *arg)
{
	uint32_t *mine = arg ? &guarded : &n_ready, *other = arg ? &n_ready : &guarded;

	for (uint32_t round = 0; round < 2; round++) {
		*mine = round + 1;
		if (barrier_wait(&barrier))
			n_failed++; /* the leader's, until the next round */
		CHECK_MODEL(*other == round + 1);
		(void)barrier_wait(&barrier);
	}
	return 0;
}

static int
meet_other(void *arg)
{
	(void)arg;
	return meet(&guarded);
}

static void
barriers(void)
{
	barrier_init(&barrier, 2);
	RUN(meet, meet_other);
	CHECK_MODEL(n_failed == 2);
}

static int
fail_first(void *arg)
{
	(void)arg;
	if (n_ready++ == 0)
		return -EIO;
	guarded = 7;
	return 0;
}

static int
need(void *arg)
{
	int r;

	(void)arg;
	r = once_run(&once, fail_first, NULL);
	CHECK_MODEL(r == 0 ? guarded == 7 : r == -EIO);
	return 0;
}

static void
once_fails_then_works(void)
{
	RUN(need, need);
	CHECK_MODEL(n_ready >= 1 && n_ready <= 2);
}

#define WEAKENED(model, func_, expr_, order_)                                 \
	.name = #model ", " func_ " " #order_, .body = (model), .preempt = 2, \
	.weaken = {{func_, expr_, memory_order_##order_}}

static const struct model models[] = {
	{.name = "two_take", .body = two_take, .preempt = 4, .preempt_long = 6, .n_spurious = 1},
	{.name = "two_take, spinning", .body = two_take, .preempt = 2, .n_cpus = 2},
	{.name = "three_take", .body = three_take, .preempt = 3, .preempt_long = 4},
	{.name = "one_is_hasty", .body = one_is_hasty, .preempt = 3, .preempt_long = 4},
	{WEAKENED(two_take, "take_at_once", "word", relaxed), .fails = "data race"},
	{WEAKENED(two_take, "try_step", "word", relaxed), .fails = "data race"},
	{WEAKENED(two_take, "release", "word", relaxed), .fails = "data race"},
	{WEAKENED(two_take, "give_slowly", "word", relaxed), .fails = "data race"},
	{.name = "signals", .body = signals, .preempt = 2, .preempt_long = 3},
	{.name = "signals_without_lock",
		.body = signals_without_lock,
		.preempt = 2,
		.fails = "asleep"},
	{.name = "readers_and_writers",
		.body = readers_and_writers,
		.preempt = 3,
		.preempt_long = 4},
	{.name = "a_writer_gives_up", .body = a_writer_gives_up, .preempt = 3, .preempt_long = 4},
	{WEAKENED(readers_and_writers, "read_now", "word", relaxed), .fails = "data race"},
	{WEAKENED(readers_and_writers, "write_now", "word", relaxed), .fails = "data race"},
	{WEAKENED(readers_and_writers, "rwlock_give_write", "word", relaxed), .fails = "data race"},
	{WEAKENED(readers_and_writers, "rwlock_give_read", "word", relaxed), .fails = "data race"},
	{.name = "groups", .body = groups, .preempt = 2, .preempt_long = 3},
	{WEAKENED(groups, "waitgroup_done", "word", relaxed), .fails = "data race"},
	{WEAKENED(groups, "waitgroup_wait_until", "word", relaxed), .fails = "data race"},
	{.name = "barriers", .body = barriers, .preempt = 4, .preempt_long = 6},
	{WEAKENED(barriers, "barrier_wait", "arrived", relaxed), .fails = "data race"},
	{WEAKENED(barriers, "barrier_wait", "round", relaxed), .fails = "data race"},
	{.name = "once", .body = once_fails_then_works, .preempt = 4, .preempt_long = 6},
	{WEAKENED(once_fails_then_works, "attempt", "word", relaxed), .fails = "data race"},
};

MODEL_MAIN(models)
