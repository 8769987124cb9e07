/* Channels: every kind is made or is not; an unbounded one refuses a send and keeps what it has. */
#include "fault.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sync/chan.h"
#include "sync/select.h"
#include "sync/thread.h"

static int
create_one(void *arg)
{
	struct chan *c = NULL;
	int r = chan_create_with(arg, &c);

	FAULT_CHECK((r == 0) == (c != NULL));
	chan_destroy(c);
	return r;
}

static size_t
weigh_one(const void *item)
{
	(void)item;
	return 1;
}

/* What is asked once in a process, and may fail: how many CPUs there are. */
static void
warm_up(void *arg)
{
	(void)arg;
	chan_destroy(chan_create(1, NULL));
}

static int
create_plain(void *arg)
{
	struct chan *c = chan_create(8, NULL);

	(void)arg;
	if (!c)
		return -ENOMEM;
	chan_destroy(c);
	return 0;
}

#define N_SENT 2000

static long n_dropped;

static void
count_drop(void *item)
{
	(void)item;
	n_dropped++;
}

/* The items of the sends that succeeded come out, in order; each once, or to `drop`. */
static void
drain_some(struct chan *c, uintptr_t n_sent, const uint8_t *failed)
{
	void *item = NULL;

	for (uintptr_t i = 1; i <= n_sent / 2; i++) {
		if (failed[i])
			continue;
		FAULT_CHECK(chan_try_recv(c, &item) == 0);
		FAULT_CHECK((uintptr_t)item == i);
	}
}

static int
send_unbounded(void *arg)
{
	static uint8_t failed[N_SENT + 1];
	struct chan_opts opts = {.cap = CHAN_UNBOUNDED, .drop = count_drop, .n_senders = 1};
	struct chan *c = NULL;
	long n_kept = 0, n_refused = 0;
	int r;

	opts.n_receivers = 1;
	r = chan_create_with(&opts, &c);
	(void)arg;
	if (r < 0)
		return r;
	for (uintptr_t i = 1; i <= N_SENT; i++) {
		r = chan_send(c, (void *)i, NULL);
		FAULT_CHECK(r == 0 || r == -ENOMEM);
		failed[i] = r < 0;
		n_refused += r < 0;
		n_kept += r == 0 && i > N_SENT / 2;
	}
	FAULT_CHECK(chan_len(c) == (size_t)(N_SENT - n_refused));
	drain_some(c, N_SENT, failed);
	(void)fault_off();
	FAULT_CHECK(chan_send(c, (void *)1, NULL) == 0); /* works again */
	chan_drop_sender(c);
	chan_drop_receiver(c);
	FAULT_CHECK(n_dropped == n_kept + 1);
	chan_destroy(c);
	return n_refused ? -ENOMEM : 0;
}

static int
send_in_batches(void *arg)
{
	struct chan_opts opts = {.cap = CHAN_UNBOUNDED};
	void *items[100];
	struct chan *c = NULL;
	size_t n_sent = 0;
	void *item;
	int r = chan_create_with(&opts, &c);

	(void)arg;
	if (r < 0)
		return r;
	for (int round = 0; round < 20 && r == 0; round++) {
		ssize_t n;

		for (size_t i = 0; i < 100; i++)
			items[i] = (void *)(n_sent + i + 1);
		n = chan_send_many(c, items, 100, NULL, USEC_NEVER);
		FAULT_CHECK(n > 0 || n == -ENOMEM);
		n_sent += n > 0 ? (size_t)n : 0;
		r = n < 0 ? (int)n : 0;
	}
	(void)fault_off();
	for (size_t i = 1; i <= n_sent; i++) {
		FAULT_CHECK(chan_try_recv(c, &item) == 0);
		FAULT_CHECK((size_t)item == i);
	}
	FAULT_CHECK(chan_try_recv(c, &item) == -EAGAIN);
	chan_destroy(c);
	return r;
}

