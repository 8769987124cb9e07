#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/server_impl.h"

/* The daemon's own events in the loop: posts, signals, timers. */

struct post {
	struct mail mail;
	void (*fn)(void *ctx);
	void *ctx;
};

struct ticker {
	struct list link;
	struct event *event;
	void (*fn)(void *ctx);
	void *ctx;
};

struct signal_watch {
	struct list link;
	int signo;
	void (*fn)(void *ctx, int signo);
	void *ctx;
};

static void
post_deliver(struct mail *m)
{
	struct post *p = CONTAINER_OF(m, struct post, mail);

	p->fn(p->ctx);
	free(p);
}

int
server_post(struct server *s, void (*fn)(void *ctx), void *ctx)
{
	struct post *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct post){.mail.deliver = post_deliver, .fn = fn, .ctx = ctx};
	r = server_send(s, &p->mail);
	if (r < 0)
		free(p);
	return r;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ticker *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->ctx);
}

int
server_every(struct server *s, usec_t interval_usec, void (*fn)(void *ctx), void *ctx)
{
	struct timeval tv = timeval_of(interval_usec);
	struct ticker *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->ctx = ctx;
	t->event = event_new(s->base, -1, EV_PERSIST, on_tick, t);
	if (!t->event || event_add(t->event, &tv) < 0) {
		if (t->event)
			event_free(t->event);
		free(t);
		return -ENOMEM;
	}
	list_push_back(&s->tickers, &t->link);
	return 0;
}

static void
on_signals(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct signalfd_siginfo info;

	(void)what;
	while (read((int)fd, &info, sizeof(info)) == sizeof(info)) {
		LIST_EACH (&s->watches, it) {
			struct signal_watch *w = LIST_ITEM(it, struct signal_watch, link);

			if (w->signo == (int)info.ssi_signo)
				w->fn(w->ctx, w->signo);
		}
	}
}

/* A signalfd, not a handler: it takes signals that are blocked in every thread, so none of ours
 * ever runs one. */
static int
watch_signals(struct server *s)
{
	int fd = signalfd(s->signal_fd, &s->signals, SFD_NONBLOCK | SFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	s->signal_fd = fd;
	if (s->signal_event)
		return 0;
	s->signal_event = event_new(s->base, fd, EV_READ | EV_PERSIST, on_signals, s);
	return s->signal_event && event_add(s->signal_event, NULL) == 0 ? 0 : -ENOMEM;
}

int
server_watch_signal(struct server *s, int signo, void (*fn)(void *ctx, int signo), void *ctx)
{
	struct signal_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	(void)sigaddset(&s->signals, signo);
	r = -pthread_sigmask(SIG_BLOCK, &s->signals, NULL);
	if (r == 0)
		r = watch_signals(s);
	if (r < 0) {
		free(w);
		return r;
	}
	*w = (struct signal_watch){.signo = signo, .fn = fn, .ctx = ctx};
	list_push_back(&s->watches, &w->link);
	return 0;
}

void
server_events_fini(struct server *s)
{
	LIST_EACH (&s->tickers, it) {
		struct ticker *t = LIST_ITEM(it, struct ticker, link);

		event_free(t->event);
		free(t);
	}
	LIST_EACH (&s->watches, it)
		free(LIST_ITEM(it, struct signal_watch, link));
	if (s->signal_event)
		event_free(s->signal_event);
	closep(&s->signal_fd);
}
