#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/child.h"
#include "process/signals.h"
#include "sync/scope.h"

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("/bin/sh", "-c", script)

static int helper = -1;

static void
open_helper(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	helper = child_helper_open(NULL);
	CHECK(helper > 3);
}

/* Captures both outputs. */
static struct child_options
options(const char *const *argv)
{
	return (struct child_options){.helper_fd = helper,
		.argv = argv,
		.in.io = CHILD_NULL,
		.out.io = CHILD_PIPE,
		.err.io = CHILD_PIPE};
}

static struct child_result
run_argv(const char *const *argv)
{
	struct child_options o = options(argv);
	struct child_result r;

	child_run(&o, NULL, USEC_NEVER, &r);
	return r;
}

static const char *
text(const struct strbuf *b)
{
	return strbuf_view(b).data;
}

/* How it could not start. */
static void
check_refused(const struct child_options *o, enum exec_step step, int code, const char *sentence)
{
	struct child_result r;
	struct err err = {0};

	child_run(o, NULL, USEC_NEVER, &r);
	CHECK_INT(r.end, CHILD_NOT_STARTED);
	CHECK_INT(r.step, step);
	CHECK_INT(r.code, code);
	CHECK_INT(r.exit_code, -1);
	CHECK_INT(child_check(&r, o->argv[0], &err), code);
	CHECK_STR(err.what, sentence);
	child_result_fini(&r);
}

TEST(child, what_it_writes_is_captured_and_its_status_known, .init = open_helper)
{
	struct child_result r = run_argv(SH("echo out; echo err >&2; exit 3"));
	struct err err = {0};

	CHECK_INT(r.end, CHILD_EXITED);
	CHECK_INT(r.exit_code, 3);
	CHECK_INT(r.signo, 0);
	CHECK_STR(text(&r.out), "out\n");
	CHECK_STR(text(&r.err), "err\n");
	CHECK(!r.out_cut && !r.err_cut);
	CHECK_INT(child_check(&r, "/bin/sh", &err), -EIO);
	CHECK_STR(err.what, "\"/bin/sh\" ended with status 3");
	CHECK_STR(err.hint, "it said: err");
	child_result_fini(&r);
}

TEST(child, success_is_no_error, .init = open_helper)
{
	struct child_result r = run_argv(ARGV("/bin/true"));

	CHECK_INT(child_check(&r, "/bin/true", NULL), 0);
	child_result_fini(&r);
}

TEST(child, an_exit_status_of_127_is_the_programs_own, .init = open_helper)
{
	for (int status = 125; status <= 127; status++) {
		char script[16];
		struct child_result r;

		(void)snprintf(script, sizeof(script), "exit %d", status);
		r = run_argv(SH(script));
		CHECK_INT(r.end, CHILD_EXITED);
		CHECK_INT(r.exit_code, status);
		child_result_fini(&r);
	}
}

TEST(child, what_cannot_be_started_says_at_which_step, .init = open_helper)
{
	char *dir = test_dir(), path[4096], sentence[4400];
	struct child_options o = options(ARGV("/no/such/program"));

	check_refused(&o, EXEC_STEP_PROGRAM, -ENOENT,
		"could not start \"/no/such/program\": no such file or directory");
	o = options(ARGV("/bin"));
	check_refused(
		&o, EXEC_STEP_PROGRAM, -EACCES, "could not start \"/bin\": permission denied");
	o = options(ARGV("/bin/true"));
	o.cwd = "/no/such/dir";
	check_refused(&o, EXEC_STEP_CWD, -ENOENT,
		"could not start \"/bin/true\": working directory: no such file or directory");
	o = options(ARGV("/bin/true"));
	o.limits = &(struct child_limit){99, 1};
	o.n_limits = 1;
	check_refused(&o, EXEC_STEP_LIMIT, -EINVAL,
		"could not start \"/bin/true\": resource limit: invalid argument");
	o = options(ARGV("/bin/true"));
	o.oom_score_adj = 5000;
	check_refused(&o, EXEC_STEP_OOM, -EINVAL,
		"could not start \"/bin/true\": out-of-memory score: invalid argument");

	test_write(dir, "plain", "#!/bin/sh\n");
	(void)snprintf(path, sizeof(path), "%s/plain", dir);
	o = options(ARGV(path));
	(void)snprintf(sentence, 256, "could not start \"%s\": permission denied", path);
	check_refused(&o, EXEC_STEP_PROGRAM, -EACCES, sentence);
	test_dir_remove(dir);
}

