#include "test.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sync/future.h"
#include "sync/thread.h"

TEST(future, a_wait_gives_what_was_set)
{
	struct future f;
	void *ptr = NULL;
	int value = 0;

	future_init(&f);
	CHECK(!future_is_set(&f));
	future_set(&f, -7, &f);
	CHECK(future_is_set(&f));
	CHECK_INT(future_wait(&f, NULL, &value, &ptr), 0);
	CHECK_INT(value, -7);
	CHECK(ptr == &f);
	CHECK_INT(future_wait(&f, NULL, NULL, NULL), 0);
}

TEST(future, a_wait_ends_at_its_deadline_and_can_be_repeated)
{
	struct future f;
	int value = 0;

	future_init(&f);
	CHECK_INT(future_wait_until(&f, NULL, clock_mono(), &value, NULL), -ETIMEDOUT);
	CHECK_INT(future_wait_until(&f, NULL, clock_deadline(2000), &value, NULL), -ETIMEDOUT);
	future_set(&f, 5, NULL);
	CHECK_INT(future_wait_until(&f, NULL, 0, &value, NULL), 0);
	CHECK_INT(value, 5);
}

static int
wait_with_token(void *arg)
{
	void **a = arg;

	return future_wait(a[0], a[1], NULL, NULL);
}

TEST(future, a_token_ends_the_waits_and_a_result_wins_over_it)
{
	struct thread t[4];
	struct stop stop;
	struct future f;
	void *arg[] = {&f, &stop};

	future_init(&f);
	stop_init(&stop, NULL);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "wait", wait_with_token, arg), 0);
	stop_request(&stop);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), -ECANCELED);
	CHECK_INT(future_wait(&f, &stop, NULL, NULL), -ECANCELED);
	future_set(&f, 0, NULL);
	CHECK_INT(future_wait(&f, &stop, NULL, NULL), 0);
	stop_fini(&stop);
}

TEST(future, every_waiter_is_woken)
{
	struct thread t[8];
	struct future f;
	void *arg[] = {&f, NULL};

	future_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "wait", wait_with_token, arg), 0);
	future_set(&f, 0, NULL);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), 0);
}

static int
set_when_cancelled(void *arg)
{
	struct future *f = arg;

	while (!future_cancelled(f))
		cpu_pause();
	future_set(f, -ECANCELED, NULL);
	return 0;
}

TEST(future, the_producer_sees_that_it_was_cancelled)
{
	struct future f;
	struct thread t;
	int value = 0;

	future_init(&f);
	CHECK(!future_cancelled(&f));
	CHECK_INT(thread_start(&t, "set", set_when_cancelled, &f), 0);
	future_cancel(&f);
	CHECK_INT(future_wait(&f, NULL, &value, NULL), 0);
	CHECK_INT(value, -ECANCELED);
	(void)thread_join(&t);
}

struct seen {
	unsigned n;
	pthread_t thread;
	int value;
};

static void
note_call(struct future *f, void *arg)
{
	struct seen *seen = arg;

	seen->n++;
	seen->thread = pthread_self();
	(void)future_wait(f, NULL, &seen->value, NULL);
}

TEST(future, a_continuation_runs_where_it_is_set_or_registered)
{
	struct seen early = {0}, late = {0};
	struct future f;

	future_init(&f);
	future_then(&f, NULL, note_call, &early);
	CHECK_INT(early.n, 0);
	future_set(&f, 3, NULL);
	CHECK_INT(early.n, 1);
	CHECK_INT(early.value, 3);
	future_init(&f);
	future_set(&f, 4, NULL);
	future_then(&f, NULL, note_call, &late);
	CHECK_INT(late.n, 1);
	CHECK_INT(late.value, 4);
}

/* An event loop: sleeps in poll(), takes futures out of its channel until that is closed. */
struct loop {
	struct chan *chan;
	int fd;
	pthread_t id;
	_Atomic unsigned n_run;
};

static bool
run_received(struct loop *l)
{
	void *item;
	int r;

	do {
		chan_disarm(l->chan);
		while ((r = chan_try_recv(l->chan, &item)) == 0)
			future_run(item);
	} while (r == -EAGAIN && chan_arm(l->chan));
	return r != -EPIPE;
}

static int
run_loop(void *arg)
{
	struct loop *l = arg;
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	uint64_t n;

	l->id = pthread_self();
	while (run_received(l)) {
		(void)poll(&p, 1, -1);
		(void)!read(l->fd, &n, sizeof(n));
	}
	return 0;
}

static void
on_loop(struct future *f, void *arg)
{
	struct loop *l = arg;

	assert(pthread_equal(pthread_self(), l->id));
	assert(f->value == 9);
	free(f);
	(void)add_ar(&l->n_run, 1);
}

