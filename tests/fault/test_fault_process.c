/* Children: whatever is missing, there is no zombie, no descriptor and no thread left, and the
 * result says what happened. Signals as events. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/child.h"
#include "process/signals.h"
#include "sync/scope.h"

static int helper = -1;

static void
setup(void *arg)
{
	(void)arg;
	(void)signal(SIGPIPE, SIG_IGN);
	helper = child_helper_open(NULL);
	FAULT_CHECK(helper >= 0);
}

static void
teardown(void *arg)
{
	(void)arg;
	(void)close(helper);
}

static const char *const cat[] = {"/bin/cat", NULL};
static char input[200000];

static struct child_options
options(void)
{
	memset(input, 'x', sizeof(input));
	return (struct child_options){.helper_fd = helper,
		.argv = cat,
		.in.io = CHILD_PIPE,
		.input = {input, sizeof(input)},
		.out.io = CHILD_PIPE,
		.err.io = CHILD_PIPE};
}

static void
check_no_child(void)
{
	FAULT_CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

/* 0: all came through; an error of starting; -ENOMEM when output was cut for want of memory. */
static int
judge(struct child_result *r)
{
	struct span out = strbuf_view(&r->out);
	int code = 0;

	FAULT_CHECK(
		r->end == CHILD_NOT_STARTED || r->end == CHILD_EXITED || r->end == CHILD_KILLED);
	if (r->end == CHILD_NOT_STARTED) {
		FAULT_CHECK(r->code < 0);
		code = r->code;
	} else if (r->end == CHILD_KILLED) {
		FAULT_CHECK(r->signo == SIGPIPE && r->out_cut);
		code = -ENOMEM;
	} else if (r->out_cut) {
		code = -ENOMEM;
	} else {
		FAULT_CHECK(r->exit_code == 0 && out.len == sizeof(input));
	}
	child_result_fini(r);
	check_no_child();
	return code;
}

static int
run(void *arg)
{
	struct child_options o = options();
	struct child_result r;
	struct stop stop;

	(void)arg;
	stop_init(&stop, NULL);
	child_run(&o, &stop, USEC_NEVER, &r);
	stop_fini(&stop);
	return judge(&r);
}

static int
step(void *arg)
{
	struct child_options o = options();
	struct child_result result;
	struct child *c = NULL;
	int r = child_start(&o, clock_mono() + 60 * USEC_PER_SEC, &c);

	(void)arg;
	FAULT_CHECK((r == 0) == (c != NULL));
	if (r < 0)
		check_no_child();
	while (r == 0 && child_step(c) == 0) {
		struct pollfd p = {.fd = child_fd(c), .events = POLLIN};

		(void)poll(&p, 1, -1);
	}
	if (r < 0)
		return r;
	child_take_result(c, &result);
	child_destroy(c);
	return judge(&result);
}

/* Given up half way. */
static int
abandon(void *arg)
{
	static const char *const sleeper[] = {"/bin/sleep", "1000", NULL};
	struct child_options o = {.helper_fd = helper, .argv = sleeper};
	struct child *c = NULL;
	int r = child_start(&o, USEC_NEVER, &c);

	(void)arg;
	if (r == 0)
		(void)child_step(c);
	child_destroy(c);
	check_no_child();
	return r;
}

static int
open_helper(void *arg)
{
	int fd = child_helper_open(NULL);

	(void)arg;
	if (fd < 0)
		return fd;
	(void)close(fd);
	return 0;
}

static int
open_signals(void *arg)
{
	static const int signos[] = {SIGHUP, SIGTERM, 0};
	struct signal_event e;
	struct signals s;
	int r = signals_open(&s, signos);

	(void)arg;
	if (r < 0)
		return r;
	FAULT_CHECK(kill(getpid(), SIGHUP) == 0);
	FAULT_CHECK(signals_next(&s, &e) == 1 && e.signo == SIGHUP);
	FAULT_CHECK(signals_next(&s, &e) == 0);
	signals_close(&s);
	return 0;
}

static const struct fault_case cases[] = {
	{.name = "child_run", .run = run, .setup = setup, .teardown = teardown, .min_calls = 12},
	{.name = "child_start, child_step",
		.run = step,
		.setup = setup,
		.teardown = teardown,
		.min_calls = 12},
	{.name = "child_destroy",
		.run = abandon,
		.setup = setup,
		.teardown = teardown,
		.min_calls = 8},
	{.name = "child_helper_open", .run = open_helper, .min_calls = 2},
	{.name = "signals_open", .run = open_signals, .flags = FAULT_STRICT, .min_calls = 1},
};

FAULT_MAIN(cases)