static void
write_program(const char *dir, const char *name, const char *body, char *ret_path)
{
	test_write(dir, name, body);
	(void)snprintf(ret_path, 4096, "%s/%s", dir, name);
	CHECK_INT(chmod(ret_path, 0755), 0);
}

TEST(child, a_bad_interpreter_is_told_from_a_missing_program, .init = open_helper)
{
	char *dir = test_dir(), path[4096], sentence[256];
	struct child_options o;

	write_program(dir, "script", "#!/no/such/interpreter\n", path);
	o = options(ARGV(path));
	(void)snprintf(sentence, sizeof(sentence),
		"could not start \"%s\": its interpreter: no such file or directory", path);
	check_refused(&o, EXEC_STEP_INTERPRETER, -ENOENT, sentence);
	write_program(dir, "to-data", "#!/etc/passwd\n", path);
	o = options(ARGV(path));
	(void)snprintf(sentence, sizeof(sentence),
		"could not start \"%s\": its interpreter: permission denied", path);
	check_refused(&o, EXEC_STEP_INTERPRETER, -EACCES, sentence);
	write_program(dir, "data", "neither script nor program\n", path);
	o = options(ARGV(path));
	(void)snprintf(
		sentence, sizeof(sentence), "could not start \"%s\": exec format error", path);
	check_refused(&o, EXEC_STEP_PROGRAM, -ENOEXEC, sentence);
	test_dir_remove(dir);
}

TEST(child, a_missing_helper_is_an_error_of_starting)
{
	struct child_options o = options(ARGV("/bin/true"));
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	CHECK_INT(child_helper_open("/no/such/helper"), -ENOENT);
	o.helper_fd = fd;
	check_refused(&o, EXEC_STEP_SPAWN, -EACCES,
		"could not start \"/bin/true\": trawl-exec: permission denied");
	(void)close(fd);
}

TEST(child, a_kill_from_outside_is_told, .init = open_helper)
{
	struct child_result r = run_argv(SH("kill -KILL $$"));
	struct err err = {0};

	CHECK_INT(r.end, CHILD_KILLED);
	CHECK_INT(r.signo, SIGKILL);
	CHECK_INT(r.exit_code, -1);
	CHECK_INT(child_check(&r, "sh", &err), -EIO);
	CHECK_STR(err.what, "\"sh\" was killed by SIGKILL");
	child_result_fini(&r);
}

TEST(child, gets_exactly_its_arguments_and_a_clean_environment, .init = open_helper)
{
	struct child_options o = options(ARGV("/usr/bin/env"));
	struct child_result r;

	CHECK_INT(setenv("SECRET", "x", 1), 0);
	r = run_argv(ARGV("/usr/bin/env"));
	CHECK_STR(text(&r.out), "PATH=/usr/bin:/bin\nLANG=C.UTF-8\n");
	child_result_fini(&r);
	o.env = ARGV("A=b c", "D=");
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_STR(text(&r.out), "A=b c\nD=\n");
	child_result_fini(&r);
	r = run_argv(ARGV("/usr/bin/printf", "<%s>", "-C", "", "--", "a  b"));
	CHECK_STR(text(&r.out), "<-C><><--><a  b>");
	child_result_fini(&r);
}

/* The shell that lists has one more descriptor open: that of the directory. The two signals that
 * are ignored are glibc's own (32 and 33): posix_spawn(3) leaves them so, and nobody can send them
 * by a name. */
