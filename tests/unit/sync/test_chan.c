#include "test.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sync/chan.h"
#include "sync/thread.h"

static void *
number(uint64_t n)
{
	return (void *)(uintptr_t)n;
}

TEST(chan, items_come_out_in_the_order_they_went_in)
{
	struct chan *c = chan_create(3, NULL);
	void *item;

	for (uint64_t lap = 0; lap < 10; lap++) {
		for (uint64_t i = 1; i <= 4; i++)
			CHECK_INT(chan_try_send(c, number(10 * lap + i)), 0);
		CHECK_INT(chan_try_send(c, number(99)), -EAGAIN);
		CHECK_INT(chan_len(c), 4);
		for (uint64_t i = 1; i <= 4; i++) {
			CHECK_INT(chan_recv(c, &item, NULL), 0);
			CHECK(item == number(10 * lap + i));
		}
		CHECK_INT(chan_try_recv(c, &item), -EAGAIN);
	}
	chan_destroy(c);
}

TEST(chan, after_close_nothing_goes_in_and_all_comes_out)
{
	struct chan *c = chan_create(8, NULL);
	void *item;

	CHECK_INT(chan_send(c, number(1), NULL), 0);
	CHECK_INT(chan_send(c, number(2), NULL), 0);
	chan_close(c);
	chan_close(c);
	CHECK_INT(chan_send(c, number(3), NULL), -EPIPE);
	CHECK_INT(chan_try_send(c, number(3)), -EPIPE);
	CHECK_INT(chan_len(c), 2);
	CHECK_INT(chan_recv(c, &item, NULL), 0);
	CHECK(item == number(1));
	CHECK_INT(chan_try_recv(c, &item), 0);
	CHECK_INT(chan_recv(c, &item, NULL), -EPIPE);
	CHECK_INT(chan_try_recv(c, &item), -EPIPE);
	chan_destroy(c);
}

static unsigned n_dropped;

static void
count_drop(void *item)
{
	(void)item;
	n_dropped++;
}

TEST(chan, destroy_drops_what_is_left)
{
	struct chan *c = chan_create(8, count_drop);

	for (int i = 0; i < 5; i++)
		CHECK_INT(chan_send(c, number(1), NULL), 0);
	chan_close(c);
	chan_destroy(c);
	CHECK_INT(n_dropped, 5);
	chan_destroy(NULL);
}

TEST(chan, a_wait_ends_at_its_deadline)
{
	struct chan *c = chan_create(2, NULL);
	usec_t deadline = clock_deadline(5000);
	void *item;

	CHECK_INT(chan_recv_until(c, &item, NULL, deadline), -ETIMEDOUT);
	CHECK(clock_mono() >= deadline);
	CHECK_INT(chan_send_until(c, number(1), NULL, 0), 0);
	CHECK_INT(chan_send_until(c, number(2), NULL, 0), 0);
	CHECK_INT(chan_send_until(c, number(3), NULL, clock_deadline(1000)), -ETIMEDOUT);
	CHECK_INT(chan_len(c), 2);
	chan_destroy(c);
}

/* One thread in one blocking call; its result is what join returns. */
struct sleeper {
	struct thread thread;
	struct chan *chan;
	struct stop *stop;
	void *item;
};

static int
sleep_in_recv(void *arg)
{
	struct sleeper *s = arg;

	return chan_recv(s->chan, &s->item, s->stop);
}

static int
sleep_in_send(void *arg)
{
	struct sleeper *s = arg;

	return chan_send(s->chan, number(7), s->stop);
}

static void
start_sleepers(struct sleeper *s, size_t n, struct chan *c, struct stop *stop, int (*fn)(void *))
{
	struct chan_stats stats;

	for (size_t i = 0; i < n; i++) {
		s[i] = (struct sleeper){.chan = c, .stop = stop};
		CHECK_INT(thread_start(&s[i].thread, "sleeper", fn, &s[i]), 0);
	}
	do {
		sched_yield();
		chan_get_stats(c, &stats);
	} while (stats.n_recv_waits + stats.n_send_waits < n);
}

TEST(chan, close_wakes_every_receiver)
{
	struct chan *c = chan_create(2, NULL);
	struct sleeper s[4];

	start_sleepers(s, 4, c, NULL, sleep_in_recv);
	chan_close(c);
	for (int i = 0; i < 4; i++)
		CHECK_INT(thread_join(&s[i].thread), -EPIPE);
	chan_destroy(c);
}

