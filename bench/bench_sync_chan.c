/* The channels' figures: words through every kind of channel, as bench/rust does it. */
#include "bench_sync.h"

#include "sync/chan.h"
#include "sync/select.h"
#include "sync/thread.h"

#define MESSAGES 2000000u
#define MAX_THREADS 4u
#define CAP 1024u

struct sender {
	struct thread thread;
	struct chan *chan;
	uint64_t n;
};

static int
send_all(void *arg)
{
	const struct sender *s = arg;

	for (uintptr_t i = 1; i <= s->n; i++)
		bench_must(chan_send(s->chan, (void *)i, NULL), "send");
	chan_drop_sender(s->chan);
	return 0;
}

static int
receive_all(void *arg)
{
	struct chan *c = arg;
	void *item;

	while (chan_recv(c, &item, NULL) == 0)
		;
	return 0;
}

static void
start(struct thread *t, int (*fn)(void *arg), void *arg)
{
	bench_must(thread_start(t, "bench", fn, arg), "start a thread");
}

/* ns a message; the calling thread is one of the receivers. */
static double
through(const struct chan_opts *opts, uint64_t n, unsigned n_senders, unsigned n_receivers)
{
	struct chan_opts counted = *opts;
	struct sender senders[MAX_THREADS];
	struct thread receivers[MAX_THREADS];
	struct chan *c;
	uint64_t began;
	double took;

	counted.n_senders = n_senders;
	bench_must(chan_create_with(&counted, &c), "make a channel");
	began = bench_now();
	for (unsigned i = 0; i < n_senders; i++) {
		senders[i] = (struct sender){.chan = c, .n = n / n_senders};
		start(&senders[i].thread, send_all, &senders[i]);
	}
	for (unsigned i = 1; i < n_receivers; i++)
		start(&receivers[i], receive_all, c);
	(void)receive_all(c);
	for (unsigned i = 1; i < n_receivers; i++)
		(void)thread_join(&receivers[i]);
	took = bench_per(began, n);
	for (unsigned i = 0; i < n_senders; i++)
		(void)thread_join(&senders[i].thread);
	chan_destroy(c);
	return took;
}

double
bench_chan_spsc(void)
{
	return through(&(struct chan_opts){.cap = CAP, .kind = CHAN_SPSC}, MESSAGES, 1, 1);
}

double
bench_chan_pair(void)
{
	return through(&(struct chan_opts){.cap = CAP}, MESSAGES, 1, 1);
}

double
bench_chan_4p1c(void)
{
	return through(&(struct chan_opts){.cap = CAP}, MESSAGES, 4, 1);
}

double
bench_chan_1p4c(void)
{
	return through(&(struct chan_opts){.cap = CAP}, MESSAGES, 1, 4);
}

double
bench_chan_4p4c(void)
{
	return through(&(struct chan_opts){.cap = CAP}, MESSAGES, 4, 4);
}

double
bench_chan_unbounded(void)
{
	return through(&(struct chan_opts){.cap = CHAN_UNBOUNDED}, MESSAGES, 1, 1);
}

double
bench_chan_one(void)
{
	return through(&(struct chan_opts){.cap = 1}, MESSAGES / 10, 1, 1);
}

double
bench_chan_rendezvous(void)
{
	return through(&(struct chan_opts){.cap = 0}, MESSAGES / 50, 1, 1);
}

struct table_tennis {
	struct chan *there, *back;
};

static int
play_back(void *arg)
{
	const struct table_tennis *t = arg;
	void *item;

	while (chan_recv(t->there, &item, NULL) == 0)
		bench_must(chan_send(t->back, item, NULL), "send back");
	return 0;
}

double
bench_chan_ping_pong(void)
{
	struct chan_opts one = {.cap = 1};
	struct table_tennis t;
	struct thread thread;
	uint64_t n = MESSAGES / 20, began;
	double took;

	bench_must(chan_create_with(&one, &t.there), "make a channel");
	bench_must(chan_create_with(&one, &t.back), "make a channel");
	began = bench_now();
	start(&thread, play_back, &t);
	for (uintptr_t i = 1; i <= n; i++) {
		void *item;

		bench_must(chan_send(t.there, (void *)i, NULL), "send");
		bench_must(chan_recv(t.back, &item, NULL), "receive");
	}
	took = bench_per(began, n);
	chan_close(t.there);
	(void)thread_join(&thread);
	chan_destroy(t.there);
	chan_destroy(t.back);
	return took;
}

double
bench_select_four(void)
{
	struct chan_opts opts = {.cap = CAP, .n_senders = 1};
	struct sender senders[4];
	struct select_arm arms[4];
	uint64_t n = MESSAGES / 2, began = bench_now();
	double took;

	for (unsigned i = 0; i < 4; i++) {
		senders[i] = (struct sender){.n = n / 4};
		bench_must(chan_create_with(&opts, &senders[i].chan), "make a channel");
		arms[i] = select_recv(senders[i].chan);
		start(&senders[i].thread, send_all, &senders[i]);
	}
	for (uint64_t got = 0; got < n;) {
		int i = select_until(arms, 4, SELECT_FAIR, NULL, USEC_NEVER);

		bench_must(i, "select");
		if (arms[i].result == 0)
			got++;
		else
			arms[i] = select_never();
	}
	took = bench_per(began, n);
	for (unsigned i = 0; i < 4; i++) {
		(void)thread_join(&senders[i].thread);
		chan_destroy(senders[i].chan);
	}
	return took;
}
