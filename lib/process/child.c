#include "process/child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/child_impl.h"

#define READ_BYTES (16u << 10)
#define READS_AT_ONCE 64 /* 1 MiB, the most that a pipe of a user holds; then others get a turn */
#define LIMIT_DEFAULT_BYTES (1u << 20)

static int
watch(struct child *c, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events};

	if (fd < 0)
		return 0;
	return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

/* The kernel forgets a closed descriptor by itself only when no other process has it, and the child
 * has ours until its exec is through, which may be after posix_spawn() has returned: until then the
 * loop would spin. */
static void
unwatch_close(const struct child *c, int *fd)
{
	if (*fd >= 0)
		(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
	closep(fd);
	*fd = -1;
}

/* For ever is not armed; the past is. */
static void
arm_timer(struct child *c, usec_t at)
{
	struct itimerspec t = {0};

	if (at != USEC_NEVER) {
		at = MAX(at, 1u);
		t.it_value.tv_sec = (time_t)(at / USEC_PER_SEC);
		t.it_value.tv_nsec = (long)(at % USEC_PER_SEC) * 1000;
	}
	(void)timerfd_settime(c->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

/* note: group. The number of a group stays taken as long as its first process is not reaped: so the
 * group is signalled only while c->pid is ours. A program can leave its group for that of its
 * parent, therefore SIGKILL goes to itself as well. */
static void
signal_group(const struct child *c, int signo)
{
	(void)kill(-c->pid, signo);
	if (signo == SIGKILL)
		(void)pidfd_send_signal(c->pid_fd, SIGKILL, NULL, 0);
	else
		(void)kill(-c->pid, SIGCONT); /* a stopped process takes no other */
}

static void
kill_now(struct child *c)
{
	c->phase = CHILD_DYING;
	signal_group(c, SIGKILL);
	arm_timer(c, USEC_NEVER);
}

/* glibc's waitid() does not hand the rusage out. */
static bool
wait_child(const struct child *c, int options, siginfo_t *ret, struct rusage *ret_usage)
{
	long r;

	*ret = (siginfo_t){0};
	do {
		r = syscall(SYS_waitid, P_PIDFD, c->pid_fd, ret, WEXITED | options, ret_usage);
	} while (r < 0 && errno == EINTR);
	assert(r == 0); /* ECHILD: somebody else waited for it, or SIGCHLD is ignored */
	return ret->si_pid != 0;
}

static bool
has_ended(const struct child *c)
{
	struct rusage usage;
	siginfo_t info;

	return wait_child(c, WNOHANG | WNOWAIT, &info, &usage);
}

/* One that ended by itself in the meantime did so: the next step finds it. */
static void
force(struct child *c, enum child_end why)
{
	if (has_ended(c))
		return;
	c->forced = why;
	if (c->o.grace_usec == 0) {
		kill_now(c);
		return;
	}
	c->phase = CHILD_TERMINATING;
	c->kill_at = clock_deadline(c->o.grace_usec);
	signal_group(c, SIGTERM);
	arm_timer(c, c->kill_at);
}

static void
check_time(struct child *c)
{
	usec_t now = clock_mono();

	if (c->phase == CHILD_RUNNING && now >= c->deadline)
		force(c, CHILD_TIMED_OUT);
	else if (c->phase == CHILD_TERMINATING && now >= c->kill_at)
		kill_now(c);
}

/* Either the whole report or the end of the pipe: a write of this size is not divided. */
static void
read_report(struct child *c)
{
	ssize_t n;

	if (c->report_fd < 0)
		return;
	n = read(c->report_fd, &c->report, sizeof(c->report));
	if (n < 0)
		return;
	c->reported = n == (ssize_t)sizeof(c->report);
	unwatch_close(c, &c->report_fd);
}

static void
write_input(struct child *c)
{
	while (c->in_fd >= 0) {
		size_t left = c->o.input.len - c->n_written;
		ssize_t n = left ? write(c->in_fd, c->o.input.data + c->n_written, left) : 0;

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) /* all of it, or it does not want more */
			unwatch_close(c, &c->in_fd);
		else
			c->n_written += (size_t)n;
	}
}

/* false: no more of this stream. */
static bool
take_output(struct child *c, struct child_output *out, struct span got)
{
	size_t room;

	if (c->o.on_output)
		return c->o.on_output(c->o.ctx, out == c->outputs ? 1 : 2, got) == 0;
	room = out->limit_bytes - out->bytes->len;
	return strbuf_add(out->bytes, got.data, MIN(got.len, room)) == 0 && got.len <= room;
}

static void
read_output(struct child *c, struct child_output *out)
{
	char buf[READ_BYTES];

	for (int i = 0; i < READS_AT_ONCE && out->fd >= 0; i++) {
		ssize_t n = read(out->fd, buf, sizeof(buf));

		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0 && take_output(c, out, (struct span){buf, (size_t)n}))
			continue;
		*out->cut = n > 0;
		unwatch_close(c, &out->fd);
	}
}

static void
note_status(struct child_result *r, const siginfo_t *info, const struct rusage *usage)
{
	r->exit_code = info->si_code == CLD_EXITED ? info->si_status : -1;
	r->signo = info->si_code == CLD_EXITED ? 0 : info->si_status;
	r->core = info->si_code == CLD_DUMPED;
	r->cpu_usec = (usec_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * USEC_PER_SEC +
	              (usec_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void
close_all(struct child *c)
{
	unwatch_close(c, &c->in_fd);
	unwatch_close(c, &c->outputs[0].fd);
	unwatch_close(c, &c->outputs[1].fd);
	unwatch_close(c, &c->report_fd);
	unwatch_close(c, &c->pid_fd);
}

static void
decide(struct child *c)
{
	struct child_result *r = &c->result;

	r->took_usec = clock_mono() - c->started;
	if (c->reported) {
		r->end = CHILD_NOT_STARTED;
		r->step = c->report.step < N_EXEC_STEPS ? (enum exec_step)c->report.step
		                                        : EXEC_STEP_ARGS;
		r->code = -c->report.error;
		r->exit_code = -1;
	} else if (c->phase != CHILD_RUNNING) {
		r->end = c->forced;
	} else {
		r->end = r->signo ? CHILD_KILLED : CHILD_EXITED;
	}
}

/* Its last words are in the pipes; what its group might still write is not waited for. */
static void
reap(struct child *c)
{
	struct rusage usage;
	siginfo_t info;

	signal_group(c, SIGKILL);
	read_report(c);
	read_output(c, &c->outputs[0]);
	read_output(c, &c->outputs[1]);
	(void)wait_child(c, 0, &info, &usage);
	note_status(&c->result, &info, &usage);
	decide(c);
	c->phase = CHILD_ENDED;
	c->pid = 0;
	close_all(c);
	arm_timer(c, 0); /* for a loop that has not asked yet */
}

int
child_step(struct child *c)
{
	if (c->phase == CHILD_ENDED)
		return 1;
	if (has_ended(c)) {
		reap(c);
		return 1;
	}
	read_report(c);
	write_input(c);
	read_output(c, &c->outputs[0]);
	read_output(c, &c->outputs[1]);
	check_time(c);
	return 0;
}

void
child_cancel(struct child *c)
{
	if (c->phase == CHILD_RUNNING)
		force(c, CHILD_CANCELED);
}

int
child_fd(const struct child *c)
{
	return c->epoll_fd;
}

void
child_take_result(struct child *c, struct child_result *ret)
{
	assert(c->phase == CHILD_ENDED);
	*ret = c->result;
	c->result = (struct child_result){0};
}

static size_t
limit_of(const struct child_stream *s)
{
	return s->limit_bytes ? s->limit_bytes : LIMIT_DEFAULT_BYTES;
}

static struct child *
child_new(const struct child_options *o, usec_t deadline)
{
	struct child *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->o = *o;
	c->phase = CHILD_ENDED;
	c->started = clock_mono();
	c->deadline = deadline;
	c->epoll_fd = c->timer_fd = c->pid_fd = c->report_fd = c->in_fd = -1;
	c->outputs[0] =
		(struct child_output){-1, limit_of(&o->out), &c->result.out, &c->result.out_cut};
	c->outputs[1] =
		(struct child_output){-1, limit_of(&o->err), &c->result.err, &c->result.err_cut};
	return c;
}

static int
open_watch(struct child *c)
{
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd < 0)
		return -errno;
	c->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return c->timer_fd < 0 ? -errno : watch(c, c->timer_fd, EPOLLIN);
}

/* Without a pidfd the child cannot be watched: it is ended before it did much. */
static int
watch_child(struct child *c)
{
	int r;

	c->pid_fd = pidfd_open(c->pid, 0);
	if (c->pid_fd < 0) {
		r = -errno;
		(void)kill(-c->pid, SIGKILL);
		(void)waitpid(c->pid, NULL, 0);
		return r;
	}
	c->phase = CHILD_RUNNING;
	r = watch(c, c->pid_fd, EPOLLIN);
	if (r == 0)
		r = watch(c, c->in_fd, EPOLLOUT);
	if (r == 0)
		r = watch(c, c->report_fd, EPOLLIN);
	for (size_t i = 0; i < ARRAY_LEN(c->outputs) && r == 0; i++)
		r = watch(c, c->outputs[i].fd, EPOLLIN);
	return r;
}

static void
never_started(struct child *c, enum exec_step step, int code)
{
	c->result.end = CHILD_NOT_STARTED;
	c->result.step = step;
	c->result.code = code;
	c->result.exit_code = -1;
	close_all(c);
	arm_timer(c, 0);
}

int
child_start(const struct child_options *o, usec_t deadline, struct child **ret)
{
	struct child *c = child_new(o, deadline);
	enum exec_step step;
	int r = c ? open_watch(c) : -ENOMEM;

	if (r == 0) {
		r = child_spawn(c, &step);
		if (r < 0 && step == EXEC_STEP_SPAWN) {
			never_started(c, step, r);
			r = 0;
		} else if (r == 0) {
			r = watch_child(c);
			arm_timer(c, deadline);
		}
	}
	if (r < 0) {
		child_destroy(c);
		return r;
	}
	*ret = c;
	return 0;
}

void
child_destroy(struct child *c)
{
	if (!c)
		return;
	if (c->phase != CHILD_ENDED) {
		kill_now(c);
		reap(c);
	}
	close_all(c);
	unwatch_close(c, &c->timer_fd);
	closep(&c->epoll_fd);
	child_result_fini(&c->result);
	free(c);
}
