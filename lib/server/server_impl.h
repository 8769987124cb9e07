/**
 * server_impl: what the files of this layer share: the server itself and its mailbox.
 *
 * Everything in struct server belongs to the loop's thread but for the mailbox (any thread sends)
 * and the counters. Workers reach the loop by mail only; the loop reaches workers by tasks.
 */
#pragma once

#include "server/server.h"
#include "sync/chan.h"
#include "sync/waitgroup.h"
#include <event2/event.h>
#include <event2/event_struct.h>

/** Something the loop is to do: `deliver` runs on the loop's thread and owns the mail from then. */
struct mail {
	struct list link; /* on server.backlog, else unlinked */
	void (*deliver)(struct mail *m);
};

enum { READ_BYTES = 64 << 10, MAIL_SLOTS = 1024 };

struct server_counters {
	struct counter n_accepted, n_requests, n_denied, n_errors, n_rows, n_bytes_out,
		n_dropped_stalled, n_rests, n_since, n_gaps;
	/* Gauges: written by the loop alone, read by any thread; relaxed, nothing is published. */
	_Atomic uint64_t n_connections, n_running, n_waiting, n_subscriptions;
};

/** Owned copies of who may ask. */
struct rights {
	uint64_t generation; /* advanced by each configuration: connections ask again */
	uid_t *allow_uids, *admin_uids;
	gid_t *allow_gids;
	size_t n_allow_uids, n_admin_uids, n_allow_gids;
};

struct listener;
struct accept_pause;
struct wakers;

struct server {
	/* Fixed at create. */
	struct server_ops ops;
	struct pool *compute, *io;
	struct event_base *base;
	struct chan *mail; /* of struct mail */
	int mail_fd;       /* eventfd, written when mail arrives while the loop sleeps */
	struct event *mail_event;
	struct wakers *wakers;
	struct event *nudge_event;
	struct stop stop; /* parent of every request's token */

	/* Threads inside server_send(): the channel is not freed under a sender whose mail was
	 * received before the call that sent it returned. Each adds itself before it sends, so who
	 * has received all mail waits for all of them. */
	struct waitgroup senders;

	/* Loop only: mailbox */
	struct list
		backlog;   /* mail the loop sent itself while the channel was full; oldest first */
	struct list dirty; /* struct conn.dirty_link: got output from mail, not yet written */

	/* Loop only: who is connected */
	struct server_limits limits;
	struct rights rights;
	struct list groups;     /* struct groups_of: remembered memberships */
	struct list principals; /* struct principal */
	struct list conns;      /* struct conn.link */
	int diag_fd;            /* netlink socket to the kernel's socket table */
	uint32_t diag_seq;
	uint64_t n_strangers;    /* connections of peers that may not ask */
	uint64_t n_jobs;         /* requests with workers, on connections or left behind by them */
	struct list subscribers; /* struct job.subscriber: woken by each nudge */
	char read_buf[READ_BYTES];
	struct strbuf scratch; /* one line of output at a time */

	/* Loop only: listeners */
	struct listener **listeners; /* passed ones first, then TCP, then Unix */
	size_t n_listeners;
	int spare_fd; /* given up for a moment to turn a client away when descriptors are out */
	struct event *accept_timer;
	usec_t accept_pause_usec; /* 0: accepting */

	/* Loop only: the daemon's own events */
	struct list tickers; /* struct ticker */
	struct list watches; /* struct fd_watch */

	/* Loop only: stopping */
	bool stopping;
	struct event *grace_timer;
	struct mail stop_mail; /* sent once; stop_sent says by whom */
	_Atomic bool stop_sent;
	/* Relaxed: written before stop_mail is sent, whose channel publishes it. */
	_Atomic usec_t grace_usec;

	struct server_counters counters;
};

/** Hand mail to the loop. Any thread. On the loop's own thread it never waits. */
int server_send(struct server *s, struct mail *m);
/** Receive what workers still send until no request is left. For destroy. */
void server_drain_jobs(struct server *s);

/** Leave the loop when the server is stopping and nothing is left to wait for. */
void server_check_drained(struct server *s);

/** For event_add(): a duration as a timeval. */
struct timeval timeval_of(usec_t usec);

/* server_events.c */
void server_events_fini(struct server *s);
