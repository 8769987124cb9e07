#include "server/conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/dispatch.h"
#include "server/identity.h"
#include "server/job.h"

#define LINGER_USEC (2 * USEC_PER_SEC)
#define GONE_CHECK_USEC (200 * USEC_PER_MSEC)
#define GONE_CHECK_SELDOM_USEC USEC_PER_SEC /* of subscriptions, which may sleep for days */
#define COPY_BELOW_BYTES 4096u              /* smaller buffers are copied, which packs them */
#define WRITE_PIECES 64

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void flush_output(struct conn *c);

static void
arm_timer(struct conn *c, usec_t usec)
{
	struct timeval tv = timeval_of(usec);

	(void)event_add(&c->timer, &tv);
}

static void
set_reading(struct conn *c, bool on)
{
	if (c->reading == on)
		return;
	c->reading = on;
	(void)(on ? event_add(&c->readable, NULL) : event_del(&c->readable));
}

static void
count_stranger(struct conn *c, bool stranger)
{
	c->server->n_strangers += (uint64_t)stranger - (uint64_t)c->stranger;
	c->stranger = stranger;
}

/* The peer may ask (with which limits) or may not. */
static void
admit(struct conn *c, bool allowed)
{
	struct server *s = c->server;

	if (!c->principal && allowed)
		c->principal = principal_acquire(s, c->who.uid);
	if (c->principal && !allowed)
		principal_release(s, TAKE_PTR(c->principal));
	count_stranger(c, !c->principal);
	c->rights_generation = s->rights.generation;
	c->in.max_bytes = allowed ? s->limits.line_bytes
	                          : MIN(s->limits.line_bytes, (uint32_t)CONN_LINE_BYTES_UNKNOWN);
}

static void
begin_first(struct conn *c)
{
	c->state = CONN_FIRST;
	arm_timer(c, c->server->limits.first_line_usec);
}

/* Peers that may not ask wait for an answer that says so, but they must not take the places of
 * those who may: past their share they get it at once, and no time to read it. */
static void
turn_away_crowd(struct conn *c)
{
	const struct server *s = c->server;

	if (c->state != CONN_FIRST || !c->stranger ||
		s->n_strangers <= s->limits.max_connections / CONN_STRANGERS_SHARE)
		return;
	dispatch_denied(c);
	flush_output(c);
	conn_kill(c);
}

/* The groups are known now, or could not be found out. */
static void
on_groups(void *arg)
{
	struct conn *c = arg;

	c->lookup = NULL;
	admit(c, rights_check(c->server, c->who.uid) == RIGHTS_ALLOWED);
	if (c->state == CONN_IDENTIFYING)
		begin_first(c);
	turn_away_crowd(c);
	conn_settle(c);
}

/* Decide whether the peer may ask; while that takes the name service, no line is read. */
static void
identify(struct conn *c)
{
	enum rights_verdict v = c->who.known ? rights_check(c->server, c->who.uid) : RIGHTS_DENIED;

	if (v == RIGHTS_PENDING && !c->lookup)
		c->lookup = rights_lookup(c->server, c->who.uid, on_groups, c);
	if (!c->lookup)
		admit(c, v == RIGHTS_ALLOWED);
}

static int
init_events(struct conn *c)
{
	struct event_base *base = c->server->base;

	if (event_assign(&c->readable, base, c->fd, EV_READ | EV_PERSIST, on_readable, c) < 0 ||
		event_assign(&c->writable, base, c->fd, EV_WRITE, on_writable, c) < 0 ||
		event_assign(&c->timer, base, -1, 0, on_timer, c) < 0)
		return -EINVAL;
	return 0;
}

