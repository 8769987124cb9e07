/*
 * trawl-exec: sets up a process and becomes the program that trawld wants to run.
 *
 * It is what a careful program would do between fork and exec; trawld has threads and must not, so
 * it starts this one (lib/process/child.h). The arguments and the report on descriptor 3 are
 * described in lib/process/exec_report.h. Limits come last: they would hinder the other steps.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/exec_report.h"

#define LIMITS_MAX 16 /* there are as many kinds */

struct plan {
	const char *cwd, *oom;
	int nice;
	pid_t parent; /* die with it; 0 no */
	size_t n_limits;
	int resource[LIMITS_MAX];
	rlim_t value[LIMITS_MAX];
	char **argv;
};

static void __attribute__((noreturn)) fail(enum exec_step step, int error)
{
	struct exec_report report = {.step = step, .error = error};

	/* Fails when somebody tries us by hand: then the sentence is for him. */
	if (write(EXEC_REPORT_FD, &report, sizeof(report)) != (ssize_t)sizeof(report))
		(void)fprintf(stderr, "trawl-exec: step %d: %s\n", (int)step, strerror(error));
	_exit(126);
}

static int
parse_number(const char *text, char end, long long *ret, const char **ret_rest)
{
	char *rest;

	errno = 0;
	*ret = strtoll(text, &rest, 10);
	if (errno || rest == text || *rest != end)
		return -EINVAL;
	*ret_rest = rest;
	return 0;
}

static long long
number(const char *text)
{
	long long v;

	if (parse_number(text, '\0', &v, &text) < 0)
		fail(EXEC_STEP_ARGS, EINVAL);
	return v;
}

static void
add_limit(struct plan *p, const char *text)
{
	long long resource;

	if (p->n_limits == LIMITS_MAX || parse_number(text, '=', &resource, &text) < 0)
		fail(EXEC_STEP_ARGS, EINVAL);
	p->resource[p->n_limits] = (int)resource;
	p->value[p->n_limits++] = (rlim_t)number(text + 1);
}

static void
parse_args(int argc, char **argv, struct plan *p)
{
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "+C:l:n:o:p:")) != -1) {
		switch (c) {
		case 'C':
			p->cwd = optarg;
			break;
		case 'l':
			add_limit(p, optarg);
			break;
		case 'n':
			p->nice = (int)number(optarg);
			break;
		case 'o':
			p->oom = optarg;
			break;
		case 'p':
			p->parent = (pid_t)number(optarg);
			break;
		default:
			fail(EXEC_STEP_ARGS, EINVAL);
		}
	}
	p->argv = argv + optind;
	if (!p->argv[0])
		fail(EXEC_STEP_ARGS, EINVAL);
}

/* Our own process's file, since writing it for another one needs a right. */
static void
set_oom(const char *score)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, score, strlen(score)) < 0)
		fail(EXEC_STEP_OOM, errno);
	(void)close(fd);
}

/* nice(2) may return -1 for a success. */
static void
set_nice(int add)
{
	errno = 0;
	if (nice(add) == -1 && errno)
		fail(EXEC_STEP_NICE, errno);
}

static void
drop_privileges(pid_t parent)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		fail(EXEC_STEP_PRIVILEGES, errno);
	if (parent == 0)
		return;
	/* A parent that ended before this call sends nothing. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail(EXEC_STEP_PRIVILEGES, errno);
	if (getppid() != parent)
		fail(EXEC_STEP_PRIVILEGES, ESRCH);
}

static void
set_limits(const struct plan *p)
{
	for (size_t i = 0; i < p->n_limits; i++) {
		struct rlimit l = {p->value[i], p->value[i]};

		if (setrlimit((__rlimit_resource_t)p->resource[i], &l) < 0)
			fail(EXEC_STEP_LIMIT, errno);
	}
}

/* The kernel says the same whether the program or what it names cannot be executed. */
static void __attribute__((noreturn)) fail_program(const char *path, int error)
{
	struct stat st;
	bool runnable = stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;

	fail(runnable && error != ENOEXEC && error != ENOMEM && error != E2BIG
			? EXEC_STEP_INTERPRETER
			: EXEC_STEP_PROGRAM,
		error);
}

int
main(int argc, char **argv)
{
	struct plan p = {0};

	(void)fcntl(EXEC_REPORT_FD, F_SETFD, FD_CLOEXEC);
	parse_args(argc, argv, &p);
	if (close_range(EXEC_REPORT_FD + 1, ~0u, 0) < 0)
		fail(EXEC_STEP_FDS, errno);
	if (p.oom)
		set_oom(p.oom);
	if (p.nice)
		set_nice(p.nice);
	drop_privileges(p.parent);
	if (p.cwd && chdir(p.cwd) < 0)
		fail(EXEC_STEP_CWD, errno);
	set_limits(&p);
	(void)execv(p.argv[0], p.argv);
	fail_program(p.argv[0], errno);
}
