#include "test.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "process/signals.h"
#include "sync/atomic.h"
#include "sync/thread.h"

TEST(signals, one_that_was_sent_is_read_with_its_sender)
{
	struct signals s;
	struct signal_event e;

	CHECK_INT(signals_open(&s, (const int[]){SIGTERM, SIGHUP, 0}), 0);
	CHECK_INT(signals_next(&s, &e), 0);
	CHECK_INT(kill(getpid(), SIGTERM), 0);
	CHECK_INT(signals_next(&s, &e), 1);
	CHECK_INT(e.signo, SIGTERM);
	CHECK_INT(e.pid, getpid());
	CHECK_INT(e.uid, getuid());
	CHECK_INT(signals_next(&s, &e), 0);
	signals_close(&s);
	signals_close(&s);
}

TEST(signals, of_a_standard_kind_one_event_stands_for_many)
{
	struct signals s;
	struct signal_event e;

	CHECK_INT(signals_open(&s, (const int[]){SIGHUP, SIGUSR1, 0}), 0);
	for (int i = 0; i < 5; i++)
		CHECK_INT(kill(getpid(), i % 2 ? SIGHUP : SIGUSR1), 0);
	CHECK_INT(signals_next(&s, &e), 1);
	CHECK_INT(e.signo, SIGHUP);
	CHECK_INT(signals_next(&s, &e), 1);
	CHECK_INT(e.signo, SIGUSR1);
	CHECK_INT(signals_next(&s, &e), 0);
	signals_close(&s);
}

TEST(signals, a_fault_or_what_nobody_can_block_is_refused)
{
	static const int refused[] = {SIGKILL, SIGSTOP, SIGBUS, SIGSEGV, SIGPIPE};
	struct signals s;
	sigset_t mask;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		CHECK_INT(signals_open(&s, (const int[]){SIGTERM, refused[i], 0}), -EINVAL);
	CHECK_INT(signals_open(&s, (const int[]){SIGTERM, 1000, 0}), -EINVAL);
	CHECK_INT(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	CHECK(!sigismember(&mask, SIGTERM));
	signals_close(&s);
}

TEST(signals, a_write_into_a_closed_pipe_is_an_error_only)
{
	struct signals s;
	int fds[2];

	CHECK_INT(signals_open(&s, (const int[]){SIGTERM, 0}), 0);
	CHECK_INT(pipe(fds), 0);
	(void)close(fds[0]);
	CHECK_INT(write(fds[1], "x", 1), -1);
	CHECK_INT(errno, EPIPE);
	(void)close(fds[1]);
	signals_close(&s);
}

/* Senders of mixed kinds against one reader. */
enum { N_KINDS = 6, N_SENDERS = 2 };
static const int kinds[N_KINDS] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGWINCH};

struct storm {
	unsigned long n; /* a sender */
	/* Sent so far; release before the signal is sent, acquire after it was read: the reader
	 * knows how many sends of a kind its event stands for. */
	_Atomic uint64_t sent[N_KINDS];
	_Atomic uint32_t n_ended;
};

static int
send_storm(void *arg)
{
	struct storm *st = arg;
	unsigned seed = (unsigned)gettid();

	for (unsigned long i = 0; i < st->n; i++) {
		int k = rand_r(&seed) % N_KINDS;

		(void)add_ar(&st->sent[k], 1);
		CHECK_INT(kill(getpid(), kinds[k]), 0);
		while (i % 8 == 0 && sigqueue(getpid(), SIGRTMIN, (union sigval){0}) < 0)
			CHECK_INT(errno, EAGAIN); /* the queue is full: the reader is slow */
	}
	(void)add_ar(&st->n_ended, 1);
	return 0;
}

static int
kind_of(int signo)
{
	for (int k = 0; k < N_KINDS; k++)
		if (kinds[k] == signo)
			return k;
	return -1;
}

/* After the last send of each kind there is an event of that kind: `seen` is what had been sent
 * when it was read, at least. */
TEST(signals, no_kind_is_lost_in_a_storm)
{
	static const int all[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGWINCH, SIGCONT, 0};
	struct storm st = {.n = test_scale(500000) + 5000};
	uint64_t seen[N_KINDS] = {0}, exact = 0;
	struct thread t[N_SENDERS];
	int signos[ARRAY_LEN(all) + 1];
	struct signal_event e;
	struct signals s;
	bool last;

	memcpy(signos, all, sizeof(all));
	signos[ARRAY_LEN(all) - 1] = SIGRTMIN;
	signos[ARRAY_LEN(all)] = 0;
	CHECK_INT(signals_open(&s, signos), 0);
	for (int i = 0; i < N_SENDERS; i++)
		CHECK_INT(thread_start(&t[i], "sender", send_storm, &st), 0);
	do {
		struct pollfd p = {.fd = s.fd, .events = POLLIN};

		last = load_acq(&st.n_ended) == N_SENDERS;
		(void)poll(&p, 1, last ? 0 : 1);
		while (signals_next(&s, &e) == 1) {
			int k = kind_of(e.signo);

			if (k >= 0)
				seen[k] = load_acq(&st.sent[k]);
			else
				exact += e.signo == SIGRTMIN;
		}
	} while (!last);
	for (int i = 0; i < N_SENDERS; i++)
		CHECK_INT(thread_join(&t[i]), 0);
	for (int k = 0; k < N_KINDS; k++)
		CHECK_INT(seen[k], load_acq(&st.sent[k]));
	CHECK_INT(exact, N_SENDERS * ((st.n + 7) / 8));
	signals_close(&s);
}
