#include "test.h"

#include <errno.h>
#include <sched.h>

#include "sync/select.h"
#include "sync/thread.h"

static void *
number(uint64_t n)
{
	return (void *)(uintptr_t)n;
}

TEST(select, a_fair_choice_among_ready_arms_is_even)
{
	const uint64_t n = MAX(test_scale(1000000), 40000);
	struct select_arm arms[4];
	uint64_t fired[4] = {0};
	struct chan *c[4];

	for (int i = 0; i < 4; i++) {
		c[i] = chan_create(2, NULL);
		arms[i] = select_recv(c[i]);
		CHECK_INT(chan_try_send(c[i], number(1)), 0);
	}
	for (uint64_t i = 0; i < n; i++) {
		int k = select_until(arms, 4, SELECT_FAIR, NULL, USEC_NEVER);

		CHECK(k >= 0);
		fired[k]++;
		CHECK_INT(chan_try_send(c[k], number(1)), 0);
	}
	for (int i = 0; i < 4; i++) {
		CHECK(fired[i] >= n * 22 / 100 && fired[i] <= n * 28 / 100);
		chan_destroy(c[i]);
	}
}

TEST(select, a_biased_choice_is_the_first_ready_arm)
{
	struct chan *a = chan_create(2, NULL), *b = chan_create(2, NULL);
	struct select_arm arms[] = {select_recv(a), select_recv(b)};

	for (unsigned long i = 0; i < 1000; i++) {
		CHECK_INT(chan_try_send(a, number(1)), 0);
		(void)chan_try_send(b, number(2));
		CHECK_INT(select_until(arms, 2, SELECT_BIASED, NULL, USEC_NEVER), 0);
		CHECK(arms[0].item == number(1));
	}
	CHECK_INT(select_until(arms, 2, SELECT_BIASED, NULL, USEC_NEVER), 1);
	CHECK(arms[1].item == number(2));
	chan_destroy(a);
	chan_destroy(b);
}

TEST(select, an_arm_sends_when_there_is_room)
{
	struct chan *full = chan_create(1, NULL), *open = chan_create(1, NULL);
	struct select_arm arms[] = {select_send(full, number(1)), select_send(open, number(2))};
	void *item;

	CHECK_INT(chan_try_send(full, number(9)), 0);
	CHECK_INT(select_try(arms, 2, SELECT_FAIR), 1);
	CHECK_INT(arms[1].result, 0);
	CHECK_INT(select_try(arms, 2, SELECT_FAIR), -EAGAIN);
	CHECK_INT(chan_try_recv(open, &item), 0);
	CHECK(item == number(2));
	CHECK_INT(chan_len(full), 1);
	chan_destroy(full);
	chan_destroy(open);
}

TEST(select, a_closed_channel_fires_its_arm)
{
	struct chan *c = chan_create(1, NULL);
	struct select_arm arms[] = {select_never(), select_recv(c)};

	chan_close(c);
	CHECK_INT(select_until(arms, 2, SELECT_FAIR, NULL, USEC_NEVER), 1);
	CHECK_INT(arms[1].result, -EPIPE);
	chan_destroy(c);
}

TEST(select, clocks_fire_when_they_are_due)
{
	usec_t start = clock_mono();
	struct chan *c = chan_create(1, NULL);
	struct select_arm arms[] = {select_recv(c), select_after(start + 3600 * USEC_PER_SEC)};

	CHECK_INT(select_until(arms, 2, SELECT_FAIR, NULL, start + 500), -ETIMEDOUT);
	CHECK(clock_mono() >= start + 500);
	arms[1].at = start + 2000;
	CHECK_INT(select_until(arms, 2, SELECT_FAIR, NULL, USEC_NEVER), 1);
	CHECK(clock_mono() >= start + 2000);
	CHECK_INT(select_until(arms, 0, SELECT_FAIR, NULL, start), -ETIMEDOUT);
	CHECK_INT(select_try(arms, 1, SELECT_FAIR), -EAGAIN);
	chan_destroy(c);
}

TEST(select, ticks_keep_their_schedule_however_late_they_are_taken)
{
	struct ticker t;
	struct select_arm arm;
	usec_t first, due;

	ticker_init(&t, 1000);
	first = t.next;
	arm = select_tick(&t);
	for (uint64_t n = 0; n < 20; n += t.n_due) {
		CHECK_INT(select_until(&arm, 1, SELECT_FAIR, NULL, USEC_NEVER), 0);
		due = t.next - t.period;
		CHECK((t.next - first) % t.period == 0);
		CHECK(clock_mono() >= due);
	}
	t.next -= 5 * t.period; /* as if nobody had come for so long */
	CHECK_INT(select_until(&arm, 1, SELECT_FAIR, NULL, USEC_NEVER), 0);
	CHECK(t.n_due >= 5);
	CHECK((t.next - first) % t.period == 0);
}