static int
set_received(void *arg)
{
	void *item;

	while (chan_recv(arg, &item, NULL) == 0)
		future_set(item, 9, NULL);
	return 0;
}

TEST(future, a_continuation_with_a_loop_always_runs_on_its_thread)
{
	unsigned long n = test_scale(500000);
	struct chan *work = chan_create(16, NULL);
	struct loop l = {.chan = chan_create(8, NULL), .fd = eventfd(0, EFD_NONBLOCK)};
	struct thread loop, setter;

	CHECK(work && l.chan && l.fd >= 0);
	chan_set_event_fd(l.chan, l.fd);
	CHECK_INT(thread_start(&loop, "loop", run_loop, &l), 0);
	CHECK_INT(thread_start(&setter, "set", set_received, work), 0);
	for (unsigned long i = 0; i < n; i++) {
		struct future *f = malloc(sizeof(*f));

		future_init(f);
		if (i % 2)
			future_then(f, l.chan, on_loop, &l);
		CHECK_INT(chan_send(work, f, NULL), 0);
		if (i % 2 == 0)
			future_then(f, l.chan, on_loop, &l);
	}
	chan_close(work);
	(void)thread_join(&setter);
	chan_close(l.chan);
	(void)thread_join(&loop);
	CHECK_INT(l.n_run, n);
	chan_destroy(work);
	chan_destroy(l.chan);
	(void)close(l.fd);
}

TEST(future, a_closed_loop_is_told_nothing)
{
	struct chan *chan = chan_create(2, NULL);
	struct seen seen = {0};
	struct future f;

	future_init(&f);
	future_then(&f, chan, note_call, &seen);
	chan_close(chan);
	future_set(&f, 1, NULL);
	CHECK_INT(seen.n, 0);
	CHECK(future_is_set(&f));
	chan_destroy(chan);
}

/* One round: the future goes to the producer, and its owner waits in one of several ways. */
static int
ask(struct chan *work, unsigned long i)
{
	struct future *f = malloc(sizeof(*f));
	struct stop stop;
	int value = 0, r;

	future_init(f);
	stop_init(&stop, NULL);
	if (chan_send(work, f, NULL) < 0)
		return -1;
	if (i % 5 == 1)
		future_cancel(f);
	if (i % 5 == 2)
		stop_request(&stop);
	r = i % 5 == 3 ? future_wait_until(f, &stop, clock_mono(), &value, NULL)
	               : future_wait(f, &stop, &value, NULL);
	if (r < 0)
		r = future_wait(f, NULL, &value, NULL);
	free(f);
	stop_fini(&stop);
	return r == 0 && value == 9 ? 0 : -1;
}

static int
ask_often(void *arg)
{
	for (unsigned long i = 0; i < test_scale(500000); i++) {
		if (ask(arg, i) < 0)
			return -1;
	}
	return 0;
}

static void
ask_and_set(unsigned n_owners, unsigned n_producers)
{
	struct chan *work = chan_create(4, NULL);
	struct thread owners[16], producers[4];

	for (unsigned i = 0; i < n_producers; i++)
		CHECK_INT(thread_start(&producers[i], "set", set_received, work), 0);
	for (unsigned i = 0; i < n_owners; i++)
		CHECK_INT(thread_start(&owners[i], "ask", ask_often, work), 0);
	for (unsigned i = 0; i < n_owners; i++)
		CHECK_INT(thread_join(&owners[i]), 0);
	chan_close(work);
	for (unsigned i = 0; i < n_producers; i++)
		(void)thread_join(&producers[i]);
	chan_destroy(work);
}

TEST(future, set_wait_cancel_and_stop_race_and_the_storage_is_given_up_at_once)
{
	ask_and_set(2, 2);
}

TEST(future, results_arrive_on_a_crowded_machine)
{
	ask_and_set(12, 4);
}

static int
stop_received(void *arg)
{
	void *item;

	for (unsigned i = 0; chan_recv(arg, &item, NULL) == 0; i++) {
		for (unsigned late = i % 256; late > 0; late--)
			cpu_pause();
		stop_request(item);
	}
	return 0;
}

/* Sooner or later the token fires between the wait's look at it and its sleep. */
TEST(future, a_token_that_fires_during_the_wait_ends_it)
{
	struct chan *tokens = chan_create(1, NULL);
	struct thread t;

	CHECK_INT(thread_start(&t, "stop", stop_received, tokens), 0);
	for (unsigned long i = 0; i < test_scale(1000000); i++) {
		struct stop stop;
		struct future f;

		future_init(&f);
		stop_init(&stop, NULL);
		CHECK_INT(chan_send(tokens, &stop, NULL), 0);
		CHECK_INT(future_wait(&f, &stop, NULL, NULL), -ECANCELED);
		stop_fini(&stop);
	}
	chan_close(tokens);
	(void)thread_join(&t);
	chan_destroy(tokens);
}
