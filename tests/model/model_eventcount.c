/* The eventcount of park.c: nobody sleeps through what was announced to him. */
#include "model.h"

#include <errno.h>

#include "sync/park.h"
#include "sync/thread.h"

/* Things to be had, and who waits for some. */
static struct stock {
	_Atomic uint32_t n;
	struct eventcount ec;
	void (*prepare)(struct eventcount *ec, uint32_t *ret_key);
} stock;

static bool
take(void)
{
	uint32_t seen = load_sc(&stock.n);

	while (seen > 0) {
		if (cas_sc(&stock.n, &seen, seen - 1))
			return true;
	}
	return false;
}

/* Who leaves looks at the condition again (park.h). */
static void
pass_on(void)
{
	if (load_sc(&stock.n) > 0)
		eventcount_notify_one(&stock.ec);
}

static int
wait_until(usec_t deadline)
{
	while (!take()) {
		uint32_t key;

		stock.prepare(&stock.ec, &key);
		if (take()) {
			eventcount_cancel(&stock.ec);
			pass_on();
			return 0;
		}
		if (eventcount_wait(&stock.ec, key, deadline) < 0) {
			pass_on();
			return -ETIMEDOUT;
		}
	}
	pass_on();
	return 0;
}

static int
wait_for_ever(void *arg)
{
	(void)arg;
	return wait_until(USEC_NEVER);
}

static int
wait_a_while(void *arg)
{
	(void)arg;
	return wait_until(clock_mono() + 10);
}

static void
start(void (*prepare)(struct eventcount *, uint32_t *))
{
	stock = (struct stock){.prepare = prepare};
}

static void
bring_one(void)
{
	(void)add_sc(&stock.n, 1);
	eventcount_notify_one(&stock.ec);
}

static void
bring_to_all(void)
{
	(void)add_sc(&stock.n, 1);
	eventcount_notify(&stock.ec, 1);
}

static void
one_waits(void)
{
	struct thread t;

	start(eventcount_prepare);
	(void)thread_start(&t, "waiter", wait_for_ever, NULL);
	bring_to_all();
	(void)thread_join(&t);
	CHECK_MODEL(stock.n == 0 && stock.ec.waiters == 0);
}

static void
two_wait_for(void (*bring)(void), void (*prepare)(struct eventcount *, uint32_t *))
{
	struct thread t[2];

	start(prepare);
	(void)thread_start(&t[0], "first", wait_for_ever, NULL);
	(void)thread_start(&t[1], "second", wait_for_ever, NULL);
	bring();
	bring();
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	CHECK_MODEL(stock.n == 0 && stock.ec.waiters == 0);
}

static void
two_wait(void)
{
	two_wait_for(bring_to_all, eventcount_prepare);
}

static void
two_wait_notify_one(void)
{
	two_wait_for(bring_one, eventcount_prepare);
}

/* As it was once: the key is read when the waiter is already counted (note: wakeup in park.c). */
static void
prepare_key_last(struct eventcount *ec, uint32_t *ret_key)
{
	(void)add_sc(&ec->waiters, 1);
	*ret_key = load_sc(&ec->epoch);
}

static void
two_wait_key_last(void)
{
	two_wait_for(bring_one, prepare_key_last);
}

/* A waiter who does not look again between the announcement and his sleep. */
static int
wait_unseeing(void *arg)
{
	uint32_t key;

	(void)arg;
	while (!take()) {
		eventcount_prepare(&stock.ec, &key);
		(void)eventcount_wait(&stock.ec, key, USEC_NEVER);
	}
	return 0;
}

static void
no_second_look(void)
{
	struct thread t;

	start(eventcount_prepare);
	(void)thread_start(&t, "waiter", wait_unseeing, NULL);
	bring_to_all();
	(void)thread_join(&t);
}

/* One gives up at any moment; what was on its way to him reaches the other. */
static void
one_gives_up(void)
{
	struct thread patient, hasty;

	start(eventcount_prepare);
	(void)thread_start(&patient, "patient", wait_for_ever, NULL);
	(void)thread_start(&hasty, "hasty", wait_a_while, NULL);
	bring_one();
	if (thread_join(&hasty) == 0)
		bring_one();
	CHECK_MODEL(thread_join(&patient) == 0);
	CHECK_MODEL(stock.n == 0 && stock.ec.waiters == 0);
}

static const struct model models[] = {
	{.name = "one_waits", .body = one_waits, .preempt = MODEL_ALL, .n_spurious = 1},
	{.name = "one_waits, announced acq_rel",
		.body = one_waits,
		.preempt = MODEL_ALL,
		.weaken = {{"eventcount_prepare", "waiters", memory_order_acq_rel}},
		.fails = "asleep"},
	{.name = "one_waits, notifier looks with acquire",
		.body = one_waits,
		.preempt = MODEL_ALL,
		.weaken = {{"eventcount_notify", "waiters", memory_order_acquire}},
		.fails = "asleep"},
	{.name = "no_second_look", .body = no_second_look, .preempt = 2, .fails = "asleep"},
	{.name = "two_wait", .body = two_wait, .preempt = 4, .preempt_long = 6},
	{.name = "two_wait_notify_one",
		.body = two_wait_notify_one,
		.preempt = 4,
		.preempt_long = 6},
	{.name = "two_wait_notify_one, woken for no reason",
		.body = two_wait_notify_one,
		.preempt = 2,
		.preempt_long = 3,
		.n_spurious = 1},
	{.name = "two_wait_key_last", .body = two_wait_key_last, .preempt = 3, .fails = "asleep"},
	{.name = "two_wait_notify_one, notifier looks with acquire",
		.body = two_wait_notify_one,
		.preempt = 3,
		.weaken = {{"eventcount_notify_one", "waiters", memory_order_acquire}},
		.fails = "asleep"},
	{.name = "one_gives_up", .body = one_gives_up, .preempt = 4, .preempt_long = 6},
};

MODEL_MAIN(models)