TEST(chan, close_wakes_every_sender_and_each_keeps_its_item)
{
	struct chan *c = chan_create(2, NULL);
	struct sleeper s[4];

	CHECK_INT(chan_send(c, number(1), NULL), 0);
	CHECK_INT(chan_send(c, number(2), NULL), 0);
	start_sleepers(s, 4, c, NULL, sleep_in_send);
	chan_close(c);
	for (int i = 0; i < 4; i++)
		CHECK_INT(thread_join(&s[i].thread), -EPIPE);
	CHECK_INT(chan_len(c), 2);
	chan_destroy(c);
}

TEST(chan, a_token_wakes_its_own_sleepers_only)
{
	struct chan *c = chan_create(2, NULL);
	struct sleeper stopped[2], others[2];
	struct stop a, b;

	stop_init(&a, NULL);
	stop_init(&b, NULL);
	start_sleepers(stopped, 2, c, &a, sleep_in_recv);
	for (int i = 0; i < 2; i++) {
		others[i] = (struct sleeper){.chan = c, .stop = &b};
		CHECK_INT(thread_start(&others[i].thread, "other", sleep_in_recv, &others[i]), 0);
	}
	stop_request(&a);
	for (int i = 0; i < 2; i++)
		CHECK_INT(thread_join(&stopped[i].thread), -ECANCELED);
	CHECK_INT(chan_send(c, number(1), NULL), 0);
	CHECK_INT(chan_send(c, number(2), NULL), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(thread_join(&others[i].thread), 0);
		CHECK(others[i].item != NULL);
	}
	chan_destroy(c);
	stop_fini(&a);
	stop_fini(&b);
}

TEST(chan, a_fired_token_is_seen_before_an_item)
{
	struct chan *c = chan_create(2, NULL);
	struct stop s;
	void *item;

	stop_init(&s, NULL);
	stop_request(&s);
	CHECK_INT(chan_send(c, number(1), &s), -ECANCELED);
	CHECK_INT(chan_send(c, number(1), NULL), 0);
	CHECK_INT(chan_recv(c, &item, &s), -ECANCELED);
	CHECK_INT(chan_len(c), 1);
	chan_destroy(c);
	stop_fini(&s);
}

/* Senders number their items; each receiver sees each sender's numbers ascend, and together they
 * see each number once. */
#define MAX_SIDE 4u

struct traffic {
	struct chan *chan;
	uint64_t n_each;
	_Atomic unsigned next_sender;
	_Atomic uint64_t n_received, sum;
};

static int
send_numbers(void *arg)
{
	struct traffic *t = arg;
	uint64_t me = add_rlx(&t->next_sender, 1);

	for (uint64_t i = 1; i <= t->n_each; i++) {
		int r = chan_send(t->chan, number(me << 40 | i), NULL);

		if (r < 0)
			return r;
	}
	return 0;
}

static int
receive_numbers(void *arg)
{
	struct traffic *t = arg;
	uint64_t last[MAX_SIDE] = {0}, n = 0, sum = 0;
	void *item;
	int r;

	while ((r = chan_recv(t->chan, &item, NULL)) == 0) {
		uint64_t from = (uint64_t)(uintptr_t)item >> 40;
		uint64_t i = (uint64_t)(uintptr_t)item & ((1ull << 40) - 1);

		if (i <= last[from])
			return -EBADMSG;
		last[from] = i;
		n++;
		sum += i;
	}
	(void)add_rlx(&t->n_received, n);
	(void)add_rlx(&t->sum, sum);
	return r;
}