int
conn_create(struct server *s, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		closep(&fd);
		return -ENOMEM;
	}
	*c = (struct conn){.server = s, .fd = fd, .out = evbuffer_new()};
	list_init(&c->jobs);
	list_init(&c->dirty_link);
	if (!c->out || init_events(c) < 0) {
		if (c->out)
			evbuffer_free(c->out);
		closep(&fd);
		free(c);
		return -ENOMEM;
	}
	line_reader_init(&c->in, CONN_LINE_BYTES_UNKNOWN);
	list_push_back(&s->conns, &c->link);
	(void)add_rlx(&s->counters.n_connections, 1);
	(void)identity_find(s, fd, &c->who); /* who is not known is denied */
	identify(c);
	if (c->lookup)
		arm_timer(c, s->limits.first_line_usec); /* a name service may never answer */
	else
		begin_first(c);
	turn_away_crowd(c);
	conn_settle(c);
	return 0;
}

void
conn_kill(struct conn *c)
{
	if (c->state == CONN_DEAD)
		return;
	c->state = CONN_DEAD;
	set_reading(c, false);
	(void)event_del(&c->writable);
	(void)event_del(&c->timer);
	closep(&c->fd);
	c->fd = -1;
	jobs_abandon(c);
}

static void
conn_free(struct conn *c)
{
	assert(c->state == CONN_DEAD && c->n_jobs == 0);
	if (c->lookup)
		c->lookup->done = NULL;
	if (c->principal)
		principal_release(c->server, c->principal);
	count_stranger(c, false);
	list_remove(&c->link);
	list_remove(&c->dirty_link);
	line_reader_fini(&c->in);
	evbuffer_free(c->out);
	(void)sub_rlx(&c->server->counters.n_connections, 1);
	server_check_drained(c->server);
	free(c);
}

void
conn_destroy(struct conn *c)
{
	conn_kill(c);
	conn_free(c);
}

void
conn_write(struct conn *c, struct span bytes)
{
	if (c->state == CONN_DEAD)
		return;
	if (evbuffer_add(c->out, bytes.data, bytes.len) < 0)
		conn_kill(c); /* out of memory: better no answer than half of one */
}

static void
free_buffer(const void *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	free(arg);
}

void
conn_write_buffer(struct conn *c, struct strbuf *bytes)
{
	size_t len = bytes->len;
	char *data;

	if (bytes->failed) {
		conn_kill(c);
		return;
	}
	if (len < COPY_BELOW_BYTES || c->state == CONN_DEAD) {
		conn_write(c, strbuf_view(bytes));
		return;
	}
	data = strbuf_take(bytes);
	if (evbuffer_add_reference(c->out, data, len, free_buffer, data) < 0) {
		free(data);
		conn_kill(c);
	}
}

void
conn_finish(struct conn *c)
{
	if (c->state < CONN_FINISHING)
		c->state = CONN_FINISHING;
}

void
conn_mark_dirty(struct conn *c)
{
	list_remove(&c->dirty_link);
	list_push_back(&c->server->dirty, &c->dirty_link);
}

/* Write until the socket takes no more: bytes written, or -errno. The buffers of many answers go
 * out in one call. */
