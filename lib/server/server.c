#include "server/server.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/conn.h"
#include "server/identity.h"
#include "server/job.h"
#include "server/listen.h"
#include "server/listener.h"
#include "server/pace.h"
#include "server/waker.h"

#define MAIL_AT_ONCE 256 /* then others get their turn */

const struct server_limits server_limits_default = {
	.max_connections = 1024,
	.max_queries_principal = 8,
	.line_bytes = 64 << 10,
	.rows_default = 1000,
	.time_default_usec = 5 * USEC_PER_SEC,
	.time_max_usec = 60 * USEC_PER_SEC,
	.first_line_usec = 5 * USEC_PER_SEC,
	.stall_usec = 30 * USEC_PER_SEC,
	.output_bytes = 256 << 10,
};

/* The server whose loop this thread runs: there, waiting for room in the mailbox would be for ever.
 */
static _Thread_local const struct server *looping;

struct timeval
timeval_of(usec_t usec)
{
	usec = MIN(usec, (usec_t)INT32_MAX * USEC_PER_SEC);
	return (struct timeval){.tv_sec = (time_t)(usec / USEC_PER_SEC),
		.tv_usec = (suseconds_t)(usec % USEC_PER_SEC)};
}

int
server_send(struct server *s, struct mail *m)
{
	int r;

	list_init(&m->link);
	if (looping != s) {
		waitgroup_add(&s->senders, 1);
		r = chan_send(s->mail, m, NULL);
		waitgroup_done(&s->senders);
		return r;
	}
	r = list_empty(&s->backlog) ? chan_try_send(s->mail, m) : -EAGAIN;
	if (r != -EAGAIN)
		return r;
	list_push_back(&s->backlog, &m->link);
	event_active(s->mail_event, EV_READ, 0);
	return 0;
}

/* The channel first: what is in the backlog was sent after the channel was full. */
static struct mail *
next_mail(struct server *s)
{
	struct list *link;
	void *m;

	if (chan_try_recv(s->mail, &m) == 0)
		return m;
	link = list_pop_front(&s->backlog);
	return link ? LIST_ITEM(link, struct mail, link) : NULL;
}

static void
settle_dirty(struct server *s)
{
	struct list *link;

	while ((link = list_pop_front(&s->dirty)))
		conn_settle(LIST_ITEM(link, struct conn, dirty_link));
}

void
server_check_drained(struct server *s)
{
	if (s->stopping && s->n_jobs == 0 && list_empty(&s->conns))
		(void)event_base_loopbreak(s->base);
}

/* All the mail there is, in pieces, and one write a connection a piece. The channel is disarmed. */
static void
take_mail(struct server *s)
{
	struct mail *m;

	do {
		for (int i = 0; i < MAIL_AT_ONCE && (m = next_mail(s)); i++)
			m->deliver(m);
		settle_dirty(s);
		server_check_drained(s);
		if (m) {
			event_active(s->mail_event, EV_READ, 0);
			return;
		}
	} while (chan_arm(s->mail) || !list_empty(&s->backlog));
}

static void
on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	uint64_t n_signals;

	(void)what;
	(void)!read((int)fd, &n_signals, sizeof(n_signals));
	chan_disarm(s->mail);
	take_mail(s);
}

/* note: awake. To be woken takes the loop some 10 us, and waking it some of the worker's, which is
 * much of a short question. So while one question alone is under way the loop looks for its answer
 * before it sleeps: 20 us at most, 2 when that was in vain before (sync/spin.h), and lines that
 * come meanwhile wait for no more. After an answer it hears the sockets, without sleeping, before
 * it looks again. Several questions are pace.h's matter, and without one it never looks. */
static bool
await_answer(struct server *s)
{
	if (load_rlx(&s->counters.n_running) != 1)
		return false;
	chan_disarm(s->mail);
	if (!chan_look(s->mail) && !chan_arm(s->mail))
		return false;
	take_mail(s);
	return true;
}

static int
init_mailbox(struct server *s)
{
	s->mail = chan_create(MAIL_SLOTS, NULL);
	s->mail_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!s->mail || s->mail_fd < 0)
		return s->mail ? -errno : -ENOMEM;
	s->mail_event = event_new(s->base, s->mail_fd, EV_READ | EV_PERSIST, on_mail, s);
	if (!s->mail_event || event_add(s->mail_event, NULL) < 0)
		return -ENOMEM;
	chan_set_event_fd(s->mail, s->mail_fd);
	if (chan_arm(s->mail))
		event_active(s->mail_event, EV_READ, 0);
	return 0;
}

static void
on_grace_over(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	(void)event_base_loopbreak(s->base);
}

/* The loop's half of server_stop(). */
static void
stop_deliver(struct mail *m)
{
	struct server *s = CONTAINER_OF(m, struct server, stop_mail);
	struct timeval grace = timeval_of(load_rlx(&s->grace_usec));

	s->stopping = true;
	listeners_close(s);
	(void)event_add(s->grace_timer, &grace);
	LIST_EACH (&s->conns, it) {
		struct conn *c = LIST_ITEM(it, struct conn, link);

		jobs_stop(c, JOB_STOP_SERVER);
		if (c->state == CONN_IDENTIFYING || c->state == CONN_LINGERING)
			conn_kill(c);
		conn_finish(c);
		conn_mark_dirty(c);
	}
}

static int
init_base(struct server *s)
{
	struct event_config *config = event_config_new();

	/* One thread: the base needs no lock. */
	if (!config || event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) < 0) {
		if (config)
			event_config_free(config);
		return -ENOMEM;
	}
	s->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!s->base)
		return -ENOMEM;
	s->grace_timer = evtimer_new(s->base, on_grace_over, s);
	return s->grace_timer ? 0 : -ENOMEM;
}

