#include "test.h"

#include <errno.h>

#include "sync/park.h"
#include "sync/thread.h"

TEST(park, a_wait_on_another_value_returns_at_once)
{
	_Atomic uint32_t word = 1;

	CHECK_INT(park_wait(&word, 2, USEC_NEVER), -EAGAIN);
}

TEST(park, a_wait_ends_at_its_deadline)
{
	_Atomic uint32_t word = 1;
	usec_t deadline = clock_deadline(5000);

	while (park_wait(&word, 1, deadline) == 0)
		;
	CHECK(clock_mono() >= deadline);
	CHECK_INT(park_wait(&word, 1, 0), -ETIMEDOUT);
}

TEST(park, a_deadline_leaves_no_waiter_behind)
{
	struct eventcount ec = {0};
	uint32_t key;

	eventcount_prepare(&ec, &key);
	CHECK_INT(eventcount_wait(&ec, key, clock_deadline(1000)), -ETIMEDOUT);
	CHECK_INT(ec.waiters, 0);
	eventcount_prepare(&ec, &key);
	CHECK_INT(ec.waiters, 1);
	eventcount_cancel(&ec);
	CHECK_INT(ec.waiters, 0);
}

TEST(park, a_notify_after_prepare_is_not_slept_through)
{
	struct eventcount ec = {0};
	uint32_t key;

	eventcount_prepare(&ec, &key);
	eventcount_notify(&ec, 1);
	CHECK_INT(eventcount_wait(&ec, key, USEC_NEVER), 0);
	eventcount_notify(&ec, 1); /* nobody waits: the epoch stays */
	CHECK_INT(ec.epoch, 1);
}

/* Two threads hand a number to and fro; a lost wake-up stops both for ever. */
struct rally {
	struct eventcount ec[2];
	_Atomic uint32_t ball; /* seq_cst, as the eventcount asks */
	uint32_t rounds;
};

static void
await(struct rally *r, unsigned side, uint32_t value)
{
	while (load_sc(&r->ball) != value) {
		uint32_t key;

		eventcount_prepare(&r->ec[side], &key);
		if (load_sc(&r->ball) == value)
			eventcount_cancel(&r->ec[side]);
		else
			(void)eventcount_wait(&r->ec[side], key, USEC_NEVER);
	}
}

static int
return_ball(void *arg)
{
	struct rally *r = arg;

	for (uint32_t i = 0; i < r->rounds; i++) {
		await(r, 1, 2 * i + 1);
		(void)add_sc(&r->ball, 1);
		eventcount_notify(&r->ec[0], 1);
	}
	return 0;
}

TEST(park, no_wake_up_is_lost)
{
	struct rally r = {.rounds = (uint32_t)test_scale(5000000)};
	struct thread t;

	CHECK_INT(thread_start(&t, "rally", return_ball, &r), 0);
	for (uint32_t i = 0; i < r.rounds; i++) {
		(void)add_sc(&r.ball, 1);
		eventcount_notify(&r.ec[1], 1);
		await(&r, 0, 2 * i + 2);
	}
	CHECK_INT(thread_join(&t), 0);
	CHECK_INT(r.ball, 2 * r.rounds);
}