static ssize_t
write_some(struct conn *c)
{
	struct evbuffer_iovec pieces[WRITE_PIECES];
	int n = evbuffer_peek(c->out, -1, NULL, pieces, WRITE_PIECES);
	struct msghdr msg = {.msg_iov = pieces, .msg_iovlen = (size_t)MIN(n, WRITE_PIECES)};
	ssize_t written;

	do {
		written = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (written < 0 && errno == EINTR);
	if (written < 0)
		return -errno;
	(void)evbuffer_drain(c->out, (size_t)written);
	counter_add(&c->server->counters.n_bytes_out, (uint64_t)written);
	return written;
}

static void
flush_output(struct conn *c)
{
	bool progress = false;

	while (c->state != CONN_DEAD && evbuffer_get_length(c->out) > 0) {
		ssize_t n = write_some(c);

		if (n == -EAGAIN) {
			/* Before its output had to wait, the timer counted something else. */
			if (progress || !c->stalling)
				arm_timer(c, c->server->limits.stall_usec);
			c->stalling = true;
			(void)event_add(&c->writable, NULL);
			return;
		}
		if (n < 0)
			conn_kill(c); /* nobody reads any more */
		progress = true;
	}
	c->stalling = false;
	if (progress && c->state != CONN_DEAD && c->state != CONN_FIRST)
		(void)event_del(&c->timer);
}

static void
update_choked(struct conn *c)
{
	size_t waiting = evbuffer_get_length(c->out), high = c->server->limits.output_bytes;

	if (c->choked ? waiting <= high / 2 : waiting > high)
		c->choked = !c->choked;
}

static bool
may_take_lines(const struct conn *c)
{
	return (c->state == CONN_FIRST || c->state == CONN_OPEN) && !c->choked && !c->lookup &&
	       c->n_jobs < CONN_MAX_JOBS;
}

/* A good line came: the connection is one of ours. */
static void
handle_line(struct conn *c, struct span line)
{
	dispatch_line(c, line);
	if (c->state == CONN_FIRST && span_trim(line).len > 0) {
		c->state = CONN_OPEN;
		(void)event_del(&c->timer);
	}
}

static void
handle_end_of_input(struct conn *c)
{
	struct span rest;

	if (line_reader_rest(&c->in, &rest))
		handle_line(c, rest);
	conn_finish(c);
}

/* Lines that came in already: true when any was taken. */
static bool
take_lines(struct conn *c)
{
	bool any = false;

	while (may_take_lines(c)) {
		struct span line;
		int r;

		if (c->rights_generation != c->server->rights.generation) {
			identify(c);
			continue;
		}
		r = line_reader_next(&c->in, &line);
		if (r > 0)
			handle_line(c, line);
		else if (r < 0)
			dispatch_overlong(c);
		else if (c->eof)
			handle_end_of_input(c);
		else
			break;
		any = true;
	}
	return any;
}

static void
start_linger(struct conn *c)
{
	if (c->eof || c->server->stopping || shutdown(c->fd, SHUT_WR) < 0) {
		conn_kill(c);
		return;
	}
	c->state = CONN_LINGERING;
	line_reader_fini(&c->in);
	arm_timer(c, LINGER_USEC);
}

void
conn_settle(struct conn *c)
{
	do {
		flush_output(c);
		update_choked(c);
		jobs_resume(c);
	} while (take_lines(c));
	if (c->state == CONN_FINISHING && c->n_jobs == 0 && evbuffer_get_length(c->out) == 0)
		start_linger(c);
	if (c->state == CONN_DEAD) {
		conn_free(c);
		return;
	}
	set_reading(c, c->state == CONN_LINGERING || (may_take_lines(c) && !c->eof));
	if (c->eof && c->n_jobs > 0 && !event_pending(&c->timer, EV_TIMEOUT, NULL))
		arm_timer(
			c, c->n_jobs > c->n_subscribers ? GONE_CHECK_USEC : GONE_CHECK_SELDOM_USEC);
}

/* Has the client closed its end altogether, not only for writing? A Unix socket says so itself; on
 * TCP both look alike until something is sent, but the peer's socket has lost its process. */
static bool
client_is_gone(struct conn *c)
{
	struct pollfd p = {.fd = c->fd};
	struct identity who;

	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
		return true;
	return identity_find(c->server, c->fd, &who) < 0;
}

static void
take_input(struct conn *c, size_t len)
{
	if (c->state == CONN_LINGERING)
		return;
	if (line_reader_feed(&c->in, c->server->read_buf, len) < 0)
		conn_kill(c);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t n = recv((int)fd, c->server->read_buf, READ_BYTES, MSG_DONTWAIT);

	(void)what;
	if (n > 0)
		take_input(c, (size_t)n);
	else if (n == 0 && c->state != CONN_LINGERING)
		c->eof = true;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		conn_kill(c);
	conn_settle(c);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conn_settle(arg);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (evbuffer_get_length(c->out) > 0) {
		counter_add(&c->server->counters.n_dropped_stalled, 1);
		conn_kill(c);
	} else if (c->n_jobs == 0 || client_is_gone(c)) {
		conn_kill(c);
	}
	conn_settle(c);
}
