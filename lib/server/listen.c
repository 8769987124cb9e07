#include "server/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/answer.h"
#include "server/conn.h"
#include "server/listener.h"

#define ACCEPT_AT_ONCE 64
#define PAUSE_MIN_USEC (20 * USEC_PER_MSEC)
#define PAUSE_MAX_USEC USEC_PER_SEC

/* Best effort: the line fits an empty socket buffer. */
static void
turn_away(int fd, const char *why)
{
	AUTO(strbuf_fini) struct strbuf out = {0};
	struct err err = {0};

	(void)err_set(&err, -EBUSY, "%s", why);
	(void)err_hint(&err, "try again later");
	answer_error(&out, (struct span){0}, CODE_BUSY, &err);
	if (!out.failed)
		(void)send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
	closep(&fd);
}

static void
set_accepting(struct server *s, bool on)
{
	for (size_t i = 0; i < s->n_listeners; i++)
		(void)(on ? event_add(s->listeners[i]->event, NULL)
			  : event_del(s->listeners[i]->event));
}

static void
on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	if (!s->stopping)
		set_accepting(s, true);
}

static int
open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Descriptors (or memory) are out: the spare one lets us say so to the first in the queue. */
static void
pause_accepting(struct server *s, int listener_fd)
{
	struct timeval tv;

	if (s->spare_fd >= 0) {
		int fd;

		closep(&s->spare_fd);
		fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			turn_away(fd, "the server has no descriptors left");
		s->spare_fd = open_spare();
	}
	s->accept_pause_usec = MIN(MAX(s->accept_pause_usec * 2, PAUSE_MIN_USEC), PAUSE_MAX_USEC);
	tv = timeval_of(s->accept_pause_usec);
	/* A timer needs memory; without one nobody would accept again, so it is tried at once. */
	set_accepting(s, event_add(s->accept_timer, &tv) < 0);
}

static void
take_in(struct server *s, int fd)
{
	int one = 1;

	counter_add(&s->counters.n_accepted, 1);
	if (load_rlx(&s->counters.n_connections) >= s->limits.max_connections) {
		turn_away(fd, "the server has as many connections as it may");
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* no-op on Unix */
	(void)conn_create(s, fd); /* out of memory: the client sees a closed connection */
}

static void
on_acceptable(evutil_socket_t listener_fd, short what, void *arg)
{
	struct server *s = arg;

	(void)what;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		int fd = accept4((int)listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			s->accept_pause_usec = 0;
			take_in(s, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			   errno == ENOBUFS) {
			pause_accepting(s, (int)listener_fd);
			return;
		} else if (errno == EAGAIN) {
			return;
		} /* else this client has gone already */
	}
}

int
listen_init(struct server *s)
{
	s->spare_fd = open_spare();
	s->accept_timer = evtimer_new(s->base, on_pause_over, s);
	return s->spare_fd < 0 ? -errno : s->accept_timer ? 0 : -ENOMEM;
}

void
listen_fini(struct server *s)
{
	listeners_close(s);
	if (s->accept_timer)
		event_free(s->accept_timer);
	closep(&s->spare_fd);
}

/* The listeners of one configuration. */
struct listener_set {
	struct listener **list; /* with room for all */
	size_t n;
};

static struct listener *
find_named(struct listener *const *list, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] && span_eq(span_of(list[i]->name), name))
			return list[i];
	return NULL;
}

/* Did the service manager pass a socket that is bound to `address`? Then ours would be in its way.
 */
static bool
is_inherited(const struct listener_set *set, struct span address)
{
	for (size_t i = 0; i < set->n; i++)
		if (span_starts(span_of(set->list[i]->name), SPAN_LIT("fd:")) &&
			span_eq(span_of(set->list[i]->address), address))
			return true;
	return false;
}

static int
no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "could not listen: out of memory");
}

