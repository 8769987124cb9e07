#include "tests/unit/server/rig.h"

#include <signal.h>
#include <sys/wait.h>

#include "process/child.h"
#include "process/signals.h"

/* Signals and children as the daemon's loop has them: a descriptor each. */

struct heard {
	struct signals signals;
	_Atomic uint32_t n[2]; /* SIGHUP, SIGUSR2 */
};

static void
on_signals(void *ctx)
{
	struct heard *h = ctx;
	struct signal_event e;

	while (signals_next(&h->signals, &e) > 0)
		(void)add_sc(&h->n[e.signo == SIGUSR2], 1);
}

TEST(loop_events, signals_arrive_in_the_loop)
{
	struct heard h = {0};
	struct rig r;

	CHECK_INT(signals_open(&h.signals, (const int[]){SIGHUP, SIGUSR2, 0}), 0);
	CHECK_INT(kill(getpid(), SIGUSR2), 0); /* waits for the loop */
	rig_init(&r, 1);
	CHECK_INT(server_watch_fd(r.server, h.signals.fd, on_signals, &h), 0);
	rig_start(&r);
	UNTIL(load_sc(&h.n[1]) == 1);
	for (uint32_t i = 1; i <= 100; i++) {
		CHECK_INT(kill(getpid(), SIGHUP), 0);
		UNTIL(load_sc(&h.n[0]) == i);
	}
	rig_close(&r);
	signals_close(&h.signals);
}

/* A program whose output and end the loop waits for. */
struct job {
	struct server *server;
	struct child_options options;
	usec_t timeout_usec;
	struct child *child;
	struct child_result result;
	_Atomic bool ended;
};

static void
on_child(void *ctx)
{
	struct job *j = ctx;

	if (child_step(j->child) == 0)
		return;
	server_unwatch_fd(j->server, child_fd(j->child));
	child_take_result(j->child, &j->result);
	child_destroy(j->child);
	store_sc(&j->ended, true);
}

static void
begin(void *ctx)
{
	struct job *j = ctx;

	CHECK_INT(child_start(&j->options, clock_deadline(j->timeout_usec), &j->child), 0);
	CHECK_INT(server_watch_fd(j->server, child_fd(j->child), on_child, j), 0);
}

TEST(loop_events, children_run_in_the_loop_side_by_side)
{
	enum { N_JOBS = 16 };
	static const char *const quick[] = {"/bin/sh", "-c", "cat; echo done", NULL};
	static const char *const slow[] = {"/bin/sh", "-c", "cat; sleep 1000", NULL};
	struct job jobs[N_JOBS] = {0};
	int helper = child_helper_open(NULL);
	struct rig r;

	CHECK(helper >= 0);
	rig_open(&r, 1);
	for (int i = 0; i < N_JOBS; i++) {
		jobs[i] = (struct job){.server = r.server,
			.timeout_usec = i % 2 ? USEC_NEVER : 50 * USEC_PER_MSEC,
			.options = {.helper_fd = helper,
				.argv = i % 2 ? quick : slow,
				.in.io = CHILD_PIPE,
				.input = SPAN_LIT("hello\n"),
				.out.io = CHILD_PIPE}};
		CHECK_INT(server_post(r.server, begin, &jobs[i]), 0);
	}
	for (int i = 0; i < N_JOBS; i++) {
		UNTIL(load_sc(&jobs[i].ended));
		CHECK_INT(jobs[i].result.end, i % 2 ? CHILD_EXITED : CHILD_TIMED_OUT);
		if (i % 2)
			CHECK_STR(jobs[i].result.out.data, "hello\ndone\n");
		child_result_fini(&jobs[i].result);
	}
	rig_close(&r);
	CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
	(void)close(helper);
}