static void
init_lists(struct server *s)
{
	list_init(&s->backlog);
	list_init(&s->dirty);
	list_init(&s->groups);
	list_init(&s->principals);
	list_init(&s->conns);
	list_init(&s->tickers);
	list_init(&s->watches);
	list_init(&s->subscribers);
	s->mail_fd = s->diag_fd = s->spare_fd = -1;
}

int
server_create(const struct server_ops *ops, struct pool *compute, struct pool *io,
	struct server **ret, struct err *err)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "could not start the server: out of memory");
	init_lists(s);
	s->ops = *ops;
	s->compute = compute;
	s->io = io;
	s->limits = server_limits_default;
	s->stop_mail.deliver = stop_deliver;
	stop_init(&s->stop, NULL);
	s->diag_fd = identity_open_diag();
	r = s->diag_fd < 0 ? s->diag_fd : init_base(s);
	if (r < 0 || (r = init_mailbox(s)) < 0 || (r = wakers_open(s)) < 0 ||
		(r = listen_init(s)) < 0) {
		server_destroy(s);
		return err_set(err, r, "could not start the server: %s", err_reason(r));
	}
	*ret = s;
	return 0;
}

/* Connections are looked at again: their rights may have changed. */
static void
take_rights(struct server *s, struct rights *rights)
{
	rights->generation = s->rights.generation + 1;
	rights_fini(&s->rights);
	s->rights = *rights;
	rights_forget(s);
}

int
server_configure(struct server *s, const struct server_config *cfg, struct err *err)
{
	struct rights rights;
	int r = rights_copy(cfg, &rights);

	if (r < 0)
		return err_set(err, r, "could not take the configuration over: out of memory");
	r = listeners_configure(s, cfg, err);
	if (r < 0) {
		rights_fini(&rights);
		return r;
	}
	take_rights(s, &rights);
	s->limits = cfg->limits;
	return 0;
}

int
server_run(struct server *s)
{
	int r, hurry = 0;

	looping = s;
	do {
		r = event_base_loop(s->base, EVLOOP_ONCE | hurry);
		hurry = 0;
		if (pace_rest(s->compute))
			counter_add(&s->counters.n_rests, 1);
		else if (await_answer(s))
			hurry = EVLOOP_NONBLOCK;
	} while (r == 0 && !event_base_got_break(s->base));
	looping = NULL;
	return r < 0 ? -EIO : 0;
}

void
server_stop(struct server *s, usec_t grace_usec)
{
	if (swap_ar(&s->stop_sent, true))
		return;
	store_rlx(&s->grace_usec, grace_usec);
	(void)server_send(s, &s->stop_mail);
}

/* Requests that were running when the loop was left: they have been told to stop, and their last
 * buffers are thrown away here. */
void
server_drain_jobs(struct server *s)
{
	while (s->n_jobs > 0) {
		struct mail *m = next_mail(s);
		void *item;

		if (!m && chan_recv(s->mail, &item, NULL) == 0)
			m = item;
		if (m)
			m->deliver(m);
	}
}

static void
close_conns(struct server *s)
{
	LIST_EACH (&s->conns, it)
		conn_destroy(LIST_ITEM(it, struct conn, link));
}

void
server_destroy(struct server *s)
{
	struct mail *m;

	if (!s)
		return;
	looping = s; /* nobody else receives: a full mailbox must not stop us */
	close_conns(s);
	stop_request(&s->stop);
	if (s->mail) {
		server_drain_jobs(s);
		chan_close(s->mail);
		while ((m = next_mail(s)))
			m->deliver(m);
		waitgroup_wait(&s->senders); /* who is between having sent and returning */
	}
	looping = NULL;
	listen_fini(s);
	server_events_fini(s);
	rights_forget(s);
	rights_fini(&s->rights);
	wakers_close(s);
	if (s->mail_event)
		event_free(s->mail_event);
	if (s->grace_timer)
		event_free(s->grace_timer);
	if (s->base)
		event_base_free(s->base);
	chan_destroy(s->mail);
	closep(&s->mail_fd);
	closep(&s->diag_fd);
	stop_fini(&s->stop);
	strbuf_fini(&s->scratch);
	free(s);
}

int
server_tcp_port(const struct server *s, size_t i)
{
	for (size_t k = 0; k < s->n_listeners; k++)
		if (s->listeners[k]->port > 0 && i-- == 0)
			return s->listeners[k]->port;
	return -ENOENT;
}

const char *
server_listener(const struct server *s, size_t i)
{
	return i < s->n_listeners ? s->listeners[i]->address : NULL;
}

void
server_get_stats(const struct server *s, struct server_stats *ret)
{
	const struct server_counters *c = &s->counters;
	struct chan_stats mail;

	chan_get_stats(s->mail, &mail);
	*ret = (struct server_stats){
		.n_accepted = counter_get(&c->n_accepted),
		.n_connections = load_rlx(&c->n_connections),
		.n_requests = counter_get(&c->n_requests),
		.n_denied = counter_get(&c->n_denied),
		.n_errors = counter_get(&c->n_errors),
		.n_rows = counter_get(&c->n_rows),
		.n_bytes_out = counter_get(&c->n_bytes_out),
		.n_dropped_stalled = counter_get(&c->n_dropped_stalled),
		.n_running = load_rlx(&c->n_running),
		.n_waiting = load_rlx(&c->n_waiting),
		.n_subscriptions = load_rlx(&c->n_subscriptions),
		.n_since = counter_get(&c->n_since),
		.n_gaps = counter_get(&c->n_gaps),
		.n_mails = mail.n_sent,
		.n_mail_waits = mail.n_send_waits,
		.most_mails = mail.max_len,
		.n_rests = counter_get(&c->n_rests),
	};
}
