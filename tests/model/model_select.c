/* select, rendezvous and the ring of one sender and one receiver. */
#include "model.h"

#include <errno.h>

#include "sync/select.h"
#include "sync/thread.h"

static struct chan *chans[2];

static struct chan *
create(size_t cap, enum chan_kind kind)
{
	struct chan *c;

	CHECK_MODEL(chan_create_with(&(struct chan_opts){.cap = cap, .kind = kind}, &c) == 0);
	return c;
}

static int
send_first(void *arg)
{
	(void)arg;
	CHECK_MODEL(chan_send(chans[0], (void *)1, NULL) == 0);
	return 0;
}

static int
send_second(void *arg)
{
	(void)arg;
	CHECK_MODEL(chan_send(chans[1], (void *)2, NULL) == 0);
	return 0;
}

static int
close_second(void *arg)
{
	(void)arg;
	chan_close(chans[1]);
	return 0;
}

static void
select_kind(size_t cap, enum chan_kind kind, int (*other)(void *))
{
	struct thread t[2];
	uintptr_t got = 0;
	unsigned n_closed = 0;

	chans[0] = create(cap, kind);
	chans[1] = create(cap, kind);
	(void)thread_start(&t[0], "first", send_first, NULL);
	(void)thread_start(&t[1], "second", other, NULL);
	struct select_arm arms[] = {select_recv(chans[0]), select_recv(chans[1])};

	for (int i = 0; i < 2; i++) {
		int r = select_until(arms, 2, SELECT_BIASED, NULL, USEC_NEVER);

		CHECK_MODEL(r == 0 || r == 1);
		if (arms[r].result == 0)
			got += (uintptr_t)arms[r].item;
		else
			n_closed++;
		arms[r] = select_never();
	}
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	CHECK_MODEL(other == close_second ? got == 1 && n_closed == 1 : got == 3);
	chan_destroy(chans[0]);
	chan_destroy(chans[1]);
}

static void
select_with(size_t cap, int (*other)(void *))
{
	select_kind(cap, CHAN_MPMC, other);
}

static void
select_spsc(void)
{
	select_kind(1, CHAN_SPSC, send_second);
}

static void
select_spsc_and_close(void)
{
	select_kind(1, CHAN_SPSC, close_second);
}

static void
select_two(void)
{
	select_with(2, send_second);
}

static void
select_and_close(void)
{
	select_with(2, close_second);
}

static void
select_rendezvous(void)
{
	select_with(0, send_second);
}

/* Each item goes from hand to hand. */
static int
send_two(void *arg)
{
	(void)arg;
	for (uintptr_t i = 1; i <= 2; i++)
		CHECK_MODEL(chan_send(chans[0], (void *)i, NULL) == 0);
	return 0;
}

static int
receive_first(void *arg)
{
	void *item;

	(void)arg;
	return chan_recv(chans[0], &item, NULL);
}

/* One that waits for a channel twice, and one that waits once. */
static void
two_arms_on_one(void)
{
	struct thread t[2];

	chans[0] = create(2, CHAN_MPMC);
	(void)thread_start(&t[0], "other", receive_first, NULL);
	(void)thread_start(&t[1], "sender", send_two, NULL);
	struct select_arm arms[] = {select_recv(chans[0]), select_recv(chans[0])};

	CHECK_MODEL(select_until(arms, 2, SELECT_BIASED, NULL, USEC_NEVER) >= 0);
	CHECK_MODEL(thread_join(&t[0]) == 0);
	(void)thread_join(&t[1]);
	chan_destroy(chans[0]);
}

static void
receive_two(size_t cap, enum chan_kind kind)
{
	struct thread t;
	void *item;

	chans[0] = create(cap, kind);
	(void)thread_start(&t, "sender", send_two, NULL);
	for (uintptr_t i = 1; i <= 2; i++) {
		CHECK_MODEL(chan_recv(chans[0], &item, NULL) == 0);
		CHECK_MODEL(item == (void *)i);
	}
	(void)thread_join(&t);
	chan_destroy(chans[0]);
}

