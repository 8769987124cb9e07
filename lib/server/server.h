/**
 * server: trawl/1 over TCP and a Unix socket. The only includer of event2/.
 *
 * One thread runs the event loop; it parses frames, never computes and never touches a disk. A
 * request that needs either becomes a task on the compute pool, whose output comes back in buffers
 * of at most 64 KiB through a channel and an eventfd; the loop hands them to the connection by
 * reference. When a connection's output is past its high-water mark its running queries give their
 * workers back and are queued again when the client has read. Every request ends in exactly one
 * `end` or `error`.
 *
 * What the server needs of the rest of the daemon comes through struct server_ops, filled by the
 * daemon.
 *
 * Signals, children and timers of the daemon live in the same loop: server_watch_fd(),
 * server_every().
 *
 * Ownership: server_create()/server_destroy(); ops' ctx is the daemon's and outlives the server,
 * and so do the pools. server_destroy() waits for the requests that workers still have and delivers
 * what was posted. Threads:   create, listen, run, reload, destroy and all callbacks marked "loop"
 * on the loop's thread; server_stop() and server_post() any thread. Callbacks marked "worker" run
 * on the compute pool. Errors:    -EADDRINUSE and others of listening with a sentence in err.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/json.h"
#include "sync/pool.h"

struct hash_cache;
struct snapshot;
struct server;

/** Who is asking: from SO_PEERCRED or from the kernel's socket table. */
struct identity {
	bool known;
	uid_t uid;
	char text[32]; /* "uid:1000" */
};

/** What was asked for has ended: 0, or -errno with a sentence in err (which may be NULL). */
typedef void (*server_done)(void *arg, int result, const struct err *err);

struct server_ops {
	void *ctx;
	/* Any thread: the snapshot with a reference, and giving it back. */
	struct snapshot *(*snapshot)(void *ctx);
	/* Worker. Write the members of an object into the open JSON object. */
	int (*status)(void *ctx, struct json *out, struct err *err);
	int (*roots)(void *ctx, struct json *out, struct err *err);
	int (*why)(void *ctx, struct span path, struct json *out, struct err *err);
	/* Every field of the entry at an absolute path; -ENOENT answers `not-found`. */
	int (*stat)(
		void *ctx, struct snapshot *s, struct span path, struct json *out, struct err *err);
	int (*rescan)(void *ctx, const char *root_or_null, struct err *err);
	/* Loop. Start a reload; its verdict is logged. When this gives 0, done(arg) is called once
	 * with the verdict of a reload that began no earlier, on any thread; done may be NULL. NULL
	 * callbacks here and above answer `unknown-op`. */
	int (*reload)(void *ctx, server_done done, void *arg, struct err *err);
	/* Worker. Call done(arg) once, on any thread, when a snapshot has been published that has
	 * all that happened in the file system before this call; with -ETIMEDOUT when that takes
	 * past the deadline. An error: done is not called. May be NULL. */
	int (*sync)(void *ctx, usec_t deadline, server_done done, void *arg);
	/* Worker. Tell what changed after the clock of this text up to the snapshot: fn(arg, ..)
	 * for each batch, the oldest first, with the id of its root and its records
	 * (index/record.h); what it returns, unless it is 0, ends the telling. -ESTALE: it cannot
	 * be told, and what was told counts for nothing; -EINVAL that is no clock. */
	int (*changes)(void *ctx, struct span clock, const struct snapshot *s,
		int (*fn)(void *arg, uint32_t root, struct span records), void *arg,
		struct err *err);
	/* Any thread: the clock's text of a snapshot, and the names of stale roots into an open
	 * array. */
	void (*clock)(void *ctx, const struct snapshot *s, struct strbuf *out);
	void (*stale)(void *ctx, const struct snapshot *s, struct json *out);
	/* Of files that were compared before; may be NULL. */
	struct hash_cache *hashes;
};

