#include "test.h"

#include <errno.h>
#include <sched.h>

#include "sync/select.h"
#include "sync/thread.h"

/* Items count how often they were received and dropped. */
struct item {
	_Atomic uint32_t n_received, n_dropped;
};

static void
drop_item(void *arg)
{
	struct item *i = arg;

	(void)add_sc(&i->n_dropped, 1);
}

static const struct chan_opts kinds[] = {
	{.cap = 4, .drop = drop_item},
	{.cap = 1, .drop = drop_item},
	{.cap = CHAN_UNBOUNDED, .drop = drop_item},
	{.cap = 0, .drop = drop_item},
};

static struct chan *
create(const struct chan_opts *kind, unsigned n_senders, unsigned n_receivers)
{
	struct chan_opts opts = *kind;
	struct chan *c;

	opts.n_senders = n_senders;
	opts.n_receivers = n_receivers;
	CHECK_INT(chan_create_with(&opts, &c), 0);
	return c;
}

TEST(chan_ends, the_last_sender_closes_and_all_comes_out)
{
	struct item items[2] = {{0}};
	struct chan *c = create(&kinds[0], 1, 0);
	void *got;

	chan_add_sender(c);
	CHECK_INT(chan_try_send(c, &items[0]), 0);
	chan_drop_sender(c);
	CHECK_INT(chan_try_send(c, &items[1]), 0);
	chan_drop_sender(c);
	CHECK_INT(chan_try_send(c, &items[1]), -EPIPE);
	CHECK_INT(chan_recv(c, &got, NULL), 0);
	CHECK_INT(chan_recv(c, &got, NULL), 0);
	CHECK_INT(chan_recv(c, &got, NULL), -EPIPE);
	chan_destroy(c);
	CHECK_INT(items[0].n_dropped + items[1].n_dropped, 0);
}

TEST(chan_ends, the_last_receiver_drops_what_is_left_and_senders_are_told)
{
	struct item items[3] = {{0}};
	struct chan *c = create(&kinds[0], 0, 2);

	CHECK_INT(chan_try_send(c, &items[0]), 0);
	CHECK_INT(chan_try_send(c, &items[1]), 0);
	chan_drop_receiver(c);
	CHECK_INT(items[0].n_dropped, 0);
	chan_drop_receiver(c);
	CHECK_INT(items[0].n_dropped, 1);
	CHECK_INT(items[1].n_dropped, 1);
	CHECK_INT(chan_send(c, &items[2], NULL), -EPIPE);
	chan_destroy(c);
	CHECK_INT(items[2].n_dropped, 0);
}

/* Drop against send, receive and select: each item that a send took is received or dropped, once.
 */
#define N_ITEMS 64u

struct race {
	struct chan *chan;
	struct item items[N_ITEMS];
	_Atomic unsigned next, n_sent;
	unsigned limit; /* how many items a receiver takes before it goes */
};

static int
race_send(void *arg)
{
	struct race *r = arg;
	unsigned i;

	while ((i = add_rlx(&r->next, 1)) < N_ITEMS) {
		if (chan_send(r->chan, &r->items[i], NULL) == 0)
			(void)add_rlx(&r->n_sent, 1);
	}
	chan_drop_sender(r->chan);
	return 0;
}

static int
race_select_send(void *arg)
{
	struct race *r = arg;
	unsigned i;

	while ((i = add_rlx(&r->next, 1)) < N_ITEMS) {
		struct select_arm arm = select_send(r->chan, &r->items[i]);

		if (select_until(&arm, 1, SELECT_FAIR, NULL, USEC_NEVER) != 0)
			return -EBADMSG;
		if (arm.result == 0)
			(void)add_rlx(&r->n_sent, 1);
	}
	chan_drop_sender(r->chan);
	return 0;
}

static int
race_recv(void *arg)
{
	struct race *r = arg;
	void *got;

	for (unsigned i = 0; i < r->limit && chan_recv(r->chan, &got, NULL) == 0; i++)
		(void)add_rlx(&((struct item *)got)->n_received, 1);
	chan_drop_receiver(r->chan);
	return 0;
}

static int
race_select_recv(void *arg)
{
	struct race *r = arg;

	for (unsigned i = 0; i < r->limit; i++) {
		struct select_arm arms[] = {select_never(), select_recv(r->chan)};

		if (select_until(arms, 2, SELECT_FAIR, NULL, USEC_NEVER) != 1)
			return -EBADMSG;
		if (arms[1].result < 0)
			break;
		(void)add_rlx(&((struct item *)arms[1].item)->n_received, 1);
	}
	chan_drop_receiver(r->chan);
	return 0;
}

static void
run_race(const struct chan_opts *kind, unsigned limit, bool close)
{
	static int (*const fns[])(void *) = {
		race_send, race_select_send, race_recv, race_select_recv};
	struct race r = {.chan = create(kind, 2, 2), .limit = limit};
	struct thread threads[ARRAY_LEN(fns)];
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(fns); i++)
		CHECK_INT(thread_start(&threads[i], "race", fns[i], &r), 0);
	if (close)
		chan_close(r.chan);
	for (size_t i = 0; i < ARRAY_LEN(fns); i++)
		CHECK_INT(thread_join(&threads[i]), 0);
	for (unsigned i = 0; i < N_ITEMS; i++) {
		CHECK(r.items[i].n_received + r.items[i].n_dropped <= 1);
		n += r.items[i].n_received + r.items[i].n_dropped;
	}
	CHECK_INT(n, r.n_sent);
	chan_destroy(r.chan);
}

TEST(chan_ends, each_item_sent_is_received_or_dropped_exactly_once)
{
	for (unsigned long round = 0; round < test_scale(100000); round++) {
		const struct chan_opts *kind = &kinds[round % ARRAY_LEN(kinds)];

		run_race(kind, (unsigned)round % 40, false);
		run_race(kind, N_ITEMS, round % 3 == 0);
	}
}