TEST(child, has_three_descriptors_no_blocked_signal_and_its_directory, .init = open_helper)
{
	struct child_options o = options(SH("echo /proc/self/fd/*; pwd;"
					    "grep -E 'Sig(Blk|Ign|Cgt)|NoNewPrivs|CapAmb' "
					    "/proc/self/status | tr '\\n\\t' '; '; umask"));
	struct child_result r;
	int leak = open("/dev/null", O_RDONLY); /* not close-on-exec */
	sigset_t all;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	(void)signal(SIGHUP, SIG_IGN);
	o.cwd = "/usr/bin";
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_INT(r.exit_code, 0);
	CHECK(strncmp(text(&r.out),
		      "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n/usr/bin\n",
		      72) == 0);
	CHECK(strstr(text(&r.out), "SigBlk: 0000000000000000;SigIgn: 0000000180000000;"));
	CHECK(strstr(text(&r.out), "CapAmb: 0000000000000000;NoNewPrivs: 1;"));
	child_result_fini(&r);
	(void)close(leak);
}

TEST(child, limits_are_set, .init = open_helper)
{
	struct child_options o = options(SH("ulimit -n; ulimit -f; ulimit -v; nice"));
	const struct child_limit limits[] = {
		{RLIMIT_NOFILE, 17},
		{RLIMIT_FSIZE, 1024},
		{RLIMIT_AS, UINT64_MAX},
	};
	int own = getpriority(PRIO_PROCESS, 0); /* `nice ./dev test` is legal */
	struct child_result r;
	char want[64];

	o.limits = limits;
	o.n_limits = ARRAY_LEN(limits);
	o.nice = 3;
	child_run(&o, NULL, USEC_NEVER, &r);
	(void)snprintf(want, sizeof(want), "17\n2\nunlimited\n%d\n", MIN(own + 3, 19));
	CHECK_STR(text(&r.out), want);
	child_result_fini(&r);
	o = options(SH("while :; do :; done"));
	o.limits = &(struct child_limit){RLIMIT_CPU, 1};
	o.n_limits = 1;
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_INT(r.end, CHILD_KILLED);
	CHECK_INT(r.signo, SIGKILL); /* the hard limit, since both are the same */
	CHECK(r.cpu_usec >= 500 * USEC_PER_MSEC && r.cpu_usec < 3 * USEC_PER_SEC);
	child_result_fini(&r);
}

TEST(child, a_session_is_its_own, .init = open_helper)
{
	struct child_options o =
		options(SH("cut -d' ' -f1,5,6 /proc/$$/stat | awk '{print $1==$2, $1==$3}'"));
	struct child_result r;

	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_STR(text(&r.out), "1 0\n");
	child_result_fini(&r);
	o.flags = CHILD_SESSION | CHILD_DIES_WITH_PARENT;
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_STR(text(&r.out), "1 1\n");
	child_result_fini(&r);
}

TEST(child, a_mebibyte_both_ways_does_not_lock_up, .init = open_helper)
{
	size_t len = 3 << 20;
	AUTO(freep) char *input = malloc(len);
	struct child_options o = options(SH("tee /dev/stderr"));
	struct child_result r;

	for (size_t i = 0; i < len; i++)
		input[i] = (char)(i * 7 + i / 4096);
	o.in.io = CHILD_PIPE;
	o.input = (struct span){input, len};
	o.out.limit_bytes = o.err.limit_bytes = len;
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_INT(r.exit_code, 0);
	CHECK(!r.out_cut && !r.err_cut);
	CHECK(span_eq(strbuf_view(&r.out), o.input));
	CHECK(span_eq(strbuf_view(&r.err), o.input));
	child_result_fini(&r);
}

TEST(child, input_that_is_not_wanted_is_no_failure, .init = open_helper)
{
	AUTO(freep) char *input = calloc(1, 1 << 20);
	struct child_options o = options(SH("exec <&-; echo done"));
	struct child_result r;

	o.in.io = CHILD_PIPE;
	o.input = (struct span){input, 1 << 20};
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_INT(r.exit_code, 0);
	CHECK_STR(text(&r.out), "done\n");
	child_result_fini(&r);
}

TEST(child, output_past_the_limit_is_cut_and_said_to_be, .init = open_helper)
{
	struct child_options o = options(ARGV("/usr/bin/yes"));
	struct child_result r;

	o.out.limit_bytes = 100001;
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_INT(r.end, CHILD_KILLED);
	CHECK_INT(r.signo, SIGPIPE);
	CHECK(r.out_cut && !r.err_cut);
	CHECK_INT(r.out.len, 100001);
	child_result_fini(&r);
	o = options(ARGV("/usr/bin/printf", "12345"));
	o.out.limit_bytes = 5;
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_INT(r.exit_code, 0);
	CHECK(!r.out_cut);
	CHECK_STR(text(&r.out), "12345");
	child_result_fini(&r);
}

