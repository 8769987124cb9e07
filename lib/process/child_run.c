#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/child_impl.h"
#include "sync/stop.h"

struct canceler {
	struct stop_waiter waiter;
	int fd; /* eventfd */
};

static void
on_stop(void *arg)
{
	const struct canceler *cancel = arg;
	uint64_t one = 1;

	(void)!write(cancel->fd, &one, sizeof(one));
}

/* EINTR and the like only cost a turn. */
static void
run_to_end(struct child *c, int stop_fd)
{
	struct pollfd fds[] = {
		{.fd = child_fd(c), .events = POLLIN}, /* */
		{.fd = stop_fd, .events = POLLIN},     /* */
	};

	while (child_step(c) == 0) {
		(void)poll(fds, ARRAY_LEN(fds), -1);
		if (fds[1].revents) {
			child_cancel(c);
			fds[1] = (struct pollfd){.fd = -1};
		}
	}
}

static int
run(const struct child_options *o, struct stop *stop, usec_t deadline, struct child_result *ret)
{
	struct canceler cancel = {.waiter = {.wake = on_stop, .arg = &cancel}};
	struct child *c;
	int r;

	cancel.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (cancel.fd < 0)
		return -errno;
	r = child_start(o, deadline, &c);
	if (r == 0) {
		stop_add(stop, &cancel.waiter);
		run_to_end(c, cancel.fd);
		stop_remove(stop, &cancel.waiter);
		child_take_result(c, ret);
		child_destroy(c);
	}
	closep(&cancel.fd);
	return r;
}

void
child_run(
	const struct child_options *o, struct stop *stop, usec_t deadline, struct child_result *ret)
{
	int r;

	lock_assert_none();
	r = run(o, stop, deadline, ret);
	if (r < 0)
		*ret = (struct child_result){.end = CHILD_NOT_STARTED,
			.step = EXEC_STEP_PREPARE,
			.code = r,
			.exit_code = -1};
}

void
child_result_fini(struct child_result *r)
{
	strbuf_fini(&r->out);
	strbuf_fini(&r->err);
}

static const char *const step_names[N_EXEC_STEPS] = {
	[EXEC_STEP_PREPARE] = "pipes: ",
	[EXEC_STEP_SPAWN] = "trawl-exec: ",
	[EXEC_STEP_ARGS] = "arguments of trawl-exec: ",
	[EXEC_STEP_FDS] = "descriptors: ",
	[EXEC_STEP_PRIVILEGES] = "privileges: ",
	[EXEC_STEP_NICE] = "priority: ",
	[EXEC_STEP_OOM] = "out-of-memory score: ",
	[EXEC_STEP_CWD] = "working directory: ",
	[EXEC_STEP_LIMIT] = "resource limit: ",
	[EXEC_STEP_PROGRAM] = "",
	[EXEC_STEP_INTERPRETER] = "its interpreter: ",
};

static int
describe(const struct child_result *r, const char *program, struct err *err)
{
	switch (r->end) {
	case CHILD_NOT_STARTED:
		return err_set(err, r->code, "could not start \"%s\": %s%s", program,
			step_names[r->step], err_reason(r->code));
	case CHILD_EXITED:
		return err_set(err, -EIO, "\"%s\" ended with status %d", program, r->exit_code);
	case CHILD_KILLED:
		return err_set(err, -EIO, "\"%s\" was killed by SIG%s%s", program,
			sigabbrev_np(r->signo), r->core ? ", core dumped" : "");
	case CHILD_TIMED_OUT:
		return err_set(
			err, -ETIMEDOUT, "\"%s\" did not end in time and was killed", program);
	case CHILD_CANCELED:
		return err_set(err, -ECANCELED, "\"%s\" was stopped", program);
	}
	return -EIO;
}

int
child_check(const struct child_result *r, const char *program, struct err *err)
{
	struct span said = strbuf_view(&r->err);
	const char *nl = said.len ? memchr(said.data, '\n', said.len) : NULL;
	int code;

	if (r->end == CHILD_EXITED && r->exit_code == 0)
		return 0;
	code = describe(r, program, err);
	if (nl)
		said.len = (size_t)(nl - said.data);
	said = span_trim(said);
	if (said.len > 0)
		(void)err_hint(err, "it said: %.*s", (int)MIN(said.len, (size_t)120), said.data);
	return code;
}

/* The programs of a build tree are each in a folder of their own, beside the helper's. */
static int
open_in_build_tree(void)
{
	char exe[4096], path[4096 + 64];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n < 0)
		return -errno;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	(void)snprintf(path, sizeof(path), "%s/../helper/trawl-exec", exe);
	n = open(path, O_PATH | O_CLOEXEC);
	return n < 0 ? -errno : (int)n;
}

int
child_helper_open(const char *path)
{
	int lifted, fd = path ? -ENOENT : open_in_build_tree();

	if (fd == -EMFILE || fd == -ENFILE)
		return fd; /* that it is not there would be a lie */
	if (fd < 0) {
		fd = open(path ? path : TRAWL_EXEC_PATH, O_PATH | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	/* Away from the numbers that a child's own streams are moved to. */
	lifted = fcntl(fd, F_DUPFD_CLOEXEC, EXEC_REPORT_FD + 1);
	if (lifted < 0)
		lifted = -errno;
	closep(&fd);
	return lifted;
}
