/**
 * child_impl: what the files of child share.
 */
#pragma once

#include "process/child.h"

enum child_phase {
	CHILD_RUNNING,
	CHILD_TERMINATING, /* SIGTERM was sent; SIGKILL follows at kill_at */
	CHILD_DYING,       /* SIGKILL was sent */
	CHILD_ENDED,       /* reaped, or never started; the result is whole */
};

/** Our end of an output pipe. */
struct child_output {
	int fd; /* -1: closed, or no pipe */
	size_t limit_bytes;
	struct strbuf *bytes; /* of the result, as is cut */
	bool *cut;
};

struct child {
	struct child_options o;
	enum child_phase phase;
	usec_t started, deadline, kill_at;
	enum child_end forced; /* TIMED_OUT or CANCELED once the phase is past running */

	int epoll_fd; /* of all those below: what the owner watches */
	int timer_fd;
	int pid_fd;
	int report_fd;
	int in_fd;
	pid_t pid; /* its group has the same number; ours until it is reaped */
	size_t n_written;
	struct child_output outputs[2];
	struct exec_report report;
	bool reported; /* the helper could not: see report */
	struct child_result result;
};

/**
 * Make the pipes and start the helper: 0 (c->pid > 0), or -errno with *ret_step. Our ends are in c
 * and not blocking, the child's are closed again.
 */
int child_spawn(struct child *c, enum exec_step *ret_step);