static void
run_traffic(unsigned n_senders, unsigned n_receivers, size_t cap, uint64_t n_each)
{
	struct traffic t = {.chan = chan_create(cap, NULL), .n_each = n_each};
	struct thread senders[MAX_SIDE], receivers[MAX_SIDE];
	struct chan_stats stats;

	for (unsigned i = 0; i < n_receivers; i++)
		CHECK_INT(thread_start(&receivers[i], "recv", receive_numbers, &t), 0);
	for (unsigned i = 0; i < n_senders; i++)
		CHECK_INT(thread_start(&senders[i], "send", send_numbers, &t), 0);
	for (unsigned i = 0; i < n_senders; i++)
		CHECK_INT(thread_join(&senders[i]), 0);
	chan_close(t.chan);
	for (unsigned i = 0; i < n_receivers; i++)
		CHECK_INT(thread_join(&receivers[i]), -EPIPE);
	CHECK_INT(t.n_received, n_senders * n_each);
	CHECK_INT(t.sum, n_senders * (n_each * (n_each + 1) / 2));
	chan_get_stats(t.chan, &stats);
	CHECK_INT(stats.n_sent, n_senders * n_each);
	chan_destroy(t.chan);
}

TEST(chan, nothing_is_lost_doubled_or_overtaken)
{
	static const size_t caps[] = {2, 8, 1024};

	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		run_traffic(1, 1, caps[i], test_scale(10000000));
		run_traffic(4, 1, caps[i], test_scale(2500000));
		run_traffic(1, 4, caps[i], test_scale(10000000));
		run_traffic(4, 4, caps[i], test_scale(2500000));
	}
}

TEST(chan, nothing_is_lost_on_one_cpu)
{
	cpu_set_t set;

	CHECK_INT(sched_getaffinity(0, sizeof(set), &set), 0);
	for (int i = 0, seen = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set) && seen++ > 0)
			CPU_CLR(i, &set);
	}
	CHECK_INT(sched_setaffinity(0, sizeof(set), &set), 0);
	run_traffic(4, 4, 2, test_scale(500000));
	run_traffic(2, 2, 64, test_scale(2500000));
}

static int
send_until_closed(void *arg)
{
	struct traffic *t = arg;
	int r;

	for (uint64_t i = 1; (r = chan_send(t->chan, number(i), NULL)) == 0; i++)
		(void)add_rlx(&t->sum, 1);
	return r;
}

static int
receive_until_closed(void *arg)
{
	struct traffic *t = arg;
	void *item;
	int r;

	while ((r = chan_recv(t->chan, &item, NULL)) == 0)
		(void)add_rlx(&t->n_received, 1);
	return r;
}

/* Whatever close meets, sends that succeeded are received and all calls end. */
TEST(chan, close_in_the_midst_loses_nothing_that_was_sent)
{
	for (unsigned long round = 0; round < test_scale(500000); round++) {
		struct traffic t = {.chan = chan_create(2 + round % 3, NULL)};
		struct thread s[2], r[2];

		for (int i = 0; i < 2; i++) {
			CHECK_INT(thread_start(&s[i], "send", send_until_closed, &t), 0);
			CHECK_INT(thread_start(&r[i], "recv", receive_until_closed, &t), 0);
		}
		for (unsigned long i = 0; i < round % 8; i++)
			sched_yield();
		chan_close(t.chan);
		for (int i = 0; i < 2; i++) {
			CHECK_INT(thread_join(&s[i]), -EPIPE);
			CHECK_INT(thread_join(&r[i]), -EPIPE);
		}
		CHECK_INT(t.n_received, t.sum);
		chan_destroy(t.chan);
	}
}

/* Receivers whose deadlines and tokens keep firing give up all the time; a wake-up that died with
 * one of them would leave the last item lying while the patient receiver sleeps. */
static int
receive_impatiently(void *arg)
{
	struct traffic *t = arg;
	void *item;
	int r;

	do {
		r = chan_recv_until(t->chan, &item, NULL, clock_mono() + 20);
		if (r == 0)
			(void)add_sc(&t->n_received, 1);
	} while (r != -EPIPE);
	return 0;
}

static int
receive_patiently(void *arg)
{
	struct traffic *t = arg;
	void *item;

	while (chan_recv(t->chan, &item, NULL) == 0)
		(void)add_sc(&t->n_received, 1);
	return 0;
}

