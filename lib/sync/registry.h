/**
 * registry: which threads run, by name, since when and for what; and threads without an owner.
 *
 * Every thread of thread_start() is listed from before it begins until its function has returned.
 * So a stop that does not end in time can say who still runs instead of "something hangs".
 *
 * A thread that nobody keeps a struct for is started with registry_start(): the registry owns it
 * and joins it, so it can outlive its starter but not the process's orderly end, which calls
 * registry_join_all(). This is the only kind of detaching there is.
 *
 * Ownership: the registry's lists are static; threads started by it are freed by registry_start()
 *            (those that have ended) and registry_join_all().
 * Threads:   any. One lock (RANK_LEAF), held for a list operation only.
 * Errors:    -ENOMEM, -EAGAIN of starting; -ETIMEDOUT of joining.
 */
#pragma once

#include "base/str.h"
#include "sync/thread.h"

struct thread_info {
	char name[16], doing[64];
	usec_t since; /* clock_mono() of its start */
	bool idle;    /* it said that it waits for work */
};

/** How many run (the main thread and a library's are not listed); the first `max` of them, oldest
 *  first, are described in ret. A moment's truth. */
size_t registry_list(struct thread_info *ret, size_t max);
/** Who runs and is not idle, but for the calling thread, for a sentence:
 *      "walk" (4.5 s, reading /srv), "io/2" (60.1 s)
 *  Returns how many; nothing is appended for 0. */
size_t registry_report(struct strbuf *out);

/** A thread that the registry owns. Its result is dropped: what can fail has an owner. */
int registry_start(const char *name, int (*fn)(void *arg), void *arg);
/** Wait for all threads of registry_start(), those started meanwhile too. */
int registry_join_all(usec_t deadline);

/* For thread.c. */
void registry_enter(struct thread *t);
void registry_leave(struct thread *t);
void registry_describe(struct thread *t, const char *doing);
