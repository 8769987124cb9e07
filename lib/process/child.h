/**
 * child: run a program under limits, and know exactly how it ended.
 *
 * The program is started by the small helper trawl-exec, itself started with posix_spawn(3): a
 * process with threads must not run code of its own between fork and exec. The helper sets limits,
 * directory and so on, then executes the program in its own place; when a step fails it reports
 * which and why on a close-on-exec pipe. Hence "could not start" is never taken for "exited 127".
 *
 * What the program gets: exactly argv, and env (by default PATH and LANG alone); stdin, stdout and
 * stderr, all other descriptors closed; an empty signal mask and default dispositions; a process
 * group (or session) of its own; no_new_privs, and none of the daemon's ambient capabilities.
 *
 * How it ends: when the program itself has ended, what is left of its group is killed and what the
 * pipes hold is read; nobody waits for a grandchild that keeps a pipe open. A deadline or a cancel
 * sends SIGTERM to the whole group, and after grace_usec SIGKILL. Only a grandchild that left the
 * group (setsid) escapes; inside a systemd unit it ends with the unit.
 *
 * Two forms. child_run() blocks a worker thread. child_start() gives one descriptor (child_fd())
 * that is readable when child_step() has something to do, deadlines included, for an event loop.
 *
 * Ownership: options are borrowed until the child has ended (`input` in particular); the result is
 *            the caller's: child_result_fini().
 * Threads:   a struct child belongs to one thread. child_run() any thread, any number at a time.
 *            SIGPIPE must be ignored or blocked (signals.h and thread.h do that), SIGCHLD not
 *            ignored, and nobody may wait for children that are not his.
 * Errors:    of the program and of starting it: in the result. child_start(): -ENOMEM, -EMFILE and
 *            the like; nothing was started.
 * Limits:    output beyond limit_bytes is not read: the pipe is closed, which the program learns by
 *            SIGPIPE, and the result says that it was cut. Nine descriptors a child while it runs.
 *            A program that hangs in the kernel (a dead mount) outlives SIGKILL until it returns
 *            from there; it is waited for as long, since otherwise it would be nobody's.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "process/exec_report.h"

struct stop;
struct child;

enum child_io {
	CHILD_NULL, /* /dev/null */
	CHILD_PIPE, /* input is written; output is captured or handed to on_output */
	CHILD_FD,   /* the descriptor given, which stays the caller's */
};

struct child_stream {
	enum child_io io;
	int fd;             /* CHILD_FD */
	size_t limit_bytes; /* CHILD_PIPE of output; 0 is 1 MiB */
};

struct child_limit {
	int resource;   /* RLIMIT_* */
	uint64_t value; /* soft and hard */
};

enum child_flags {
	CHILD_SESSION = 1u << 0,          /* a session of its own, not only a group */
	CHILD_DIES_WITH_PARENT = 1u << 1, /* SIGKILL when the starting *thread* ends while
	                                   * the program runs, and with it the process */
};

struct child_options {
	int helper_fd; /* of child_helper_open() */
	/* NULL-terminated; argv[0] is the program's path, absolute or below cwd. It is not looked
	 * up in PATH. */
	const char *const *argv;
	const char *const *env; /* NULL-terminated; NULL: PATH=/usr/bin:/bin, LANG=C.UTF-8 */
	const char *cwd;        /* NULL: "/" */
	enum child_flags flags;
	struct span input; /* for stdin when that is CHILD_PIPE; may be empty */
	struct child_stream in, out, err;
	/* Takes output instead of the result's buffers; `fd` is 1 or 2. Non-zero: no more of this
	 * stream is read, as at the limit. May be NULL. */
	int (*on_output)(void *ctx, int fd, struct span bytes);
	void *ctx;
	const struct child_limit *limits;
	size_t n_limits;
	int nice;          /* added to ours */
	int oom_score_adj; /* 0: ours. Raising it needs no right */
	usec_t grace_usec; /* between SIGTERM and SIGKILL; 0: SIGKILL at once */
};

enum child_end {
	CHILD_NOT_STARTED, /* step and code say why */
	CHILD_EXITED,      /* exit_code, 0..255, 127 as any other */
	CHILD_KILLED,      /* by a signal that was not ours: signo, core */
	CHILD_TIMED_OUT,   /* we ended it at the deadline, however it went then */
	CHILD_CANCELED,    /* we ended it because of the stop token or child_cancel() */
};

struct child_result {
	enum child_end end;
	enum exec_step step; /* CHILD_NOT_STARTED: the step that failed */
	int code;            /* CHILD_NOT_STARTED: -errno */
	int exit_code;       /* when it exited, else -1 */
	int signo;           /* when a signal ended it, else 0; also after our own kill */
	bool core;
	bool out_cut, err_cut; /* there was more than limit_bytes, or than memory for it */
	struct strbuf out, err;
	usec_t took_usec;
	usec_t cpu_usec; /* user and system, of the program and children it waited for */
};

/**
 * The helper, opened once with O_PATH: an upgrade of the package does not change it under a running
 * daemon. NULL: that of this build when the caller runs in a build tree, else the installed one.
 * Returns the descriptor (close-on-exec) or -errno.
 */
int child_helper_open(const char *path);

/** Run to the end. The deadline is on the monotonic clock (USEC_NEVER: none); stop may be NULL. */
void child_run(const struct child_options *o, struct stop *stop, usec_t deadline,
	struct child_result *ret);
void child_result_fini(struct child_result *r);

/** 0: it exited with 0. Else -errno and what happened in one sentence, the program's first line on
 *  stderr as the hint: the step's error, -ETIMEDOUT, -ECANCELED, else -EIO. */
int child_check(const struct child_result *r, const char *program, struct err *err);

/** Begin; a program that could not be started is a result, too. */
int child_start(const struct child_options *o, usec_t deadline, struct child **ret);
/** Readable when child_step() has something to do. */
int child_fd(const struct child *c);
/** Do what can be done without waiting: 1 it has ended, 0 not yet. */
int child_step(struct child *c);
/** End it as at a deadline; child_step() goes on until it has ended. */
void child_cancel(struct child *c);
/** After child_step() returned 1: how it ended. Moves the buffers to the caller. Once. */
void child_take_result(struct child *c, struct child_result *ret);
/** A child that has not ended is killed with its group and waited for. NULL is legal. */
void child_destroy(struct child *c);