/* A receiver sleeps in select meanwhile: a refused send wakes nobody wrongly, a later one does. */
static int
select_all(void *arg)
{
	struct chan **chans = arg;
	int r;

	for (;;) {
		struct select_arm arms[] = {select_recv(chans[0]), select_recv(chans[1])};

		r = select_until(arms, 2, SELECT_FAIR, NULL, USEC_NEVER);
		FAULT_CHECK(r >= 0);
		if (arms[r].result < 0)
			return 0;
	}
}

static int
send_through_select(struct chan **chans)
{
	int failure = 0;

	for (uintptr_t i = 1; i <= 400; i++) {
		struct select_arm arms[] = {
			select_send(chans[0], (void *)i), select_send(chans[1], (void *)i)};
		int r = select_until(arms, 2, SELECT_FAIR, NULL, USEC_NEVER);

		FAULT_CHECK(r >= 0);
		FAULT_CHECK(arms[r].result == 0 || arms[r].result == -ENOMEM);
		if (arms[r].result < 0)
			failure = arms[r].result;
	}
	return failure;
}

static int
select_over_two(void *arg)
{
	struct chan_opts opts = {.cap = CHAN_UNBOUNDED};
	struct chan *chans[2] = {NULL, NULL};
	struct thread t;
	int r = chan_create_with(&opts, &chans[0]);

	(void)arg;
	if (r == 0)
		r = chan_create_with(&opts, &chans[1]);
	if (r == 0)
		r = thread_start(&t, "select", select_all, chans);
	if (r == 0) {
		r = send_through_select(chans);
		chan_close(chans[0]);
		FAULT_CHECK(thread_join(&t) == 0);
	}
	chan_destroy(chans[0]);
	chan_destroy(chans[1]);
	return r;
}

/* The bridge: a refused send writes no event that a drain would not find, and none is lost. */
static int
send_to_a_loop(void *arg)
{
	struct chan_opts opts = {.cap = CHAN_UNBOUNDED};
	struct chan *c = NULL;
	int fd, r = chan_create_with(&opts, &c);
	void *item;

	(void)arg;
	if (r < 0)
		return r;
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r = fd < 0 ? -errno : 0;
	chan_set_event_fd(c, fd);
	for (uintptr_t i = 1; i <= 300 && fd >= 0; i++) {
		uint64_t count = 0;
		bool more = chan_arm(c);
		int sent = chan_send(c, (void *)i, NULL);

		FAULT_CHECK(!more);
		FAULT_CHECK((read(fd, &count, sizeof(count)) > 0) == (sent == 0));
		chan_disarm(c);
		FAULT_CHECK(chan_try_recv(c, &item) == (sent == 0 ? 0 : -EAGAIN));
		r = sent < 0 ? sent : r;
	}
	chan_set_event_fd(c, -1);
	chan_destroy(c);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

static struct chan_opts ring = {.cap = 64}, spsc = {.cap = 64, .kind = CHAN_SPSC}, rendezvous = {0},
			unbounded = {.cap = CHAN_UNBOUNDED},
			weighed = {.cap = 16, .max_bytes = 100, .weigh = weigh_one},
			counted = {.cap = 4, .n_senders = 2, .n_receivers = 2};

#define CREATE(what)                                                                           \
	{                                                                                      \
		.name = "create: " #what, .run = create_one, .setup = warm_up, .arg = &(what), \
		.kinds = FAULT_MEMORY, .flags = FAULT_STRICT, .min_calls = 1                   \
	}

static const struct fault_case cases[] = {
	CREATE(ring),
	CREATE(spsc),
	CREATE(rendezvous),
	CREATE(unbounded),
	CREATE(weighed),
	CREATE(counted),
	{.name = "create: plain",
		.setup = warm_up,
		.run = create_plain,
		.kinds = FAULT_MEMORY,
		.flags = FAULT_STRICT},
	{.name = "create: no quota", .run = create_plain, .kinds = FAULT_FD, .flags = FAULT_NEVER},
	{.name = "unbounded sends", .run = send_unbounded, .min_calls = 10},
	{.name = "batches", .run = send_in_batches, .min_calls = 10},
	{.name = "select", .run = select_over_two, .min_calls = 5},
	{.name = "bridge", .run = send_to_a_loop, .min_calls = 4},
};

FAULT_MAIN(cases)
