/**
 * waker: tells a request that sleeps that what it waited for has come, from any thread.
 *
 * A step that can do nothing until somebody else has done something gives its worker back: it
 * returns JOB_SLEEPS (job.h). The somebody holds a waker:
 *
 *     step:     w = job_waker(j)                 one a request
 *               begin(.., waker_post, waker_ref(w)); return JOB_SLEEPS
 *     anybody:  waker_post(w, result, err)       once; gives the reference back
 *     loop:     the job, if it is still there, is queued again
 *     step:     waker_posted(w) -> w->result, w->err
 *
 * The request may have ended before the post, and so may the server: then nothing happens.
 *
 * A post never waits: wakers are put in a list, and the loop is told through an eventfd, beside the
 * mailbox, which may be full (note: nudge). server_nudge() goes the same way without a waker.
 *
 * Ownership: counted. The job has one reference, whoever will post has another.
 * Threads:   waker_post() any thread that holds no lock of RANK_LEAF; `job` is the loop's alone.
 * Errors:    none.
 */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "sync/arc.h"
#include "sync/lock.h"

struct job;
struct server;

/** What waits to be seen by the loop. Counted, because it may outlive the server. */
struct wakers {
	struct arc arc;
	int fd; /* eventfd; fixed at create */
	struct lock lock;
	/* Guarded by lock. */
	struct list posted; /* struct waker.link; each holds a reference */
	bool closed;        /* no loop looks any more */
};

struct waker {
	struct arc arc;
	struct wakers *wakers; /* a reference */
	struct list link;      /* guarded by wakers.lock, the loop's once it was taken out */
	/* Written before `posted` is set (release), read by who has seen it (acquire). */
	int result;
	struct err err;
	_Atomic bool posted;
	struct job *job; /* loop only; NULL: it has ended */
};

struct waker *waker_ref(struct waker *w);
void waker_unref(struct waker *w); /* NULL is legal */
/** Once. `w` is a struct waker, whose reference is given back; err may be NULL. */
void waker_post(void *w, int result, const struct err *err);
bool waker_posted(const struct waker *w);

/** The waker of a job, made when there is none: NULL is out of memory. Worker, in a step. */
struct waker *job_waker(struct job *j);

/* Loop. */
int wakers_open(struct server *s);
void wakers_close(struct server *s); /* nothing when it was not opened */