static int
count_bytes(void *ctx, int fd, struct span bytes)
{
	size_t *n = ctx;

	n[fd] += bytes.len;
	return n[fd] > 500000;
}

TEST(child, output_can_be_streamed_and_refused, .init = open_helper)
{
	struct child_options o = options(SH("echo x >&2; yes"));
	size_t n[3] = {0};
	struct child_result r;

	o.on_output = count_bytes;
	o.ctx = n;
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK(n[1] > 500000 && n[2] == 2);
	CHECK(r.out_cut && r.out.len == 0);
	child_result_fini(&r);
}

TEST(child, a_descriptor_of_the_caller_is_its_stream, .init = open_helper)
{
	struct child_options o = options(ARGV("/bin/cat"));
	char *dir = test_dir(), path[4096];
	struct child_result r;
	int in, out;

	test_write(dir, "in", "some text");
	(void)snprintf(path, sizeof(path), "%s/in", dir);
	in = open(path, O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "%s/out", dir);
	out = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	o.in = (struct child_stream){CHILD_FD, in, 0};
	o.out = (struct child_stream){CHILD_FD, out, 0};
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_INT(r.exit_code, 0);
	CHECK_INT(r.out.len, 0);
	CHECK_INT(pread(out, path, sizeof(path), 0), 9);
	(void)close(in);
	(void)close(out);
	child_result_fini(&r);
	test_dir_remove(dir);
}

/* Its own stdin is closed when the child is made: the pipes get the lowest numbers. */
TEST(child, works_where_the_callers_own_streams_are_closed, .init = open_helper)
{
	struct child_options o = options(ARGV("/bin/cat"));
	struct child_result r;
	int kept = fcntl(0, F_DUPFD_CLOEXEC, 100);

	o.in.io = CHILD_PIPE;
	o.input = SPAN_LIT("through");
	(void)close(0);
	child_run(&o, NULL, USEC_NEVER, &r);
	CHECK_INT(dup2(kept, 0), 0);
	CHECK_STR(text(&r.out), "through");
	CHECK_INT(r.exit_code, 0);
	child_result_fini(&r);
}

/* Whether nobody of the group is left. A killed process may still be there as a zombie of init's.
 */
static bool
group_is_gone(pid_t group)
{
	for (int i = 0; i < 2000; i++) {
		if (kill(-group, 0) < 0 && errno == ESRCH)
			return true;
		(void)poll(NULL, 0, 5);
	}
	return false;
}

TEST(child, the_deadline_ends_the_whole_group, .init = open_helper)
{
	struct child_options o =
		options(SH("echo $$; trap '' TERM; sleep 1000 & sleep 1001; wait"));
	struct child_result r;
	struct err err = {0};

	o.grace_usec = 20 * USEC_PER_MSEC;
	child_run(&o, NULL, clock_deadline(300 * USEC_PER_MSEC), &r);
	CHECK_INT(r.end, CHILD_TIMED_OUT);
	CHECK_INT(child_check(&r, "sh", &err), -ETIMEDOUT);
	CHECK_INT(r.signo, SIGKILL); /* the shell ignores the first one */
	CHECK(r.took_usec >= 320 * USEC_PER_MSEC);
	CHECK(group_is_gone((pid_t)atoi(text(&r.out))));
	child_result_fini(&r);
}

TEST(child, a_program_that_obeys_has_its_grace, .init = open_helper)
{
	struct child_options o = options(SH(
		"trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done"));
	struct child_result r;

	o.grace_usec = 60 * USEC_PER_SEC;
	child_run(&o, NULL, clock_deadline(300 * USEC_PER_MSEC), &r);
	CHECK_INT(r.end, CHILD_TIMED_OUT);
	CHECK_INT(r.exit_code, 0);
	CHECK_STR(text(&r.out), "ready\nbye\n");
	child_result_fini(&r);
}