TEST(chan, who_gives_up_hands_its_wake_up_on)
{
	struct traffic t = {.chan = chan_create(4, NULL)};
	struct thread r[3];

	CHECK_INT(thread_start(&r[0], "patient", receive_patiently, &t), 0);
	CHECK_INT(thread_start(&r[1], "hasty", receive_impatiently, &t), 0);
	CHECK_INT(thread_start(&r[2], "hasty", receive_impatiently, &t), 0);
	for (uint64_t i = 1; i <= test_scale(2000000); i++) {
		CHECK_INT(chan_send(t.chan, number(i), NULL), 0);
		while (i % 16 == 0 && load_sc(&t.n_received) < i)
			sched_yield();
	}
	chan_close(t.chan);
	for (int i = 0; i < 3; i++)
		CHECK_INT(thread_join(&r[i]), 0);
	CHECK_INT(t.n_received, test_scale(2000000));
	chan_destroy(t.chan);
}

static bool
readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void
drain_event(int fd)
{
	uint64_t n;

	CHECK_INT(read(fd, &n, sizeof(n)), sizeof(n));
	CHECK_INT(n, 1);
}

TEST(chan, an_armed_event_fd_is_written_once)
{
	struct chan *c = chan_create(8, NULL);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	void *item;

	chan_set_event_fd(c, fd);
	CHECK_INT(chan_send(c, number(1), NULL), 0);
	CHECK(!readable(fd));
	CHECK(chan_arm(c)); /* something is there already */
	CHECK_INT(chan_recv(c, &item, NULL), 0);
	CHECK_INT(chan_send(c, number(2), NULL), 0);
	CHECK(!readable(fd)); /* the true above left it disarmed */
	CHECK_INT(chan_recv(c, &item, NULL), 0);
	CHECK(!chan_arm(c));
	CHECK_INT(chan_send(c, number(3), NULL), 0);
	CHECK_INT(chan_send(c, number(4), NULL), 0);
	drain_event(fd);
	CHECK(!readable(fd));
	CHECK_INT(chan_recv(c, &item, NULL), 0);
	CHECK_INT(chan_recv(c, &item, NULL), 0);
	CHECK(!chan_arm(c));
	chan_disarm(c);
	CHECK_INT(chan_send(c, number(5), NULL), 0);
	CHECK(!readable(fd));
	CHECK_INT(chan_recv(c, &item, NULL), 0);
	CHECK(!chan_arm(c));
	chan_close(c);
	drain_event(fd);
	CHECK(chan_arm(c));
	chan_set_event_fd(c, -1);
	chan_destroy(c);
	(void)close(fd);
}

TEST(chan, a_look_ends_by_itself_and_says_what_is_there)
{
	struct chan *c = chan_create(4, NULL);
	void *item;

	for (int i = 0; i < 20; i++)
		CHECK(!chan_look(c));
	CHECK_INT(chan_send(c, number(7), NULL), 0);
	CHECK(chan_look(c));
	CHECK_INT(chan_try_recv(c, &item), 0);
	CHECK(item == number(7));
	CHECK(!chan_look(c));
	chan_close(c);
	CHECK(chan_look(c)); /* there is something to know */
	chan_destroy(c);
}

/* The loop of the header: a lost wake-up ends in a read that lasts for ever. */
static uint64_t
loop_until_closed(struct chan *c, int fd)
{
	uint64_t n = 0, count;

	for (;;) {
		void *item;
		int r;

		while ((r = chan_try_recv(c, &item)) == 0)
			n++;
		if (r == -EPIPE)
			return n;
		/* Looking first, now and then, for which it is disarmed. */
		if ((n % 3 == 0 && chan_look(c)) || chan_arm(c))
			continue;
		CHECK_INT(read(fd, &count, sizeof(count)), sizeof(count));
		chan_disarm(c);
	}
}

static int
send_and_close(void *arg)
{
	struct traffic *t = arg;
	struct thread other;

	(void)thread_start(&other, "send", send_numbers, t);
	(void)send_numbers(t);
	(void)thread_join(&other);
	chan_close(t->chan);
	return 0;
}

TEST(chan, an_event_loop_misses_nothing)
{
	struct traffic t = {.chan = chan_create(16, NULL), .n_each = test_scale(5000000)};
	int fd = eventfd(0, EFD_CLOEXEC);
	struct thread sender;

	chan_set_event_fd(t.chan, fd);
	CHECK_INT(thread_start(&sender, "send", send_and_close, &t), 0);
	CHECK_INT(loop_until_closed(t.chan, fd), 2 * t.n_each);
	CHECK_INT(thread_join(&sender), 0);
	chan_destroy(t.chan);
	(void)close(fd);
}