struct sleeper {
	struct thread thread;
	struct chan *recv, *send;
	struct stop *stop;
	struct select_arm arms[2];
};

static int
sleep_in_select(void *arg)
{
	struct sleeper *s = arg;

	s->arms[0] = select_recv(s->recv);
	s->arms[1] = select_send(s->send, number(5));
	return select_until(s->arms, 2, SELECT_FAIR, s->stop, USEC_NEVER);
}

static void
start_sleeper(struct sleeper *s)
{
	struct chan_stats recv, send;

	CHECK_INT(thread_start(&s->thread, "select", sleep_in_select, s), 0);
	do {
		sched_yield();
		chan_get_stats(s->recv, &recv);
		chan_get_stats(s->send, &send);
	} while (recv.n_recv_waits == 0 || send.n_send_waits == 0);
}

/* On rings and on rendezvous channels. */
TEST(select, whatever_happens_to_an_arm_wakes_the_sleeper)
{
	for (size_t cap = 0; cap < 2; cap++) {
		for (int what = 0; what < 5; what++) {
			struct sleeper s = {
				.recv = chan_create(cap, NULL), .send = chan_create(cap, NULL)};
			struct stop stop;
			void *item;
			int r;

			stop_init(&stop, NULL);
			s.stop = &stop;
			if (cap > 0)
				CHECK_INT(chan_try_send(s.send, number(4)), 0);
			start_sleeper(&s);
			if (what == 0)
				CHECK_INT(chan_send(s.recv, number(6), NULL), 0);
			else if (what == 1)
				CHECK_INT(chan_recv(s.send, &item, NULL), 0);
			else if (what == 2)
				chan_close(s.recv);
			else if (what == 3)
				chan_close(s.send);
			else
				stop_request(&stop);
			r = thread_join(&s.thread);
			CHECK_INT(r, what == 4 ? -ECANCELED : what % 2);
			if (r >= 0)
				CHECK_INT(s.arms[r].result, what < 2 ? 0 : -EPIPE);
			if (what == 0)
				CHECK(s.arms[0].item == number(6));
			chan_destroy(s.recv);
			chan_destroy(s.send);
			stop_fini(&stop);
		}
	}
}

/* Both sides select, over channels in opposite orders; what one says it sent the other says it
 * received, and nothing else. */
#define N_CHANS 3u

struct meeting {
	struct chan *chans[N_CHANS];
	uint64_t n;
	_Atomic uint64_t next;
	_Atomic uint64_t sent, received, n_received; /* sums; relaxed, read after joins */
};

static int
meet_send(void *arg)
{
	struct meeting *m = arg;
	uint64_t i;

	while ((i = add_rlx(&m->next, 1)) <= m->n) {
		struct select_arm arms[N_CHANS];
		int k;

		for (unsigned j = 0; j < N_CHANS; j++)
			arms[j] = select_send(m->chans[j], number(i));
		k = select_until(arms, N_CHANS, SELECT_FAIR, NULL, USEC_NEVER);
		if (k < 0 || arms[k].result < 0)
			return -EBADMSG;
		(void)add_rlx(&m->sent, i);
	}
	return 0;
}

static int
meet_recv(void *arg)
{
	struct meeting *m = arg;

	for (;;) {
		struct select_arm arms[N_CHANS];
		int k;

		for (unsigned j = 0; j < N_CHANS; j++)
			arms[j] = select_recv(m->chans[N_CHANS - 1 - j]);
		k = select_until(arms, N_CHANS, SELECT_FAIR, NULL, USEC_NEVER);
		if (k < 0)
			return k;
		if (arms[k].result < 0)
			return arms[k].result;
		(void)add_rlx(&m->received, (uint64_t)(uintptr_t)arms[k].item);
		(void)add_rlx(&m->n_received, 1);
	}
}

/* Plain receivers compete with the selects for the wake-ups of one channel. */
static int
plain_recv(void *arg)
{
	struct meeting *m = arg;
	void *item;
	int r;

	while ((r = chan_recv(m->chans[0], &item, NULL)) == 0) {
		(void)add_rlx(&m->received, (uint64_t)(uintptr_t)item);
		(void)add_rlx(&m->n_received, 1);
	}
	return r;
}

/* Channels are closed when all was sent, so a receiver ends at the first one it finds closed: what
 * others still hold is drained at the end. */
static void
drain(struct meeting *m)
{
	for (unsigned j = 0; j < N_CHANS; j++) {
		void *item;

		while (chan_try_recv(m->chans[j], &item) == 0) {
			(void)add_rlx(&m->received, (uint64_t)(uintptr_t)item);
			(void)add_rlx(&m->n_received, 1);
		}
		chan_destroy(m->chans[j]);
	}
}