TEST(child, a_grandchild_that_keeps_the_pipe_is_not_waited_for, .init = open_helper)
{
	struct child_result r = run_argv(SH("echo $$; sleep 1000 & exit 0"));

	CHECK_INT(r.end, CHILD_EXITED);
	CHECK_INT(r.exit_code, 0);
	CHECK(r.took_usec < 100 * USEC_PER_SEC);
	CHECK(group_is_gone((pid_t)atoi(text(&r.out))));
	child_result_fini(&r);
	r = run_argv(SH("setsid sleep 5 & exit 0"));
	CHECK_INT(r.end, CHILD_EXITED);
	CHECK(r.took_usec < 4 * USEC_PER_SEC);
	child_result_fini(&r);
}

static int
run_stopped(void *arg, struct stop *stop)
{
	struct child_options o = options(SH("kill -STOP $$"));
	struct child_result *r = arg;

	o.grace_usec = 60 * USEC_PER_SEC;
	child_run(&o, stop, USEC_NEVER, r);
	return child_check(r, "sh", thread_err());
}

TEST(child, a_stop_token_ends_it_even_when_it_is_suspended, .init = open_helper)
{
	struct child_result r[3];
	struct err err = {0};

	SCOPE(s, NULL);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		CHECK_INT(scope_spawn(&s, "runs", run_stopped, &r[i]), 0);
	CHECK_INT(scope_join_until(&s, clock_deadline(100 * USEC_PER_MSEC), NULL), -EINPROGRESS);
	stop_request(&s.stop);
	CHECK_INT(scope_join(&s, &err), -ECANCELED);
	CHECK_STR(err.what, "\"sh\" was stopped");
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		CHECK_INT(r[i].end, CHILD_CANCELED);
		child_result_fini(&r[i]);
	}
}

static unsigned
count_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int
run_many(void *arg, struct stop *stop)
{
	const unsigned long *n = arg;

	for (unsigned long i = 0; i < *n; i++) {
		struct child_options o = options(i % 3 ? ARGV("/bin/true") : ARGV("/no/such"));
		struct child_result r;
		int code;

		child_run(&o, stop, i % 5 ? USEC_NEVER : clock_deadline(i * 10), &r);
		code = child_check(&r, "many", thread_err());
		child_result_fini(&r);
		if (code < 0 && code != -ENOENT && code != -ETIMEDOUT)
			return code;
	}
	return 0;
}

TEST(child, a_thousand_leave_no_zombie_and_no_descriptor, .init = open_helper)
{
	unsigned long n = test_scale(1000 * 50) / 4 + 10;
	unsigned fds = count_fds();
	struct err err = {0};

	{
		SCOPE(s, NULL);
		for (int i = 0; i < 4; i++)
			CHECK_INT(scope_spawn(&s, "many", run_many, &n), 0);
		CHECK_INT(scope_join(&s, &err), 0);
	}
	CHECK_INT(count_fds(), fds);
	CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_INT(errno, ECHILD);
}

TEST(child, a_loop_drives_it_by_one_descriptor, .init = open_helper)
{
	struct child_options o = options(SH("echo a; echo b >&2; cat; sleep 1000"));
	unsigned fds = count_fds(), steps = 0;
	struct child_result r;
	struct child *c;

	o.in.io = CHILD_PIPE;
	o.input = SPAN_LIT("input\n");
	CHECK_INT(child_start(&o, clock_deadline(200 * USEC_PER_MSEC), &c), 0);
	do {
		struct pollfd p = {.fd = child_fd(c), .events = POLLIN};

		CHECK_INT(poll(&p, 1, 60000), 1);
	} while (++steps < 1000 && child_step(c) == 0);
	CHECK(steps < 50); /* it sleeps in between */
	CHECK_INT(child_step(c), 1);
	child_take_result(c, &r);
	child_destroy(c);
	CHECK_INT(r.end, CHILD_TIMED_OUT);
	CHECK_STR(text(&r.out), "a\ninput\n");
	CHECK_STR(text(&r.err), "b\n");
	child_result_fini(&r);
	CHECK_INT(count_fds(), fds);
}

