/* The channel of chan.c: everything sent is received once and in order, nobody sleeps while he
 * could go on, and close ends all. */
#include "model.h"

#include <errno.h>
#include <unistd.h>

#include "sync/chan.h"
#include "sync/thread.h"

/* What a thread sends or received: numbers, the sender's index above the count. */
struct side {
	struct thread thread;
	struct chan *chan;
	struct stop *stop;
	uint32_t base, n; /* a sender's */
	usec_t deadline;  /* a receiver's */
	uint32_t got[8], n_got;
	int result; /* what ended it */
};

static int
send_all(void *arg)
{
	struct side *s = arg;

	for (uint32_t i = 1; i <= s->n; i++) {
		s->result = chan_send(s->chan, (void *)(uintptr_t)(s->base + i), s->stop);
		if (s->result < 0)
			return 0;
		s->n_got = i; /* how many went in */
	}
	return 0;
}

static int
receive_some(void *arg)
{
	struct side *s = arg;
	usec_t deadline = s->deadline ? s->deadline : USEC_NEVER;

	while (s->n == 0 || s->n_got < s->n) {
		void *item;

		s->result = chan_recv_until(s->chan, &item, s->stop, deadline);
		if (s->result < 0)
			return 0;
		s->got[s->n_got++] = (uint32_t)(uintptr_t)item;
	}
	return 0;
}

/* Was each of the numbers base + 1 .. base + n got once, by one receiver in ascending order? */
static void
check_got(const struct side *r, unsigned n_receivers, uint32_t base, uint32_t n)
{
	for (uint32_t want = base + 1; want <= base + n; want++) {
		unsigned times = 0;

		for (unsigned i = 0; i < n_receivers; i++) {
			for (uint32_t j = 0; j < r[i].n_got; j++)
				times += r[i].got[j] == want;
		}
		CHECK_MODEL(times == 1);
	}
	for (unsigned i = 0; i < n_receivers; i++) {
		uint32_t last = 0;

		for (uint32_t j = 0; j < r[i].n_got; j++) {
			if (r[i].got[j] <= base || r[i].got[j] > base + n)
				continue;
			CHECK_MODEL(r[i].got[j] > last);
			last = r[i].got[j];
		}
	}
}

static void
start(struct side *s, const char *name, struct chan *c, int (*fn)(void *))
{
	s->chan = c;
	CHECK_MODEL(thread_start(&s->thread, name, fn, s) == 0);
}

static void
one_to_one(void)
{
	struct chan *c = chan_create(2, NULL);
	struct side r = {.n = 3}, s = {.n = 3};

	start(&r, "receiver", c, receive_some);
	start(&s, "sender", c, send_all);
	(void)thread_join(&s.thread);
	(void)thread_join(&r.thread);
	check_got(&r, 1, 0, 3);
	chan_destroy(c);
}

static void
two_to_one(void)
{
	struct chan *c = chan_create(2, NULL);
	struct side r = {.n = 4}, s[2] = {{.n = 2}, {.base = 10, .n = 2}};

	start(&r, "receiver", c, receive_some);
	start(&s[0], "sender 1", c, send_all);
	start(&s[1], "sender 2", c, send_all);
	(void)thread_join(&s[0].thread);
	(void)thread_join(&s[1].thread);
	(void)thread_join(&r.thread);
	check_got(&r, 1, 0, 2);
	check_got(&r, 1, 10, 2);
	chan_destroy(c);
}

static void
one_to_two(void)
{
	struct chan *c = chan_create(2, NULL);
	struct side r[2] = {{.n = 0}, {.n = 0}}, s = {.n = 2};

	start(&r[0], "receiver 1", c, receive_some);
	start(&r[1], "receiver 2", c, receive_some);
	start(&s, "sender", c, send_all);
	(void)thread_join(&s.thread);
	chan_close(c);
	for (int i = 0; i < 2; i++) {
		(void)thread_join(&r[i].thread);
		CHECK_MODEL(r[i].result == -EPIPE);
	}
	check_got(r, 2, 0, 2);
	chan_destroy(c);
}

/* A receiver each for what is sent before the close, from senders that the close may find anywhere.
 */
static void
close_meets_all(void)
{
	struct chan *c = chan_create(2, NULL);
	struct side r = {.n = 0}, s = {.n = 3};

	start(&r, "receiver", c, receive_some);
	start(&s, "sender", c, send_all);
	chan_close(c);
	(void)thread_join(&s.thread);
	(void)thread_join(&r.thread);
	CHECK_MODEL(r.result == -EPIPE && (s.result == 0 || s.result == -EPIPE));
	check_got(&r, 1, 0, s.n_got);
	CHECK_MODEL(r.n_got == s.n_got);
	chan_destroy(c);
}

