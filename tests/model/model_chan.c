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

/* The ring of one sender and one receiver, whose fast side has plain stores where there is
 * membarrier (note: asymmetric): everybody who sleeps, looks or decides behind its back. */
static struct chan *
create_spsc(size_t cap)
{
	struct chan *c;

	CHECK_MODEL(chan_create_with(&(struct chan_opts){.cap = cap, .kind = CHAN_SPSC}, &c) == 0);
	return c;
}

static void
spsc_both_sleep(void)
{
	struct chan *c = create_spsc(1);
	struct side r = {.n = 2}, s = {.n = 2};

	start(&r, "receiver", c, receive_some);
	start(&s, "sender", c, send_all);
	(void)thread_join(&s.thread);
	(void)thread_join(&r.thread);
	check_got(&r, 1, 0, 2);
	chan_destroy(c);
}

/* Is what was sent what was received, wherever the close falls? */
static void
spsc_end_with(int (*receive)(void *), unsigned n)
{
	struct chan *c = create_spsc(2);
	struct side r = {.n = 0}, s = {.n = n};

	start(&r, "receiver", c, receive);
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
spsc_end(void)
{
	spsc_end_with(receive_some, 2);
}

/* It never sleeps: the fence of the close is the only one. */
static int
receive_awake(void *arg)
{
	struct side *s = arg;
	void *item;

	while ((s->result = chan_try_recv(s->chan, &item)) != -EPIPE) {
		if (s->result == 0)
			s->got[s->n_got++] = (uint32_t)(uintptr_t)item;
		else
			cpu_pause();
	}
	return 0;
}

static void
spsc_end_awake(void)
{
	spsc_end_with(receive_awake, 1);
}

static int
close_chan(void *arg)
{
	chan_close(((struct side *)arg)->chan);
	return 0;
}

/* Two close: behind either nothing goes in. */
static void
spsc_two_close(void)
{
	struct chan *c = create_spsc(2);
	struct side other = {.n = 0};
	void *item;
	int r;

	start(&other, "closer", c, close_chan);
	r = chan_try_send(c, (void *)1);
	CHECK_MODEL(r == 0 || r == -EPIPE);
	chan_close(c);
	CHECK_MODEL(chan_try_send(c, (void *)2) == -EPIPE);
	CHECK_MODEL(chan_try_recv(c, &item) == (r == 0 ? 0 : -EPIPE));
	CHECK_MODEL(chan_try_recv(c, &item) == -EPIPE);
	(void)thread_join(&other.thread);
	chan_destroy(c);
}

static void
spsc_token(void)
{
	struct chan *c = create_spsc(2);
	struct stop stop;
	struct side r = {.n = 0, .stop = &stop}, s = {.n = 1};

	stop_init(&stop, NULL);
	start(&r, "receiver", c, receive_some);
	start(&s, "sender", c, send_all);
	stop_request(&stop);
	(void)thread_join(&s.thread);
	(void)thread_join(&r.thread);
	CHECK_MODEL(r.result == -ECANCELED && r.n_got + chan_len(c) == 1);
	stop_fini(&stop);
	chan_destroy(c);
}

/* Nothing but the items writes to the event fd. */
static void
spsc_bridge(void)
{
	struct chan *c = create_spsc(2);
	struct side s = {.n = 2};
	int fd = model_eventfd();
	void *item;

	chan_set_event_fd(c, fd);
	start(&s, "sender", c, send_all);
	for (uintptr_t i = 1; i <= 2;) {
		uint64_t count;

		if (chan_try_recv(c, &item) == 0)
			CHECK_MODEL(item == (void *)i++);
		else if (!chan_arm(c))
			CHECK_MODEL(read(fd, &count, sizeof(count)) == sizeof(count));
	}
	(void)thread_join(&s.thread);
	chan_destroy(c);
}

static int
send_and_drop(void *arg)
{
	struct side *s = arg;

	(void)send_all(s);
	chan_drop_sender(s->chan);
	return 0;
}

static uint32_t n_dropped;

static void
count_dropped(void *item)
{
	(void)item;
	n_dropped++;
}

/* The receiver leaves after one, at any moment of the sender's. */
static void
spsc_ends(void)
{
	static const struct chan_opts opts = {.cap = 2,
		.kind = CHAN_SPSC,
		.drop = count_dropped,
		.n_senders = 1,
		.n_receivers = 1};
	struct side s = {.n = 2};
	struct chan *c;
	void *item;

	CHECK_MODEL(chan_create_with(&opts, &c) == 0);
	start(&s, "sender", c, send_and_drop);
	CHECK_MODEL(chan_recv(c, &item, NULL) == 0 && item == (void *)1);
	chan_drop_receiver(c);
	(void)thread_join(&s.thread);
	CHECK_MODEL(s.result == 0 || s.result == -EPIPE);
	CHECK_MODEL(n_dropped + 1 == s.n_got);
	chan_destroy(c);
	CHECK_MODEL(n_dropped + 1 == s.n_got);
}

static size_t
weigh_one(const void *item)
{
	(void)item;
	return 1;
}

/* The same where it is the bytes that are full. */
static void
two_close_full(void)
{
	static const struct chan_opts opts = {.cap = 2, .max_bytes = 1, .weigh = weigh_one};
	struct chan *c;
	struct side other = {.n = 0};

	CHECK_MODEL(chan_create_with(&opts, &c) == 0);
	CHECK_MODEL(chan_try_send(c, (void *)1) == 0);
	start(&other, "closer", c, close_chan);
	chan_close(c);
	CHECK_MODEL(chan_try_send(c, (void *)2) == -EPIPE);
	(void)thread_join(&other.thread);
	chan_destroy(c);
}

#define SPSC(name_, preempt_, long_)                                                 \
	{.name = #name_, .body = name_, .preempt = preempt_, .preempt_long = long_}, \
	{                                                                            \
		.name = #name_ ", membarrier", .body = name_, .preempt = preempt_,   \
		.preempt_long = long_, .membarrier = true                            \
	}
#define NO_FENCE(name_, fails_)                                                               \
	{                                                                                     \
		.name = #name_ ", no fence", .body = name_, .preempt = 2, .membarrier = true, \
		.weaken = {{"membarrier_all", "every_thread", memory_order_relaxed}},         \
		.fails = fails_                                                               \
	}
/* The fast side's store without even the release of its slots. */
#define NO_RELEASE(name_, fails_)                                                               \
	{                                                                                       \
		.name = #name_ ", no release", .body = name_, .preempt = 2, .membarrier = true, \
		.weaken = {{"membarrier_store", "word", memory_order_relaxed}}, .fails = fails_ \
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
	{.name = "two_close_full", .body = two_close_full, .preempt = 3, .preempt_long = 4},
	SPSC(spsc_both_sleep, 3, 4),
	NO_FENCE(spsc_both_sleep, "asleep"),
	NO_RELEASE(spsc_both_sleep, "data race"),
	{.name = "spsc_both_sleep, published acq_rel",
		.body = spsc_both_sleep,
		.preempt = 2,
		.weaken = {{"ring_spsc_publish", "index", memory_order_acq_rel}},
		.fails = "asleep"},
	{.name = "spsc_end_awake, published acq_rel",
		.body = spsc_end_awake,
		.preempt = 2,
		.weaken = {{"ring_spsc_publish", "index", memory_order_acq_rel}},
		.fails = "times == 1"},
	SPSC(spsc_end, 3, 4),
	SPSC(spsc_end_awake, 3, 4),
	NO_FENCE(spsc_end_awake, "times == 1"),
	SPSC(spsc_two_close, 3, 4),
	SPSC(spsc_ends, 3, 4),
	SPSC(spsc_token, 2, 3),
	SPSC(spsc_bridge, 3, 4),
	NO_FENCE(spsc_bridge, "asleep"),
};

MODEL_MAIN(models)