struct server_limits {
	uint32_t max_connections;                /* 1,024 */
	uint32_t max_queries_principal;          /* 8 running a uid; more wait in order */
	uint32_t line_bytes;                     /* 64 KiB; 4 KiB before hello on TCP */
	uint64_t rows_default;                   /* 1,000 */
	usec_t time_default_usec, time_max_usec; /* 5 s, 60 s */
	usec_t first_line_usec;                  /* 5 s */
	usec_t stall_usec;                       /* 30 s */
	uint32_t output_bytes;                   /* 256 KiB: high-water mark */
};
extern const struct server_limits server_limits_default;

struct server_config {
	const char *const
		*tcp; /* NULL-terminated "address:port"; loopback only; port 0 is a free one */
	const char *unix_path;    /* NULL: none */
	mode_t unix_mode;         /* 0666: who may ask is decided by identity */
	const int *inherited_fds; /* listening sockets from the service manager */
	size_t n_inherited_fds;
	const uid_t *allow_uids; /* beside root and the daemon's own */
	size_t n_allow_uids;
	const gid_t *allow_gids; /* any member may ask */
	size_t n_allow_gids;
	const uid_t *admin_uids; /* may rescan and reload, beside root and the daemon's own */
	size_t n_admin_uids;
	struct server_limits limits;
};

int server_create(const struct server_ops *ops, struct pool *compute, struct pool *io,
	struct server **ret, struct err *err);
/** Open listeners that are new in cfg, close those that are gone, take over limits and rights: all
 * or nothing. Also the first configuration. Connections stay. */
int server_configure(struct server *s, const struct server_config *cfg, struct err *err);
/** The loop, until server_stop(). */
int server_run(struct server *s);
/** Stop accepting, end queries (each is answered, with the error `stopping` when it was not done),
 * flush what can be flushed within grace_usec, then leave the loop. Any thread; the first call
 * counts. May come before server_run(). */
void server_stop(struct server *s, usec_t grace_usec);
void server_destroy(struct server *s);

/** The port of the i-th TCP listener (after port 0); -ENOENT beyond the last. */
int server_tcp_port(const struct server *s, size_t i);
/** What the i-th listener is bound to: "127.0.0.1:7411", "[::1]:7411", "unix:/path". NULL beyond
 * the last; valid until the next server_configure(). */
const char *server_listener(const struct server *s, size_t i);

/** Call fn(ctx) in the loop. Any thread. Never fails: -ENOMEM means it was not queued. Waits while
 * the mailbox (1,024) is full, but not on the loop's own thread. */
int server_post(struct server *s, void (*fn)(void *ctx), void *ctx);
/** Call fn(ctx) in the loop whenever fd is readable, until server_unwatch_fd() or the end of the
 * server: signals (process/signals.h), children (process/child.h). fn reads until nothing is left.
 * The descriptor stays the caller's and open for as long. Loop, or before it runs. */
int server_watch_fd(struct server *s, int fd, void (*fn)(void *ctx), void *ctx);
/** fn may do it itself. Nothing happens to a descriptor that is not watched. */
void server_unwatch_fd(struct server *s, int fd);
/** Call fn every interval_usec in the loop. */
int server_every(struct server *s, usec_t interval_usec, void (*fn)(void *ctx), void *ctx);

/** A new snapshot was published: subscriptions look at it. Any thread; never waits. */
void server_nudge(struct server *s);

struct server_stats {
	uint64_t n_accepted, n_connections, n_requests, n_denied, n_errors, n_rows, n_bytes_out,
		n_dropped_stalled;
	uint64_t n_running, n_waiting, n_subscriptions;
	uint64_t n_since; /* rounds of since and of subscriptions in which something had changed */
	uint64_t n_gaps;  /* of them: could not be told what */
	/* From workers to the loop: answers and the rest, how often one waited because the mailbox
	 * was full, most that were ever in it. */
	uint64_t n_mails, n_mail_waits, most_mails;
	uint64_t n_rests; /* of the loop (server/pace.h) */
};
/** Any thread. */
void server_get_stats(const struct server *s, struct server_stats *ret);