static void
run_meeting(const size_t caps[N_CHANS], uint64_t n)
{
	static int (*const fns[])(void *) = {
		meet_recv, meet_recv, plain_recv, meet_send, meet_send, meet_send};
	struct meeting m = {.n = n, .next = 1};
	struct thread threads[ARRAY_LEN(fns)];

	for (unsigned j = 0; j < N_CHANS; j++)
		m.chans[j] = chan_create(caps[j], NULL);
	for (size_t i = 0; i < ARRAY_LEN(fns); i++)
		CHECK_INT(thread_start(&threads[i], "meet", fns[i], &m), 0);
	for (size_t i = 3; i < ARRAY_LEN(fns); i++)
		CHECK_INT(thread_join(&threads[i]), 0);
	for (unsigned j = 0; j < N_CHANS; j++)
		chan_close(m.chans[j]);
	for (size_t i = 0; i < 3; i++)
		CHECK_INT(thread_join(&threads[i]), -EPIPE);
	drain(&m);
	CHECK_INT(m.sent, n * (n + 1) / 2);
	CHECK_INT(m.received, m.sent);
	CHECK_INT(m.n_received, n);
}

TEST(select, selects_on_both_sides_meet_and_lose_nothing)
{
	run_meeting((const size_t[]){0, 0, 0}, test_scale(1000000));
	run_meeting((const size_t[]){1, 2, 4}, test_scale(2000000));
	run_meeting((const size_t[]){0, 1, CHAN_UNBOUNDED}, test_scale(2000000));
}

/* Two that talk only through selects: a lost wake-up stops both for ever. */
static int
echo(void *arg)
{
	struct sleeper *s = arg;

	for (;;) {
		struct select_arm arm = select_recv(s->recv);

		if (select_until(&arm, 1, SELECT_FAIR, NULL, USEC_NEVER) != 0)
			return -EBADMSG;
		if (arm.result < 0)
			return arm.result;
		arm = select_send(s->send, arm.item);
		if (select_until(&arm, 1, SELECT_FAIR, NULL, USEC_NEVER) != 0)
			return -EBADMSG;
	}
}

TEST(select, ping_pong_never_stops)
{
	for (size_t cap = 0; cap < 2; cap++) {
		struct sleeper s = {.recv = chan_create(cap, NULL), .send = chan_create(cap, NULL)};

		CHECK_INT(thread_start(&s.thread, "echo", echo, &s), 0);
		for (uint64_t i = 1; i <= test_scale(500000); i++) {
			struct select_arm arms[] = {select_recv(s.send), select_never()};

			CHECK_INT(chan_send(s.recv, number(i), NULL), 0);
			CHECK_INT(select_until(arms, 2, SELECT_FAIR, NULL, USEC_NEVER), 0);
			CHECK(arms[0].item == number(i));
		}
		chan_close(s.recv);
		CHECK_INT(thread_join(&s.thread), -EPIPE);
		chan_destroy(s.recv);
		chan_destroy(s.send);
	}
}

/* Selects with deadlines give up all the time, half way through waking and claiming. */
static int
select_impatiently(void *arg)
{
	struct meeting *m = arg;

	for (;;) {
		struct select_arm arms[] = {select_recv(m->chans[0]), select_recv(m->chans[1])};
		int k = select_until(arms, 2, SELECT_FAIR, NULL, clock_mono() + 20);

		if (k >= 0 && arms[k].result < 0)
			return arms[k].result;
		if (k >= 0)
			(void)add_sc(&m->n_received, 1);
	}
}

TEST(select, who_gives_up_hands_its_wake_up_on)
{
	for (size_t cap = 0; cap < 5; cap += 4) {
		struct meeting m = {.n = test_scale(500000)};
		struct thread r[3];

		m.chans[0] = chan_create(cap, NULL);
		m.chans[1] = chan_create(cap, NULL);
		CHECK_INT(thread_start(&r[0], "patient", plain_recv, &m), 0);
		CHECK_INT(thread_start(&r[1], "hasty", select_impatiently, &m), 0);
		CHECK_INT(thread_start(&r[2], "hasty", select_impatiently, &m), 0);
		for (uint64_t i = 1; i <= m.n; i++) {
			CHECK_INT(chan_send(m.chans[0], number(i), NULL), 0);
			while (i % 16 == 0 && load_sc(&m.n_received) < i)
				sched_yield();
		}
		chan_close(m.chans[0]);
		for (int i = 0; i < 3; i++)
			CHECK_INT(thread_join(&r[i]), -EPIPE);
		CHECK_INT(m.n_received, m.n);
		chan_destroy(m.chans[0]);
		chan_destroy(m.chans[1]);
	}
}