TEST(child, a_loop_is_told_of_one_that_never_started, .init = open_helper)
{
	struct child_options o = options(ARGV("/bin/true"));
	struct child_result r;
	struct pollfd p = {.events = POLLIN};
	struct child *c;

	o.helper_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK_INT(child_start(&o, USEC_NEVER, &c), 0);
	p.fd = child_fd(c);
	CHECK_INT(poll(&p, 1, 60000), 1);
	CHECK_INT(child_step(c), 1);
	child_take_result(c, &r);
	CHECK_INT(r.end, CHILD_NOT_STARTED);
	CHECK_INT(r.step, EXEC_STEP_SPAWN);
	child_destroy(c);
	child_result_fini(&r);
	(void)close(o.helper_fd);
}

TEST(child, a_cancel_that_comes_too_late_changes_nothing, .init = open_helper)
{
	struct child_options o = options(SH("exit 4"));
	struct child_result r;
	siginfo_t info;
	struct child *c;

	CHECK_INT(child_start(&o, USEC_NEVER, &c), 0);
	CHECK_INT(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
	child_cancel(c);
	CHECK_INT(child_step(c), 1);
	child_take_result(c, &r);
	CHECK_INT(r.end, CHILD_EXITED);
	CHECK_INT(r.exit_code, 4);
	child_destroy(c);
	child_result_fini(&r);
}

struct orphan {
	struct child *child;
	bool ready;
};

static int
note_ready(void *ctx, int fd, struct span bytes)
{
	struct orphan *o = ctx;

	o->ready = fd == 1 && bytes.len > 0;
	return 0;
}

static int
await_child(struct child *c)
{
	struct pollfd p = {.fd = child_fd(c), .events = POLLIN};

	CHECK_INT(poll(&p, 1, 60000), 1);
	return child_step(c);
}

static int
start_and_end(void *arg)
{
	struct orphan *orphan = arg;
	struct child_options o = options(SH("echo ready; exec sleep 1000"));
	int r;

	o.flags = CHILD_DIES_WITH_PARENT;
	o.on_output = note_ready;
	o.ctx = orphan;
	r = child_start(&o, USEC_NEVER, &orphan->child);
	while (r == 0 && !orphan->ready)
		CHECK_INT(await_child(orphan->child), 0);
	return r;
}

TEST(child, can_be_made_to_die_with_the_thread_that_started_it, .init = open_helper)
{
	struct orphan orphan = {0};
	struct child_result r;
	struct thread t;

	CHECK_INT(thread_start(&t, "starts", start_and_end, &orphan), 0);
	CHECK_INT(thread_join(&t), 0);
	while (await_child(orphan.child) == 0)
		;
	child_take_result(orphan.child, &r);
	CHECK_INT(r.end, CHILD_KILLED);
	CHECK_INT(r.signo, SIGKILL);
	child_destroy(orphan.child);
	child_result_fini(&r);
}

TEST(child, destroying_one_that_runs_kills_it, .init = open_helper)
{
	struct child_options o = options(ARGV("/bin/sleep", "1000"));
	unsigned fds = count_fds();
	struct child *c;

	CHECK_INT(child_start(&o, USEC_NEVER, &c), 0);
	CHECK_INT(child_step(c), 0);
	child_cancel(c);
	child_destroy(c);
	child_destroy(NULL);
	CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_INT(errno, ECHILD);
	CHECK_INT(count_fds(), fds);
}

TEST(child, no_descriptor_left_is_an_error_and_leaks_nothing, .init = open_helper)
{
	struct rlimit old, low;
	unsigned fds = count_fds();
	int refused = 0;

	CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (rlim_t n = (rlim_t)helper + 1; n < (rlim_t)helper + 20; n++) {
		struct child_options o = options(ARGV("/bin/true"));
		struct child_result r;

		low = (struct rlimit){n, old.rlim_max};
		CHECK_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
		o.in.io = CHILD_PIPE;
		child_run(&o, NULL, USEC_NEVER, &r);
		CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
		CHECK(r.end == CHILD_EXITED ||
			(r.end == CHILD_NOT_STARTED && r.step == EXEC_STEP_PREPARE &&
				r.code == -EMFILE));
		refused += r.end == CHILD_NOT_STARTED;
		child_result_fini(&r);
		CHECK_INT(count_fds(), fds);
		CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
	}
	CHECK(refused >= 5 && refused < 19);
}