static size_t
weigh_one(const void *item)
{
	(void)item;
	return 1;
}

static int
select_to_send(void *arg)
{
	struct select_arm arm = select_send(chans[0], (void *)3);

	(void)arg;
	CHECK_MODEL(select_until(&arm, 1, SELECT_BIASED, NULL, USEC_NEVER) == 0);
	return arm.result;
}

/* Both go in, and nobody receives any more: no sender may take the other's slot for a full ring. */
static void
two_weighed_senders(void)
{
	static const struct chan_opts opts = {.cap = 2, .max_bytes = 10, .weigh = weigh_one};
	struct thread t[2];
	void *item;

	CHECK_MODEL(chan_create_with(&opts, &chans[0]) == 0);
	for (uintptr_t i = 1; i <= 2; i++)
		CHECK_MODEL(chan_try_send(chans[0], (void *)i) == 0);
	(void)thread_start(&t[0], "first", send_first, NULL);
	(void)thread_start(&t[1], "selects", select_to_send, NULL);
	for (uintptr_t i = 1; i <= 2; i++)
		CHECK_MODEL(chan_try_recv(chans[0], &item) == 0);
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	CHECK_MODEL(chan_len(chans[0]) == 2);
	chan_destroy(chans[0]);
}

static void
rendezvous(void)
{
	receive_two(0, CHAN_MPMC);
}

static void
one_slot(void)
{
	receive_two(1, CHAN_SPSC);
}

static void
unbounded(void)
{
	receive_two(CHAN_UNBOUNDED, CHAN_MPMC);
}

static void
rendezvous_in_time(void)
{
	struct thread t;
	void *item;
	int sent, got;

	chans[0] = create(0, CHAN_MPMC);
	(void)thread_start(&t, "closer", send_first, NULL);
	got = chan_recv_until(chans[0], &item, NULL, clock_mono() + 5);
	if (got < 0)
		got = chan_recv(chans[0], &item, NULL);
	sent = thread_join(&t);
	CHECK_MODEL(sent == 0 && got == 0);
	chan_destroy(chans[0]);
}

static const struct model models[] = {
	{.name = "select_two", .body = select_two, .preempt = 2, .preempt_long = 3},
	{.name = "select_and_close", .body = select_and_close, .preempt = 2, .preempt_long = 3},
	{.name = "two_arms_on_one", .body = two_arms_on_one, .preempt = 2, .preempt_long = 3},
	{.name = "two_weighed_senders",
		.body = two_weighed_senders,
		.preempt = 2,
		.preempt_long = 3},
	{.name = "select_rendezvous", .body = select_rendezvous, .preempt = 2, .preempt_long = 3},
	{.name = "rendezvous", .body = rendezvous, .preempt = 3, .preempt_long = 5},
	{.name = "rendezvous_in_time", .body = rendezvous_in_time, .preempt = 3, .preempt_long = 5},
	{.name = "one_slot", .body = one_slot, .preempt = 3, .preempt_long = 5},
	{.name = "one_slot, membarrier",
		.body = one_slot,
		.preempt = 3,
		.preempt_long = 5,
		.membarrier = true},
	{.name = "select_spsc",
		.body = select_spsc,
		.preempt = 2,
		.preempt_long = 3,
		.membarrier = true},
	{.name = "select_spsc, no fence",
		.body = select_spsc,
		.preempt = 2,
		.membarrier = true,
		.weaken = {{"membarrier_all", "every_thread", memory_order_relaxed}},
		.fails = "asleep"},
	{.name = "select_spsc_and_close",
		.body = select_spsc_and_close,
		.preempt = 2,
		.preempt_long = 3,
		.membarrier = true},
	{.name = "unbounded", .body = unbounded, .preempt = 3, .preempt_long = 5},
};

MODEL_MAIN(models)