static void
close_wakes_two(void)
{
	struct chan *c = chan_create(2, NULL);
	struct side r[2] = {{.n = 0}, {.n = 0}};
	bool sent;

	start(&r[0], "receiver 1", c, receive_some);
	start(&r[1], "receiver 2", c, receive_some);
	sent = chan_send(c, (void *)1, NULL) == 0;
	chan_close(c);
	for (int i = 0; i < 2; i++) {
		(void)thread_join(&r[i].thread);
		CHECK_MODEL(r[i].result == -EPIPE);
	}
	CHECK_MODEL(sent);
	check_got(r, 2, 0, 1);
	chan_destroy(c);
}

/* One receiver's deadline comes at any moment; the other gets what that one left. */
static void
one_gives_up(void)
{
	struct chan *c = chan_create(2, NULL);
	struct side hasty = {.n = 1, .deadline = clock_mono() + 5}, patient = {.n = 0};

	start(&hasty, "hasty", c, receive_some);
	start(&patient, "patient", c, receive_some);
	CHECK_MODEL(chan_send(c, (void *)1, NULL) == 0);
	(void)thread_join(&hasty.thread);
	if (hasty.n_got == 1)
		CHECK_MODEL(chan_send(c, (void *)2, NULL) == 0);
	while (chan_len(c) > 0)
		cpu_pause(); /* nobody but the patient one can take it */
	chan_close(c);
	(void)thread_join(&patient.thread);
	CHECK_MODEL(hasty.n_got + patient.n_got == 1u + hasty.n_got && patient.n_got == 1);
	chan_destroy(c);
}

static void
a_token_wakes(void)
{
	struct chan *c = chan_create(2, NULL);
	struct stop stop;
	struct side r = {.n = 0, .stop = &stop};

	stop_init(&stop, NULL);
	start(&r, "receiver", c, receive_some);
	stop_request(&stop);
	(void)thread_join(&r.thread);
	CHECK_MODEL(r.result == -ECANCELED);
	stop_fini(&stop);
	chan_destroy(c);
}

/* The loop of chan.h; `look_twice`: it heeds what chan_arm() returns. */
static uint32_t
loop_until_closed(struct chan *c, int fd, bool look_twice)
{
	uint32_t n = 0;

	for (;;) {
		void *item;
		uint64_t count;
		int r;

		while ((r = chan_try_recv(c, &item)) == 0)
			n++;
		if (r == -EPIPE)
			return n;
		if (chan_arm(c) && look_twice)
			continue;
		CHECK_MODEL(read(fd, &count, sizeof(count)) == sizeof(count));
		chan_disarm(c);
	}
}

static int
send_and_close(void *arg)
{
	struct side *s = arg;

	(void)send_all(s);
	chan_close(s->chan);
	return 0;
}

static void
bridge_with(bool look_twice)
{
	struct chan *c = chan_create(2, NULL);
	struct side s = {.n = 2};

	chan_set_event_fd(c, model_eventfd());
	start(&s, "sender", c, send_and_close);
	CHECK_MODEL(loop_until_closed(c, 100000, look_twice) == 2);
	(void)thread_join(&s.thread);
	chan_destroy(c);
}

static void
bridge(void)
{
	bridge_with(true);
}

static void
bridge_unheeded(void)
{
	bridge_with(false);
}

static const struct model models[] = {
	{.name = "one_to_one", .body = one_to_one, .preempt = 3, .preempt_long = 4},
	{.name = "one_to_one, spinning", .body = one_to_one, .preempt = 2, .n_cpus = 2},
	{.name = "two_to_one", .body = two_to_one, .preempt = 2, .preempt_long = 3},
	{.name = "one_to_two", .body = one_to_two, .preempt = 2, .preempt_long = 3},
	{.name = "close_meets_all", .body = close_meets_all, .preempt = 3, .preempt_long = 4},
	{.name = "close_wakes_two", .body = close_wakes_two, .preempt = 2, .preempt_long = 3},
	{.name = "one_gives_up", .body = one_gives_up, .preempt = 2, .preempt_long = 3},
	{.name = "a_token_wakes", .body = a_token_wakes, .preempt = 3, .preempt_long = 4},
	{.name = "bridge", .body = bridge, .preempt = 3, .preempt_long = 4},
	{.name = "bridge_unheeded", .body = bridge_unheeded, .preempt = 2, .fails = "asleep"},
};

MODEL_MAIN(models)