/* One more for the new set; `l` had the name already or was opened just now. */
static int
add_listener(struct server *s, struct listener_set *set, struct listener *l, struct err *err)
{
	set->list[set->n++] = l;
	if (!l->event)
		l->event = event_new(s->base, l->fd, EV_READ | EV_PERSIST, on_acceptable, s);
	return l->event ? 0 : no_memory(err);
}

static int
want_tcp(struct server *s, const char *text, struct listener_set *set, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf name = {0};
	struct listener *l;
	int r = listener_tcp_name(text, &name, err);

	if (r < 0)
		return r;
	if (is_inherited(set, strbuf_view(&name)))
		return 0;
	if (find_named(set->list, set->n, strbuf_view(&name)))
		return err_set(err, -EINVAL, "cannot listen on \"%s\" twice", text);
	l = find_named(s->listeners, s->n_listeners, strbuf_view(&name));
	if (!l)
		r = listener_open_tcp(text, &l, err);
	return r < 0 ? r : add_listener(s, set, l, err);
}

static int
want_unix(
	struct server *s, const char *path, mode_t mode, struct listener_set *set, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf name = {0};
	struct listener *l;
	int r = strbuf_printf(&name, "unix:%s", path);

	if (r < 0)
		return no_memory(err);
	if (is_inherited(set, strbuf_view(&name)))
		return 0;
	l = find_named(s->listeners, s->n_listeners, strbuf_view(&name));
	if (!l)
		r = listener_open_unix(path, mode, &l, err);
	else if (chmod(path, mode) < 0)
		r = err_set(
			err, -errno, "could not set the mode of %s: %s", path, err_reason(-errno));
	return r < 0 ? r : add_listener(s, set, l, err);
}

static int
want_inherited(struct server *s, int fd, struct listener_set *set, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf name = {0};
	struct listener *l;
	int r = strbuf_printf(&name, "fd:%d", fd);

	if (r < 0)
		return no_memory(err);
	l = find_named(s->listeners, s->n_listeners, strbuf_view(&name));
	if (!l)
		r = listener_inherit(fd, &l, err);
	return r < 0 ? r : add_listener(s, set, l, err);
}

static int
want_all(struct server *s, const struct server_config *cfg, struct listener_set *set,
	struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < cfg->n_inherited_fds && r == 0; i++)
		r = want_inherited(s, cfg->inherited_fds[i], set, err);
	for (const char *const *t = cfg->tcp; t && *t && r == 0; t++)
		r = want_tcp(s, *t, set, err);
	if (r == 0 && cfg->unix_path)
		r = want_unix(s, cfg->unix_path, cfg->unix_mode, set, err);
	return r;
}

/* Destroy those of `list` that `others` does not hold. */
static void
destroy_others(struct listener **list, size_t n, struct listener *const *others, size_t n_others)
{
	for (size_t i = 0; i < n; i++)
		if (!find_named(others, n_others, span_of(list[i]->name)))
			listener_destroy(list[i]);
	free(list);
}

int
listeners_configure(struct server *s, const struct server_config *cfg, struct err *err)
{
	struct listener_set set = {0};
	size_t n_tcp = 0;
	int r;

	while (cfg->tcp && cfg->tcp[n_tcp])
		n_tcp++;
	set.list = calloc(n_tcp + 1 + cfg->n_inherited_fds, sizeof(void *));
	if (!set.list)
		return no_memory(err);
	r = want_all(s, cfg, &set, err);
	if (r < 0) {
		destroy_others(set.list, set.n, s->listeners, s->n_listeners);
		return r;
	}
	destroy_others(s->listeners, s->n_listeners, set.list, set.n);
	s->listeners = set.list;
	s->n_listeners = set.n;
	set_accepting(s, true);
	return 0;
}

void
listeners_close(struct server *s)
{
	destroy_others(s->listeners, s->n_listeners, NULL, 0);
	s->listeners = NULL;
	s->n_listeners = 0;
}
