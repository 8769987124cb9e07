/**
 * conn: one client: its bytes in, its bytes out, and when it has to go.
 *
 *     IDENTIFYING --groups known--> FIRST --a good line--> OPEN
 *          \________________________ /  |                  /
 *                                       v                 v
 *                 FINISHING (reads no more requests; ends what it has)
 *                       v all written            v end of input was seen, or no patience
 *                  LINGERING (told the client "no more"; throws away input) --> DEAD
 *
 * Every entry from the event loop ends in conn_settle(), the only place that writes, resumes
 * requests, takes up reading again, and frees. What runs below it only changes state; conn_kill()
 * marks the connection DEAD and takes its descriptor away at once.
 *
 * Lingering: closing a TCP socket with unread input sends a reset that can overtake the last answer
 * (an error line, as a rule), so the client is given a moment to read it.
 *
 * Back-pressure: `choked` is set while more than output_bytes wait to be written and cleared when
 * less than half of that is left. A choked connection reads no further requests and gives its
 * running queries no credit.
 */
#pragma once

#include "proto/line.h"
#include "server/server_impl.h"

struct evbuffer;
struct principal;
struct group_lookup;

enum conn_state {
	CONN_IDENTIFYING,
	CONN_FIRST,
	CONN_OPEN,
	CONN_FINISHING,
	CONN_LINGERING,
	CONN_DEAD,
};

enum {
	CONN_MAX_JOBS = 64,                /* further lines are read when one has ended */
	CONN_LINE_BYTES_UNKNOWN = 4 << 10, /* longest line of a peer that may not ask */
	CONN_STRANGERS_SHARE = 8, /* of all connections, one in so many may be such peers' */
};

struct conn {
	struct server *server;
	struct list link; /* on server.conns */
	int fd;
	enum conn_state state;
	bool choked;
	bool eof;      /* the client will send nothing more */
	bool reading;  /* the readable event is added */
	bool stranger; /* counted among the server's */
	bool stalling; /* output waits, and the timer counts how long */

	struct identity who;
	struct principal *principal; /* NULL: may not ask */
	uint64_t rights_generation;  /* the configuration under which principal was decided */
	struct group_lookup *lookup; /* while it runs */

	struct line_reader in;
	struct evbuffer *out;
	struct list dirty_link;         /* on server.dirty when mail brought output */
	struct list jobs;               /* struct job.of_conn */
	uint32_t n_jobs, n_subscribers; /* the latter among the former */

	struct event readable, writable;
	struct event timer; /* FIRST: first line; output waits: stalled; LINGERING: patience */
};

/** Take over a connected, non-blocking socket. 0, or -errno and the descriptor is closed. */
int conn_create(struct server *s, int fd);
void conn_settle(struct conn *c);
void conn_kill(struct conn *c);
/** For destroy: kill and free. */
void conn_destroy(struct conn *c);

/** Append output; written by the next conn_settle(). */
void conn_write(struct conn *c, struct span bytes);
/** The same for a large buffer, which moves into the connection's. */
void conn_write_buffer(struct conn *c, struct strbuf *bytes);
/** No further requests are read; the connection ends when its answers are written. */
void conn_finish(struct conn *c);
/** Write later, after the mail at hand is done with. */
void conn_mark_dirty(struct conn *c);
