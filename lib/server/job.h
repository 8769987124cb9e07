/**
 * job: a request that needs workers: its life from the line to its `end` or `error`.
 *
 * A job is cut into steps. A step is a task on the compute pool that fills one buffer; each buffer
 * is mail to the loop. How many buffers may be made ahead of the client is `credit`:
 *
 *   worker: fill a buffer, send it, credit - 1; the one who takes the last credit stops there, else
 *           it queues the next step (at the end of the line: queries take turns), or where nobody
 *           stands in the line takes it at once, a few times
 *   loop:   when the connection can take more, credit + n; the one who finds it at 0 queues the
 * step
 *
 * So at every moment at most one step is queued or running, and a job without credit holds no
 * worker (note: credit). The last buffer carries `last`; after sending it the worker never touches
 * the job again, and the loop frees it.
 *
 *     WAITING --a slot of its principal is free--> RUNNING --all credit used, client slow--> PARKED
 *        | ^______________________________________________ client has read ________________/ ^
 *        \_________________________________________________ client slow ___________________/
 *
 * Only RUNNING jobs count against a principal's limit, so a client that does not read takes no slot
 * from others. A job that is to stop runs once more whatever its state and the limit: its step sees
 * the token and ends with the error.
 *
 * Sleep (note: sleep). A step that can go on only after something else has happened returns
 * JOB_SLEEPS: the worker takes all credit back with an empty buffer, and the loop, once all of it
 * is here, puts the job into ASLEEP. job_wake() queues it again. One that comes first is kept in
 * `woken`, so none is lost; a step may also be woken for nothing, and then sleeps again.
 *
 *     RUNNING --step slept, all credit is here--> ASLEEP --job_wake(), sleep_until--> WAITING
 *
 * The time limit counts from arrival when the client asked for one, else from the first step; it
 * does not count while a job is parked, and begins anew after a sleep and when a step says so.
 */
#pragma once

#include "proto/msg.h"
#include "server/answer.h"
#include "server/server_impl.h"
#include "server/waker.h"

struct conn;
struct job;

/** One user (uid): what it has running, over all its connections. */
struct principal {
	struct list link; /* on server.principals */
	uid_t uid;
	uint32_t refs; /* connections and jobs */
	uint32_t n_running, n_subscribers;
	struct list waiting; /* struct job.turn, oldest first */
};
struct principal *principal_acquire(struct server *s, uid_t uid); /* NULL: out of memory */
void principal_release(struct server *s, struct principal *p);

enum { JOB_CREDIT = 4, JOB_BUFFER_BYTES = 64 << 10 };
/* Of a connection fewer than requests may be in flight, so that others are read beside them. */
enum {
	MAX_SUBSCRIPTIONS_CONN = 32,
	MAX_SUBSCRIPTIONS_PRINCIPAL = 256,
	MAX_SUBSCRIPTIONS = 1024,
};

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_PARKED, JOB_ASLEEP };

/* Why a job is to stop; the first reason counts. */
enum job_stop { JOB_GOES_ON, JOB_STOP_CANCELED, JOB_STOP_TIMEOUT, JOB_STOP_SERVER, JOB_STOP_GONE };

/** What a step works with. Worker: fill `out`; 1 more will come, 0 this was all (the `end` is in
 *  it), JOB_SLEEPS it waits (what is in `out` is sent), or an error with failure set (what is in
 *  `out` stays). */
enum { JOB_SLEEPS = 2 };
typedef int (*job_step)(struct job *j, struct strbuf *out);

struct failure {
	enum answer_code code;
	struct err err;
};

/** A buffer on its way to the loop, which writes it by reference. */
struct chunk {
	struct mail mail;
	struct job *job;
	struct strbuf bytes;
	uint64_t n_rows;
	uint32_t credit;    /* that comes back with it */
	usec_t sleep_until; /* of one that sleeps: job.sleep_until as it was */
	bool last, sleeps, renews;
};

/** What a job does, and where: a step may wait for a disk only on the I/O pool. */
struct job_work {
	job_step step;
	void (*fini)(void *state); /* frees the step's state; on a worker or the loop, never both */
	struct pool *pool;
	bool syncs;      /* "sync_ms" is a member of it */
	bool subscribes; /* each new snapshot wakes it */
};

/** What has become of "sync_ms" (sync_wait.c). */
enum job_sync { SYNC_UNREAD, SYNC_WAITS, SYNC_DONE, SYNC_LATE, SYNC_UNASKED };

struct job {
	/* Fixed at start. */
	struct server *server;
	struct msg *msg; /* owned */
	struct strbuf id;
	struct job_work work;
	usec_t arrived_usec, limit_usec;
	uint64_t rows_default;

	/* The worker's that runs the step; steps follow each other through credit and the pool. */
	void *state; /* of the operation, made by its first step */
	struct failure failure;
	uint64_t n_rows;     /* in the buffer being filled */
	uint32_t n_made;     /* buffers; the next one is chunks[n_made % JOB_CREDIT] */
	struct waker *waker; /* a reference; the loop's when the job has ended */
	enum job_sync sync;
	usec_t sleep_until; /* when a sleep ends by itself, monotonic, or USEC_NEVER */
	bool renews;        /* set by a step: its time limit begins anew */

	/* Both. Buffers that may still be made; acquire+release on each change, so that a step sees
	 * what the step before left (note: credit). */
	_Atomic uint32_t credit;
	/* enum job_stop. Relaxed: written by the loop alone, once, before stop_request(), whose
	 * release publishes it. */
	_Atomic int stop_reason;
	struct stop stop; /* child of server.stop */
	struct task task;
	/* A chunk is the worker's until it is sent and the loop's until its credit is given back;
	 * there are as many as there is credit, so a step never overtakes the loop. */
	struct chunk chunks[JOB_CREDIT];

	/* Loop only. */
	struct conn *conn; /* NULL: the client has gone */
	struct list of_conn;
	struct principal *principal;
	struct list turn; /* on principal.waiting while WAITING */
	enum job_state state_now;
	bool sleeps;            /* the last buffer said so, and no wake has come since */
	bool woken;             /* a wake has come that no sleep has used */
	struct list subscriber; /* on server.subscribers, else unlinked */
	uint32_t n_owed;        /* credit that is here, not with the worker or on its way back */
	struct event timer;
	usec_t time_left_usec;
	usec_t timer_deadline; /* while the timer runs, else USEC_NEVER */
};

/** Start a request. `m` moves in. 0 or -errno (then m is still the caller's). */
int job_start(struct conn *c, struct msg *m, struct span id, const struct job_work *work,
	usec_t timeout_usec, bool timeout_asked);
/** Is there a request with this id on the connection? */
struct job *job_find(struct conn *c, struct span id);
void job_stop(struct job *j, enum job_stop reason);
/** Let a job that sleeps, or is about to, take another step. */
void job_wake(struct job *j);

/** Give credit to the connection's jobs, or park them; after output was written. */
void jobs_resume(struct conn *c);
/** The connection is dying: its jobs end unheard. */
void jobs_abandon(struct conn *c);
void jobs_stop(struct conn *c, enum job_stop reason);

/* Worker side (stream.c). */
void job_run(struct task *t);
/** Before the first step of work that syncs: 0 go on, JOB_SLEEPS, or the failure (sync_wait.c). */
int job_await_sync(struct job *j);
/** Set the failure and return err->code. */
int job_fail(struct job *j, enum answer_code code, const struct err *err);
int job_fail_code(struct job *j, int error);
