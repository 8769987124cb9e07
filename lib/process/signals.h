/**
 * signals: signals as events that the loop reads. No code of ours runs in a handler.
 *
 * The signals are blocked in every thread and read from a signalfd. A kind is never lost: the
 * kernel keeps it pending until it is read. How often it was sent is another matter: of a standard
 * signal (below SIGRTMIN) the kernel keeps one, so one event stands for one or more; real-time
 * signals are queued and every one is an event (up to RLIMIT_SIGPENDING, beyond which sigqueue(3)
 * fails).
 *
 * signals_open() belongs before the first thread: threads inherit the mask (those of thread_start()
 * block everything anyway). A signal that comes before the loop runs waits for it. SIGPIPE is
 * ignored from then on: a write reports -EPIPE. SIGCHLD is not needed, children are watched by
 * pidfd, but it must not be ignored.
 *
 * Children: posix_spawn of child.h gives them an empty mask and default dispositions.
 *
 * Ownership: signals_open()/signals_close() on caller's storage. Closing leaves the signals
 * blocked. Threads:   open by the main thread; next by the one that runs the loop. Errors: -errno
 * of signalfd(2); -EINVAL for SIGKILL, SIGSTOP and those of faults.
 */
#pragma once

#include "base/defs.h"
#include <signal.h>

struct signals {
	int fd; /* readable: call signals_next() until it returns 0 */
};

struct signal_event {
	int signo;
	pid_t pid; /* who sent it; 0 the kernel or unknown */
	uid_t uid;
};

/** signos ends with 0. */
int signals_open(struct signals *s, const int *signos);
/** 1 an event, 0 none is pending, -errno. */
int signals_next(struct signals *s, struct signal_event *ret);
void signals_close(struct signals *s);
